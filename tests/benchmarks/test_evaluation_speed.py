from __future__ import annotations

from pathlib import Path

from benchmarks.evaluation_speed import batched, one_by_one
from earthgptx.evaluation import benchmarks
from earthgptx.evaluation.questions import Conditions
from tests.evaluation.fake_assistant import FakeAssistant
from tests.fixtures.make_all import make_all


def test_all_ways_ask_about_every_region(tmp_path: Path):
    conditions = Conditions(data=make_all(tmp_path, "val"), limit=1)
    asked = benchmarks.pose(benchmarks.find("roc"), conditions)
    assistant = FakeAssistant(conditions)
    alone, together = one_by_one(assistant, asked, look_once=False), batched(assistant, asked, conditions)
    assert alone == together
    before = len(assistant.looked)
    assert before > len(alone)  # once a region, and for the batches
    assert one_by_one(assistant, asked, look_once=True) == together
    assert len(assistant.looked) - before == len({question.image.id for question in asked.questions})
    assert len(alone) == sum(len(question.objects) for question in asked.questions)
    assert all(alone.values())

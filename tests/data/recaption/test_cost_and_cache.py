"""The budget is never passed, whatever comes back when; answers on disk are whole or not there."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earthgptx.data.recaption.answers import AnswerCache, Reply
from earthgptx.data.recaption.cost import Estimate, Ledger, Prices, billed, estimate, image_tokens
from earthgptx.data.recaption.request import Parameters, Question, content_key, question_of
from earthgptx.data.recaption.subject import Subject, subjects_of
from earthgptx.shapes import Box, Polygon
from tests.fixtures.recaption_scenes import made_sample

ASKED = Estimate(tokens_in=1000, usual_tokens_out=200, most_tokens_out=500)


def bill(tokens_in: int | None, tokens_out: int | None, text: str = "") -> Reply:
    return Reply(text, tokens_in, tokens_out, "stop")


@given(
    st.floats(0, 0.05),
    st.floats(0, 0.01),
    st.lists(st.tuples(st.sampled_from(["ask", "answer", "fail", "lose"]), st.integers(0, 1000), st.integers(0, 500))),
)
def test_the_budget_is_never_passed(budget, earlier, steps):
    """As long as no bill is higher than its estimate; then not by more than what is in flight."""
    ledger = Ledger(Prices(1.0, 10.0), budget, earlier)
    in_flight: list[float] = []
    for step, tokens_in, tokens_out in steps:
        if step == "ask":
            reserved = ledger.reserve(ASKED)
            in_flight += [] if reserved is None else [reserved]
        elif in_flight and step == "answer":
            ledger.settle(ASKED, in_flight.pop(), bill(tokens_in, tokens_out))
        elif in_flight and step == "fail":
            ledger.release(in_flight.pop())
        elif in_flight and not ledger.lose(ASKED):
            ledger.release(in_flight.pop())  # no other attempt is made
        assert ledger.total_cost() <= max(budget, earlier) + 1e-9 or ledger.spent.lost


def test_one_question_in_flight_keeps_its_money_aside():
    ledger = Ledger(Prices(1.0, 10.0), 0.0125, 0.0)
    first = ledger.reserve(ASKED)
    assert first == pytest.approx(0.006)
    assert ledger.reserve(ASKED) == pytest.approx(0.006)
    assert ledger.reserve(ASKED) is None
    ledger.settle(ASKED, 0.006, bill(1000, 10))
    assert ledger.spent.cost == pytest.approx(0.0011)
    assert ledger.reserve(ASKED) is None  # 0.0011 + 0.006 + 0.006
    ledger.settle(ASKED, 0.006, bill(1000, 10))
    assert ledger.reserve(ASKED) is not None


def test_higher_bills_raise_the_estimates():
    ledger = Ledger(Prices(1.0, 0.0), 1.0, 0.0)
    reserved = ledger.reserve(ASKED)
    assert reserved is not None
    ledger.settle(ASKED, reserved, bill(3000, 1))
    assert ledger.reserve(ASKED) == pytest.approx(0.003)


def test_without_a_budget_nothing_is_refused():
    ledger = Ledger(Prices(1e6, 1e6), None, 0.0)
    assert all(ledger.reserve(ASKED) is not None for _ in range(100))
    assert ledger.lose(ASKED)


def test_a_bill_that_is_not_stated_is_estimated():
    assert billed(ASKED, bill(None, None, "x" * 300)) == (1000, 100)
    assert billed(ASKED, bill(7, 8)) == (7, 8)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 20))
def test_estimates_grow_with_what_is_asked(width, height, regions):
    question = Question("s", "w" * 300, Parameters("m"))
    asked = estimate(question, width=width, height=height, num_regions=regions)
    assert asked.tokens_in > 100 + image_tokens(1, 896)
    assert asked.usual_tokens_out <= asked.most_tokens_out == 3000


def test_image_tokens_are_those_of_the_dearer_rule():
    assert image_tokens(896, 896) == 1024  # 32 x 32 patches; four tiles would be 765
    assert image_tokens(100, 100) == 255  # one tile and the base


REPLIES = st.builds(
    Reply,
    text=st.text(),
    tokens_in=st.none() | st.integers(0, 10**9),
    tokens_out=st.none() | st.integers(0, 10**9),
    finish_reason=st.sampled_from(["stop", "length"]),
)


@given(REPLIES, REPLIES)
def test_what_is_kept_is_found_again(tmp_path_factory, first, second):
    cache = AnswerCache(tmp_path_factory.mktemp("cache"))
    assert cache.get("ab12") is None
    cache.put("ab12", first)
    assert AnswerCache(cache.folder).get("ab12") == first
    cache.put("ab12", second)
    assert cache.get("ab12") == second
    assert cache.get("ab13") is None
    assert [path.suffix for path in cache.folder.rglob("*") if path.is_file()] == [".json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"text": "a"}', '{"text":"a","tokens_in":"1","tokens_out":1}'])
def test_a_damaged_answer_is_none_and_is_said(tmp_path: Path, content, caplog):
    cache = AnswerCache(tmp_path)
    cache.put("ab12", bill(1, 2))
    (tmp_path / "ab" / "ab12.json").write_text(content)
    assert cache.get("ab12") is None
    assert "damaged" in caplog.text


def test_any_text_of_a_model_can_be_kept(tmp_path: Path):
    half_a_pair = "\ud800"  # JSON can say it, UTF-8 cannot
    cache = AnswerCache(tmp_path)
    cache.put("ab12", bill(1, 2, half_a_pair))
    assert cache.get("ab12") == bill(1, 2, half_a_pair)


def test_what_was_lost_adds_up_and_half_a_note_is_none(tmp_path: Path):
    cache = AnswerCache(tmp_path / "answers")
    assert cache.lost() == (0, 0)
    cache.add_lost(1000, 500)
    cache.add_lost(10, 5)
    with (tmp_path / "answers" / "lost.jsonl").open("a") as notes:
        notes.write("[1000, 5")
    assert AnswerCache(tmp_path / "answers").lost() == (1010, 505)


def test_a_put_that_fails_leaves_the_old_answer(tmp_path: Path, monkeypatch):
    cache = AnswerCache(tmp_path)
    cache.put("ab12", bill(1, 2))

    def fails(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="full"):
        cache.put("ab12", bill(3, 4))
    assert cache.get("ab12") == bill(1, 2)
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_prices_are_for_a_million():
    assert math.isclose(Prices(2.5, 10).of(1_000_000, 100_000), 3.5)


def test_the_key_holds_all_that_the_answer_depends_on(tmp_path: Path):
    subject = subject_of_samples(tmp_path / "a")
    image, first = subject.image, subject.image.objects[0]
    elsewhere = subject_of_samples(tmp_path / "b")
    outline = Polygon(((4, 4), (20, 4), (20, 16)))
    keys = [
        content_key(item, question_of(item, Parameters("m")))
        for item in (
            subject,
            replace(subject, image=replace(image, window=Box(0, 0, 32, 32))),
            replace(subject, image=replace(image, orientation=1)),
            replace(subject, image=replace(image, sensor="optical")),
            replace(subject, totals={}),
            replace(subject, marked=subject.marked[:1]),
            *(
                replace(subject, image=replace(image, objects=(changed, *image.objects[1:])))
                for changed in (
                    replace(first, box=Box(4, 4, 20, 17)),
                    replace(first, label="harbor"),
                    replace(first, polygons=(outline,)),
                    replace(first, rotated=outline.scaled(0.5, 0.5)),
                )
            ),
        )
    ]
    assert len(set(keys)) == len(keys)
    assert content_key(elsewhere, question_of(elsewhere, Parameters("m"))) == keys[0]
    image.path.write_bytes(image.path.read_bytes() + b" ")
    assert content_key(subject, question_of(subject, Parameters("m"))) not in keys


def subject_of_samples(folder: Path) -> Subject:
    (subject,) = subjects_of([made_sample(folder, "x", ("ship", "ship"))], max_regions=20)
    return subject

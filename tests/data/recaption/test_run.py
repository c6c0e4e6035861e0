"""Whole runs against a misbehaving server: nothing is paid twice, lost, dropped in silence or left half written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earthgptx.data.quarantine import BrokenItem
from earthgptx.data.recaption.client import ChatEndpoint, Patience
from earthgptx.data.recaption.plan import forecast
from earthgptx.data.recaption.request import Parameters
from earthgptx.data.recaption.run import Summary, recaption
from earthgptx.data.recaption.subject import subjects_of
from earthgptx.errors import BudgetSpent, EndpointFailed, FolderInUse
from tests.fixtures.misbehaving_endpoint import Step, endpoint, error, good_answer, says
from tests.fixtures.recaption_runs import files, go, rejects, settings, subjects, written
from tests.fixtures.recaption_scenes import made_sample


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_answers_become_samples_of_three_tasks(tmp_path: Path):
    items = subjects(tmp_path, 6)
    with endpoint() as state:
        summary = go(state, items, settings(tmp_path))
    samples = written(tmp_path)
    assert (summary.accepted, summary.rejected, summary.samples) == (6, 0, len(samples))
    assert {sample.task for sample in samples} == {"image_caption", "region_caption", "relation"}
    assert len({sample.id for sample in samples}) == len(samples)
    for item in items:
        own = [sample for sample in samples if sample.id.startswith(item.image.id + "#")]
        described = [region.object for s in own if s.task == "region_caption" for region in s.regions]
        assert sorted(o.box.x0 for o in described) == sorted(o.box.x0 for o in item.image.objects)
        for sample in own:
            assert sample.image.resolve() == item.image.path.resolve()
            if sample.task == "region_caption":
                for number, region in enumerate(sample.regions, start=1):
                    assert f"<Region {number}>: A {region.object.label} that" in sample.turns[1].text
            if sample.task == "relation":
                assert sample.turns[1].text.startswith("<Region 1> is not far from <Region 2>, ")
    assert rejects(tmp_path) == []
    assert files(tmp_path).keys() == {"samples.jsonl", "rejects.jsonl"}


def test_every_kind_of_trouble_in_one_run(tmp_path: Path):
    """Trouble on the way is waited out; answers that deny the labels are refused, each with its reason."""
    script = [
        error(429, "slow down", headers=(("Retry-After", "1"),)),
        error(500, "oops"),
        Step(),
        Step(drop="at once"),
        Step(drop="halfway"),
        Step(),
        Step(body="<html>"),
        Step(content=lambda classes: json.dumps(good_answer(classes))[:40]),
        says(regions=[{"number": 9, "class": "ship", "description": "A ship on its own."}]),
        says(caption="Seven ships and three harbors can be seen on an even ground, all clearly apart from each other."),
        Step(content=lambda classes: "", finish_reason="content_filter"),
    ]
    items = subjects(tmp_path, 8)
    with endpoint(script) as state:
        summary = go(state, items, settings(tmp_path, concurrency=1))
    assert len(state.requests) == 8 + 5
    assert (summary.accepted, summary.rejected) == (4, 4)
    reasons = [" ".join(record["reasons"]) for record in rejects(tmp_path)]
    assert [record["stage"] for record in rejects(tmp_path)] == ["answer"] * 4
    for reason, words in zip(reasons, ("not JSON", "no description", "counts 7", "filter stopped it"), strict=True):
        assert words in reason
    assert {record["id"] for record in rejects(tmp_path)}.isdisjoint(s.id.split("#")[0] for s in written(tmp_path))
    assert summary.spending.lost == 3  # two dropped, one that was no completion
    assert summary.spending.answers == 8


def test_one_question_that_gets_no_answer_is_rejected_and_asked_again_next_time(tmp_path: Path):
    items = subjects(tmp_path, 3)
    with endpoint([Step(), *[error(503, "busy")] * 3]) as state:
        first = go(state, items, settings(tmp_path, concurrency=1))
        assert (first.accepted, first.rejected) == (2, 1)
        assert rejects(tmp_path)[0]["stage"] == "request"
        second = go(state, items, settings(tmp_path, concurrency=1))
        assert (second.accepted, second.rejected, second.spending.answers, second.kept) == (3, 0, 1, 2)


def test_nothing_is_paid_twice_and_the_same_answers_give_the_same_bytes(tmp_path: Path):
    items = subjects(tmp_path, 9)
    with endpoint([says(regions=[])]) as state:
        first = go(state, items, settings(tmp_path))
        before = files(tmp_path)
        second = go(state, items, settings(tmp_path))
        assert len(state.requests) == 9
    assert files(tmp_path) == before
    assert second.spending.answers == 0
    assert second.kept == 9
    assert second.total_cost == pytest.approx(first.total_cost) == pytest.approx(9 * 0.003)


def test_the_order_of_the_answers_changes_nothing(tmp_path: Path):
    items = subjects(tmp_path, 8)
    outputs = []
    for name, script, concurrency in (("a", [], 1), ("b", [Step(hang=0.15), Step(hang=0.05), Step(hang=0.1)], 8)):
        with endpoint(script) as state:
            go(state, items, settings(tmp_path, out=tmp_path / name / "out", concurrency=concurrency))
        outputs.append(files(tmp_path / name))
    assert outputs[0] == outputs[1]


def test_the_same_content_is_asked_once(tmp_path: Path):
    copies = [made_sample(tmp_path / name, "same", ("ship", "ship"), seed=5) for name in ("a", "b", "c")]
    items = subjects_of(copies, max_regions=20)
    assert len({item.image.id for item in items}) == 3
    with endpoint([Step(hang=0.1)]) as state:
        summary = go(state, items, settings(tmp_path))
        assert len(state.requests) == 1
    assert (summary.accepted, summary.kept) == (3, 2)
    assert forecast(items, settings(tmp_path, out=tmp_path / "new")).questions == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "made-2"},
        {"temperature": 0.5},
        {"max_output_tokens": 2999},
        {"side": 225},
        {"response_format": "text"},
    ],
)
def test_other_parameters_are_another_question(tmp_path: Path, changes):
    items = subjects(tmp_path, 1)
    with endpoint() as state:
        go(state, items, settings(tmp_path))
        parameters = Parameters(**{"model": "made-1", "side": 224, **changes})
        go(state, items, settings(tmp_path, parameters=parameters))
        assert len(state.requests) == 2


def test_other_pixels_or_marks_are_another_question(tmp_path: Path):
    with endpoint() as state:
        go(state, subjects_of([made_sample(tmp_path, "x", ("ship",), seed=1)], max_regions=20), settings(tmp_path))
        go(state, subjects_of([made_sample(tmp_path, "x", ("ship",), seed=2)], max_regions=20), settings(tmp_path))
        go(state, subjects_of([made_sample(tmp_path, "x", ("harbor",), seed=2)], max_regions=20), settings(tmp_path))
        assert len(state.requests) == 3


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_questions_are_in_flight_than_allowed(tmp_path: Path, concurrency: int):
    with endpoint() as state:
        state.linger = 0.03
        go(state, subjects(tmp_path, 10), settings(tmp_path, concurrency=concurrency))
        assert 1 <= state.most_at_once <= concurrency
        assert len(state.requests) == 10


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_budget_stops_the_run_and_keeps_what_was_paid(tmp_path: Path, concurrency: int):
    items = subjects(tmp_path, 10)
    budget = 0.05  # a question may cost up to 0.031 or so
    seen: list[Summary] = []
    with endpoint() as state:
        with pytest.raises(BudgetSpent, match=r"budget of 0\.05: 0\.0\d+ are spent"):
            go(state, items, settings(tmp_path, budget=budget, concurrency=concurrency), seen)
        asked = len(state.requests)
        assert 0 < asked < 10
        assert seen[-1].total_cost == pytest.approx(0.003 * asked)
        assert seen[-1].total_cost <= budget
        assert len({sample.id.split("#")[0] for sample in written(tmp_path)}) == asked
        record = json.loads((tmp_path / "out" / "summary.json").read_text())
        assert (record["accepted"], record["unasked"]) == (asked, 10 - asked)
        with pytest.raises(BudgetSpent):  # what was spent before counts
            go(state, items, settings(tmp_path, budget=budget, concurrency=concurrency))
        assert len(state.requests) == asked
        last = go(state, items, settings(tmp_path, budget=1.0, concurrency=concurrency))
        assert len(state.requests) == 10
    assert (last.accepted, last.kept) == (10, asked)


def test_lost_answers_use_up_the_budget_too(tmp_path: Path):
    with endpoint([Step(drop="at once")] * 3) as state:
        with pytest.raises(BudgetSpent):
            go(state, subjects(tmp_path, 2), settings(tmp_path, budget=0.05, concurrency=1))
        assert len(state.requests) == 1  # a second attempt could have passed the budget
        assert 0.03 < forecast(subjects(tmp_path, 2), settings(tmp_path)).earlier_cost < 0.05
        with pytest.raises(BudgetSpent):  # the next run knows of it
            go(state, subjects(tmp_path, 2), settings(tmp_path, budget=0.05, concurrency=1))
        assert len(state.requests) == 1


def test_a_budget_too_small_for_one_question_asks_nothing(tmp_path: Path):
    with endpoint() as state:
        with pytest.raises(BudgetSpent):
            go(state, subjects(tmp_path, 2), settings(tmp_path, budget=0.001))
        assert not state.requests


def test_answers_behind_the_budget_are_still_written(tmp_path: Path):
    """What an earlier run paid for is used, though questions before it can no longer be asked."""
    items = subjects(tmp_path, 6)
    with endpoint() as state:
        go(state, items[3:], settings(tmp_path))
        with pytest.raises(BudgetSpent):
            go(state, items, settings(tmp_path, budget=0.01))
        assert len(state.requests) == 3
    assert {sample.id.split("#")[0] for sample in written(tmp_path)} == {item.image.id for item in items[3:]}


def test_an_endpoint_that_refuses_the_key_stops_the_run_and_keeps_what_was_paid(tmp_path: Path):
    items = subjects(tmp_path, 6)
    with endpoint([Step(), Step(), error(401, "expired")]) as state:
        with pytest.raises(EndpointFailed, match="the key was refused"):
            go(state, items, settings(tmp_path, concurrency=1))
        assert len(state.requests) == 3
        assert len({sample.id.split("#")[0] for sample in written(tmp_path)}) == 2
        assert rejects(tmp_path) == []
        go(state, items, settings(tmp_path, concurrency=1))
        assert len(state.requests) == 7


def test_an_endpoint_that_refuses_every_question_is_given_up(tmp_path: Path):
    with endpoint([error(400, "no pictures here")] * 20) as state:
        with pytest.raises(EndpointFailed, match=r"10 images in a row got no answer.*no pictures here"):
            go(state, subjects(tmp_path, 12), settings(tmp_path, concurrency=1))
        assert len(state.requests) == 10


def test_refused_answers_are_not_paid_for_again(tmp_path: Path):
    items = subjects(tmp_path, 3)
    with endpoint([says(regions=[])]) as state:
        assert go(state, items, settings(tmp_path, concurrency=1)).rejected == 1
        assert go(state, items, settings(tmp_path, concurrency=1)).rejected == 1
        assert len(state.requests) == 3


def test_images_that_cannot_be_read_are_rejected_and_the_rest_goes_on(tmp_path: Path):
    items = subjects(tmp_path, 4)
    items[1].image.path.unlink()
    items[2].image.path.write_bytes(b"no picture")
    assert forecast(items, settings(tmp_path)).unreadable == 1
    with endpoint() as state:
        summary = go(state, items, settings(tmp_path))
        assert len(state.requests) == 2
    assert (summary.accepted, summary.rejected) == (2, 2)
    assert [(record["id"], record["stage"]) for record in rejects(tmp_path)] == [
        (items[1].image.id, "image"),
        (items[2].image.id, "image"),
    ]


def test_broken_labels_are_listed_among_the_rejects(tmp_path: Path):
    broken = BrokenItem("made", "labels.json annotation 7", "The box lies outside.")
    patience = Patience(attempts=1)
    with endpoint() as state:
        chat = ChatEndpoint(state.url, "key", patience=patience)
        recaption(subjects(tmp_path, 1), chat, settings(tmp_path), broken=[broken])
    (record,) = rejects(tmp_path)
    assert (record["id"], record["stage"], record["reasons"]) == (broken.item, "labels", [broken.reason])


def test_two_runs_do_not_share_a_folder(tmp_path: Path):
    items = subjects(tmp_path, 1)

    class Nested:
        def ask(self, question, picture, on_lost):
            with endpoint() as state, pytest.raises(FolderInUse):
                go(state, items, settings(tmp_path))
            raise EndpointFailed("enough.")

        def halt(self):
            """Has no waits."""

    with pytest.raises(EndpointFailed, match="enough"):
        recaption(items, Nested(), settings(tmp_path))


def test_a_shorter_run_leaves_nothing_of_a_longer_one(tmp_path: Path):
    items = subjects(tmp_path, 8)
    with endpoint() as state:
        go(state, items, settings(tmp_path))
        (tmp_path / "out" / "samples.jsonl.part").write_text("half a li")
        go(state, items[:1], settings(tmp_path))
    assert {sample.id.split("#")[0] for sample in written(tmp_path)} == {items[0].image.id}
    assert not list((tmp_path / "out").glob("*.part"))


def test_the_forecast_sends_nothing_and_writes_nothing(tmp_path: Path):
    items = subjects(tmp_path, 5)
    told = forecast(items, settings(tmp_path))
    assert not (tmp_path / "out").exists()
    assert (told.images, told.questions, told.unreadable, told.earlier_cost) == (5, 5, 0, 0.0)
    assert 0 < told.usual_cost < told.most_cost
    assert told.most_tokens_out == 5 * 3000
    with endpoint() as state:
        summary = go(state, items[:3], settings(tmp_path))
    later = forecast(items, settings(tmp_path))
    assert later.questions == 2
    assert later.earlier_cost == pytest.approx(summary.total_cost)


def test_progress_is_told_after_every_image(tmp_path: Path):
    seen: list[Summary] = []
    with endpoint() as state:
        last = go(state, subjects(tmp_path, 5), settings(tmp_path), seen)
    assert [summary.accepted for summary in seen] == [1, 2, 3, 4, 5]
    assert seen[-1].total_cost == pytest.approx(last.total_cost)

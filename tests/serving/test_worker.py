"""The model's thread: batches, a bounded queue, and work that ends when nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from earthgptx.data.imagery import Scene
from earthgptx.errors import (
    AnswerTookTooLong,
    EarthGPTXError,
    ModelNotReady,
    QuestionTooLong,
    QueueFull,
    ServerStopping,
    UnknownModel,
)
from earthgptx.inference.assistant import Assistant, Conversation
from earthgptx.serving.app import create_app
from earthgptx.serving.failures import STATUS, body_of, status_of
from earthgptx.serving.jobs import Answered, Event, Failed, Job, Sampling, Word
from earthgptx.serving.seen import ZOOMS_KEPT
from earthgptx.serving.settings import Settings
from earthgptx.serving.watch import Metrics
from earthgptx.serving.worker import Worker
from tests.serving.conftest import ASK, Dictated, serving, upload, wait_until
from tests.tiny_model import picture

SCENE = Scene.from_array(picture((60, 40)), sensor="optical")


class Gate:
    """Holds the model's thread until it is opened."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.num_at_it = 0

    def __call__(self) -> None:
        self.num_at_it += 1
        assert self.is_open.wait(20)


class Listener:
    """What became of a question."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def end(self) -> Event | None:
        return next((event for event in self.events if not isinstance(event, Word)), None)

    @property
    def text(self) -> str:
        wait_until(lambda: self.end is not None)
        assert isinstance(self.end, Answered), self.end
        return self.end.answer.text

    @property
    def error(self) -> Exception:
        wait_until(lambda: self.end is not None)
        assert isinstance(self.end, Failed), self.end
        return self.end.error


def job(listener: Listener, text: str = "What is this?", *, dialogue: str = "", **settings: Any) -> Job:
    return Job(
        scene_id=settings.pop("scene_id", "a"),
        scene=SCENE,
        text=text,
        marks=(),
        dialogue=dialogue or str(id(listener)),
        conversation=Conversation,
        sampling=Sampling(**settings.pop("sampling", {})),
        on_event=listener.events.append,
        seconds=settings.pop("seconds", 60.0),
    )


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.is_open.set()


def started(generator: Any, **limits: int) -> Worker:
    limits = {"queue_size": 20, "batch_size": 4, "encoded_scenes": 2} | limits
    worker = Worker(lambda: Assistant(generator), meter=Metrics(), **limits)
    worker.start()
    wait_until(lambda: worker.is_ready)
    return worker


def hold(worker: Worker, gate: Gate) -> Listener:
    """Sends a first question and waits until the model is busy with it."""
    first = Listener()
    worker.submit(job(first))
    wait_until(lambda: gate.num_at_it > 0)
    return first


def test_what_waits_is_answered_together(gate: Gate):
    generator = Dictated(pause=gate)
    worker = started(generator)
    listeners = [hold(worker, gate), *(Listener() for _ in range(6))]
    for listener in listeners[1:]:
        worker.submit(job(listener))
    gate.is_open.set()
    assert all(listener.text is not None for listener in listeners)
    assert generator.batches == [1, 4, 2]
    worker.stop()


def test_only_what_is_alike_shares_a_batch_and_a_dialogue_keeps_its_order(gate: Gate):
    generator = Dictated(pause=gate)
    worker = started(generator, batch_size=9)
    first, *others = [hold(worker, gate), *(Listener() for _ in range(5))]
    plan = [("1", {}), ("2", {"temperature": 1.0}), ("1", {}), ("3", {}), ("2", {})]
    for place, (listener, (dialogue, sampling)) in enumerate(zip(others, plan, strict=True)):
        worker.submit(job(listener, f"Question {place}?", dialogue=dialogue, sampling=sampling))
    gate.is_open.set()
    assert all(listener.text is not None for listener in (first, *others))
    asked = [request.turns[-1].text[9] for request in generator.requests[1:]]
    assert generator.batches == [1, 2, 1, 2]
    assert asked == ["0", "3", "1", "2", "4"]
    worker.stop()


def test_a_full_queue_says_when_to_come_again(gate: Gate):
    worker = started(Dictated(pause=gate), queue_size=2)
    hold(worker, gate)
    for _ in range(2):
        worker.submit(job(Listener()))
    with pytest.raises(QueueFull, match="2 questions wait and no more than 2 may") as caught:
        worker.submit(job(Listener()))
    assert caught.value.retry_after >= 1
    gate.is_open.set()
    worker.stop()


def test_who_went_away_is_not_answered(gate: Gate):
    generator = Dictated(["one", "two"], pause=gate)
    worker = started(generator)
    hold(worker, gate)
    gone, waits = Listener(), Listener()
    job_of_gone = job(gone)
    worker.submit(job_of_gone)
    worker.submit(job(waits))
    job_of_gone.stop()
    gate.is_open.set()
    assert waits.text == "two"
    assert gone.events == []
    assert generator.batches == [1, 1]
    worker.stop()


def test_a_question_whose_time_is_over_is_told_so(gate: Gate):
    worker = started(Dictated(pause=gate))
    hold(worker, gate)
    late = Listener()
    worker.submit(job(late, seconds=0.01))
    time.sleep(0.02)
    gate.is_open.set()
    assert isinstance(late.error, AnswerTookTooLong)
    assert "0.01 s" in str(late.error)
    worker.stop()


class Picky(Dictated):
    """Refuses a batch with a certain question in it, as the real one does a dialogue that is too long."""

    def __init__(self, error: Exception, **settings: Any) -> None:
        super().__init__(**settings)
        self.error = error

    def generate(self, requests: Any, **settings: Any) -> Any:
        answers = super().generate(requests, **settings)
        if any("bad" in request.turns[-1].text for request in requests):
            raise self.error
        return answers


@pytest.mark.parametrize("error", [QuestionTooLong("Too long."), ZeroDivisionError("a defect")], ids=["user", "ours"])
def test_a_bad_question_fails_alone(gate: Gate, error: Exception):
    generator = Picky(error, pause=gate)
    worker = started(generator)
    hold(worker, gate)
    good, bad = Listener(), Listener()
    worker.submit(job(good))
    worker.submit(job(bad, "A bad one?"))
    gate.is_open.set()
    assert good.text == ""
    assert bad.error is error
    again = Listener()
    worker.submit(job(again))
    assert again.text == ""  # the thread lives
    worker.stop()


def test_scenes_are_looked_at_once_and_the_oldest_is_forgotten():
    generator = Dictated()
    worker = started(generator)
    worker.know("b")
    worker.know("c")
    worker.look_soon("a", SCENE)
    wait_until(lambda: generator.num_looks == 1)
    for scene_id, num_looks in (("a", 1), ("b", 2), ("a", 2), ("c", 3), ("a", 3), ("b", 4)):
        listener = Listener()
        worker.submit(job(listener, scene_id=scene_id))
        assert listener.text == ""
        assert generator.num_looks == num_looks
    worker.forget("b")
    worker.submit(job(listener, scene_id="b"))
    wait_until(lambda: generator.num_looks == 5)
    worker.stop()


def test_what_is_seen_of_a_scene_goes_with_it_though_it_be_looked_at_that_moment(gate: Gate):
    class Slow(Dictated):
        def look(self, scene: Any) -> Any:
            gate()
            return super().look(scene)

    worker = started(Slow())
    worker.know("a")
    for scene_id in ("a", "never known"):
        gate.is_open.clear()
        gate.num_at_it = 0
        listener = Listener()
        worker.submit(job(listener, scene_id=scene_id))
        wait_until(lambda: gate.num_at_it == 1)
        worker.forget(scene_id)
        gate.is_open.set()
        assert listener.text == ""
    assert worker.seen.num_scenes == 0
    worker.stop()


def test_those_who_went_away_make_room_in_a_full_queue(gate: Gate):
    worker = started(Dictated(pause=gate), queue_size=1)
    hold(worker, gate)
    gone, stays = Listener(), Listener()
    job_of_gone = job(gone)
    worker.submit(job_of_gone)
    with pytest.raises(QueueFull):
        worker.submit(job(Listener()))
    job_of_gone.stop()
    worker.submit(job(stays))
    gate.is_open.set()
    assert stays.text == ""
    worker.stop()


def test_a_question_is_not_put_into_a_queue_that_has_ended(monkeypatch: pytest.MonkeyPatch):
    worker = started(Dictated())
    worker.stop()
    monkeypatch.setattr(worker, "check_ready", lambda: None)  # it was still ready when that was asked
    with pytest.raises(ServerStopping):
        worker.submit(job(Listener()))


def test_a_scene_that_cannot_be_looked_at_fails_alone(gate: Gate):
    class Blind(Dictated):
        def look(self, scene: Any) -> Any:
            if scene is not SCENE:
                raise ZeroDivisionError("a defect")
            return super().look(scene)

    worker = started(Blind(pause=gate))
    hold(worker, gate)
    good, bad = Listener(), Listener()
    job_of_bad = job(bad, scene_id="b")
    job_of_bad.scene = Scene.from_array(picture((60, 40)), sensor="optical")
    worker.submit(job_of_bad)
    worker.submit(job(good))
    gate.is_open.set()
    assert good.text == ""
    assert isinstance(bad.error, ZeroDivisionError)
    worker.stop()


def test_windows_around_marks_are_bounded_over_all_scenes():
    kept: dict[int, int] = {}

    class Counting(Dictated):
        def forget_zooms(self, views: Any, keep: int) -> None:
            kept[id(views)] = keep

    worker = started(Counting(), encoded_scenes=5)
    scenes = [Scene.from_array(picture((60, 40), seed), sensor="optical") for seed in range(4)]
    for number, scene in enumerate(scenes):
        worker.know(str(number))
        listener = Listener()
        asked = job(listener, scene_id=str(number))
        asked.scene = scene
        worker.submit(asked)
        assert listener.text == ""
    wait_until(lambda: len(kept) == 4)
    wait_until(lambda: sum(kept.values()) == ZOOMS_KEPT)
    worker.stop()


def test_a_model_that_cannot_be_loaded_is_not_ready_and_says_where_to_look():
    def load() -> Assistant:
        raise UnknownModel("There is no model 'x'.")

    worker = Worker(load, queue_size=1, batch_size=1, encoded_scenes=1, meter=Metrics())
    with pytest.raises(ModelNotReady, match="being loaded"):
        worker.check_ready()
    worker.start()
    wait_until(lambda: not worker._thread.is_alive())
    with pytest.raises(ModelNotReady, match="log says why"):  # anybody may ask, and the reason may name a folder
        worker.submit(job(Listener()))


def test_a_stop_sends_the_waiting_away(gate: Gate):
    worker = started(Dictated(pause=gate))
    first = hold(worker, gate)
    waiting = Listener()
    worker.submit(job(waiting))
    threading.Timer(0.05, gate.is_open.set).start()
    worker.stop()
    assert isinstance(waiting.error, ServerStopping)
    assert isinstance(first.error, ServerStopping)
    with pytest.raises(ServerStopping):
        worker.submit(job(Listener()))


def test_a_listener_that_fails_does_not_end_the_thread():
    worker = started(Dictated())
    broken, whole = Listener(), Listener()

    def hear(event: Event) -> None:
        broken.events.append(event)
        if isinstance(event, Answered):
            raise OSError("no room on the disk")

    def never_hear(event: Event) -> None:
        raise OSError("nobody is there")

    failing, deaf = job(broken), job(Listener())
    failing.on_event, deaf.on_event = hear, never_hear
    worker.submit(failing)
    worker.submit(deaf)
    worker.submit(job(whole))
    assert whole.text == ""
    assert isinstance(broken.events[-1], Failed)
    worker.stop()


def test_a_full_queue_over_http(gate: Gate):
    with serving(Dictated(pause=gate), queue_size=1) as client, ThreadPoolExecutor() as pool:
        path = f"/scenes/{upload(client)['id']}/ask"
        first = pool.submit(client.post, path, json=ASK)
        wait_until(lambda: gate.num_at_it > 0)
        second = pool.submit(client.post, path, json=ASK)
        wait_until(lambda: client.app.state.serving.worker.num_waiting == 1)
        third = client.post(path, json=ASK)
        assert (third.status_code, third.json()["error"]["code"]) == (429, "queue_full")
        assert int(third.headers["retry-after"]) >= 1
        gate.is_open.set()
        assert first.result().status_code == second.result().status_code == 200


def test_not_ready_over_http():
    gate = threading.Event()

    class Slow(Dictated):
        def __init__(self) -> None:
            assert gate.wait(20)
            super().__init__()

    app = create_app(Settings(), lambda: Assistant(Slow()))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/health").status_code == 200
        response = client.get("/ready")
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        scene = upload(client)["id"]
        assert client.post(f"/scenes/{scene}/ask", json=ASK).json()["error"]["code"] == "model_not_ready"
        gate.set()
        wait_until(lambda: client.get("/ready").status_code == 200)


def test_every_error_of_the_package_has_a_status():
    assert all(issubclass(kind, EarthGPTXError) and 400 <= status < 600 for kind, status in STATUS.items())
    assert status_of(QuestionTooLong("x")) == 422
    assert status_of(ValueError("x")) == 500
    assert body_of(QuestionTooLong("One sentence."), "i")["error"]["code"] == "question_too_long"

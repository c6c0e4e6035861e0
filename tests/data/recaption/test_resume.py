"""A run that ends in the middle, by a kill or by Ctrl-C, goes on where it was."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from earthgptx.data.recaption.client import ChatEndpoint, NoAnswer, Patience
from earthgptx.data.recaption.run import Summary, recaption
from earthgptx.data.recaption.subject import subjects_of
from earthgptx.data.sample_file import write_samples
from tests.fixtures.misbehaving_endpoint import Step, endpoint
from tests.fixtures.recaption_runs import go, settings, subjects, written
from tests.fixtures.recaption_scenes import made_samples

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


KILLED = """
import sys
from pathlib import Path
from earthgptx.data.recaption.client import ChatEndpoint, Patience
from earthgptx.data.recaption.plan import Settings
from earthgptx.data.recaption.request import Parameters
from earthgptx.data.recaption.run import recaption
from earthgptx.data.recaption.subject import subjects_of
from earthgptx.data.sample_file import read_samples

samples, out, url = sys.argv[1:]
items = subjects_of(read_samples(Path(samples)), max_regions=20)
chat = ChatEndpoint(url, "key", patience=Patience())
recaption(items, chat, Settings(Parameters("made-1", side=224), Path(out), concurrency=2))
"""


def test_a_run_that_was_killed_asks_nothing_twice(tmp_path: Path):
    count = 8
    samples = made_samples(tmp_path / "pictures", count)
    write_samples(tmp_path / "samples.jsonl", samples)
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "samples.jsonl"), str(tmp_path / "out")]
    answers = tmp_path / "out" / "answers"
    with endpoint([Step(), Step(), Step(), Step(hang=60), Step(hang=60)]) as state:
        process = subprocess.Popen([*arguments, state.url], cwd=ROOT)
        try:
            while len(list(answers.rglob("*.json"))) < 3 or len(state.requests) < 5:
                assert process.poll() is None
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
        assert len(state.requests) == 5  # three answered and kept, two in flight
        summary = go(state, subjects_of(samples, max_regions=20), settings(tmp_path))
        assert len(state.requests) == 5 + count - 3
    assert (summary.accepted, summary.kept) == (count, 3)
    assert len(set(state.pictures())) == count
    assert len({sample.id.split("#")[0] for sample in written(tmp_path)}) == count


def test_ctrl_c_keeps_what_is_in_flight(tmp_path: Path):
    items = subjects(tmp_path, 20)

    def stop(summary: Summary) -> None:
        raise KeyboardInterrupt

    with endpoint() as state:
        state.linger = 0.05
        chat = ChatEndpoint(state.url, "key", patience=Patience())
        with pytest.raises(KeyboardInterrupt):
            recaption(items, chat, settings(tmp_path, concurrency=3), stop)
        asked = len(state.requests)
        assert len(list((tmp_path / "out" / "answers").rglob("*.json"))) == asked
        go(state, items, settings(tmp_path))
        assert len(state.requests) == 20


def test_ctrl_c_ends_waiting_between_attempts(tmp_path: Path):
    class Stopped:
        is_halted = False

        def ask(self, question, picture, on_lost):
            raise NoAnswer("busy.")

        def halt(self):
            self.is_halted = True

    def stop(summary: Summary) -> None:
        raise KeyboardInterrupt

    chat = Stopped()
    with pytest.raises(KeyboardInterrupt):
        recaption(subjects(tmp_path, 2), chat, settings(tmp_path), stop)
    assert chat.is_halted

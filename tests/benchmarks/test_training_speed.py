"""The training benchmark shows both sides the same samples, and every second of a step is somebody's."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.step_anatomy import BOXES, Anatomy
from benchmarks.training_speed import KINDS, Step, mixed
from tests.tiny_model import dialogue_sample, prepare, tiny_model

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training_speed.py"


def test_a_small_run_ends_with_what_the_table_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    options = ["--recipe", str(SCRIPT.parents[1] / "recipes" / "tiny.py"), "--images", "1"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *options])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    *table, last = capsys.readouterr().out.strip().splitlines()
    result = json.loads(last)
    assert [line.split()[0] for line in table[1 : len(BOXES) + 1]] == list(BOXES)
    for side, towers_run in (("ours", False), ("plain", True)):
        for kind in KINDS:
            boxes = result["seconds_a_step"][side][kind]
            assert (boxes["towers"] > 0) is towers_run
            assert (boxes["language"] > 0) is (kind == "whole model")
            assert min(boxes["marks"], boxes["fusion"], boxes["pixels"], boxes["optimizer"]) > 0
    assert result["ratio"] > 0
    assert 0 <= result["share_waiting_for_data"] < 1
    assert any("ours / plain" in line for line in table)


def test_backward_belongs_to_the_box_that_went_forward():
    prepared = prepare([dialogue_sample((200, 150))])
    model = tiny_model()
    model.vision.requires_grad_(False)
    anatomy = Anatomy(model)
    forward = anatomy.of(lambda: model(prepared.batch()))
    whole = anatomy.of(lambda: [model(prepared.batch()).answer_logits.square().sum().backward() for _ in range(3)])
    assert forward["towers"] > 0
    assert forward["language"] > 0
    assert forward["pixels"] == forward["data"] == 0  # nobody asks for a mask
    owners = set(whole) - {box for box, seconds in whole.items() if seconds == 0}
    assert owners == {"towers", "marks", "fusion", "language", "rest"}


def test_a_gradient_that_reaches_a_box_is_its_time(monkeypatch: pytest.MonkeyPatch):
    class Slow(torch.autograd.Function):
        @staticmethod
        def forward(context: object, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(context: object, gradient: torch.Tensor) -> torch.Tensor:
            until = anatomy.clock
            until._since -= 10.0  # as if it took ten seconds
            return gradient

    anatomy = Anatomy(tiny_model())
    slow = anatomy.timed(Slow.apply, "fusion")
    x = torch.ones(3, requires_grad=True)
    seconds = anatomy.of(lambda: (slow(x * 2) * 3).sum().backward())
    assert 10 <= seconds["fusion"] < 11
    assert sum(seconds.values()) < 11


def test_mixing_keeps_the_samples_and_the_sizes():
    steps = [Step(number % 3 > 0, [(number, k) for k in range(4)]) for number in range(6)]  # type: ignore[misc]
    others = mixed(steps)
    assert [(step.marks_only, len(step.items)) for step in others] == [(step.marks_only, 4) for step in steps]
    for kind in (True, False):
        before, after = (
            [item for step in side if step.marks_only is kind for item in step.items] for side in (steps, others)
        )
        assert before != after
        assert sorted(before) == sorted(after)

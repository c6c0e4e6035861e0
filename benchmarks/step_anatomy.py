"""Tells whose the time of a training step is: seconds by box of the model, forward and backward together.

A model comes in and is listened to; a function that does a step comes in, seconds by box go out. It knows neither data
nor losses, whose time is the rest's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from earthgptx.model.earthgptx import EarthGPTX

BOXES = ("data", "towers", "marks", "fusion", "language", "pixels", "optimizer", "rest")
# What of each box the conductor and the loop call.
ENTRANCES = {
    "vision": ("towers", ("forward",)),
    "spatial": ("marks", ("forward",)),
    "fusion": ("fusion", ("forward",)),
    "language": ("language", ("forward", "embed", "logits")),
    "pixels": ("pixels", ("forward", "frame_of_views")),
}


@dataclass
class BoxClock:
    """Seconds by box; all time belongs to exactly one of them, that of the measuring itself to none."""

    seconds: dict[str, float] = field(default_factory=dict)
    box: str = "rest"
    _since: float = field(default_factory=time.perf_counter)

    def enter(self, box: str) -> str:
        """Time is this box's from now on; returns whose it was."""
        now = time.perf_counter()
        before = self.box
        self.seconds[before] = self.seconds.get(before, 0.0) + now - self._since
        self.box, self._since = box, now
        return before


class Anatomy:
    """Tells a clock which box of a model is at work, forward and backward.

    Going forward a box's entrances say so. Every node of the graph that was made meanwhile is remembered as the
    box's, and says so when the gradient comes to it.
    """

    def __init__(self, model: EarthGPTX) -> None:
        self.clock = BoxClock()
        self._owned: set[Any] = set()
        for name, (box, methods) in ENTRANCES.items():
            for method in methods:
                self.time(getattr(model, name), method, box)

    def time(self, owner: object, method: str, box: str) -> None:
        """Counts what a method takes as a box's."""
        setattr(owner, method, self.timed(getattr(owner, method), box))

    def timed(self, function: Callable[..., Any], box: str) -> Callable[..., Any]:
        """A function whose time is a box's."""

        def called(*arguments: Any, **named: Any) -> Any:
            before = self.clock.enter("measuring")
            self._claim((arguments, named), before)
            self.clock.enter(box)
            made = function(*arguments, **named)
            self.clock.enter("measuring")
            self._claim(made, box)
            self.clock.enter(before)
            return made

        return called

    def of(self, step: Callable[[], object]) -> dict[str, float]:
        """Seconds by box of one step."""
        self._owned.clear()
        self.clock.enter("rest")
        self.clock.seconds.clear()
        step()
        self.clock.enter("measuring")
        return {box: self.clock.seconds.get(box, 0.0) for box in BOXES}

    def _claim(self, value: object, box: str) -> None:
        """All nodes behind a value's tensors that nobody has claimed are this box's."""
        waiting = [tensor.grad_fn for tensor in _tensors(value) if tensor.grad_fn is not None]
        while waiting:
            node = waiting.pop()
            if node in self._owned or node.name().endswith("AccumulateGrad"):
                continue
            self._owned.add(node)
            node.register_prehook(lambda _: self.clock.enter(box) and None)
            waiting += [following for following, _ in node.next_functions if following is not None]


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)
    elif hasattr(value, "__dataclass_fields__"):
        yield from _tensors(vars(value))

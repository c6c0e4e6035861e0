"""Ctrl-C, or a request to end, as a wish: the step under way is finished and saved, and only then does the run end.

An exception in the middle of an optimizer step would leave weights of which some are one step older than others.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType


class Interruption:
    """While it is entered, the first of its signals sets `is_asked`; a second one ends the run at once.

    Outside the main thread, where Python delivers no signals, it changes nothing; nor where a signal is ignored, as a
    shell has Ctrl-C for jobs in the background.

    Args:
        signals: those it listens to: SIGINT is Ctrl-C, SIGTERM what Docker and Kubernetes send first.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self.is_asked = False
        self._signals = tuple(signals)
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for one in self._signals:
                if signal.getsignal(one) is not signal.SIG_IGN:
                    self._before[one] = signal.signal(one, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, before in self._before.items():
            signal.signal(one, before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True

"""Ctrl-C as a wish: the step under way is finished and saved, and only then does the run end.

An exception in the middle of an optimizer step would leave weights of which some are one step older than others.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Interruption:
    """While it is entered, the first Ctrl-C sets `is_asked`; a second one ends the run at once, as usual.

    Outside the main thread, where Python delivers no signals, it changes nothing; nor where Ctrl-C is ignored, as a
    shell has it for jobs in the background.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._before: Callable[[int, FrameType | None], object] | int | None = None

    def __enter__(self) -> Interruption:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True

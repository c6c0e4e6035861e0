"""Work shared out over processes, with results in the order of the jobs and few of them waiting.

In come a function and jobs, out come results one by one. However many jobs there are and however fast they are
made, only a few a process are in memory. What is computed is not known here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from types import TracebackType
from typing import Self, TypeVar

from earthgptx.errors import WorkerLost

_JOBS_A_WORKER = 3  # one at work, one ready, one coming: nobody waits, and no more is held than that

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers:
    """A few processes, or with one worker no other process than this."""

    def __init__(self, num_workers: int | None = None) -> None:
        """Starts no process yet; that happens with the first job.

        Args:
            num_workers: None for as many as there are cores to run on.
        """
        self.num_workers = len(os.sched_getaffinity(0)) if num_workers is None else num_workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the processes when they are done with what they have at hand; what waits is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """The function's results in the order of the jobs.

        Args:
            function: can be pickled, and depends on nothing but its job.
            jobs: are taken as they are needed.

        Raises:
            WorkerLost: a process was ended from outside.
        """
        if self.num_workers == 1:
            yield from map(function, jobs)
            return
        waiting: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                pool = self._started()
                with _unheard_ctrl_c():  # processes start here, and inherit that
                    waiting.append(pool.submit(function, job))
                if len(waiting) >= _JOBS_A_WORKER * self.num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise WorkerLost(
                f"One of {self.num_workers} processes was ended from outside, most often for want of memory; "
                "what was finished is kept, and the same command goes on from there."
            ) from error

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            resource_tracker.ensure_running()  # its start would make Ctrl-C heard again
            # A fresh interpreter each: a fork would copy the locks of threads that are at work at that moment.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.num_workers, mp_context=context, initializer=_follow_parent)
        return self._pool


@contextmanager
def _unheard_ctrl_c() -> Iterator[None]:
    """Keeps Ctrl-C waiting until the block ends, and from all processes that are started in it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow_parent() -> None:
    """Ends when the parent was killed and can no longer say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, args=(parent.sentinel,), daemon=True).start()

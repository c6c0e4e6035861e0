"""Ctrl-C as a wish, and a second one as an order."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from earthgptx.training.interruption import Interruption


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_is_noted_and_the_second_ends():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert not interruption.is_asked
        press_ctrl_c()
        assert interruption.is_asked
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_other_threads_go_without():
    seen: list[bool] = []

    def work() -> None:
        with Interruption() as interruption:
            seen.append(interruption.is_asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]

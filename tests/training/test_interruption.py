"""Ctrl-C and SIGTERM as a wish, and a second one as an order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from earthgptx.training.interruption import Interruption

BOTH = (signal.SIGINT, signal.SIGTERM)


def test_the_first_is_noted_and_the_second_ends(press_ctrl_c: Callable[[], None]):
    with Interruption(BOTH) as interruption:
        assert not interruption.is_asked
        press_ctrl_c()
        assert interruption.is_asked
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()


def test_a_request_to_end_is_a_wish_as_well():
    with Interruption(BOTH) as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.is_asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_job_in_the_background_stays_deaf(press_ctrl_c: Callable[[], None]):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption(BOTH) as interruption:
        press_ctrl_c()
    assert not interruption.is_asked
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_go_without():
    seen: list[bool] = []

    def work() -> None:
        with Interruption(BOTH) as interruption:
            seen.append(interruption.is_asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]

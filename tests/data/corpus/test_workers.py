"""Work over processes: in order, a few jobs at a time, and a lost process is told."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from earthgptx.data.corpus.workers import Workers
from earthgptx.errors import WorkerLost


@pytest.mark.parametrize("num_workers", [1, 2])
def test_results_come_in_order_and_few_jobs_are_taken_ahead(num_workers):
    taken = 0

    def jobs() -> Iterator[int]:
        nonlocal taken
        for number in range(-60, 0):
            taken += 1
            yield number

    with Workers(num_workers) as workers:
        results = workers.map(abs, jobs())
        first = next(results)
        assert taken <= 3 * num_workers
        assert [first, *results] == list(range(60, 0, -1))
        assert list(workers.map(abs, [])) == []


def test_a_process_that_was_ended_is_one_sentence():
    with Workers(2) as workers, pytest.raises(WorkerLost, match="One of 2 processes"):
        list(workers.map(os._exit, [1]))


def test_an_error_of_the_work_comes_through():
    with Workers(2) as workers, pytest.raises(TypeError):
        list(workers.map(abs, ["text"]))


def test_there_is_a_process_a_core_if_nothing_is_said():
    assert Workers().num_workers == len(os.sched_getaffinity(0))

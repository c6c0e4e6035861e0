"""One run over many images: each is asked about once, checked, and written as new samples or as a refused item.

Subjects and an endpoint come in; a folder of samples and a `Summary` go out. Answers are written in the order of
the subjects, whatever the order in which they arrive, so the same answers always give the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from earthgptx.data.quarantine import BrokenItem
from earthgptx.data.recaption.cache import AnswerCache
from earthgptx.data.recaption.cost import Ledger, Spending
from earthgptx.data.recaption.judging import Outcome, broken_record, judged, reject_record
from earthgptx.data.recaption.new_samples import samples_of
from earthgptx.data.recaption.output import OutputFolder, held
from earthgptx.data.recaption.plan import Item, Settings, planned, split_by_cache
from earthgptx.data.recaption.reply import Endpoint, NoAnswer, Reply
from earthgptx.data.recaption.request import DRAWING_VERSION, picture_of, question_of
from earthgptx.data.recaption.subject import Subject, classes_by_source
from earthgptx.errors import BudgetSpent, EarthGPTXError, EndpointFailed

_WRITING_WINDOW = 1000  # answers that may wait in memory for an earlier one
_FIRST_FAILURES = 3  # in a row, and nothing answered yet: the endpoint is at fault, not the questions
_LATER_FAILURES = 12


@dataclass(frozen=True)
class Summary:
    """How far a run is, or what it came to.

    Attributes:
        images: to be described.
        accepted, rejected: of them, so far.
        kept: answered by an earlier run, or by another copy of the image.
        samples: written.
        spending: of this run.
        total_cost: with what earlier runs paid for answers used here.
    """

    images: int
    accepted: int
    rejected: int
    kept: int
    samples: int
    spending: Spending
    total_cost: float

    @property
    def unasked(self) -> int:
        """Images that are still open."""
        return self.images - self.accepted - self.rejected


def recaption(
    subjects: Sequence[Subject],
    endpoint: Endpoint,
    settings: Settings,
    on_progress: Callable[[Summary], None] = lambda summary: None,
    *,
    broken: Sequence[BrokenItem] = (),
) -> Summary:
    """Asks about every subject once, and writes what agrees with the labels.

    Answers that are kept on disk are used again and not paid for. However the run ends, everything that was
    paid for is kept, and the next one goes on from there.

    Args:
        subjects: from `subject.subjects_of`.
        endpoint: asked from `settings.concurrency` threads.
        settings: how.
        on_progress: told after every image.
        broken: what could not be read of the labels; listed first among the refused items.

    Raises:
        BudgetSpent: the next question might pass the budget; all that was paid for is written.
        EndpointFailed: no question gets an answer any more; likewise.
        FolderInUse: another run writes there.
    """
    with held(settings.out):
        run = _Run(subjects, endpoint, settings, on_progress)
        for item in broken:
            run.output.reject(broken_record(item))
        return run.finish()


class _Run:
    """The state of one run; only its own thread writes it, workers ask and keep answers."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        endpoint: Endpoint,
        settings: Settings,
        on_progress: Callable[[Summary], None],
    ) -> None:
        self.endpoint, self.settings, self.on_progress = endpoint, settings, on_progress
        self.classes = classes_by_source(subjects)
        self.cache = AnswerCache(settings.cache_folder)
        self.items = list(planned(subjects, settings))
        earlier, to_ask = split_by_cache(self.items, self.cache, settings, self.classes)
        self.to_ask = {item.key for item in to_ask}
        self.ledger = Ledger(settings.prices, settings.budget, earlier)
        self.output = OutputFolder(settings.out, settings.samples_per_shard)
        self.in_flight: dict[Future[Reply], list[int]] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.next_to_send = self.next_to_write = 0
        self.stop: EarthGPTXError | None = None
        self.num_failures = 0
        self.summary = Summary(len(self.items), 0, 0, 0, 0, Spending(), earlier.cost)

    def finish(self) -> Summary:
        """Runs to the end, or to the reason to stop."""
        try:
            with ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="recaption") as pool:
                try:
                    self._loop(pool)
                except BaseException:
                    self.endpoint.halt()  # then the pool waits for what is in flight, whose answers are kept
                    pool.shutdown(cancel_futures=True)
                    raise
        finally:
            self._write()
            self._refresh()
            self.output.close(self._record())
        if self.stop is not None:
            raise self.stop
        return self.summary

    def _loop(self, pool: ThreadPoolExecutor) -> None:
        while self.next_to_write < len(self.items):
            self._send(pool)
            self._write()
            if self.in_flight:
                done, _ = wait(self.in_flight, return_when=FIRST_COMPLETED)
                for future in done:
                    self._receive(future)
                self._write()

    def _send(self, pool: ThreadPoolExecutor) -> None:
        """Takes items in order until all threads are busy, or too many answers wait for an earlier one."""
        asked = {self.items[indices[0]].key: indices for indices in self.in_flight.values()}
        while self.next_to_send < min(len(self.items), self.next_to_write + _WRITING_WINDOW):
            index, item = self.next_to_send, self.items[self.next_to_send]
            reply = self.cache.get(item.key) if item.key and item.key not in self.to_ask else None
            if item.trouble:
                self.outcomes[index] = Outcome(reasons=(item.trouble,), stage="image")
            elif item.key in asked:  # a copy of an image that is being asked about
                asked[item.key].append(index)
            elif reply is not None:
                self.summary = replace(self.summary, kept=self.summary.kept + 1)
                self.outcomes[index] = self._judged(item, reply)
            elif self.stop is not None:
                self.outcomes[index] = Outcome()
            elif len(self.in_flight) >= self.settings.concurrency:
                return
            else:
                reserved = self.ledger.reserve(item.estimate)
                if reserved is None and self.in_flight:
                    return  # what is in flight may cost less than was kept aside for it
                if reserved is None:
                    self.stop = self._budget_spent()
                    continue
                self.in_flight[pool.submit(self._ask, item, reserved)] = asked[item.key] = [index]
            self.next_to_send += 1

    def _ask(self, item: Item, reserved: float) -> Reply:
        """In a worker: draws, asks, and keeps the answer before anybody else sees it."""

        def on_lost() -> None:
            if not self.ledger.lose(item.estimate, reserved):
                raise self._budget_spent()

        parameters = self.settings.parameters
        try:
            question = question_of(item.subject, parameters)  # made anew: kept for all items, the words are many
            reply = self.endpoint.ask(question, picture_of(item.subject, parameters), on_lost)
        except BaseException:
            self.ledger.release(reserved)
            raise
        self.cache.put(item.key, reply)
        self.ledger.settle(item.estimate, reserved, reply)
        return reply

    def _receive(self, future: Future[Reply]) -> None:
        indices = self.in_flight.pop(future)
        item = self.items[indices[0]]
        try:
            reply = future.result()
        except (EndpointFailed, BudgetSpent) as error:
            self._halt(error)
            outcome = Outcome()
        except NoAnswer as error:
            self.num_failures += 1
            outcome = Outcome(reasons=(str(error),), stage="request")
            limit = _LATER_FAILURES if self.ledger.spent.answers else _FIRST_FAILURES
            if self.num_failures >= limit:
                self._halt(EndpointFailed(f"{self.num_failures} images in a row got no answer. The last: {error}"))
        except EarthGPTXError as error:  # the picture cannot be drawn
            outcome = Outcome(reasons=(str(error),), stage="image")
        else:
            self.num_failures = 0
            self.to_ask.discard(item.key)
            self.summary = replace(self.summary, kept=self.summary.kept + len(indices) - 1)
            self.outcomes.update({index: self._judged(self.items[index], reply) for index in indices})
            return
        self.outcomes.update(dict.fromkeys(indices, outcome))

    def _halt(self, error: EarthGPTXError) -> None:
        """Nothing more is sent; what is in flight is waited for."""
        self.stop = self.stop or error
        self.endpoint.halt()

    def _judged(self, item: Item, reply: Reply) -> Outcome:
        return judged(item.subject, reply, self.classes[item.subject.image.dataset])

    def _write(self) -> None:
        """Writes all outcomes that no earlier item is missing before."""
        while self.next_to_write in self.outcomes:
            outcome = self.outcomes.pop(self.next_to_write)
            item = self.items[self.next_to_write]
            if outcome.answer is not None:
                for sample in samples_of(item.subject, outcome.answer, seed=self.settings.seed):
                    self.output.add(sample)
                self.summary = replace(self.summary, accepted=self.summary.accepted + 1)
            elif outcome.reasons:
                self.output.reject(reject_record(item.subject, outcome, item.key))
                self.summary = replace(self.summary, rejected=self.summary.rejected + 1)
            self.next_to_write += 1
            self._refresh()
            self.on_progress(self.summary)

    def _refresh(self) -> None:
        self.summary = replace(
            self.summary,
            samples=self.output.num_samples,
            spending=self.ledger.spent,
            total_cost=self.ledger.total_cost(),
        )

    def _budget_spent(self) -> BudgetSpent:
        return BudgetSpent(
            f"The next question might pass the budget of {self.settings.budget:g}: {self.ledger.total_cost():.4f} "
            "are spent. All that was paid for is kept; a larger --budget goes on from here."
        )

    def _record(self) -> dict[str, Any]:
        summary, spending = self.summary, self.summary.spending
        return {
            "model": self.settings.parameters.model,
            "drawing_version": DRAWING_VERSION,
            "images": summary.images,
            "accepted": summary.accepted,
            "rejected": summary.rejected,
            "unasked": summary.unasked,
            "samples": summary.samples,
            "this_run": {
                "answers_paid": spending.answers,
                "answers_kept_before": summary.kept,
                "attempts_lost": spending.lost,
                "tokens_in": spending.tokens_in,
                "tokens_out": spending.tokens_out,
                "cost": round(spending.cost, 6),
            },
            "total_cost": round(summary.total_cost, 6),
        }

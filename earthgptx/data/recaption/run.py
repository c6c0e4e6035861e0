"""One run over many images: each is asked about once, checked, and written as new samples or as a refused item.

Subjects and an endpoint come in; a folder of samples and a `Summary` go out. Answers are written in the order of
the subjects, whatever the order in which they arrive, so the same answers always give the same files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass

from earthgptx.data.quarantine import BrokenItem
from earthgptx.data.recaption.answers import Reply
from earthgptx.data.recaption.client import ChatEndpoint, NoAnswer
from earthgptx.data.recaption.cost import Ledger, Spending
from earthgptx.data.recaption.new_samples import samples_of
from earthgptx.data.recaption.output import OutputFolder, Reject, held
from earthgptx.data.recaption.plan import Item, Settings, make_plan
from earthgptx.data.recaption.request import picture_of, question_of
from earthgptx.data.recaption.schema import Answer, AnswerRefused
from earthgptx.data.recaption.subject import Subject, classes_by_source
from earthgptx.data.recaption.verify import accepted
from earthgptx.errors import BudgetSpent, EarthGPTXError, EndpointFailed

_WRITING_WINDOW = 1000  # answers that may wait in memory for an earlier one
_FAILURES_IN_A_ROW = 10  # then the endpoint is at fault, not the questions


@dataclass(frozen=True)
class Summary:
    """How far a run is, or what it came to.

    Attributes:
        images: to be described.
        accepted, rejected: of them, so far.
        kept: answered by an earlier run, or by another copy of the image.
        samples: written.
        spending: of this run.
        total_cost: with what earlier runs paid for answers used here, and for lost ones.
    """

    images: int
    accepted: int
    rejected: int
    kept: int
    samples: int
    spending: Spending
    total_cost: float


@dataclass(frozen=True)
class _Outcome:
    """An answer to be written, or what is to be said against it; neither for a question that was not asked."""

    answer: Answer | None = None
    reject: Reject | None = None


def recaption(
    subjects: Sequence[Subject],
    endpoint: ChatEndpoint,
    settings: Settings,
    on_progress: Callable[[Summary], None] = lambda summary: None,
    *,
    broken: Sequence[BrokenItem] = (),
) -> Summary:
    """Asks about every subject once, and writes what agrees with the labels.

    Answers that are kept on disk are used again and not paid for. However the run ends, everything that was
    paid for is kept, and the next one goes on from there.

    Args:
        subjects: from `reading.read_subjects`.
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
            run.output.reject(Reject(id=item.item, stage="labels", reasons=(item.reason,)))
        return run.finish()


class _Run:
    """The state of one run; only its own thread writes it, workers ask and keep answers."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        endpoint: ChatEndpoint,
        settings: Settings,
        on_progress: Callable[[Summary], None],
    ) -> None:
        self.endpoint, self.settings, self.on_progress = endpoint, settings, on_progress
        self.classes = classes_by_source(subjects)
        plan = make_plan(subjects, settings)
        self.items, self.cache = plan.items, plan.cache
        self.ledger = Ledger(settings.prices, settings.budget, plan.earlier_cost)
        self.output = OutputFolder(settings.out)
        self.in_flight: dict[Future[Reply], list[int]] = {}  # copies of one image are asked about together
        self.outcomes: dict[int, _Outcome] = {}
        self.next_to_send = self.next_to_write = 0
        self.num_accepted = self.num_rejected = self.num_kept = 0
        self.num_failures = 0  # in a row
        self.stop: EarthGPTXError | None = None

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
            summary = self._summary()
            num_unasked = summary.images - summary.accepted - summary.rejected
            model = self.settings.parameters.model
            self.output.close({"model": model, **asdict(summary), "unasked": num_unasked})
        if self.stop is not None:
            raise self.stop
        return summary

    def _loop(self, pool: ThreadPoolExecutor) -> None:
        while self.next_to_write < len(self.items):
            self._send(pool)
            self._write()
            if self.in_flight:
                done, _ = wait(self.in_flight, return_when=FIRST_COMPLETED)
                for future in done:
                    self._receive(future)

    def _send(self, pool: ThreadPoolExecutor) -> None:
        """Takes items in order until all threads are busy, or too many answers wait for an earlier one."""
        asked = {self.items[indices[0]].key: indices for indices in self.in_flight.values()}
        while self.next_to_send < min(len(self.items), self.next_to_write + _WRITING_WINDOW):
            index, item = self.next_to_send, self.items[self.next_to_send]
            if item.trouble:
                self.outcomes[index] = _refused(item, "image", item.trouble)
            elif item.key in asked:
                asked[item.key].append(index)
            elif (reply := self.cache.get(item.key)) is not None:
                self.num_kept += 1
                self.outcomes[index] = self._judged(item, reply)
            elif self.stop is not None:
                self.outcomes[index] = _Outcome()
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
            self.cache.add_lost(item.estimate.tokens_in, item.estimate.most_tokens_out)
            if not self.ledger.lose(item.estimate):
                raise self._budget_spent()

        parameters = self.settings.parameters
        try:
            question = question_of(item.subject, parameters)  # made anew: kept for all items, the words are many
            reply = self.endpoint.ask(question, picture_of(item.subject, parameters), on_lost)
        except BaseException:
            self.ledger.release(reserved)
            raise
        self.ledger.settle(item.estimate, reserved, reply)
        self.cache.put(item.key, reply)
        return reply

    def _receive(self, future: Future[Reply]) -> None:
        """Notes what became of a question, for all copies of its image."""
        indices = self.in_flight.pop(future)
        items = [self.items[index] for index in indices]
        try:
            reply = future.result()
        except (EndpointFailed, BudgetSpent) as error:
            self._halt(error)
            outcomes = [_Outcome() for _ in items]
        except NoAnswer as error:
            self.num_failures += 1
            if self.num_failures >= _FAILURES_IN_A_ROW:
                self._halt(EndpointFailed(f"{self.num_failures} images in a row got no answer. The last: {error}"))
            outcomes = [_refused(item, "request", str(error)) for item in items]
        except EarthGPTXError as error:  # the picture cannot be drawn
            outcomes = [_refused(item, "image", str(error)) for item in items]
        else:
            self.num_failures = 0
            self.num_kept += len(items) - 1
            outcomes = [self._judged(item, reply) for item in items]
        self.outcomes.update(zip(indices, outcomes, strict=True))

    def _halt(self, error: EarthGPTXError) -> None:
        """Nothing more is sent; what is in flight is waited for."""
        self.stop = self.stop or error
        self.endpoint.halt()

    def _judged(self, item: Item, reply: Reply) -> _Outcome:
        try:
            return _Outcome(accepted(reply, item.subject, self.classes[item.subject.image.dataset]))
        except AnswerRefused as refused:
            return _refused(item, "answer", *refused.args, answer=reply.text)

    def _write(self) -> None:
        """Writes all outcomes that no earlier item is missing before."""
        while self.next_to_write in self.outcomes:
            outcome = self.outcomes.pop(self.next_to_write)
            if outcome.answer is not None:
                subject = self.items[self.next_to_write].subject
                for sample in samples_of(subject, outcome.answer, seed=self.settings.seed):
                    self.output.add(sample)
                self.num_accepted += 1
            elif outcome.reject is not None:
                self.output.reject(outcome.reject)
                self.num_rejected += 1
            self.next_to_write += 1
            self.on_progress(self._summary())

    def _summary(self) -> Summary:
        return Summary(
            images=len(self.items),
            accepted=self.num_accepted,
            rejected=self.num_rejected,
            kept=self.num_kept,
            samples=self.output.num_samples,
            spending=self.ledger.spent,
            total_cost=self.ledger.total_cost(),
        )

    def _budget_spent(self) -> BudgetSpent:
        return BudgetSpent(
            f"The next question might pass the budget of {self.settings.budget:g}: {self.ledger.total_cost():.4f} "
            "are spent. All that was paid for is kept; a larger --budget goes on from here."
        )


def _refused(item: Item, stage: str, *reasons: str, answer: str = "") -> _Outcome:
    image = item.subject.image
    labels = dict(sorted(item.subject.counts.items()))
    return _Outcome(reject=Reject(image.id, stage, reasons, image.path.as_posix(), labels, answer, item.key))

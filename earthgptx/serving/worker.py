"""One thread that owns the model: questions wait in a bounded queue and are answered in batches.

`Job`s come in from any thread; what becomes of them, word by word, is told to them from the model's thread. While a
batch is being answered others gather: those make the next one, so that nobody waits for company.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Protocol

from earthgptx import heap
from earthgptx.data.imagery import Scene
from earthgptx.errors import AnswerTookTooLong, EarthGPTXError, ModelNotReady, QueueFull, ServerStopping
from earthgptx.geo.asking import Looked, in_parts
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.joining import Sight
from earthgptx.geo.scene_asking import QuestionPlan
from earthgptx.inference.assistant import Assistant, Question, Session
from earthgptx.serving.jobs import Answered, Failed, Job
from earthgptx.serving.posing import Posed, PosedByWindows, PosedWhole
from earthgptx.serving.seen import Seen

logger = logging.getLogger(__name__)

SECONDS_AN_ANSWER = 2.0  # assumed until the first one has been timed


class Meter(Protocol):
    """What is counted."""

    def batch(self, waited: Sequence[float]) -> None:
        """A batch begins; its questions waited so many seconds."""

    def ended(self, outcome: str) -> None:
        """A question came to an end: answered, failed, stopped or late."""


class Worker:
    """The model's thread.

    Args:
        load: gives the model; called on the thread, so that the server listens meanwhile.
        queue_size: questions that may wait.
        batch_size: questions answered at once.
        encoded_scenes: scenes whose features are kept.
        meter: told what is to be counted.
    """

    def __init__(
        self, load: Callable[[], Assistant], *, queue_size: int, batch_size: int, encoded_scenes: int, meter: Meter
    ) -> None:
        self._load = load
        self._queue_size, self._batch_size = queue_size, batch_size
        self._meter = meter
        self._give_back = heap.give_back()
        self._jobs: deque[Job] = deque()
        self._seen = Seen(num_scenes=encoded_scenes)
        self._looks: OrderedDict[str, Scene] = OrderedDict()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._assistant: Assistant | None = None
        self._refusal = "The model is still being loaded."
        self._seconds_an_answer = SECONDS_AN_ANSWER
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    @property
    def is_ready(self) -> bool:
        """Whether questions are taken."""
        return self._assistant is not None and not self._is_stopping

    @property
    def num_waiting(self) -> int:
        """Questions in the queue."""
        return len(self._jobs)

    @property
    def seen(self) -> Seen:
        """What the model saw and keeps."""
        return self._seen

    def start(self) -> None:
        """Begins to load the model."""
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Sends the waiting away, lets the batch at work end early, and waits for the thread a while."""
        with self._changed:
            self._is_stopping = True
            waiting = list(self._jobs)
            self._jobs.clear()
            self._changed.notify_all()
        for job in waiting:
            self._end(job, Failed(ServerStopping("The server is going down.", retry_after=5)), "failed")
        if self._thread.is_alive():
            self._thread.join(seconds)

    def check_ready(self) -> None:
        """Raises:
        ModelNotReady, ServerStopping: nothing can be asked now.
        """
        if self._is_stopping:
            raise ServerStopping("The server is going down.", retry_after=5)
        if self._assistant is None:
            raise ModelNotReady(self._refusal, retry_after=5)

    def submit(self, job: Job) -> None:
        """Puts a question into the queue.

        Raises:
            QueueFull: as many wait as may.
            ModelNotReady, ServerStopping: nothing can be asked now.
        """
        self.check_ready()
        with self._changed:
            if self._is_stopping:  # nobody would look at it any more
                raise ServerStopping("The server is going down.", retry_after=5)
            if len(self._jobs) >= self._queue_size:
                self._let_go()
            if len(self._jobs) >= self._queue_size:
                seconds = max(1, round(len(self._jobs) * self._seconds_an_answer))
                raise QueueFull(
                    f"{len(self._jobs)} questions wait and no more than {self._queue_size} may; "
                    f"try again in about {seconds} s.",
                    retry_after=seconds,
                )
            self._jobs.append(job)
            self._changed.notify()

    def know(self, scene_id: str) -> None:
        """Keeps what the model sees of a scene from now on until it is forgotten; of others nothing is kept."""
        self._seen.know(scene_id)

    def look_soon(self, scene_id: str, scene: Scene | BigScene) -> None:
        """Knows a scene, and encodes it when no question waits, so that the first one about it is answered sooner."""
        with self._changed:
            self._seen.know(scene_id)
            if not isinstance(scene, BigScene):  # of which the marks say what is looked at
                self._looks[scene_id] = scene
                self._changed.notify()

    def forget(self, scene_id: str) -> None:
        """Lets go of a scene that was removed, though it be looked at this very moment."""
        with self._changed:
            self._seen.forget(scene_id)
            self._looks.pop(scene_id, None)

    def _let_go(self) -> None:
        """Takes those out of the queue that nobody waits for any more; the lock is held."""
        gone = [job for job in self._jobs if job.is_stopped]
        self._jobs = deque(job for job in self._jobs if not job.is_stopped)
        for _ in gone:
            self._meter.ended("stopped")

    def _run(self) -> None:
        try:
            self._assistant = self._load()
        except Exception:
            # Anybody may ask whether the server is ready: why it is not, with its paths, is for the log.
            self._refusal = "The model could not be loaded; the server's log says why."
            logger.exception("the model could not be loaded")
            return
        logger.info("the model is ready")
        while not self._is_stopping:
            jobs = self._next_batch()
            try:
                self._answer(jobs)
            except Exception as error:  # the thread must live on, whatever a question did to it
                logger.exception("a batch failed")
                for job in jobs:
                    self._end(job, Failed(error), "failed")

    def _next_batch(self) -> list[Job]:
        """Waits for work; the first question, and those behind it that can share its batch."""
        with self._changed:
            while not (self._jobs or self._looks or self._is_stopping):
                self._changed.wait()
            chosen: list[Job] = []
            left: deque[Job] = deque()
            dialogues: set[str] = set()
            for job in self._jobs:
                fits = not chosen or (job.sampling == chosen[0].sampling and job.dialogue not in dialogues)
                # A later question of a dialogue never overtakes an earlier one.
                dialogues.add(job.dialogue)
                (chosen if fits and len(chosen) < self._batch_size else left).append(job)
            self._jobs = left
            if chosen or not self._looks:
                return chosen
            scene_id, scene = self._looks.popitem(last=False)
        try:
            self._session(scene_id, scene)
        except Exception:
            logger.exception("a scene could not be encoded")
        self._tidy()
        return []

    def _session(self, scene_id: str, scene: Scene) -> Session:
        """What the model saw of a scene; looked at now where it is not remembered."""
        assert self._assistant is not None
        with self._changed:
            self._looks.pop(scene_id, None)
        session = self._seen.scene(scene_id)
        if session is None:
            session = self._assistant.look(scene)
            self._seen.keep_scene(scene_id, session)
        return session

    def _window(self, scene_id: str, plan: QuestionPlan, sight: Sight) -> Looked:
        """What the model saw of a window of a large scene; looked at now where it is not remembered."""
        assert self._assistant is not None
        looked = self._seen.window(scene_id, sight.window)
        if looked is None:
            looked = plan.look(sight, self._assistant)
            self._seen.keep_window(scene_id, sight.window, looked)
        return looked

    def _tidy(self) -> None:
        self._seen.make_room()
        self._give_back()

    def _answer(self, jobs: Sequence[Job]) -> None:
        """Answers a batch; a question that cannot be answered fails alone."""
        jobs = [job for job in jobs if not self._is_over(job)]
        if not jobs:
            return
        self._meter.batch([job.waited for job in jobs])
        started = time.monotonic()
        posed: list[Posed] = []
        for job in jobs:
            try:
                posed.append(self._pose(job))
            except Exception as error:
                self._fail(job, error)
        posed.sort(key=lambda one: one.num_questions)  # who has one window does not wait for who has many
        asked = [(one, place) for one in posed for place in range(one.num_questions)]
        for some in in_parts(asked, self._batch_size):
            self._ask(some)
            self._tidy()
        self._seconds_an_answer = (time.monotonic() - started) / len(jobs)

    def _pose(self, job: Job) -> Posed:
        if isinstance(job.scene, BigScene):
            return PosedByWindows(job, job.scene, self._window)
        return PosedWhole(job, job.scene, self._session)

    def _ask(self, asked: Sequence[tuple[Posed, int]]) -> None:
        """Looks, and asks so many questions at once, those of some jobs together."""
        questions: list[tuple[Posed, Question]] = []
        for one, place in asked:
            if one.is_ended:
                continue
            if self._is_over(one.job):
                one.is_ended = True
                continue
            try:
                questions.append((one, one.question(place)))
            except Exception as error:
                self._fail_posed(one, error)
        self._generate(questions)

    def _generate(self, asked: Sequence[tuple[Posed, Question]]) -> None:
        assert self._assistant is not None
        asked = [(one, question) for one, question in asked if not one.is_ended]
        if not asked:
            return
        posed = [one for one, _ in asked]
        said: set[int] = set()

        def hear(place: int, piece: str) -> None:
            said.add(place)
            posed[place].hear(piece)

        sampling = posed[0].job.sampling
        try:
            answers = self._assistant.answer(
                [question for _, question in asked],
                max_new_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                seed=sampling.seed,
                on_text=hear,
                is_stopped=lambda place: posed[place].job.is_stopped or posed[place].job.is_late or self._is_stopping,
            )
        except Exception as error:
            if len(asked) > 1 and not said:  # one of them is to blame: alone, the others are answered
                for pair in asked:
                    self._generate([pair])
                return
            for one in posed:
                self._fail_posed(one, error)
            return
        for one, answer in zip(posed, answers, strict=True):
            if not one.is_ended:
                one.add(answer)
                self._end_if_answered(one)

    def _end_if_answered(self, one: Posed) -> None:
        if self._is_over(one.job):
            one.is_ended = True
        elif one.is_answered:
            try:
                answered = one.end()
            except Exception as error:
                self._fail_posed(one, error)
                return
            one.is_ended = True
            self._end(one.job, answered, "answered")

    def _fail_posed(self, one: Posed, error: Exception) -> None:
        if not one.is_ended:
            one.is_ended = True
            self._fail(one.job, error)

    def _fail(self, job: Job, error: Exception) -> None:
        if not isinstance(error, EarthGPTXError):
            logger.exception("a question failed", exc_info=error)
        self._end(job, Failed(error), "failed")

    def _is_over(self, job: Job) -> bool:
        """Whether a question needs no answer any more; one that is late is told so."""
        if job.is_stopped:
            self._meter.ended("stopped")
        elif self._is_stopping:
            self._end(job, Failed(ServerStopping("The server is going down.", retry_after=5)), "failed")
        elif job.is_late:
            sentence = f"The answer took longer than the {job.seconds:g} s that a question may take."
            self._end(job, Failed(AnswerTookTooLong(sentence)), "late")
        else:
            return False
        return True

    def _end(self, job: Job, event: Answered | Failed, outcome: str) -> None:
        self._meter.ended(outcome)
        try:
            job.on_event(event)
        except Exception as error:  # what is done with an answer must not end the thread
            logger.exception("an answer could not be handed over")
            try:
                job.on_event(Failed(error))
            except Exception:
                logger.exception("nor could that be told")

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
from typing import Any, Protocol

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.errors import AnswerTookTooLong, EarthGPTXError, ModelNotReady, QueueFull, ServerStopping
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_asking import plan_question
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Assistant, Conversation, Question, Session
from earthgptx.serving.jobs import Answered, Failed, Job, Usage, Word

logger = logging.getLogger(__name__)

ZOOMS_KEPT = 64  # windows around marks whose features stay, of all scenes together: about 0.35 MB each for nano
SECONDS_AN_ANSWER = 2.0  # assumed until the first one has been timed


class _Counting(Assistant):
    """An assistant that remembers what it answered, for one question."""

    def __init__(self, assistant: Assistant) -> None:
        super().__init__(assistant.generator)
        self.answers: list[Answer] = []

    def answer(self, questions: Sequence[Question], **settings: Any) -> list[Answer]:
        """As `Assistant.answer`."""
        answers = super().answer(questions, **settings)
        self.answers += answers
        return answers


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
        self._queue_size, self._batch_size, self._encoded_scenes = queue_size, batch_size, encoded_scenes
        self._meter = meter
        self._jobs: deque[Job] = deque()
        self._known: set[str] = set()
        self._looks: OrderedDict[str, Scene] = OrderedDict()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
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
        with self._changed:
            self._known.add(scene_id)

    def look_soon(self, scene_id: str, scene: Scene | BigScene) -> None:
        """Knows a scene, and encodes it when no question waits, so that the first one about it is answered sooner."""
        with self._changed:
            self._known.add(scene_id)
            if not isinstance(scene, BigScene):  # of which the marks say what is looked at
                self._looks[scene_id] = scene
                self._changed.notify()

    def forget(self, scene_id: str) -> None:
        """Lets go of a scene that was removed, though it be looked at this very moment."""
        with self._changed:
            self._known.discard(scene_id)
            self._looks.pop(scene_id, None)
            self._sessions.pop(scene_id, None)

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
                fits = not chosen or (
                    job.sampling == chosen[0].sampling
                    and job.dialogue not in dialogues
                    and not (job.is_windowed or chosen[0].is_windowed)
                )
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
        return []

    def _session(self, scene_id: str, scene: Scene) -> Session:
        """What the model saw of a scene; looked at now where it is not remembered."""
        assert self._assistant is not None
        with self._changed:
            session = self._sessions.get(scene_id)
            self._looks.pop(scene_id, None)
        if session is None:
            session = self._assistant.look(scene)
        with self._changed:
            if scene_id not in self._known:  # removed meanwhile, or asked about only once
                return session
            self._sessions[scene_id] = session
            self._sessions.move_to_end(scene_id)
            while len(self._sessions) > self._encoded_scenes:
                self._sessions.popitem(last=False)
        return session

    def _answer(self, jobs: Sequence[Job]) -> None:
        """Answers a batch; a question that cannot be answered fails alone."""
        jobs = [job for job in jobs if not self._is_over(job)]
        if not jobs:
            return
        self._meter.batch([job.waited for job in jobs])
        asked: list[tuple[Job, Question]] = []
        for job in jobs:
            try:
                if isinstance(job.scene, BigScene):
                    self._answer_by_windows(job, job.scene)
                else:
                    asked.append((job, self._question(job, job.scene)))
            except Exception as error:
                if not isinstance(error, EarthGPTXError):
                    logger.exception("a question failed")
                self._end(job, Failed(error), "failed")
        self._generate(asked)
        self._forget_zooms()

    def _question(self, job: Job, scene: Scene) -> Question:
        question = Question(self._session(job.scene_id, scene), job.text, job.marks, conversation=job.conversation())
        question.conversation.asked(job.text, job.marks, scene)
        return question

    def _answer_by_windows(self, job: Job, scene: BigScene) -> None:
        """Answers one question about a scene that is looked at where its marks are."""
        assert self._assistant is not None
        started, before = time.monotonic(), job.conversation()
        plan = plan_question(scene, job.text, job.marks, conversation=before)

        def hear(piece: str) -> None:
            if not job.is_stopped:
                job.on_event(Word(piece))

        counting = _Counting(self._assistant)
        answer = plan.answer(
            counting,
            max_new_tokens=job.sampling.max_new_tokens,
            temperature=job.sampling.temperature,
            seed=job.sampling.seed,
            on_text=hear,
            is_stopped=lambda: job.is_stopped or job.is_late or self._is_stopping,
        )
        self._seconds_an_answer = time.monotonic() - started
        if not self._is_over(job):
            turns = before.turns if plan.marks == before.marks else ()
            said = (Turn(role="user", text=plan.question), Turn(role="model", text=answer.text))
            usage = Usage.of(counting.answers, job.sampling.max_new_tokens)
            self._end(job, Answered(answer, Conversation(plan.marks, (*turns, *said)), usage), "answered")

    def _forget_zooms(self) -> None:
        """Bounds the features of windows around marks: whoever asks about one scene may keep many, many ask for few."""
        with self._changed:
            sessions = list(self._sessions.values())
        for session in sessions:
            session.forget_zooms(ZOOMS_KEPT // len(sessions))

    def _generate(self, asked: Sequence[tuple[Job, Question]]) -> None:
        assert self._assistant is not None
        if not asked:
            return
        jobs = [job for job, _ in asked]
        said: set[int] = set()

        def hear(place: int, piece: str) -> None:
            said.add(place)
            if not jobs[place].is_stopped:
                jobs[place].on_event(Word(piece))

        started, sampling = time.monotonic(), jobs[0].sampling
        try:
            answers = self._assistant.answer(
                [question for _, question in asked],
                max_new_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                seed=sampling.seed,
                on_text=hear,
                is_stopped=lambda place: jobs[place].is_stopped or jobs[place].is_late or self._is_stopping,
            )
        except Exception as error:
            if len(asked) > 1 and not said:  # one of them is to blame: alone, the others are answered
                for pair in asked:
                    self._generate([pair])
                return
            if not isinstance(error, EarthGPTXError):
                logger.exception("a question failed")
            for job in jobs:
                self._end(job, Failed(error), "failed")
            return
        self._seconds_an_answer = (time.monotonic() - started) / len(asked)
        for (job, question), answer in zip(asked, answers, strict=True):
            if not self._is_over(job):
                scene = question.session.scene
                conversation = question.conversation.asked(job.text, job.marks, scene).answered(answer.text)
                usage = Usage.of([answer], sampling.max_new_tokens)
                self._end(job, Answered(answer, conversation, usage), "answered")

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

"""A job as questions that the model is asked: one about a scene that is seen whole, one a window about a large one.

A `Job` and ways to look come in; questions go out, and of their answers is made what its listener is told at the end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.geo.asking import Looked
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.joining import Part, Sight
from earthgptx.geo.scene_asking import QuestionPlan, plan_question
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Conversation, Question, Session
from earthgptx.serving.jobs import Answered, Job, Usage, Word


class Posed(ABC):
    """A job that is being answered.

    Attributes:
        job: what was asked.
        num_questions: that it takes.
        is_ended: whether its listener was told the end.
    """

    def __init__(self, job: Job, num_questions: int) -> None:
        self.job = job
        self.num_questions = num_questions
        self.is_ended = False
        self._answers: list[Answer] = []

    @property
    def is_answered(self) -> bool:
        """Whether all its questions are."""
        return len(self._answers) == self.num_questions

    @abstractmethod
    def question(self, place: int) -> Question:
        """One of its questions, counted from 0; what it is about is looked at now.

        Raises:
            EarthGPTXError: it cannot be asked.
        """

    @abstractmethod
    def hear(self, piece: str) -> None:
        """Hears a piece of the text of one of its answers."""

    @abstractmethod
    def end(self) -> Answered:
        """What is told when all its questions are answered."""

    def add(self, answer: Answer) -> None:
        """Takes the answer to its next question."""
        self._answers.append(answer)

    def tell(self, piece: str) -> None:
        """Tells its listener some words, if it still listens."""
        if not self.job.is_stopped:
            self.job.on_event(Word(piece))

    def _usage(self) -> Usage:
        return Usage.of(self._answers, self.job.sampling.max_new_tokens)


class PosedWhole(Posed):
    """A question about a scene that is seen whole.

    Raises:
        EarthGPTXError: one of those of `Conversation.asked`.
    """

    def __init__(self, job: Job, scene: Scene, look: Callable[[str, Scene], Session]) -> None:
        super().__init__(job, 1)
        self._before = job.conversation()
        self._asked = self._before.asked(job.text, job.marks, scene)
        self._scene, self._look = scene, look

    def question(self, place: int) -> Question:
        """The only one."""
        session = self._look(self.job.scene_id, self._scene)
        return Question(session, self.job.text, self.job.marks, conversation=self._before)

    def hear(self, piece: str) -> None:
        """Tells it."""
        self.tell(piece)

    def end(self) -> Answered:
        """The answer as it is."""
        [answer] = self._answers
        return Answered(answer, self._asked.answered(answer.text), self._usage())


class PosedByWindows(Posed):
    """A question about a scene that is looked at where its marks are.

    Raises:
        EarthGPTXError: one of those of `plan_question`.
    """

    def __init__(self, job: Job, scene: BigScene, look: Callable[[str, QuestionPlan, Sight], Looked]) -> None:
        self._before = job.conversation()
        self._plan = plan_question(scene, job.text, job.marks, conversation=self._before)
        super().__init__(job, len(self._plan.sights))
        self._lines = self._plan.listener(self.tell)
        self._look = look
        self._looked: dict[int, Looked] = {}
        self._parts: list[Part] = []

    def question(self, place: int) -> Question:
        """What is asked in a window."""
        sight = self._plan.sights[place]
        looked = self._looked[place] = self._look(self.job.scene_id, self._plan, sight)
        return self._plan.question_at(sight, looked)

    def add(self, answer: Answer) -> None:
        """Takes a window's answer; the window itself need not be held any longer."""
        place = len(self._answers)
        super().add(answer)
        frame = self._looked.pop(place).frame
        self._parts.append(Part(self._plan.sights[place], frame, answer))

    def hear(self, piece: str) -> None:
        """Tells it in the user's numbering, if there is one window."""
        self._lines.add(piece)

    def end(self) -> Answered:
        """One answer from those of all windows."""
        plan, before = self._plan, self._before
        answer = plan.joined(self._parts)
        self._lines.end(answer.text)
        turns = before.turns if plan.marks == before.marks else ()
        said = (Turn(role="user", text=plan.question), Turn(role="model", text=answer.text))
        return Answered(answer, Conversation(plan.marks, (*turns, *said)), self._usage())

"""A question on its way to the model, and what is told of it: words, then an answer or a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from earthgptx.data.imagery import Scene
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_answer import SceneAnswer
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Conversation
from earthgptx.shapes import Mark


@dataclass(frozen=True)
class Word:
    """A piece of an answer's text."""

    text: str


@dataclass(frozen=True)
class Usage:
    """What an answer took, in tokens; of all windows together where there were several.

    Attributes:
        num_prompt_tokens: read: image, marks and dialogue.
        num_answer_tokens: written.
        is_cut: the answer ended because no more tokens were allowed.
    """

    num_prompt_tokens: int = 0
    num_answer_tokens: int = 0
    is_cut: bool = False

    @classmethod
    def of(cls, answers: Sequence[Answer], max_new_tokens: int) -> Usage:
        """The sum of some answers."""
        return cls(
            sum(answer.num_prompt_tokens for answer in answers),
            sum(answer.num_answer_tokens for answer in answers),
            any(answer.num_answer_tokens >= max_new_tokens for answer in answers),
        )


@dataclass(frozen=True)
class Answered:
    """The end of a question that was answered, the conversation that it now belongs to, and what it took."""

    answer: Answer | SceneAnswer
    conversation: Conversation
    usage: Usage = Usage()


@dataclass(frozen=True)
class Failed:
    """The end of a question that was not."""

    error: Exception


Event = Word | Answered | Failed


@dataclass(frozen=True)
class Sampling:
    """How words are chosen; only questions with equal ones can share a batch."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0


@dataclass(eq=False)
class Job:
    """A question on its way to the model.

    Attributes:
        scene_id, scene: what it is about.
        text, marks: what is asked.
        dialogue: id of the conversation it belongs to; one dialogue has one question in a batch.
        conversation: tells, when the question's turn has come, what was said before.
        sampling: how words are chosen.
        on_event: told of each `Event` on the model's thread; must not block.
        seconds: after which it is given up.
    """

    scene_id: str
    scene: Scene | BigScene
    text: str
    marks: tuple[Mark, ...]
    dialogue: str
    conversation: Callable[[], Conversation]
    sampling: Sampling
    on_event: Callable[[Event], None]
    seconds: float
    _stopped: threading.Event = field(default_factory=threading.Event)
    _queued: float = field(default_factory=time.monotonic)

    def stop(self) -> None:
        """Nobody waits for the answer any more."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether nobody waits."""
        return self._stopped.is_set()

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return self.waited > self.seconds

    @property
    def waited(self) -> float:
        """Seconds since it was put into the queue."""
        return time.monotonic() - self._queued

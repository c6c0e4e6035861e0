"""A dialogue about one scene, which is encoded once however many questions follow.

A `Session` holds the scene, what the model saw of it, and a `Conversation`: the marks under discussion and the
turns so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.inference.answer import Answer
from earthgptx.inference.generation import Generator, Request, SceneViews
from earthgptx.inference.questions import check_marks, check_question
from earthgptx.inference.reading import read_answer
from earthgptx.shapes import Mark


@dataclass(frozen=True)
class Conversation:
    """What was said so far about some marks.

    Attributes:
        marks: under discussion: the first is ``<Region 1>``.
        turns: user and model in turn.
    """

    marks: tuple[Mark, ...] = ()
    turns: tuple[Turn, ...] = ()

    def asked(self, text: str, marks: Sequence[Mark], scene: Scene) -> Conversation:
        """With one more question, which waits for its answer.

        A question with new marks opens a new dialogue, whose regions are numbered from 1. A question without
        marks, or with the same ones, goes on with the dialogue.

        Args:
            text: the question.
            marks: in the scene's pixels; none goes on with the marks given before.
            scene: that the marks must lie in.

        Raises:
            EarthGPTXError: one of those of `questions.check_question` and `questions.check_marks`.
        """
        marks = check_marks(marks, width=scene.width, height=scene.height) or self.marks
        history = self.turns if marks == self.marks else ()
        question = check_question(text, len(marks))
        return Conversation(marks, (*history, Turn(role="user", text=question)))

    def answered(self, text: str) -> Conversation:
        """With the model's answer to the question that waited."""
        return replace(self, turns=(*self.turns, Turn(role="model", text=text)))


class Session:
    """One scene, asked about again and again.

    A question with new marks opens a new dialogue, whose regions are numbered from 1. A question without
    marks, or with the same ones, goes on with the dialogue, so that "and the second one?" is understood.
    """

    def __init__(self, scene: Scene, views: SceneViews, generator: Generator) -> None:
        self.scene = scene
        self.views = views
        self._generator = generator
        self._conversation = Conversation()

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks under discussion: the first is ``<Region 1>``."""
        return self._conversation.marks

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What was said so far, user and model in turn."""
        return self._conversation.turns

    def ask(
        self,
        text: str,
        marks: Sequence[Mark] = (),
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        stream: Callable[[str], None] | None = None,
        num_beams: int = 1,
    ) -> Answer:
        """Asks one question. If it fails, or is interrupted, the dialogue stays as it was.

        Args:
            text: the question; ``<Region 2>`` names the second mark.
            marks: in the scene's pixels; none goes on with the marks given before.
            max_new_tokens: where to stop an answer that does not end.
            temperature: 0 takes the likeliest word each time; higher values sample.
            seed: of the sampling.
            stream: called with each piece of text as it is generated.
            num_beams: 1 writes word by word; more follow so many answers at once and give the one that
                agrees most with all: better captions (docs/log.md), later.

        Raises:
            EarthGPTXError: one of those of `questions.check_question` and `questions.check_marks`.
        """
        asked = self._conversation.asked(text, marks, self.scene)
        [generated] = self._generator.generate(
            [Request(views=self.views, turns=asked.turns, marks=asked.marks)],
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            on_text=None if stream is None else lambda _, piece: stream(piece),
            num_beams=num_beams,
        )
        self._conversation = asked.answered(generated.text)
        return read_answer(self.scene, asked.turns[-1].text, asked.marks, generated)

    @property
    def num_bytes(self) -> int:
        """Of what was seen of the scene: its features, without its pixels."""
        return self._generator.num_bytes(self.views)

    def forget_zooms(self, keep: int) -> None:
        """Lets go of what was seen around marks, but for the latest windows; a mark that returns is looked at again.

        Args:
            keep: windows whose features stay.
        """
        self._generator.forget_zooms(self.views, keep)

    def reset(self) -> None:
        """Forgets the dialogue and its marks; the scene stays encoded."""
        self._conversation = Conversation()


@dataclass(frozen=True)
class Question:
    """One question of a batch.

    Attributes:
        session: the scene that it is about; its own dialogue is neither read nor changed.
        text: the question.
        marks: in the scene's pixels.
        conversation: what was said before it, nothing where it stands alone.
    """

    session: Session
    text: str
    marks: tuple[Mark, ...] = ()
    conversation: Conversation = Conversation()

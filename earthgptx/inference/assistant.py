"""The model as people use it: look at a scene, then ask.

An `Assistant` gives out `Session`s and answers batches of independent questions. It knows no file of weights
(`loading` does) and no tensor (`generation` does).
"""

from __future__ import annotations

from collections.abc import Sequence

from earthgptx.data.imagery import Scene
from earthgptx.inference.answer import Answer
from earthgptx.inference.generation import Generator, OnText, Request, SceneViews
from earthgptx.inference.language_engine import IsStopped
from earthgptx.inference.reading import read_answer
from earthgptx.inference.session import Conversation, Question, Session

__all__ = ["Assistant", "Conversation", "Question", "Session"]


class Assistant:
    """A loaded model, ready to look and to answer."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def look(self, scene: Scene, *, now: bool = True) -> Session:
        """Encodes a scene, once for all questions of the session.

        Args:
            scene: that is asked about.
            now: False leaves it to the first question: scenes that are asked about in one batch are encoded together.
        """
        views = self.generator.look(scene) if now else SceneViews(scene)
        return Session(scene=scene, views=views, generator=self.generator)

    def answer(
        self,
        questions: Sequence[Question],
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        on_text: OnText | None = None,
        is_stopped: IsStopped | None = None,
        num_beams: int = 1,
    ) -> list[Answer]:
        """Answers independent questions in one batch, about one scene or many.

        All questions are checked before the first is answered.

        Args:
            questions: each with a session of this assistant.
            max_new_tokens: where to stop an answer that does not end.
            temperature: 0 takes the likeliest word each time; higher values sample.
            seed: of the sampling.
            on_text: told (question, piece of text) as text is generated, questions counted from 0.
            is_stopped: asked before each word which questions nobody waits for any more.
            num_beams: 1 writes word by word; more follow so many answers at once and give the one that
                agrees most with all.

        Raises:
            EarthGPTXError: one of those of `questions.check_question` and `questions.check_marks`.
        """
        requests = [_request(question) for question in questions]
        if not requests:
            return []
        generated = self.generator.generate(
            requests,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            on_text=on_text,
            is_stopped=is_stopped,
            num_beams=num_beams,
        )
        return [
            read_answer(question.session.scene, request.turns[-1].text, request.marks, one)
            for question, request, one in zip(questions, requests, generated, strict=True)
        ]


def _request(question: Question) -> Request:
    asked = question.conversation.asked(question.text, question.marks, question.session.scene)
    return Request(views=question.session.views, turns=asked.turns, marks=asked.marks)

"""One question about a scene of any size: marks are seen through their windows, and one answer comes back.

A `BigScene`, a question and marks in its pixels come in; a `SceneAnswer` in the user's numbering goes out. Everything
that can be wrong with the question is found by `plan_question`, which needs no model; `ask_scene` does both steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earthgptx.data.sample import Turn
from earthgptx.errors import EmptyImagery
from earthgptx.geo.asking import Looked, in_parts, look_at
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.joining import Lines, Part, Sight, about, blocks_of, joined
from earthgptx.geo.scene_answer import SceneAnswer
from earthgptx.geo.scene_masks import mark_in
from earthgptx.geo.windows import LEAST_SIDE, View, relates, wants_overview, whole, window_of
from earthgptx.inference.assistant import Assistant, Conversation, Question
from earthgptx.inference.questions import check_marks, check_question, named_regions, narrowed, renumbered
from earthgptx.shapes import Box, Mark

WINDOWS_AT_ONCE = 4  # looked at and asked about together; their features are let go of afterwards
LEAST_ROOM = LEAST_SIDE // 16  # scene pixels that a mark needs around it to share another mark's window


@dataclass(frozen=True)
class QuestionPlan:
    """A question that can be asked, and what the model will see.

    Attributes:
        scene: what it is about.
        question: as the user put it.
        marks: in the scene's pixels, numbered from 1.
        sights: what is looked at, at least one.
    """

    scene: BigScene
    question: str
    marks: tuple[Mark, ...]
    sights: tuple[Sight, ...]

    def answer(
        self,
        assistant: Assistant,
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        on_text: Callable[[str], None] | None = None,
        is_stopped: Callable[[], bool] | None = None,
    ) -> SceneAnswer:
        """Looks, asks, and puts the answers of all windows together.

        Args:
            assistant: that looks and answers; nothing of it is kept.
            max_new_tokens: where to stop an answer that does not end, in each window.
            temperature: 0 takes the likeliest word each time; higher values sample.
            seed: of the sampling.
            on_text: told the text in the user's numbering: piece by piece where there is one window, else at the end.
            is_stopped: asked whether nobody waits any more; what is answered by then comes back.

        Raises:
            EmptyImagery: a window without data; the sentence names its regions.
            UnreadableImagery: the file is damaged there.
        """
        lines = None if on_text is None else self.listener(on_text)
        parts: list[Part] = []
        for sights in in_parts(self.sights, WINDOWS_AT_ONCE):
            if parts and is_stopped is not None and is_stopped():
                break
            looked = [self.look(sight, assistant) for sight in sights]
            answers = assistant.answer(
                [self.question_at(sight, one) for sight, one in zip(sights, looked, strict=True)],
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                seed=seed,
                on_text=None if lines is None else lambda _, piece: lines.add(piece),
                is_stopped=None if is_stopped is None else lambda _: is_stopped(),
            )
            parts += [
                Part(sight, one.frame, answer) for sight, one, answer in zip(sights, looked, answers, strict=True)
            ]
        answer = self.joined(parts)
        if lines is not None:
            lines.end(answer.text)
        return answer

    def look(self, sight: Sight, assistant: Assistant) -> Looked:
        """Reads a window and encodes it.

        Raises:
            EmptyImagery: a window without data; the sentence names its regions.
            UnreadableImagery: the file is damaged there.
        """
        try:
            return look_at(self.scene, sight.window, assistant)
        except EmptyImagery as error:
            raise EmptyImagery(f"{about(sight.numbers)}{error}") from error

    def question_at(self, sight: Sight, looked: Looked) -> Question:
        """What is asked in a window."""
        marks = tuple(mark_in(self.marks[number - 1], looked.frame) for number in sight.numbers)
        return Question(looked.session, sight.question, marks, Conversation(marks, sight.turns))

    def joined(self, parts: Sequence[Part]) -> SceneAnswer:
        """One answer from those of the windows, in the order of `sights`."""
        return joined(self.scene, self.question, self.marks, parts)

    def listener(self, tell: Callable[[str], None]) -> Lines:
        """Tells the words in the user's numbering: as they come where there is one window, else at the end."""
        return Lines(self.sights[0] if len(self.sights) == 1 else None, len(self.marks), tell)


def ask_scene(
    assistant: Assistant,
    scene: BigScene,
    question: str,
    marks: Sequence[Mark] = (),
    *,
    conversation: Conversation | None = None,
    view: View = "auto",
    max_new_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
    on_text: Callable[[str], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> SceneAnswer:
    """Asks one question about a scene of any size.

    A scene of at most 1,024 pixels a side is seen whole, and answered about exactly as `Session.ask` does. On a larger
    one each mark is seen in the window of `windows.window_of`, marks that are near each other in the same one. A
    question that names regions is asked of those alone; one on how they stand to each other ("between", "compare",
    "nearest") in a window that holds them all. A question without marks, and one about the whole scene or a place in
    it ("overall", "zoom out", "where is"), is asked of the overview.

    Memory is bounded whatever the scene's size: windows are read at 1,024 pixels at most, a few at a time, and masks
    stay as large as their windows.

    Args:
        assistant: that looks and answers.
        scene: what is asked about.
        question: ``<Region 2>`` names the second mark.
        marks: in the scene's pixels; none goes on with those of the conversation.
        conversation: what was said before, in the user's numbering; None begins anew. To go on, keep
            ``Conversation(marks, (*turns, Turn("user", answer.question), Turn("model", answer.text)))``.
        view: what is seen: "overview" always the whole scene, "zoom" windows though the scene be small.
        max_new_tokens, temperature, seed, on_text, is_stopped: as `QuestionPlan.answer`.

    Raises:
        EarthGPTXError: one of those of `plan_question` and `QuestionPlan.answer`.
    """
    plan = plan_question(scene, question, marks, conversation=conversation, view=view)
    return plan.answer(
        assistant,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        on_text=on_text,
        is_stopped=is_stopped,
    )


def plan_question(
    scene: BigScene,
    question: str,
    marks: Sequence[Mark] = (),
    *,
    conversation: Conversation | None = None,
    view: View = "auto",
) -> QuestionPlan:
    """Checks a question and its marks, and decides what is looked at; no pixel is read.

    Args:
        scene, question, marks, conversation, view: as `ask_scene`.

    Raises:
        EarthGPTXError: one of those of `questions.check_question` and `questions.check_marks`.
    """
    before = conversation or Conversation()
    checked = check_marks(marks, width=scene.width, height=scene.height) or before.marks
    text = check_question(question, len(checked))
    history = before.turns if checked == before.marks else ()
    sights = [
        _sight(window, numbers, text, history)
        for window, numbers in _windows(scene, [mark.bounds() for mark in checked], text, view)
    ]
    return QuestionPlan(scene, text, checked, tuple(sights))


def _windows(scene: BigScene, bounds: Sequence[Box], question: str, view: View) -> list[tuple[Box, tuple[int, ...]]]:
    """The windows to look at and the regions to ask about in each."""
    everything = tuple(range(1, len(bounds) + 1))
    if not bounds or wants_overview(question):
        return [(whole(scene.width, scene.height), everything)]
    named = set(named_regions(question))
    groups = shared_windows(bounds, scene.width, scene.height, view=view)
    groups = [group for group in groups if not named or named & set(group[1])]
    is_apart = len(groups) > 1 and not relates(question)
    if len(groups) == 1 or (is_apart and all(narrowed(question, numbers) is not None for _, numbers in groups)):
        return groups
    # What is asked of several regions at once must be seen at once.
    together = tuple(sorted(named)) or everything
    around = _around([bounds[number - 1] for number in together])
    return [(window_of(around, scene.width, scene.height, view=view), together)]


def shared_windows(
    bounds: Sequence[Box], width: int, height: int, *, view: View = "auto"
) -> list[tuple[Box, tuple[int, ...]]]:
    """The window of each mark, and the numbers of the marks that share it.

    A mark joins the window of an earlier one that is as large as its own, where it has half its longer side of room
    around it there, and at least `LEAST_ROOM`; so near marks are seen together though a window's border lies between.

    Args:
        bounds: of the marks in scene pixels, numbered from 1.
        width, height: of the scene.
        view: as in `windows.window_of`.
    """
    groups: dict[Box, list[int]] = {}
    for number, box in enumerate(bounds, start=1):
        own = window_of(box, width, height, view=view)
        room = max(box.width, box.height) / 2
        room = max(room, LEAST_ROOM)
        around = Box(box.x0 - room, box.y0 - room, box.x1 + room, box.y1 + room).clipped(width, height)
        home = own if own in groups else next((one for one in groups if _can_share(around, own, one)), own)
        groups.setdefault(home, []).append(number)
    return [(window, tuple(numbers)) for window, numbers in groups.items()]


def _can_share(around: Box, own: Box, other: Box) -> bool:
    is_alike = (own.width, own.height) == (other.width, other.height)
    holds = other.x0 <= around.x0 and other.y0 <= around.y0 and other.x1 >= around.x1 and other.y1 >= around.y1
    return is_alike and holds


def _sight(window: Box, numbers: tuple[int, ...], question: str, history: tuple[Turn, ...]) -> Sight:
    here = Sight(window, numbers, "")
    turns: list[Turn] = []
    for asked, answered in zip(history[::2], history[1::2], strict=True):
        lines = [block for block in blocks_of(answered.text) if block[0] in (0, *numbers)]
        if lines and set(named_regions(asked.text)) <= set(numbers):
            said = "\n".join(text for _, text in lines)
            turns.append(Turn(asked.role, renumbered(asked.text, here.number_here)))
            turns.append(Turn(answered.role, renumbered(said, here.number_here)))
    narrow = narrowed(question, numbers) or question
    return Sight(window, numbers, renumbered(narrow, here.number_here), tuple(turns))


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        min(box.x0 for box in boxes),
        min(box.y0 for box in boxes),
        max(box.x1 for box in boxes),
        max(box.y1 for box in boxes),
    )

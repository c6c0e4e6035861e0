"""Regions of a big scene to findings: windows are read and looked at, questions asked a few at a time.

What goes wrong with one window or one question becomes a sentence in the findings of its regions; the rest goes on. It
knows the model only as something that looks and answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from earthgptx.data.imagery import Scene
from earthgptx.data.phrasing import PHRASES
from earthgptx.errors import EarthGPTXError, EmptyImagery
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.outlines import Shape, outline
from earthgptx.geo.regions import Region
from earthgptx.geo.windows import VIEW_SIDE, Frame, View, wants_overview, whole
from earthgptx.inference.answer import Answer, AnsweredRegion
from earthgptx.inference.assistant import Question, Session
from earthgptx.processing.answers import label_of
from earthgptx.shapes import Box, Mark

WHAT = PHRASES["roc"][0]
CAPTION = PHRASES["region_caption"][0]
SEGMENT = PHRASES["segment_region"][0].format(regions="each marked region")

# How many marks one question carries, as in training: captions are long.
MARKS_NAMED, MARKS_CAPTIONED, MARKS_SEGMENTED = 4, 2, 4
QUESTIONS_AT_ONCE = 8  # of one kind, so that their lengths are much the same
_MAX_NEW_TOKENS = 256
Item = TypeVar("Item")


class Answerer(Protocol):
    """What is needed of an assistant."""

    def look(self, scene: Scene) -> Session:
        """Encodes an image once."""
        ...

    def answer(self, questions: Sequence[Question], *, max_new_tokens: int = ...) -> list[Answer]:
        """Answers a batch of questions, in their order."""
        ...


@dataclass(frozen=True)
class Wishes:
    """What is asked of every region.

    Attributes:
        questions: the user's own.
        captions: whether a caption is asked for.
        masks: whether a mask is asked for.
        tolerance: by which masks' outlines are simplified, in pixels of the window as it was read.
        view: what the model sees around a region.
    """

    questions: tuple[str, ...] = ()
    captions: bool = True
    masks: bool = False
    tolerance: float = 1.0
    view: View = "auto"


@dataclass(frozen=True)
class Task:
    """A window and the regions that are asked about in it, by their places among all."""

    window: Box
    places: tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """What was found out about one region.

    Attributes:
        place: of the region among all.
        label: what it is; empty where the model did not say.
        confidence: of the label.
        caption: empty where none was asked for or given.
        answers: one an own question; empty ones where it failed.
        mask: outline in scene pixels; empty where none was asked for or nothing was found.
        mask_confidence: of the mask.
        mask_area: in scene pixels, counted before the outline was simplified.
        problem: a sentence on what went wrong, empty where nothing did.
    """

    place: int
    label: str = ""
    confidence: float = 0.0
    caption: str = ""
    answers: tuple[str, ...] = ()
    mask: Shape = ()
    mask_confidence: float = 0.0
    mask_area: float = 0.0
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Finding:
        """Inverse of `to_json`, after a way through JSON."""
        mask = tuple(tuple(tuple((x, y) for x, y in ring) for ring in rings) for rings in record["mask"])
        return cls(**{**record, "answers": tuple(record["answers"]), "mask": mask})


@dataclass
class Looked:
    """A window that was looked at, and the marks on it by place."""

    session: Session
    frame: Frame
    marks: dict[int, Mark] = field(default_factory=dict)


_Note = Callable[[Finding, Answer, AnsweredRegion, Frame], Finding]


@dataclass(frozen=True)
class _Posed:
    """A question, about which regions it is, and what to do with its answer."""

    question: Question
    frame: Frame
    places: tuple[int, ...]
    note: _Note


def find_out(
    tasks: Sequence[Task], regions: dict[int, Region], *, scene: BigScene, assistant: Answerer, wishes: Wishes
) -> list[Finding]:
    """Asks about the regions of some windows.

    Args:
        tasks: few enough to be held in memory together.
        regions: by place.
        scene: on which they lie.
        assistant: that answers.
        wishes: what is asked.

    Returns:
        One finding a region, in the order of the tasks.
    """
    findings = {place: Finding(place, answers=("",) * len(wishes.questions)) for task in tasks for place in task.places}
    looked = []
    for task in tasks:
        try:
            window = look_at(scene, task.window, assistant)
        except EarthGPTXError as error:
            for place in task.places:
                findings[place] = replace(findings[place], problem=str(error))
            continue
        looked.append(window)
        for place in task.places:
            try:
                window.marks[place] = _mark(regions[place], window)
            except EarthGPTXError as error:
                findings[place] = replace(findings[place], problem=str(error))
    far = None
    if any(window.marks for window in looked) and any(map(wants_overview, wishes.questions)):
        marked = {place: regions[place] for window in looked for place in window.marks}
        far = _look_from_afar(marked, findings, scene=scene, assistant=assistant)
    for posed in _kinds_of_questions(looked, far, wishes):
        for some in in_parts(posed, QUESTIONS_AT_ONCE):
            _note_answers(some, findings, assistant)
    return list(findings.values())


def look_at(scene: BigScene, window: Box, assistant: Answerer) -> Looked:
    """Reads a window and encodes it.

    Raises:
        EmptyImagery: not one of its pixels holds data.
        UnreadableImagery: the file is damaged there.
    """
    covered = scene.covered(window)
    read = scene.read(covered, VIEW_SIDE)
    if read.valid is not None and not read.valid.any():
        raise EmptyImagery(f"The scene holds no data there: 0 of {read.valid.size:,} pixels around it do.")
    return Looked(assistant.look(read), Frame.of(covered, read))


def _look_from_afar(
    regions: dict[int, Region], findings: dict[int, Finding], *, scene: BigScene, assistant: Answerer
) -> Looked | None:
    """The whole scene with regions marked, None where it cannot be read; what cannot be seen from there is noted."""
    try:
        far = look_at(scene, whole(scene.width, scene.height), assistant)
    except EarthGPTXError as error:
        for place in regions:
            findings[place] = replace(findings[place], problem=str(error))
        return None
    for place, region in regions.items():
        try:
            far.marks[place] = region.mark_in(far.frame)
        except EarthGPTXError as error:
            findings[place] = replace(findings[place], problem=f"On the whole scene, reduced: {error}")
    return far


def ask_all(questions: Sequence[Question], assistant: Answerer) -> list[Answer | str]:
    """An answer to each question, or the sentence that says why there is none."""
    try:
        return list(assistant.answer(questions, max_new_tokens=_MAX_NEW_TOKENS))
    except EarthGPTXError as error:
        if len(questions) == 1:
            return [str(error)]
    return [one for question in questions for one in ask_all([question], assistant)]


def _mark(region: Region, looked: Looked) -> Mark:
    """The region as a mark on the window.

    Raises:
        MalformedMark, MarkOutsideImage: as `Region.mark_in`.
        EmptyImagery: no pixel within its bounds holds data.
    """
    mark = region.mark_in(looked.frame)
    valid = looked.session.scene.valid
    if valid is not None:
        bounds = mark.bounds()
        rows = slice(max(int(bounds.y0), 0), max(int(bounds.y1), int(bounds.y0)) + 1)
        columns = slice(max(int(bounds.x0), 0), max(int(bounds.x1), int(bounds.x0)) + 1)
        part = valid[rows, columns]
        if not part.any():
            raise EmptyImagery(f"The scene holds no data there: 0 of the {part.size:,} pixels of its bounds do.")
    return mark


def _kinds_of_questions(looked: Sequence[Looked], far: Looked | None, wishes: Wishes) -> list[list[_Posed]]:
    """All questions, those of one kind together; `far` is the whole scene, without which some are not asked."""
    kinds = [_posed(looked, WHAT, MARKS_NAMED, _note_label)]
    if wishes.captions:
        kinds.append(_posed(looked, CAPTION, MARKS_CAPTIONED, _note_caption))
    if wishes.masks:
        kinds.append(_posed(looked, SEGMENT, MARKS_SEGMENTED, _mask_noter(wishes.tolerance)))
    for number, question in enumerate(wishes.questions):
        seen = ([] if far is None else [far]) if wants_overview(question) else looked
        kinds.append(_posed(seen, question, 1, _answer_noter(number)))
    return kinds


def _posed(
    looked: Sequence[Looked],
    text: str,
    marks_at_once: int,
    note: _Note,
) -> list[_Posed]:
    posed = []
    for window in looked:
        for places in in_parts(tuple(window.marks), marks_at_once):
            marks = tuple(window.marks[place] for place in places)
            posed.append(_Posed(Question(window.session, text, marks), window.frame, tuple(places), note))
    return posed


def _note_answers(posed: Sequence[_Posed], findings: dict[int, Finding], assistant: Answerer) -> None:
    answers = ask_all([one.question for one in posed], assistant)
    for one, answer in zip(posed, answers, strict=True):
        for number, place in enumerate(one.places):
            finding = findings[place]
            if isinstance(answer, str):
                findings[place] = replace(finding, problem=finding.problem or answer)
            else:
                findings[place] = one.note(finding, answer, answer.regions[number], one.frame)


def _note_label(finding: Finding, answer: Answer, region: AnsweredRegion, frame: Frame) -> Finding:
    return replace(finding, label=region.label, confidence=round(region.confidence, 6))


def _note_caption(finding: Finding, answer: Answer, region: AnsweredRegion, frame: Frame) -> Finding:
    return replace(finding, caption=region.label)


def _answer_noter(number: int) -> _Note:
    """Notes the answer to one of the user's own questions, which is about one region alone."""

    def note(finding: Finding, answer: Answer, region: AnsweredRegion, frame: Frame) -> Finding:
        words = region.label or label_of(answer.text)
        return replace(finding, answers=(*finding.answers[:number], words, *finding.answers[number + 1 :]))

    return note


def _mask_noter(tolerance: float) -> _Note:
    def note(finding: Finding, answer: Answer, region: AnsweredRegion, frame: Frame) -> Finding:
        found = next((mask for mask in answer.masks if mask.array is region.mask), None)
        if found is None or not found.array.any():
            return finding
        shape = in_scene(outline(found.array, tolerance=tolerance), frame)
        area = float(found.array.sum()) * frame.area_step
        return replace(finding, mask=shape, mask_confidence=round(found.confidence, 6), mask_area=area)

    return note


def in_scene(shape: Shape, frame: Frame) -> Shape:
    """A shape in pixels of a window as read, in pixels of the scene."""
    return tuple(tuple(frame.to_scene(ring) for ring in rings) for rings in shape)


def in_parts(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """The items in order, so many at a time."""
    return [items[start : start + size] for start in range(0, len(items), size)]

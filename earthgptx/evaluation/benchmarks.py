"""The benchmarks, a plain table: which data sets, which questions, which kind of answer, which published rows.

`pose` reads the labels and poses the questions, `ask` puts them to an assistant and keeps the answers in a journal;
`scoring` makes numbers of those. A data set that is not in the folder is skipped, with a sentence in the report.
Nothing is sampled, so a benchmark run twice gives one report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earthgptx.data.sample import LabelledImage
from earthgptx.errors import MalformedDataset, UnknownBenchmark
from earthgptx.evaluation import posing, recording
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.predictions import Prediction
from earthgptx.evaluation.questions import (
    Answerer,
    Conditions,
    PosedQuestion,
    Progress,
    ask_all,
    labelled_images,
)
from earthgptx.inference.answer import Answer

# Eight regions of the longest class name need some 120 tokens; a mask costs seven tokens a region.
LEAST_ANSWER_TOKENS = 192
ANSWER_TOKENS_A_REGION = 24
CAPTION_TOKENS_A_REGION = 48
MAX_CAPTION_TOKENS = 64
CAPTION_BEAMS = 6  # a caption has many beginnings, and greedy decoding commits to one (docs/decisions/0009)
MAX_GROUNDED_TOKENS = 192


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: what `earthgptx evaluate` calls it.
        other_name: a second name for it, empty where there is none.
        about: what is measured, in one sentence.
        datasets: names in `data.datasets.DATASETS`, in the order asked about.
        needs: the labels that the questions and the truth are made of.
        item: one of those, in a refusal.
        kind: of the answers: a name of `scoring.KINDS`.
        pose: labelled images to questions.
        record: writes an answer beside the truth.
        max_new_tokens: where an answer is cut, given the most regions of any question of the run: of the set and not
            of a batch, so that batching changes no answer.
        num_beams: answers that the model follows at once to give the one that agrees most with all; 1 is greedy.
        is_marked: whether regions are marked (of `vqa` in some questions), so that there is a choice of marks.
        table: the published table whose rows belong beside it: a name of `published`; empty where there is none.
    """

    name: str
    other_name: str = ""
    about: str
    datasets: tuple[str, ...]
    needs: str
    item: str
    kind: str
    pose: Callable[[Sequence[LabelledImage], Conditions], list[PosedQuestion]]
    record: Callable[[Prediction, Answer], Prediction]
    max_new_tokens: Callable[[int], int]
    num_beams: int = 1
    is_marked: bool = False
    table: str = ""


def _for_regions(tokens_a_region: int) -> Callable[[int], int]:
    return lambda most_regions: max(LEAST_ANSWER_TOKENS, tokens_a_region * most_regions)


def _table(*rows: Benchmark) -> dict[str, Benchmark]:
    return {row.name: row for row in rows}


BENCHMARKS: dict[str, Benchmark] = _table(
    Benchmark(
        name="roc",
        other_name="multisource-roc",
        about="Referring object classification of marked regions in optical, SAR and infrared images.",
        datasets=("vhr10", "ssdd", "hituav", "sar_acd", "mstar"),
        needs="boxes with classes",
        item="object",
        kind="classes",
        pose=posing.classes,
        record=recording.with_labels,
        max_new_tokens=_for_regions(ANSWER_TOKENS_A_REGION),
        is_marked=True,
        table="II",  # other data: the rows say so
    ),
    Benchmark(
        name="grounding",
        other_name="pixel-grounding",
        about="Masks of marked objects.",
        datasets=("vhr10", "ssdd"),
        needs="outlines with classes",
        item="outlined object",
        kind="masks",
        pose=posing.outlines,
        record=recording.with_masks,
        max_new_tokens=_for_regions(ANSWER_TOKENS_A_REGION),
        is_marked=True,
    ),
    Benchmark(
        name="captioning",
        other_name="rsicd-captioning",
        about="One sentence about a whole image, against five.",
        datasets=("rsicd",),
        needs="captions",
        item="caption",
        kind="captions",
        pose=posing.captions,
        record=recording.with_text,
        max_new_tokens=lambda _: MAX_CAPTION_TOKENS,
        num_beams=CAPTION_BEAMS,
    ),
    Benchmark(
        name="dior-rsvg-roc",
        about="The paper's Table II: referring object classification with points, boxes and free-form marks.",
        datasets=("dior_rsvg",),
        needs="boxes with classes",
        item="object",
        kind="classes",
        pose=posing.classes,
        record=recording.with_labels,
        max_new_tokens=_for_regions(ANSWER_TOKENS_A_REGION),
        is_marked=True,
        table="II",
    ),
    Benchmark(
        name="opt-rsvg-captioning",
        about="The paper's Table III: brief captions of marked regions.",
        datasets=("opt_rsvg",),
        needs="boxes with descriptions",
        item="described object",
        kind="region captions",
        pose=posing.region_captions,
        record=recording.with_labels,
        max_new_tokens=_for_regions(CAPTION_TOKENS_A_REGION),
        is_marked=True,
        table="III",
    ),
    Benchmark(
        name="referring-segmentation",
        about="The mask of the one object that words tell from all others; boxes around the masks, too.",
        datasets=("vhr10", "ssdd"),
        needs="outlines with classes",
        item="outlined object that words tell from the others",
        kind="referred masks",
        pose=posing.referred,
        record=recording.with_masks,
        max_new_tokens=lambda _: MAX_CAPTION_TOKENS,
    ),
    Benchmark(
        name="scene-classification",
        about="The class of a whole image.",
        datasets=("rsicd",),
        needs="scene classes",
        item="scene class",
        kind="scenes",
        pose=posing.scenes,
        record=recording.with_text,
        max_new_tokens=lambda _: MAX_CAPTION_TOKENS,
    ),
    Benchmark(
        name="grounded-captioning",
        about="A sentence with a mask for each of its phrases.",
        datasets=("vhr10", "ssdd"),
        needs="images in which every object is outlined",
        item="image in which every object is outlined",
        kind="grounded captions",
        pose=posing.grounded_captions,
        record=recording.with_phrases,
        max_new_tokens=lambda _: MAX_GROUNDED_TOKENS,
    ),
    Benchmark(
        name="vqa",
        about="Short questions: whether, which, where and how many.",
        datasets=("vhr10", "ssdd", "hituav", "rsicd"),
        needs="boxes with classes, or scene classes",
        item="label to ask about",
        kind="short answers",
        pose=posing.short_answers,
        record=recording.with_text,
        max_new_tokens=lambda _: MAX_CAPTION_TOKENS,
        is_marked=True,
    ),
)


@dataclass(frozen=True)
class QuestionSet:
    """All questions of a benchmark, and a sentence on each data set that is left out or cut short."""

    questions: tuple[PosedQuestion, ...]
    notes: tuple[str, ...] = ()


def find(name: str) -> Benchmark:
    """The benchmark of either name.

    Raises:
        UnknownBenchmark: there is none.
    """
    for benchmark in BENCHMARKS.values():
        if name in (benchmark.name, benchmark.other_name):
            return benchmark
    raise UnknownBenchmark(f"There is no benchmark {name!r}; choose one of {', '.join(BENCHMARKS)}.")


def pose(benchmark: Benchmark, conditions: Conditions) -> QuestionSet:
    """Reads the data sets of a benchmark and poses its questions; no image is opened.

    Args:
        benchmark: one of `BENCHMARKS`.
        conditions: where the data are and how objects are marked; captioning draws no mark, whatever they say.

    Raises:
        MalformedDataset: none of the data sets is there, one cannot be read, or all of them together give no question.
    """
    images, notes = labelled_images(conditions.datasets or benchmark.datasets, conditions)
    questions = benchmark.pose(images, conditions)
    if not questions:
        raise MalformedDataset(
            f"The {len(images):,} images of the {conditions.split} split in {conditions.data} that {benchmark.name} "
            f"asks about hold no {benchmark.item}."
        )
    return QuestionSet(tuple(questions), notes)


def blank(benchmark: Benchmark, question: PosedQuestion, conditions: Conditions) -> Prediction:
    """A question with its truth, answered by nobody."""
    return recording.blank(
        question,
        conditions.data,
        with_masks="masks" in benchmark.kind,
        with_captions=benchmark.kind == "region captions",
    )


def ask(
    benchmark: Benchmark,
    assistant: Answerer,
    asked: QuestionSet,
    journal: Journal,
    conditions: Conditions,
    *,
    progress: Progress = lambda _done, _total: None,
) -> list[Prediction]:
    """Puts every question that the journal has no answer to; gives all predictions in the questions' order.

    Args:
        benchmark: says how answers are recorded and where they are cut.
        assistant: who is asked.
        asked: what `pose` gives.
        journal: the run's answers.
        conditions: those that the questions were posed under.
        progress: is told how far the run is.
    """
    most_regions = max(len(question.marks) for question in asked.questions)
    return ask_all(
        assistant,
        asked.questions,
        journal,
        lambda question, answer: benchmark.record(blank(benchmark, question, conditions), answer),
        batch_size=conditions.batch_size,
        max_new_tokens=benchmark.max_new_tokens(most_regions),
        num_beams=benchmark.num_beams,
        progress=progress,
    )


def counts(asked: QuestionSet, journal: Journal) -> dict[str, int]:
    """Images, questions, and how many of them an earlier, unfinished run had answered."""
    return {
        "images": len({question.image.id for question in asked.questions}),
        "questions": len(asked.questions),
        "resumed": journal.num_resumed,
    }

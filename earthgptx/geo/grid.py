"""A whole scene without regions: one question asked of every cell of a grid, or of all of it at once.

Answers in words become a feature a cell. Masks are cut at the borders of cells, so that no object is found twice, and
what touches across a border is joined again. Each cell is seen with a margin, so that an object on its border is whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earthgptx.errors import EarthGPTXError, EmptyImagery
from earthgptx.geo.asking import Answerer, Looked, ask_all, in_parts, look_at
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.outlines import Shape, area_of, exact_parts, joined, on_map, simplify, touching
from earthgptx.geo.output_file import Annotated
from earthgptx.geo.placing import Coordinates, square_metres
from earthgptx.geo.windows import Frame, cells, with_margin
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Question
from earthgptx.processing.answers import label_of
from earthgptx.shapes import Box, Vertices

MOST_MARGIN = 128  # scene pixels around a cell that are seen with it; a quarter of the cell where that is less
_COUNTED = re.compile(r"^(?:all|the|an?|one|two|three|four|five|six|seven|eight|nine|ten|several|many|\d+)\s+", re.I)
_LONGEST_LABEL = 60  # characters; longer texts before a mask are sentences and name nothing


@dataclass(frozen=True)
class FoundObject:
    """A part of a mask within one cell.

    Attributes:
        shape: along the edges of its pixels, in scene pixels.
        label: the words that the mask belongs to; may be empty.
        confidence: of the whole mask.
    """

    shape: Shape
    label: str
    confidence: float


@dataclass(frozen=True)
class GridPlan:
    """One question about every cell of a scene.

    Attributes:
        scene: which.
        cells: in scene pixels, each once covered.
        columns: cells in a row.
        batches: places of cells that are asked about together.
        question: asked of each.
        masks: whether the output's features are objects; they are cells otherwise.
        tolerance: by which the outlines of objects are simplified, in scene pixels.
    """

    scene: BigScene
    cells: tuple[Box, ...]
    columns: int
    batches: tuple[tuple[int, ...], ...]
    question: str
    masks: bool
    tolerance: float

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many cells each batch has."""
        return tuple(len(batch) for batch in self.batches)

    def answer(self, batch: int, assistant: Answerer) -> list[dict[str, Any]]:
        """Asks about the cells of a batch; the records are plain values. Cells without data have no record."""
        records: list[dict[str, Any]] = []
        looked: list[tuple[int, Looked]] = []
        for place in self.batches[batch]:
            try:
                looked.append((place, look_at(self.scene, self._window(place), assistant)))
            except EmptyImagery:
                continue
            except EarthGPTXError as error:
                records.append({"cell": place, "words": "", "objects": [], "problem": str(error)})
        questions = [Question(window.session, self.question) for _, window in looked]
        answers = ask_all(questions, assistant) if questions else []
        for (place, window), answer in zip(looked, answers, strict=True):
            if isinstance(answer, str):
                records.append({"cell": place, "words": "", "objects": [], "problem": answer})
            else:
                found = objects_in(self.cells[place], answer, window.frame) if self.masks else []
                records.append(
                    {
                        "cell": place,
                        "words": answer.words,
                        "objects": [[one.shape, one.label, one.confidence] for one in found],
                        "problem": "",
                    }
                )
        return records

    def finish(self, records: Iterable[dict[str, Any]], target: Coordinates) -> list[Annotated]:
        """The objects of all cells, those joined that a border parted; or the cells with their answers.

        Args:
            records: of all batches.
            target: the coordinates to be written.
        """
        if not self.masks:
            return [self._cell(record, target) for record in records]
        parts = [
            FoundObject(_as_shape(shape), label, confidence)
            for record in records
            for shape, label, confidence in record["objects"]
        ]
        features = [self._object(one, target) for one in whole_objects(parts)]
        return [feature for feature in features if feature is not None]

    def problems_of(self, records: Iterable[dict[str, Any]]) -> list[str]:
        """One sentence a cell that could not be asked about."""
        return [f"Cell {self._name(record['cell'])}: {record['problem']}" for record in records if record["problem"]]

    def _window(self, place: int) -> Box:
        cell = self.cells[place]
        if not self.masks:
            return cell
        margin = int(min(MOST_MARGIN, max(cell.width, cell.height) // 4))
        return with_margin(cell, margin, self.scene.width, self.scene.height)

    def _name(self, place: int) -> str:
        return f"{place // self.columns + 1}-{place % self.columns + 1}"

    def _cell(self, record: dict[str, Any], target: Coordinates) -> Annotated:
        outline: Shape = ((self.cells[record["cell"]].outline(),),)
        properties = {"egx_answer": record["words"] or None, "egx_problem": record["problem"] or None}
        geometry = on_map(outline, target.place, wraps=target.wraps)
        return Annotated(self._name(record["cell"]), geometry, _with_unit(properties, target))

    def _object(self, found: FoundObject, target: Coordinates) -> Annotated | None:
        area = area_of(found.shape)
        outline = simplify(found.shape, tolerance=self.tolerance) or found.shape
        geometry = on_map(outline, target.place, wraps=target.wraps)
        if geometry is None:
            return None
        metres = square_metres(self.scene, found.shape, area)
        properties = {
            "egx_label": found.label or None,
            "egx_confidence": round(found.confidence, 6),
            "egx_area_px": round(area, 2),
            "egx_area_m2": None if metres is None else round(metres, 2),
        }
        return Annotated(None, geometry, _with_unit(properties, target))


def plan_grid(
    scene: BigScene, question: str, *, side: int | None, masks: bool, tolerance: float, cells_at_once: int = 4
) -> GridPlan:
    """Cuts a scene into cells.

    Args:
        scene: which.
        question: asked of each cell.
        side: of a cell in scene pixels; None for the whole scene at once, reduced to one view.
        masks: whether the output's features are objects; they are cells otherwise.
        tolerance: by which the outlines of objects are simplified, in scene pixels.
        cells_at_once: looked at and asked about together.
    """
    side = side or max(scene.width, scene.height)
    cut = tuple(cells(scene.width, scene.height, side))
    batches = tuple(tuple(some) for some in in_parts(range(len(cut)), cells_at_once))
    return GridPlan(scene, cut, -(-scene.width // side), batches, question, masks, tolerance)


def objects_in(cell: Box, answer: Answer, frame: Frame) -> list[FoundObject]:
    """The connected parts of an answer's masks within a cell.

    Args:
        cell: in scene pixels; what lies in the margin around it belongs to other cells.
        answer: about the window.
        frame: of the window.
    """
    columns, left = _core(cell.x0, cell.x1, frame.window.x0, frame.step_x, frame.width)
    rows, top = _core(cell.y0, cell.y1, frame.window.y0, frame.step_y, frame.height)
    found = []
    for number, mask in enumerate(answer.masks):
        for shape in exact_parts(np.ascontiguousarray(mask.array[rows, columns])):
            placed = tuple(tuple(_looked_up(ring, left, top) for ring in rings) for rings in shape)
            found.append(FoundObject(placed, _label(answer, number), mask.confidence))
    return found


def _core(start: float, end: float, origin: float, step: float, length: int) -> tuple[slice, NDArray[np.float64]]:
    """The pixels of a window that belong to a cell on one axis, and the scene positions of their edges.

    The outermost edges are the cell's own, to the last digit, so that the parts of two cells touch.
    """
    first = min(max(round((start - origin) / step), 0), length - 1)
    last = max(min(round((end - origin) / step), length), first + 1)
    edges: NDArray[np.float64] = origin + np.arange(first, last + 1, dtype=np.float64) * step
    edges[0], edges[-1] = start, end
    return slice(first, last), edges


def _looked_up(ring: Vertices, left: NDArray[np.float64], top: NDArray[np.float64]) -> Vertices:
    return tuple((float(left[round(x)]), float(top[round(y)])) for x, y in ring)


def _label(answer: Answer, number: int) -> str:
    """The words that a mask belongs to: its phrase, or what stands before it on its line."""
    phrase = answer.masks[number].phrase
    if phrase is None:
        before = label_of(answer.text.split("<pix>")[number].rpartition("\n")[2])
        phrase = before if len(before) <= _LONGEST_LABEL else ""
    return _COUNTED.sub("", phrase)


def whole_objects(parts: Sequence[FoundObject]) -> list[FoundObject]:
    """Parts of objects that touch across the borders of cells, joined; those of unlike names stay apart.

    The name is that of the largest part, the confidence the mean by area.
    """
    by_name: dict[str, list[FoundObject]] = {}
    for part in parts:
        by_name.setdefault(part.label.lower().removesuffix("s"), []).append(part)
    whole = []
    for named in by_name.values():
        for group in touching([part.shape for part in named]):
            members = [named[place] for place in group]
            areas = [area_of(part.shape) for part in members]
            shape = members[0].shape if len(members) == 1 else joined([part.shape for part in members])
            largest = members[areas.index(max(areas))]
            shares = sum(part.confidence * area for part, area in zip(members, areas, strict=True))
            whole.append(FoundObject(shape, largest.label, shares / sum(areas)))
    return whole


def _with_unit(properties: dict[str, Any], target: Coordinates) -> dict[str, Any]:
    return {**properties, "coordinates": "pixels"} if target.crs is None else properties


def _as_shape(written: Any) -> Shape:
    return tuple(tuple(tuple((x, y) for x, y in ring) for ring in rings) for rings in written)

"""Regions of a file to annotated features: which windows they share, what is asked, how the answers are written.

A scene and a file of features come in. The plan depends on nothing else, so that a run that is stopped and repeated
asks the same questions in the same company.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from earthgptx.errors import EarthGPTXError
from earthgptx.geo.asking import Answerer, Finding, Task, Wishes, find_out, in_parts
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature import Feature, FeatureFile
from earthgptx.geo.outlines import on_map
from earthgptx.geo.output_file import Annotated
from earthgptx.geo.placing import Coordinates, own_geometry, square_metres
from earthgptx.geo.regions import Region, region_of
from earthgptx.geo.windows import group_by_window, window_of

REGIONS_A_WINDOW = 16  # asked about together at most; so little is lost when a run is stopped


@dataclass(frozen=True)
class RegionPlan:
    """What is to be asked about the regions of a file.

    Attributes:
        scene: on which they lie.
        file: their features.
        regions: by place, those that can be asked about.
        problems: by place, a sentence on each of the others.
        batches: what is read, asked and noted together.
        wishes: what is asked.
    """

    scene: BigScene
    file: FeatureFile
    regions: dict[int, Region]
    problems: dict[int, str]
    batches: tuple[tuple[Task, ...], ...]
    wishes: Wishes

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many regions each batch has."""
        return tuple(sum(len(task.places) for task in batch) for batch in self.batches)

    def answer(self, batch: int, assistant: Answerer) -> list[dict[str, Any]]:
        """Asks about the regions of a batch; the records are plain values."""
        findings = find_out(
            self.batches[batch], self.regions, scene=self.scene, assistant=assistant, wishes=self.wishes
        )
        return [finding.to_json() for finding in findings]

    def finish(self, records: Iterable[dict[str, Any]], target: Coordinates) -> list[Annotated]:
        """All features of the file in its order, with what was found out about them.

        Args:
            records: of all batches.
            target: the coordinates to be written.
        """
        findings = {record["place"]: Finding.from_json(record) for record in records}
        return [
            self._annotated(feature, findings.get(place) or self._nothing(place), target)
            for place, feature in enumerate(self.file.features)
        ]

    def _nothing(self, place: int) -> Finding:
        answers = ("",) * len(self.wishes.questions)
        return Finding(place, answers=answers, problem=self.problems.get(place, ""))

    def problems_of(self, records: Iterable[dict[str, Any]]) -> list[str]:
        """One sentence a region that could not be asked about, or not fully, in the file's order."""
        told = dict(self.problems)
        told |= {record["place"]: record["problem"] for record in records if record["problem"]}
        return [f"{self.file.features[place].name}: {told[place]}" for place in sorted(told)]

    def _annotated(self, feature: Feature, finding: Finding, target: Coordinates) -> Annotated:
        wishes = self.wishes
        found: dict[str, Any] = {
            "egx_label": finding.label or None,
            "egx_confidence": finding.confidence if finding.label else None,
        }
        if wishes.captions:
            found["egx_caption"] = finding.caption or None
        for number, words in enumerate(finding.answers, start=1):
            found["egx_answer" if number == 1 else f"egx_answer_{number}"] = words or None
        geometry = own_geometry(feature, self.file.crs, self.scene, target)
        problem = finding.problem
        if wishes.masks:
            outline = on_map(finding.mask, target.place, wraps=target.wraps) if finding.mask else None
            if finding.mask and outline is None:
                problem = problem or "The projection has no coordinates for its mask."
            found |= {
                "egx_geometry": "region" if outline is None else "mask",
                "egx_mask_confidence": finding.mask_confidence if finding.mask else None,
                **area_properties(self.scene, finding),
            }
            geometry = outline or geometry
        found["egx_problem"] = problem or None
        if target.crs is None:
            found["coordinates"] = "pixels"
        return Annotated(feature.id, geometry, {**feature.properties, **found})


def area_properties(scene: BigScene, finding: Finding) -> dict[str, float | None]:
    """The area of a mask in scene pixels and in square metres; nulls without a mask."""
    if not finding.mask:
        return {"egx_area_px": None, "egx_area_m2": None}
    metres = square_metres(scene, finding.mask, finding.mask_area)
    return {
        "egx_area_px": round(finding.mask_area, 2),
        "egx_area_m2": None if metres is None else round(metres, 2),
    }


def plan_regions(scene: BigScene, file: FeatureFile, wishes: Wishes, *, windows_at_once: int = 4) -> RegionPlan:
    """Lays all features on the scene and groups those that are near each other.

    Args:
        scene: on which they lie.
        file: their features; what is wrong with one of them is noted and does not stop the rest.
        wishes: what is asked.
        windows_at_once: looked at and asked about together.
    """
    regions: dict[int, Region] = {}
    problems: dict[int, str] = {}
    for place, feature in enumerate(file.features):
        try:
            regions[place] = region_of(feature, scene, file.crs)
        except EarthGPTXError as error:
            problems[place] = str(error)
    places = list(regions)
    windows = [window_of(regions[place].bounds, scene.width, scene.height, view=wishes.view) for place in places]
    tasks = [
        Task(window, tuple(places[member] for member in some))
        for window, members in group_by_window(windows).items()
        for some in in_parts(members, REGIONS_A_WINDOW)
    ]
    batches: Sequence[Sequence[Task]] = in_parts(tasks, windows_at_once)
    return RegionPlan(scene, file, regions, problems, tuple(tuple(batch) for batch in batches), wishes)

"""All that is asked of a scene, and what it takes to ask it: the same for one scene and for one of many.

An `Order` and a scene come in; a plan, the coordinates of its output and the settings that tell its answers from
others go out. No model is needed for it.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from earthgptx.data import remote_file
from earthgptx.data.phrasing import PHRASES
from earthgptx.errors import EarthGPTXError, MarkOutsideImage, TooManyQuestions
from earthgptx.geo.annotate import Plan
from earthgptx.geo.asking import Wishes
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.feature import Feature, FeatureFile
from earthgptx.geo.feature_files import read_features
from earthgptx.geo.grid import plan_grid
from earthgptx.geo.placing import Coordinates, OutputCrs, coordinates_of
from earthgptx.geo.region_plan import plan_regions
from earthgptx.geo.regions import region_of
from earthgptx.inference.questions import check_question


@dataclass(frozen=True)
class Order:
    """What is asked of every scene, and of which weights; plain values that can be sent to other processes.

    Attributes:
        wishes: the user's own questions, as they were given, and what else is asked.
        grid: the side of a cell where there are no regions; None asks about the whole scene at once.
        crs: of the coordinates that are written.
        sensor: of the scenes; "auto" to guess.
        checkpoint: the hash of its weights: other weights give other answers.
    """

    wishes: Wishes
    grid: int | None = None
    crs: OutputCrs = "wgs84"
    sensor: str = "auto"
    checkpoint: str = ""

    def settings(self) -> dict[str, Any]:
        """All of it but the questions, as a journal keeps it."""
        return {
            "captions": self.wishes.captions,
            "masks": self.wishes.masks,
            "simplify": self.wishes.tolerance,
            "view": self.wishes.view,
            "grid": self.grid,
            "crs": self.crs,
            "sensor": self.sensor,
            "model": self.checkpoint,
        }


@dataclass(frozen=True)
class Prepared:
    """A scene that is ready to be asked about.

    Attributes:
        plan: what is asked.
        target: the coordinates to be written.
        settings: plain values; all that the answers and the file depend on.
        notes: what is unusual about the scene and its regions, one sentence each.
    """

    plan: Plan
    target: Coordinates
    settings: dict[str, Any]
    notes: tuple[str, ...]


def prepare(scene: Path, regions: Path | None, order: Order, *, is_shared: bool = False) -> Prepared:
    """Opens a scene and lays its regions on it.

    Args:
        scene: the image.
        regions: a file of them; None asks about the scene as a whole, or about the cells of the order's grid.
        order: what is asked.
        is_shared: the regions are those of many scenes: the ones outside of this are left out.

    Raises:
        EarthGPTXError: something is wrong with the scene or the file as a whole, or with a question.
    """
    questions = questions_of(order.wishes, has_regions=regions is not None)
    wishes = replace(order.wishes, questions=questions)
    big = BigScene.open(scene, sensor=order.sensor)
    settings = {
        "scene": [scene.name, remote_file.size_of(scene), remote_file.state_of(scene)],
        "regions": None if regions is None else digest_of(regions),
        "questions": list(questions),
        **order.settings(),
        "captions": wishes.captions and regions is not None,
        "sensor": big.sensor,
    }
    target = coordinates_of(big, order.crs)
    if regions is None:
        plan = plan_grid(big, questions[0], side=order.grid, masks=wishes.masks, tolerance=wishes.tolerance)
        return Prepared(plan, target, settings, big.notes)
    file = read_features(regions)
    if is_shared:
        file = replace(file, features=tuple(one for one in file.features if _may_lie_on(one, big, file)))
    return Prepared(plan_regions(big, file, wishes), target, settings, (*big.notes, *file.notes))


def questions_of(wishes: Wishes, *, has_regions: bool) -> tuple[str, ...]:
    """The questions that are asked; without regions there is exactly one, by default for a description.

    Raises:
        TooManyQuestions: a whole scene is asked more than one.
        EarthGPTXError: one of those of `check_question`.
    """
    asked = wishes.questions
    if not has_regions and len(asked) > 1:
        raise TooManyQuestions(f"A whole scene is asked one question, but {len(asked)} were given.")
    if not has_regions and not asked:
        asked = (PHRASES["grounded_caption" if wishes.masks else "image_caption"][0],)
    return tuple(check_question(question, 1 if has_regions else 0) for question in asked)


def digest_of(path: Path) -> str | None:
    """Of a file's bytes; None where there is none, which its reader will say."""
    if not path.is_file():
        return None
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _digest(path: Path, size: int, changed: int) -> str:
    """Read once however many scenes share the file; its size and time tell another version."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _may_lie_on(feature: Feature, scene: BigScene, file: FeatureFile) -> bool:
    """Whether a feature lies on a scene, or is so wrong that nobody knows."""
    try:
        region_of(feature, scene, file.crs)
    except MarkOutsideImage:
        return False
    except EarthGPTXError:
        return True
    return True

"""The scenes on the server: opened within limits, kept in folders of their own, removed when they expire.

Files come in; a `StoredScene` holds pixels that are mapped from disk, its dialogues, and the answers to it. Nothing
here outlives the process: folders are emptied at its start and at its end.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS

from earthgptx.data.imagery import Scene
from earthgptx.data.raster_file import opened
from earthgptx.errors import (
    ImageTooLarge,
    PathOutsideRoot,
    TooManyScenes,
    UnknownAnswer,
    UnknownScene,
    UnreadableImagery,
)
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Conversation
from earthgptx.serving.pyramid import TILE_SIZE, Pyramid, write_pyramid
from earthgptx.serving.settings import Settings

BANDS_AT_ONCE = 16  # a file's bands often share their blocks, so that reading one decodes them all
DISPLAYS_KEPT = 3  # choices of bands whose pyramids stay on disk


@dataclass(eq=False)
class StoredScene:
    """A scene, what was asked about it, and what was answered."""

    id: str
    name: str
    file: Path
    folder: Path
    scene: Scene
    num_bands: int
    pyramid: Pyramid
    max_answers: int
    max_dialogues: int
    keep_seconds: float
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)
    is_listed: bool = True
    answers: list[str] = field(default_factory=list)
    dialogues: OrderedDict[str, Conversation] = field(default_factory=OrderedDict)
    displays: OrderedDict[tuple[int, ...], Pyramid] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def expires(self) -> float:
        """When it is removed, in seconds since 1970, unless it is used before."""
        return self.used + self.keep_seconds

    def to_json(self) -> dict[str, Any]:
        """What clients are told of it."""
        metres = self.scene.ground_sample_distance
        return {
            "id": self.id,
            "name": self.name,
            "width": self.scene.width,
            "height": self.scene.height,
            "sensor": self.scene.sensor,
            "notes": list(self.scene.notes),
            "is_georeferenced": self.scene.georeference is not None,
            "crs": _epsg(self.scene),
            "bounds_wgs84": _bounds(self.scene),
            "ground_sample_distance": metres,
            "num_bands": self.num_bands,
            "created": _iso(self.created),
            "expires": _iso(self.expires),
            "tile_size": TILE_SIZE,
            "max_zoom": self.pyramid.max_zoom,
        }

    def display(self, bands: tuple[int, ...]) -> Pyramid:
        """The scene with other bands shown.

        Raises:
            UnreadableImagery: bands that it does not have, or not one or three.
        """
        with self.lock:
            if bands not in self.displays:
                shown = Scene.open(self.file, sensor=self.scene.sensor, bands=bands, max_pixels=self.scene.pixels.size)
                folder = self.folder / f"bands-{secrets.token_hex(4)}"
                self.displays[bands] = write_pyramid(shown.pixels, folder)
                if len(self.displays) > DISPLAYS_KEPT:
                    _, oldest = self.displays.popitem(last=False)
                    mapped = oldest.levels[0]
                    assert isinstance(mapped, np.memmap)
                    shutil.rmtree(Path(str(mapped.filename)).parent, ignore_errors=True)
            self.displays.move_to_end(bands)
            return self.displays[bands]

    def conversation(self, dialogue: str) -> Conversation:
        """What was said in a dialogue; nothing in a new one."""
        with self.lock:
            return self.dialogues.get(dialogue, Conversation())

    def record(self, dialogue: str, answer: Answer, conversation: Conversation) -> dict[str, Any]:
        """Keeps an answer, and gives it as clients get it."""
        content = answer.to_json() | {"id": secrets.token_hex(8), "session": dialogue, "scene": self.id}
        with self.lock:
            self.dialogues[dialogue] = conversation
            self.dialogues.move_to_end(dialogue)
            while len(self.dialogues) > self.max_dialogues:
                self.dialogues.popitem(last=False)
            if self.folder.is_dir():  # it may have been removed meanwhile
                self._path(content["id"]).write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
                self.answers.append(content["id"])
            while len(self.answers) > self.max_answers:
                self._path(self.answers.pop(0)).unlink(missing_ok=True)
        return content

    def answer_json(self, answer_id: str) -> dict[str, Any]:
        """An answer as it was given.

        Raises:
            UnknownAnswer: there is none of that id.
        """
        with self.lock:
            if answer_id not in self.answers:
                raise UnknownAnswer(f"Scene {self.id} has no answer {answer_id[:40]!r}.")
            content: dict[str, Any] = json.loads(self._path(answer_id).read_text(encoding="utf-8"))
            return content

    def answers_json(self) -> list[dict[str, Any]]:
        """All answers that are kept, oldest first."""
        with self.lock:
            return [json.loads(self._path(answer_id).read_text(encoding="utf-8")) for answer_id in self.answers]

    def forget_answers(self) -> None:
        """Removes all answers and dialogues."""
        with self.lock:
            for answer_id in self.answers:
                self._path(answer_id).unlink(missing_ok=True)
            self.answers.clear()
            self.dialogues.clear()

    def _path(self, answer_id: str) -> Path:
        return self.folder / f"answer-{answer_id}.json"


class SceneStore:
    """All scenes, by id.

    Args:
        settings: limits and folders.
        on_removed: told the id of each scene that goes.
    """

    def __init__(self, settings: Settings, on_removed: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_removed = on_removed
        self._scenes: dict[str, StoredScene] = {}
        self._lock = threading.Lock()
        self._opening = threading.Lock()  # one at a time, so that the limits bound the memory that opening takes
        if settings.data is not None:
            settings.data.mkdir(parents=True, exist_ok=True)
        self._root = settings.data or Path(tempfile.gettempdir())
        for left_over in self._root.glob("earthgptx-*.scenes") if settings.data is not None else ():
            shutil.rmtree(left_over, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(prefix="earthgptx-", suffix=".scenes", dir=self._root))

    def __len__(self) -> int:
        return len(self._scenes)

    def listed(self) -> list[StoredScene]:
        """Those that clients see, oldest first."""
        with self._lock:
            return [stored for stored in self._scenes.values() if stored.is_listed]

    def get(self, scene_id: str) -> StoredScene:
        """A scene, which is thereby used.

        Raises:
            UnknownScene: no such scene, or not any more.
        """
        with self._lock:
            stored = self._scenes.get(scene_id)
            if stored is None or stored.expires < time.time():
                raise UnknownScene(f"There is no scene {scene_id[:40]!r}; scenes expire when they are not used.")
            stored.used = time.time()
            return stored

    def add_upload(
        self, name: str, write: Callable[[Path], None], *, sensor: str, is_listed: bool = True
    ) -> StoredScene:
        """Keeps an uploaded file.

        Args:
            name: as the client calls it.
            write: puts the file where it is told to.
            sensor: as in `Scene.open`.
            is_listed: whether `listed` gives it.

        Raises:
            TooManyScenes: no room for one more.
            EarthGPTXError: one of those of `Scene.open`.
        """
        scene_id, folder = self._reserve()
        try:
            file = folder / _safe_name(name)
            write(file)
            return self._keep(scene_id, folder, file, name=name, sensor=sensor, is_listed=is_listed)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def add_path(self, path: str, *, sensor: str) -> StoredScene:
        """Opens a file below the allowed root, where it stays.

        Raises:
            PathOutsideRoot: there is no root, or the path leaves it, by a link or otherwise.
            UnreadableImagery: there is no such file.
            EarthGPTXError: others of `add_upload`.
        """
        file = self._below_root(path)
        scene_id, folder = self._reserve()
        try:
            return self._keep(scene_id, folder, file, name=file.name, sensor=sensor, is_listed=True)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def remove(self, scene_id: str) -> None:
        """Removes a scene and all that belongs to it.

        Raises:
            UnknownScene: there is none.
        """
        with self._lock:
            stored = self._scenes.pop(scene_id, None)
        if stored is None:
            raise UnknownScene(f"There is no scene {scene_id[:40]!r}.")
        self._on_removed(scene_id)
        with stored.lock:
            shutil.rmtree(stored.folder, ignore_errors=True)

    def discard(self, scene_id: str) -> None:
        """Removes a scene that may be gone already."""
        with suppress(UnknownScene):
            self.remove(scene_id)

    def sweep(self) -> int:
        """Removes what has expired; gives how many."""
        now = time.time()
        with self._lock:
            expired = [stored.id for stored in self._scenes.values() if stored.expires < now]
        for scene_id in expired:
            self.discard(scene_id)
        return len(expired)

    def close(self) -> None:
        """Removes everything."""
        with self._lock:
            self._scenes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reserve(self) -> tuple[str, Path]:
        self.sweep()
        if len(self._scenes) >= self._settings.max_scenes:
            raise TooManyScenes(
                f"{len(self._scenes)} scenes are kept and no more than {self._settings.max_scenes} may: remove one."
            )
        scene_id = secrets.token_hex(8)
        folder = self._folder / scene_id
        folder.mkdir(mode=0o700)
        return scene_id, folder

    def _keep(self, scene_id: str, folder: Path, file: Path, *, name: str, sensor: str, is_listed: bool) -> StoredScene:
        with self._opening:
            num_bands = _checked_shape(file, self._settings.max_pixels)
            scene = Scene.open(file, sensor=sensor, max_pixels=self._settings.max_pixels)
            pyramid = write_pyramid(scene.pixels, folder / "shown")
        # What the model reads is mapped from disk too, and says no more of this machine than the file's name.
        kept = replace(scene, pixels=pyramid.levels[0], valid=None, path=Path(file.name))
        stored = StoredScene(
            id=scene_id,
            name=_shown_name(name),
            file=file,
            folder=folder,
            scene=kept,
            num_bands=num_bands,
            pyramid=pyramid,
            max_answers=self._settings.max_answers,
            max_dialogues=self._settings.max_dialogues,
            # One that no client sees goes with its request; should that fail, it goes soon after.
            keep_seconds=self._settings.scene_seconds if is_listed else self._settings.answer_seconds + 60,
            is_listed=is_listed,
        )
        with self._lock:
            self._scenes[scene_id] = stored
        return stored

    def _below_root(self, path: str) -> Path:
        root = self._settings.root
        if root is None:
            raise PathOutsideRoot("This server opens no files by path; upload the image.")
        refusal = PathOutsideRoot(f"{path[:80]!r} does not lead to a file below the server's folder of scenes.")
        if "\0" in path or Path(path).is_absolute():
            raise refusal
        file = (root / path).resolve()
        if not file.is_relative_to(root.resolve()):  # `..` and links are followed before this is asked
            raise refusal
        if not file.is_file():
            raise UnreadableImagery(f"There is no file {path[:80]!r} below the server's folder of scenes.")
        return file


def _checked_shape(file: Path, max_pixels: int) -> int:
    """A file's number of bands, if by its header all of them together can be opened."""
    if file.stat().st_size == 0:
        raise UnreadableImagery(f"{file.name} is empty: it holds 0 bytes.")
    with opened(file) as dataset:
        num_bands, height, width = dataset.count, dataset.height, dataset.width
    if num_bands * height * width > max_pixels * BANDS_AT_ONCE:
        raise ImageTooLarge(
            f"{file.name} has {width:,} x {height:,} pixels in {num_bands:,} bands, "
            f"over the limit {max_pixels * BANDS_AT_ONCE:,} for all bands together."
        )
    return num_bands


def _safe_name(name: str) -> str:
    """A name for a file of ours that keeps the words by which a sensor is guessed."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "_", _shown_name(name)).lstrip(".-")[-80:]
    return words or "scene"


def _shown_name(name: str) -> str:
    """The last part of a client's path, without what cannot be printed."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(character for character in last if character.isprintable())[:120] or "scene"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _epsg(scene: Scene) -> str | None:
    if scene.georeference is None:
        return None
    code = CRS.from_user_input(scene.georeference.crs_wkt).to_epsg()
    return None if code is None else f"EPSG:{code}"


def _bounds(scene: Scene) -> list[float] | None:
    """West, south, east, north of the border in degrees; None where the projection has none for it."""
    if scene.georeference is None:
        return None
    across, down = np.linspace(0, scene.width, 9), np.linspace(0, scene.height, 9)
    border = [(float(x), float(y)) for x in across for y in (0, scene.height)]
    border += [(float(x), float(y)) for y in down for x in (0, scene.width)]
    degrees = np.array(scene.georeference.ring_to_wgs84(border))
    if not np.isfinite(degrees).all():
        return None
    (west, south), (east, north) = degrees.min(axis=0).tolist(), degrees.max(axis=0).tolist()
    return [west, south, east, north]

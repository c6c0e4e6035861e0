"""One scene on the server: its pixels, what was asked about it and what was answered, each in its own folder.

Where scenes outlive the process, an index beside the answers says all that is needed to have the scene again; it is
replaced whole or not at all. Nothing here knows other scenes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rasterio.crs import CRS

from earthgptx.data.georeference import Georeference
from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.errors import UnknownAnswer, UnknownScene, UnreadableImagery
from earthgptx.geo.big_scene import BigScene
from earthgptx.geo.scene_answer import SceneAnswer
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Conversation
from earthgptx.serving.pyramid import TILE_SIZE, Picture
from earthgptx.shapes import mark_from_json

INDEX = "index.json"
INDEX_VERSION = 1
UPLOAD, SHOWN = "upload", "shown"  # folders of a scene's own; a client's name for its file never meets ours
DISPLAYS_KEPT = 3  # choices of bands whose pictures stay on disk
AnyScene = Scene | BigScene
AnyAnswer = Answer | SceneAnswer


@dataclass(frozen=True)
class Keeping:
    """How much of a scene is kept, and how long.

    Attributes:
        seconds: after which it expires when nobody uses it.
        max_answers, max_dialogues: the oldest go first.
        is_listed: clients see it.
        is_indexed: it outlives the process.
    """

    seconds: float
    max_answers: int
    max_dialogues: int
    is_listed: bool = True
    is_indexed: bool = False


@dataclass(eq=False)
class StoredScene:
    """A scene, what was asked about it, and what was answered.

    Attributes:
        id, name: as clients know it.
        file: the image.
        root_path: of the image below the server's folder of scenes; None for an upload.
        folder: of the scene's own.
        scene: what the model sees.
        num_bands: of the file.
        picture: what tiles are cut from.
        show: makes the picture of other bands, in a new folder.
        keeping: how much is kept.
    """

    id: str
    name: str
    file: Path
    root_path: str | None
    folder: Path
    scene: AnyScene
    num_bands: int
    picture: Picture
    show: Callable[[StoredScene, tuple[int, ...], Path], Picture]
    keeping: Keeping
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)
    answers: list[str] = field(default_factory=list)
    dialogues: OrderedDict[str, Conversation] = field(default_factory=OrderedDict)
    _displays: OrderedDict[tuple[int, ...], tuple[Picture, Path]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _display_lock: threading.Lock = field(default_factory=threading.Lock)
    _indexed_use: float = 0.0

    @property
    def expires(self) -> float:
        """When it is removed, in seconds since 1970, unless it is used before."""
        return self.used + self.keeping.seconds

    def to_json(self) -> dict[str, Any]:
        """What clients are told of it."""
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
            "ground_sample_distance": self.scene.ground_sample_distance,
            "num_bands": self.num_bands,
            "created": _iso(self.created),
            "expires": _iso(self.expires),
            "tile_size": TILE_SIZE,
            "max_zoom": self.picture.max_zoom,
        }

    def display(self, bands: tuple[int, ...]) -> Picture:
        """The scene with other bands shown.

        Raises:
            UnreadableImagery: bands that it does not have, or not one or three, or the file is gone or another.
            UnknownScene: the scene was removed meanwhile.
        """
        with self._display_lock:  # not the one for answers: the model must never wait for a picture
            if bands not in self._displays:
                if not self.file.is_file():
                    raise UnreadableImagery(f"The file of {self.name} is not there any more: its bands cannot be read.")
                if not self.folder.is_dir():
                    raise UnknownScene(f"There is no scene {self.id!r}.")
                folder = self.folder / f"bands-{secrets.token_hex(4)}"
                try:
                    self._displays[bands] = self.show(self, bands, folder), folder
                except BaseException:
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
                if len(self._displays) > DISPLAYS_KEPT:
                    _, (_, oldest) = self._displays.popitem(last=False)
                    shutil.rmtree(oldest, ignore_errors=True)
            self._displays.move_to_end(bands)
            return self._displays[bands][0]

    def has_dialogue(self, dialogue: str) -> bool:
        """Whether it can be gone on with."""
        with self._lock:
            return dialogue in self.dialogues

    def conversation(self, dialogue: str) -> Conversation:
        """What was said in a dialogue; nothing in a new one."""
        with self._lock:
            return self.dialogues.get(dialogue, Conversation())

    def record(self, dialogue: str, answer: AnyAnswer, conversation: Conversation) -> dict[str, Any]:
        """Keeps an answer, and gives it as clients get it."""
        content = answer.to_json() | {"id": secrets.token_hex(8), "session": dialogue, "scene": self.id}
        content["image"]["path"] = self.file.name  # no more of this machine's folders
        with self._lock:
            self.dialogues[dialogue] = conversation
            self.dialogues.move_to_end(dialogue)
            while len(self.dialogues) > self.keeping.max_dialogues:
                self.dialogues.popitem(last=False)
            if self.folder.is_dir():  # it may have been removed meanwhile
                self._path(content["id"]).write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
                self.answers.append(content["id"])
            while len(self.answers) > self.keeping.max_answers:
                self._path(self.answers.pop(0)).unlink(missing_ok=True)
            self._write_index()
        return content

    def answer_json(self, answer_id: str) -> dict[str, Any]:
        """An answer as it was given.

        Raises:
            UnknownAnswer: there is none of that id.
        """
        with self._lock:
            if answer_id not in self.answers:
                raise UnknownAnswer(f"Scene {self.id} has no answer {answer_id[:40]!r}.")
            content: dict[str, Any] = json.loads(self._path(answer_id).read_text(encoding="utf-8"))
            return content

    def answer(self, answer_id: str) -> AnyAnswer:
        """An answer, ready to be drawn or laid on the map.

        Raises:
            UnknownAnswer: there is none of that id.
        """
        content = self.answer_json(answer_id)
        if isinstance(self.scene, BigScene):
            return SceneAnswer.from_json(content, self.scene)
        return Answer.from_json(content, self.scene)

    def answers_json(self) -> list[dict[str, Any]]:
        """All answers that are kept, oldest first."""
        with self._lock:
            return [json.loads(self._path(answer_id).read_text(encoding="utf-8")) for answer_id in self.answers]

    def forget_answers(self) -> None:
        """Removes all answers and dialogues."""
        with self._lock:
            for answer_id in self.answers:
                self._path(answer_id).unlink(missing_ok=True)
            self.answers.clear()
            self.dialogues.clear()
            self._write_index()

    def write_index(self) -> None:
        """Writes what a later process needs, if anything of it is new."""
        with self._lock:
            if self.used > self._indexed_use:
                self._write_index()

    def remove_files(self) -> None:
        """Removes all that it has on disk; an image that was opened by its path is the user's and stays."""
        with self._lock:
            shutil.rmtree(self.folder, ignore_errors=True)

    def restore(self, index: dict[str, Any]) -> None:
        """Takes answers, dialogues and times from an index."""
        self.created, self.used = float(index["created"]), float(index["used"])
        self.answers += [answer_id for answer_id in index["answers"] if self._path(str(answer_id)).is_file()]
        self.dialogues |= {dialogue: conversation_of(content) for dialogue, content in index["dialogues"]}
        self._indexed_use = self.used
        known = {self._path(answer_id) for answer_id in self.answers}
        for path in self.folder.glob("answer-*.json"):  # of a process that ended before it was noted
            if path not in known:
                path.unlink()
        for folder in self.folder.glob("bands-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _write_index(self) -> None:
        if not (self.keeping.is_indexed and self.folder.is_dir()):
            return
        place = self.scene.georeference
        index = {
            "version": INDEX_VERSION,
            "name": self.name,
            "file": self.file.name,
            "root_path": self.root_path,
            "sensor": self.scene.sensor,
            "notes": list(self.scene.notes),
            "georeference": None if place is None else [place.crs_wkt, list(place.transform)],
            "width": self.scene.width,
            "height": self.scene.height,
            "num_bands": self.num_bands,
            "is_windowed": isinstance(self.scene, BigScene),
            "has_alpha": self.picture.has_alpha,
            "created": self.created,
            "used": self.used,
            "answers": self.answers,
            "dialogues": [[dialogue, conversation_json(one)] for dialogue, one in self.dialogues.items()],
        }
        new = self.folder / f"{INDEX}.new"
        with new.open("w", encoding="utf-8") as stream:
            json.dump(index, stream, allow_nan=False)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.folder / INDEX)
        self._indexed_use = self.used

    def _path(self, answer_id: str) -> Path:
        return self.folder / f"answer-{answer_id}.json"


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    """A dialogue as plain values."""
    return {
        "marks": [mark.to_json() for mark in conversation.marks],
        "turns": [[turn.role, turn.text] for turn in conversation.turns],
    }


def conversation_of(content: dict[str, Any]) -> Conversation:
    """Inverse of `conversation_json`."""
    turns = []
    for role, text in content["turns"]:
        speaker: Literal["user", "model"] = "model" if role == "model" else "user"
        turns.append(Turn(role=speaker, text=str(text)))
    return Conversation(tuple(mark_from_json(mark) for mark in content["marks"]), tuple(turns))


def georeference_of(content: list[Any] | None) -> Georeference | None:
    """The place on the map that an index tells."""
    if content is None:
        return None
    a, b, c, d, e, f = (float(value) for value in content[1])
    return Georeference(str(content[0]), (a, b, c, d, e, f))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _epsg(scene: AnyScene) -> str | None:
    if scene.georeference is None:
        return None
    code = CRS.from_user_input(scene.georeference.crs_wkt).to_epsg()
    return None if code is None else f"EPSG:{code}"


def _bounds(scene: AnyScene) -> list[float] | None:
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

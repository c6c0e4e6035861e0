"""The scenes on the server: opened within limits, kept in folders of their own, removed when they expire.

Files come in, `StoredScene`s go out. A scene of up to `max_pixels` is decoded once and mapped from disk, a larger one
is read by windows.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from earthgptx.data.imagery import Scene
from earthgptx.errors import EarthGPTXError, PathOutsideRoot, TooManyScenes, UnknownScene, UnreadableImagery
from earthgptx.geo.big_scene import BigScene
from earthgptx.serving.opening import Opened, checked_file, open_file, shown_bands
from earthgptx.serving.pyramid import Picture, read_pyramid
from earthgptx.serving.settings import Settings
from earthgptx.serving.shelf import Shelf
from earthgptx.serving.stored import INDEX, INDEX_VERSION, SHOWN, UPLOAD, Keeping, StoredScene, georeference_of
from earthgptx.serving.windowed_picture import read_overview

logger = logging.getLogger(__name__)


class SceneStore:
    """All scenes, by id.

    Args:
        settings: limits and folders.
        on_removed: told the id of each scene that goes.

    Raises:
        FolderInUse: another server keeps its scenes in the same folder.
    """

    def __init__(self, settings: Settings, on_removed: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_removed = on_removed
        self._scenes: dict[str, StoredScene] = {}
        self._num_reserved = 0
        self._lock = threading.Lock()
        self._opening = threading.Lock()  # one at a time, so that the limits bound the memory that opening takes
        self._shelf = Shelf(settings.data)
        for folder in sorted(self._shelf.folder.iterdir()):
            self._restore(folder)

    def __len__(self) -> int:
        return len(self._scenes)

    def all(self) -> list[StoredScene]:
        """Every scene, oldest first."""
        with self._lock:
            return list(self._scenes.values())

    def listed(self) -> list[StoredScene]:
        """Those that clients see, oldest first."""
        return [stored for stored in self.all() if stored.keeping.is_listed]

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
            EarthGPTXError: one of those of `opening.open_file`.
        """

        def put(folder: Path) -> Path:
            file = folder / UPLOAD / _safe_name(name)
            file.parent.mkdir()
            write(file)
            return file

        return self._add(put, name, None, sensor, is_listed=is_listed)

    def add_path(self, path: str, *, sensor: str) -> StoredScene:
        """Opens a file below the allowed root, where it stays.

        Raises:
            PathOutsideRoot: there is no root, or the path leaves it, by a link or otherwise.
            UnreadableImagery: there is no such file.
            EarthGPTXError: others of `add_upload`.
        """
        file = self._below_root(path)
        return self._add(lambda _: file, file.name, path, sensor, is_listed=True)

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
        stored.remove_files()

    def discard(self, scene_id: str) -> None:
        """Removes a scene that may be gone already."""
        with suppress(UnknownScene):
            self.remove(scene_id)

    def sweep(self) -> int:
        """Removes what has expired, notes when the others were used; gives how many were removed."""
        now, scenes = time.time(), self.all()
        expired = [stored for stored in scenes if stored.expires < now]
        for stored in expired:
            self.discard(stored.id)
        for stored in scenes:
            if stored not in expired:
                stored.write_index()
        return len(expired)

    def close(self) -> None:
        """Ends the keeping: what does not outlive the process is removed."""
        with self._lock:
            scenes = list(self._scenes.values())
            self._scenes.clear()
        for stored in scenes:
            if stored.keeping.is_indexed:
                stored.write_index()
            else:
                stored.remove_files()
        self._shelf.close()

    def _add(
        self, put: Callable[[Path], Path], name: str, root_path: str | None, sensor: str, *, is_listed: bool
    ) -> StoredScene:
        self.sweep()
        self._reserve()
        folder = self._shelf.folder / secrets.token_hex(8)
        try:
            folder.mkdir(mode=0o700)
            file = put(folder)
            within = folder if root_path is None else self._root()
            with self._opening:
                header = checked_file(file, within, self._settings)
                opened = open_file(header, folder / SHOWN, self._settings, sensor=sensor)
            stored = self._stored(
                folder, file, opened, name=_shown_name(name), root_path=root_path, is_listed=is_listed
            )
            stored.write_index()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with self._lock:
                self._num_reserved -= 1
        with self._lock:
            self._scenes[stored.id] = stored
        return stored

    def _reserve(self) -> None:
        """Counts a scene that is about to be kept: those that are being opened take room as well."""
        with self._lock:
            num_kept = len(self._scenes) + self._num_reserved
            if num_kept >= self._settings.max_scenes:
                raise TooManyScenes(
                    f"{num_kept} scenes are kept and no more than {self._settings.max_scenes} may: remove one."
                )
            self._num_reserved += 1

    def _stored(
        self, folder: Path, file: Path, opened: Opened, *, name: str, root_path: str | None, is_listed: bool = True
    ) -> StoredScene:
        settings = self._settings
        return StoredScene(
            id=folder.name,
            name=name,
            file=file,
            root_path=root_path,
            folder=folder,
            scene=opened.scene,
            num_bands=opened.num_bands,
            picture=opened.picture,
            show=self._show,
            keeping=Keeping(
                # One that no client sees goes with its request; should that fail, it goes soon after.
                seconds=settings.scene_seconds if is_listed else settings.answer_seconds + 60,
                max_answers=settings.max_answers,
                max_dialogues=settings.max_dialogues,
                is_listed=is_listed,
                is_indexed=is_listed and self._shelf.is_kept,
            ),
        )

    def _show(self, stored: StoredScene, bands: tuple[int, ...], folder: Path) -> Picture:
        with self._opening:
            return shown_bands(stored.file, stored.scene, bands, folder)

    def _restore(self, folder: Path) -> None:
        """A scene that an earlier process kept; what is no whole scene, or has expired, is removed."""
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            stored = self._read(folder, index)
            is_current = stored.expires >= time.time()
        except FileNotFoundError:  # it was not kept, or was being opened when its process ended
            is_current = False
        except (ValueError, TypeError, LookupError, OSError, EarthGPTXError):
            logger.exception("a scene could not be restored", extra={"scene": folder.name})
            is_current = False
        if is_current:
            self._scenes[stored.id] = stored
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def _read(self, folder: Path, index: dict[str, Any]) -> StoredScene:
        if index["version"] != INDEX_VERSION:
            raise ValueError(f"the index has version {index['version']}, not {INDEX_VERSION}")
        root_path = index["root_path"]
        # The file's name is the last part of a path of ours, whatever the index says.
        file = folder / UPLOAD / Path(index["file"]).name if root_path is None else self._below_root(root_path)
        size = {"width": int(index["width"]), "height": int(index["height"])}
        picture: Picture
        scene: Scene | BigScene
        if index["is_windowed"]:
            checked_file(file, folder if root_path is None else self._root(), self._settings)
            big = replace(BigScene.open(file, sensor=index["sensor"]), notes=tuple(index["notes"]))
            if (big.width, big.height) != (size["width"], size["height"]):
                raise UnreadableImagery(f"{file.name} is another than it was.")
            scene, picture = big, read_overview(big, folder / SHOWN, has_alpha=index["has_alpha"])
        else:
            picture = read_pyramid(folder / SHOWN, **size, has_alpha=index["has_alpha"])
            scene = Scene(
                pixels=picture.levels[0],
                sensor=index["sensor"],
                path=Path(file.name),
                georeference=georeference_of(index["georeference"]),
                notes=tuple(index["notes"]),
            )
        opened = Opened(scene, picture, int(index["num_bands"]))
        stored = self._stored(folder, file, opened, name=index["name"], root_path=root_path)
        stored.restore(index)
        return stored

    def _root(self) -> Path:
        if self._settings.root is None:
            raise PathOutsideRoot("This server opens no files by path; upload the image.")
        return self._settings.root.resolve()

    def _below_root(self, path: str) -> Path:
        root = self._root()
        refusal = PathOutsideRoot(f"{path[:80]!r} does not lead to a file below the server's folder of scenes.")
        if "\0" in path or Path(path).is_absolute():
            raise refusal
        try:
            file = (root / path).resolve()
            if not file.is_relative_to(root):  # `..` and links are followed before this is asked
                raise refusal
            is_there = file.is_file()
        except (OSError, ValueError, RuntimeError):  # too long a name, one that no file can have, links in a circle
            is_there = False
        if not is_there:
            raise UnreadableImagery(f"There is no file {path[:80]!r} below the server's folder of scenes.")
        return file


def _safe_name(name: str) -> str:
    """A name for a file of ours that keeps the words by which a sensor is guessed."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "_", _shown_name(name)).lstrip(".-")[-80:]
    return words or "scene"


def _shown_name(name: str) -> str:
    """The last part of a client's path, without what cannot be printed."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(character for character in last if character.isprintable())[:120] or "scene"

"""Which scenes a folder, a pattern, an object store's prefix or a list means, and what each one's output is called.

One name comes in; scenes in a fixed order go out, each with a name that no other has and that does not change when
scenes are added. No image is opened.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from earthgptx.data import remote_file
from earthgptx.errors import MalformedSceneList

LIST_ENDINGS = (".txt", ".jsonl")
SCENE_ENDINGS = (".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg")
_WILD = "*?["


@dataclass(frozen=True)
class ListedScene:
    """A scene of many.

    Attributes:
        path: of the image; GDAL's own for one in an object store.
        regions: its file of regions, None where the list names none.
        name: of its output below the folder of outputs, without a format's ending.
    """

    path: Path
    regions: Path | None
    name: str

    @property
    def address(self) -> str:
        """The path, or the URL of one in an object store."""
        return remote_file.url_of(self.path) or str(self.path)


def names_many(name: str) -> bool:
    """Whether a name means scenes and not one scene: a folder, a prefix, a pattern or a list."""
    path = PurePosixPath(name)
    if path.suffix.lower() in LIST_ENDINGS:
        return True
    if remote_file.is_url(name):
        is_scene = path.suffix.lower() in SCENE_ENDINGS and not _is_wild(name)
        return not is_scene or (name.startswith("file://") and remote_file.path_of(name).is_dir())
    return Path(name).is_dir() or (_is_wild(name) and not Path(name).exists())


def list_scenes(name: str) -> tuple[ListedScene, ...]:
    """All scenes that a name means.

    A folder and a prefix mean all images below them, hidden ones left out; outputs lie as the scenes do. A list has one
    scene a line: `scene` or `scene, regions` in a .txt, `{"scene": ..., "regions": ...}` in a .jsonl. What it names is
    looked for from where the list lies.

    Raises:
        MalformedSceneList: there are no scenes, a line cannot be read, or two scenes would be written to one file.
        UnreadableImagery, MissingExtra: an object store that cannot be reached.
    """
    is_list = PurePosixPath(name).suffix.lower() in LIST_ENDINGS
    found = _of_list(Path(name)) if is_list else _of_folder(name)
    if not found:
        endings = ", ".join(SCENE_ENDINGS)
        raise MalformedSceneList(f"{name} names 0 scenes" + ("." if is_list else f": no file there ends in {endings}."))
    by_name: dict[str, ListedScene] = {}
    for one in found:
        other = by_name.setdefault(one.name.lower(), one)
        if other != one:
            raise MalformedSceneList(
                f"{other.address} and {one.address} would both be written to {one.name}: "
                + ("join their regions in one file." if other.path == one.path else "rename one of them.")
            )
    return tuple(by_name.values())


def _is_wild(name: str) -> bool:
    return any(character in name for character in _WILD)


def _of_folder(name: str) -> list[ListedScene]:
    """The scenes below a folder or prefix, or that a pattern fits, by name."""
    url = name if remote_file.is_url(name) else f"file://{os.path.abspath(name)}"
    filesystem = remote_file.filesystem_of(url)
    whole = filesystem._strip_protocol(url)
    is_pattern = _is_wild(name) and not Path(name).exists()  # a folder may be called "data[1]"
    try:
        found = filesystem.glob(whole) if is_pattern else filesystem.find(whole)
        if not found and not is_pattern and not filesystem.exists(whole):
            raise MalformedSceneList(f"There are no scenes in {name}: no such folder.")
    except MalformedSceneList:
        raise
    except Exception as error:  # each store's package has its own: no credentials, no bucket, no network
        raise MalformedSceneList(f"{name} cannot be listed: {' '.join(str(error).split())[:200]}") from error
    root = _before_wild(whole) if is_pattern else whole.rstrip("/")
    scenes = []
    for one in sorted(found):
        below = one.removeprefix(root).lstrip("/")
        is_hidden = any(part.startswith(".") for part in PurePosixPath(below).parts)
        if not is_hidden and PurePosixPath(one).suffix.lower() in SCENE_ENDINGS:
            scenes.append(ListedScene(_path_in(url, one), None, below))
    return scenes


def _before_wild(pattern: str) -> str:
    """The folder of a pattern that holds no wild character."""
    parts = pattern.split("/")
    return "/".join(parts[: next(place for place, part in enumerate(parts) if _is_wild(part))])


def _path_in(url: str, key: str) -> Path:
    scheme = url.partition("://")[0]
    return Path(key) if scheme == "file" else remote_file.path_of(f"{scheme}://{key}")


def _of_list(path: Path) -> list[ListedScene]:
    """The scenes of a list, in its order."""
    if not path.is_file():
        raise MalformedSceneList(f"There is no list of scenes {path}; lists are read from files only.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedSceneList(f"{path.name} is no list of scenes: it is not UTF-8.") from error
    read = _json_lines if path.suffix.lower() == ".jsonl" else _text_lines
    folder = Path(os.path.abspath(path.parent))
    return [_listed(scene, regions, folder) for scene, regions in read(text, path.name)]


def _text_lines(text: str, name: str) -> Iterator[tuple[str, str | None]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
        if len(cells) > 2 or not cells[0]:
            raise MalformedSceneList(
                f"{name}, line {number}: {len(cells)} names where a scene, or a scene and its regions, should be; "
                'a name with a comma stands between double quotes (").'
            )
        yield cells[0], cells[1] if len(cells) == 2 and cells[1] else None


def _json_lines(text: str, name: str) -> Iterator[tuple[str, str | None]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record: Any = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise MalformedSceneList(f"{name}, line {number} is not JSON: {error}.") from error
        scene = record.get("scene") if isinstance(record, dict) else None
        regions = record.get("regions") if isinstance(record, dict) else None
        if not isinstance(scene, str) or not scene or not isinstance(regions, str | None):
            raise MalformedSceneList(
                f'{name}, line {number} names no scene: it must be {{"scene": ..., "regions": ...}}.'
            )
        yield scene, regions or None


def _listed(scene: str, regions: str | None, folder: Path) -> ListedScene:
    """A scene of a list that lies in a folder; its name is its path from there, or all of it if it is elsewhere."""
    if remote_file.is_url(scene):
        path = remote_file.path_of(scene)
    else:
        path = Path(os.path.abspath(folder / scene))
    name = path.relative_to(folder) if path.is_relative_to(folder) else path.relative_to("/")
    if regions is not None and remote_file.is_url(regions):
        raise MalformedSceneList(f"Regions are read from files only, not from {regions}.")
    return ListedScene(path, None if regions is None else Path(os.path.abspath(folder / regions)), name.as_posix())

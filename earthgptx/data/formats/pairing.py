"""Images and the annotation files that belong to them by name, as in `images/0001.jpg` and `labels/0001.txt`.

Folders come in; out come the images by their name without its ending, and files looked up under the names by which
annotation files call them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from earthgptx.data.annotation_file import IMAGE_SUFFIXES, existing_image
from earthgptx.data.quarantine import BrokenItem, OnBroken
from earthgptx.errors import MalformedDataset


def images_by_name(folder: Path, dataset: str, on_broken: OnBroken) -> dict[str, Path]:
    """Every image below a folder, under its path from there without the ending, in sorted order.

    Args:
        folder: looked through with all its subfolders; hidden files are passed over.
        dataset: the dataset's name, for reports.
        on_broken: told of an image that differs from another one only by its ending, and so has no name of its own.

    Raises:
        MalformedDataset: the folder does not exist.
    """
    if not folder.is_dir():
        raise MalformedDataset(f"The folder {folder} does not exist.")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            on_broken(BrokenItem(dataset, str(path), f"{found[name].name} in the same folder has the same name."))
        else:
            found[name] = path
    return found


def files_by_name(folder: Path, suffix: str, passed_over: Iterable[str] = ()) -> dict[str, Path]:
    """Every annotation file below a folder, under its path from there without the ending, in sorted order.

    Raises:
        MalformedDataset: the folder does not exist.
    """
    if not folder.is_dir():
        raise MalformedDataset(f"The folder {folder} does not exist.")
    ignored = set(passed_over)
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob(f"*{suffix}"))
        if not path.name.startswith(".") and path.name not in ignored
    }


def named_image(written: str, folders: Iterable[Path], named_in: Path) -> Path:
    """The image that an annotation file calls by a path, which may be one of the machine that wrote it.

    Looked for as written below each of the folders, then by the bare file name.

    Raises:
        MalformedDataset: it lies in none of them.
    """
    searched = list(folders)
    name = PureWindowsPath(written).name  # splits at slashes of both kinds
    for relative in (written, name):
        for folder in searched:
            if relative and (folder / relative).is_file():
                return folder / relative
    return existing_image(searched[0] / written, named_in)


def name_in_id(written: str) -> str:
    """The part of an image's id that an annotation file's name for it gives: without its ending and drive."""
    path = PurePosixPath(written.replace("\\", "/"))
    relative = path.name if path.is_absolute() or ".." in path.parts or ":" in written else path.as_posix()
    return PurePosixPath(relative).with_suffix("").as_posix()

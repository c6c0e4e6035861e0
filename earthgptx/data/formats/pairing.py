"""Images and the annotation files that belong to them by name, as in `images/0001.jpg` and `labels/0001.txt`.

Folders come in; out come files by their names without their endings, and images looked up under the names by which
annotation files call them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from earthgptx.data.annotation_file import IMAGE_SUFFIXES
from earthgptx.data.formats.folder_layout import files_below
from earthgptx.data.quarantine import BrokenItem, OnBroken
from earthgptx.errors import MalformedDataset

_logger = logging.getLogger(__name__)


class NamedImage(NamedTuple):
    """An image that was found, and its path without its ending from the folder in which it was looked for."""

    path: Path
    name: str


def images_by_name(folder: Path, dataset: str, on_broken: OnBroken) -> dict[str, Path]:
    """Every image below a folder, see `files_by_name`."""
    return files_by_name(folder, *IMAGE_SUFFIXES, dataset=dataset, on_broken=on_broken)


def files_by_name(
    folder: Path, *suffixes: str, dataset: str, on_broken: OnBroken, passed_over: Iterable[str] = ()
) -> dict[str, Path]:
    """Every file with one of these endings below a folder, under its path from there without the ending, sorted.

    Args:
        folder: looked through with all its subfolders, also those that are links; what is hidden is passed over.
        suffixes: the endings, in lower case; files may have them in any letter case.
        dataset: the dataset's name, for reports.
        on_broken: told of a file that differs from another one only by its ending, and so has no name of its own.
        passed_over: names of files that are something else.

    Raises:
        MalformedDataset: the folder does not exist.
    """
    if not folder.is_dir():
        raise MalformedDataset(f"The folder {folder} does not exist.")
    ignored = set(passed_over)
    found: dict[str, Path] = {}
    for path in files_below(folder, *suffixes):
        if path.name in ignored:
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            on_broken(BrokenItem(dataset, str(path), f"{found[name].name} in the same folder has the same name."))
        elif not is_unicode(name):
            on_broken(BrokenItem(dataset, str(path), "the file's name is not in UTF-8, so that no id can hold it."))
        else:
            found[name] = path
    return found


def is_unicode(name: str) -> bool:
    """Whether a file's name can be written anywhere; archives of other systems unpack to names that cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class Pictures:
    """The images below a folder, to be found by the names of the annotation files that belong to them."""

    def __init__(self, folder: Path, dataset: str, on_broken: OnBroken) -> None:
        """Looks through the folder, see `images_by_name`."""
        self.folder = folder
        self._by_path = images_by_name(folder, dataset, on_broken)
        self._by_name: dict[str, list[Path]] = {}
        for name, path in self._by_path.items():
            self._by_name.setdefault(PurePosixPath(name).name, []).append(path)

    def of(self, *names: str) -> Path:
        """The image of the first of these names that is one: by its path, else by its bare name, wherever it lies.

        Raises:
            MalformedDataset: there is none, or several images have the bare name.
        """
        for name in names:
            if name in self._by_path:
                return self._by_path[name]
        for name in names:
            found = self._by_name.get(PurePosixPath(name).name, ())
            if len(found) > 1:
                raise MalformedDataset(f"{len(found)} images are called {PurePosixPath(name).name} in {self.folder}.")
            if found:
                return found[0]
        wanted = " nor ".join(f"{name}.*" for name in dict.fromkeys(names))
        raise MalformedDataset(f"its image does not exist: {self.folder} holds no {wanted}.")

    def log_unused(self, num_files: int) -> None:
        """Says that there are more images than annotation files: nobody has looked at the others."""
        num_bare = len(self._by_path) - num_files
        if num_bare > 0:
            _logger.info("%s holds %d images more than there are annotation files.", self.folder, num_bare)


def named_image(written: str, folders: Iterable[Path], named_in: Path) -> NamedImage:
    """The image that an annotation file calls by a path: below one of the folders, else where the path says.

    Args:
        written: as `file_below` takes it.
        folders: the likeliest first.
        named_in: the annotation file, for the message.

    Raises:
        MalformedDataset: it is not there.
    """
    searched = list(folders)
    found = file_below(written, searched)
    if found is not None:
        return found
    if PurePosixPath(written).is_absolute() and os.path.isfile(written):
        return NamedImage(Path(written), _without_ending(PurePosixPath(written).name))
    raise MalformedDataset(f"{named_in} names the image {searched[0] / written}, which does not exist.")


def file_below(written: str, folders: Iterable[Path]) -> NamedImage | None:
    """The file that is called by a path, which may be one of the machine on which it was written.

    Looked for below each of the folders: as written, then without the first folder of the path, the first two, and so
    on.

    Args:
        written: with slashes of either kind.
        folders: the likeliest first.
    """
    searched = list(folders)
    for relative in _endings_of(written):
        for folder in searched:
            path = Path(os.path.normpath(folder / relative))
            if os.path.isfile(path):
                return NamedImage(path, _without_ending(relative))
    return None


def _endings_of(written: str) -> list[str]:
    """A path as it is where it is a relative one, and shorter and shorter ends of it without drive and ``..``."""
    parts = [part for part in PureWindowsPath(written).parts[bool(PureWindowsPath(written).anchor) :] if part != ".."]
    ends = ["/".join(parts[first:]) for first in range(len(parts))]
    is_relative = not PurePosixPath(written).is_absolute()
    return list(dict.fromkeys(filter(None, ([written] if is_relative else []) + ends)))


def _without_ending(relative: str) -> str:
    """A name for an image's id: without its ending, and without the way to other folders."""
    path = PurePosixPath(relative)
    return os.path.splitext(path.name if ".." in path.parts else path.as_posix())[0]

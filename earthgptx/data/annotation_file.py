"""What every adapter does with a file on disk: read JSON, find images, read an image's size.

Each function turns what can be wrong with a folder into one `MalformedDataset` that names the file.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from earthgptx.data.picture_file import picture_size
from earthgptx.data.raster_file import raster_size
from earthgptx.errors import MalformedDataset, UnreadableImagery

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


def read_json(path: Path) -> Any:
    """The content of an annotation file.

    Raises:
        MalformedDataset: it does not exist, or is not JSON.
    """
    if not path.is_file():
        raise MalformedDataset(f"The annotation file {path} does not exist.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MalformedDataset(f"The annotation file {path} is not JSON: {error}.") from error


def rows(content: Any, key: str, path: Path) -> list[dict[str, Any]]:
    """The list of records under `key` of an annotation file.

    Raises:
        MalformedDataset: there is no such key, or it does not hold a list of records.
    """
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise MalformedDataset(f"{path} has no list of records under {key!r}.")
    return found


def field(row: dict[str, Any], key: str, path: Path) -> Any:
    """One field of a record.

    Raises:
        MalformedDataset: the record lacks it.
    """
    if key not in row:
        raise MalformedDataset(f"{path}: a record has no field {key!r}; it has {', '.join(sorted(row)) or 'none'}.")
    return row[key]


def extent(row: dict[str, Any], key: str, path: Path) -> int:
    """A width or height of a record, in pixels.

    Raises:
        MalformedDataset: the record lacks it, or it is no whole number above 0.
    """
    value = field(row, key, path)
    if not isinstance(value, int) or value <= 0:
        raise MalformedDataset(f"{path}: an image's {key} must be a whole number above 0, not {value!r}.")
    return value


def existing_image(path: Path, named_in: Path) -> Path:
    """The path of an image that an annotation file names.

    Raises:
        MalformedDataset: there is no such file.
    """
    if not path.is_file():
        raise MalformedDataset(f"{named_in} names the image {path}, which does not exist.")
    return path


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of an image as `pixels_of` gives it, from its header, without decoding it.

    Raises:
        MalformedDataset: the file is not an image.
    """
    try:
        if path.suffix.lower() not in (".tif", ".tiff"):
            with suppress(UnreadableImagery):  # neither JPEG nor PNG, whatever its name says
                return picture_size(path)
        return raster_size(path)
    except (UnreadableImagery, OSError) as error:
        raise MalformedDataset(f"The image {path} cannot be read: {error}") from error


def subfolders(folder: Path) -> list[Path]:
    """The folders directly inside, sorted by name.

    Raises:
        MalformedDataset: `folder` does not exist or holds no folder.
    """
    if not folder.is_dir():
        raise MalformedDataset(f"The folder {folder} does not exist.")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise MalformedDataset(f"The folder {folder} holds no class folders.")
    return found


def images_in(folder: Path) -> list[Path]:
    """The image files directly inside, sorted by name; hidden files are passed over."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )

"""What every adapter does with a file on disk: read text and JSON, find images, read an image's size.

Each function turns what can be wrong with a folder into one `MalformedDataset` that names the file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from earthgptx.data.picture_file import picture_size
from earthgptx.data.raster_file import raster_size
from earthgptx.errors import MalformedDataset, UnreadableImagery

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".jp2")

# Encodings in which text files of labels are found, the strictest first: what is no UTF-8 is a Chinese text only if
# its letters come in pairs of high bytes, and else one of Western Europe, which any bytes are.
_ENCODINGS = ("utf-8-sig", "gb2312", "cp1252", "latin-1")

# Escapes of JSON that are one of the two halves of a letter in UTF-16, and those that are none or stand in pairs.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def decoded(content: bytes, path: Path) -> str:
    """The text of a file, or of a part of it: UTF-8, UTF-16 with its mark, GB 2312 or Windows-1252.

    Args:
        content: the bytes.
        path: the file, for the message.

    Raises:
        MalformedDataset: it is no text.
    """
    is_marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    if is_marked or b"\0" not in content:
        for encoding in ("utf-16",) if is_marked else _ENCODINGS:
            with suppress(UnicodeDecodeError):
                return content.decode(encoding)
    raise MalformedDataset(f"The file {path} is no text.")


def text_of(path: Path) -> str:
    """The text of an annotation file, in whichever of the encodings that `decoded` knows.

    Raises:
        MalformedDataset: it does not exist, cannot be read, or is no text.
    """
    if not os.path.isfile(path):
        raise MalformedDataset(f"The annotation file {path} does not exist.")
    try:
        return decoded(path.read_bytes(), path)
    except OSError as error:
        raise MalformedDataset(f"The annotation file {path} cannot be read: {error}.") from error


def read_json(path: Path) -> Any:
    """The content of an annotation file.

    Raises:
        MalformedDataset: it does not exist, or is not JSON.
    """
    text = text_of(path)
    try:
        return json_value(text)
    except RecursionError as error:
        raise MalformedDataset(f"The annotation file {path} is nested too deeply.") from error
    except ValueError as error:  # also a number of thousands of digits
        raise MalformedDataset(f"The annotation file {path} is not JSON: {str(error).split(';')[0]}.") from error


def json_value(text: str) -> Any:
    """What a JSON text says, with the sign for an unknown letter where an escape gives half a letter.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(_ESCAPES.sub(_whole, text) if _HALF.search(text) else text)


def _whole(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape.group("half") else escape.group()


def listed(content: Any, key: str, path: Path) -> list[Any]:
    """The list under `key` of an annotation file.

    Raises:
        MalformedDataset: there is no such key, or it does not hold a list.
    """
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise MalformedDataset(f"{path} has no list of records under {key!r}.")
    return found


def field(row: Any, key: str, path: Path) -> Any:
    """One field of a record.

    Raises:
        MalformedDataset: the record lacks it, or is no record of named fields.
    """
    if not isinstance(row, Mapping):
        raise MalformedDataset(f"{path}: {str(row)[:40]!r} stands where a record of named fields should.")
    if key not in row:
        present = ", ".join(sorted(row))[:200] or "none"
        raise MalformedDataset(f"{path}: a record has no field {key!r}; it has {present}.")
    return row[key]


def extent(row: Any, key: str, path: Path) -> int:
    """A width or height of a record, in pixels; some tools write 640 as 640.0.

    Raises:
        MalformedDataset: the record lacks it, or it is no whole number above 0.
    """
    value = field(row, key, path)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise MalformedDataset(f"{path}: an image's {key} must be a whole number above 0, not {repr(value)[:40]}.")
    return value


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

"""Image files in an object store: found through fsspec, their windows read by GDAL.

A URL (``s3://bucket/a.tif``) becomes the path under which GDAL reads it (``/vsis3/bucket/a.tif``), and such a path can
be asked for and opened like any other. What is in a file is not known here. Credentials are those of the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from earthgptx.errors import MissingExtra, UnreadableImagery

_TAGS = ("ETag", "etag")  # of what lies in a store: S3's spelling, then that of Google and Azure
_PREFIXES = {"s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/"}


def is_url(name: str) -> bool:
    """Whether a name is a URL and no path."""
    return "://" in name


def path_of(url: str) -> Path:
    """The path of a URL, a local one or one that GDAL knows.

    Raises:
        UnreadableImagery: a scheme from which no pixels can be read.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "file":
        return Path(unquote(urlsplit(url).path))
    if scheme not in _PREFIXES:
        known = ", ".join(f"{one}://" for one in ("file", *_PREFIXES))
        raise UnreadableImagery(f"No pixels can be read from {url}: scenes lie in folders or under {known}.")
    return Path(_PREFIXES[scheme] + rest)


def url_of(path: Path) -> str | None:
    """The URL of a path in an object store; None of a local one."""
    name = str(path)
    for scheme, prefix in _PREFIXES.items():
        if name.startswith(prefix):
            return f"{scheme}://{name.removeprefix(prefix)}"
    return None


def filesystem_of(url: str) -> Any:
    """What fsspec opens a URL with.

    Raises:
        UnreadableImagery: fsspec knows no such scheme.
        MissingExtra: the scheme's package is not installed.
    """
    import fsspec

    try:
        return fsspec.filesystem(url.partition("://")[0])
    except ImportError as error:
        raise MissingExtra(f"{url} cannot be reached: {error}.") from error
    except ValueError as error:
        raise UnreadableImagery(f"{url} cannot be reached: {error}.") from error


def exists(path: Path) -> bool:
    """Whether there is a file or folder."""
    url = url_of(path)
    return path.exists() if url is None else bool(filesystem_of(url).exists(url))


def is_file(path: Path) -> bool:
    """Whether there is a file."""
    url = url_of(path)
    return path.is_file() if url is None else bool(filesystem_of(url).isfile(url))


def size_of(path: Path) -> int:
    """Of a file, in bytes.

    Raises:
        FileNotFoundError: there is none.
    """
    url = url_of(path)
    return path.stat().st_size if url is None else int(filesystem_of(url).size(url))


def state_of(path: Path) -> str:
    """Tells a file from what it was before: a local one's time of change, a remote one's tag.

    Raises:
        FileNotFoundError: there is none.
    """
    url = url_of(path)
    if url is None:
        return str(path.stat().st_mtime_ns)
    filesystem = filesystem_of(url)
    # Not fsspec's own key where there is a tag: it is made of all that a store told, and a listing tells other things
    # of the same file than a question about it alone.
    told = filesystem.info(url)
    for tag in _TAGS:
        if told.get(tag):
            return str(told[tag])
    return str(filesystem.ukey(url))


def open_binary(path: Path) -> BinaryIO:
    """Opens a file for reading.

    Raises:
        FileNotFoundError: there is none.
    """
    url = url_of(path)
    return path.open("rb") if url is None else cast(BinaryIO, filesystem_of(url).open(url, "rb"))

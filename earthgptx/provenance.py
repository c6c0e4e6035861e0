"""How numbers were come by: the code's commit, the versions and the machine behind a training run or a report.

Plain strings, without anything that names a person or a host.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path


def git_commit(folder: Path) -> str | None:
    """The commit checked out in `folder`, with "+changes" if tracked files differ; None outside of git."""
    git = shutil.which("git")
    if git is None:
        return None
    head = subprocess.run([git, "-C", folder, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode != 0:
        return None
    dirty = subprocess.run([git, "-C", folder, "diff", "--quiet", "HEAD"], capture_output=True, check=False)
    return head.stdout.strip() + ("+changes" if dirty.returncode else "")


def versions() -> dict[str, str]:
    """Of what numbers may depend on."""
    packages = ("earthgptx", "torch", "transformers", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def machine() -> str:
    """Processor, cores, system and the versions that numbers may depend on; not the host's name."""
    cores = os.cpu_count() or 0
    return (
        f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}, "
        f"torch {version('torch')}, transformers {version('transformers')}"
    )

"""Where numbers came from: commit, versions, machine."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from earthgptx.provenance import git_commit, machine, versions


def test_the_commit_and_whether_files_were_changed(tmp_path: Path):
    assert git_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "file").write_text("one")
    subprocess.run([*git, "add", "file"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    commit = git_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "file").write_text("two")
    assert git_commit(tmp_path) == commit + "+changes"


def test_versions_and_machine_name_no_host():
    assert {"python", "torch", "transformers", "earthgptx"} <= set(versions())
    assert "cores" in machine()
    assert versions()["torch"] in machine()
    assert socket.gethostname() not in machine()

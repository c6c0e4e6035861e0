"""An object store in a folder: GDAL reads it over HTTP as S3 is read, fsspec lists it under the same address.

The HTTP side is a process of its own: rasterio holds Python's lock while it waits for an answer.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(sys.argv[-1])


class Handler(BaseHTTPRequestHandler):
    """Files and ranges of them."""

    def do_GET(self) -> None:
        path = FOLDER / self.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        self.send_response(206 if asked else 200)
        if asked:
            first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            content = content[first : last + 1]
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keeps quiet."""


@contextmanager
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything under a folder is there as s3://bucket/key, the first part of its path being the bucket."""
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.registry import _registry

    class Listed(DirFileSystem):
        protocol = "s3"
        cachable = False

        def __init__(self, **_: Any) -> None:
            super().__init__(path=str(folder), fs=LocalFileSystem())

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix("s3://").rstrip("/")

    server = subprocess.Popen([sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    monkeypatch.setitem(_registry, "s3", Listed)
    port = int(server.stdout.readline())
    settings = {"AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_NO_SIGN_REQUEST": "YES"}
    for name, value in {**settings, "AWS_S3_ENDPOINT": f"127.0.0.1:{port}"}.items():
        monkeypatch.setenv(name, value)
    try:
        yield
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(http.server_port, flush=True)  # noqa: T201
    http.serve_forever()

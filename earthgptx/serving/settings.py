"""What the server may be told, all of it by environment variables.

In comes a mapping of text, out comes one frozen `Settings`, or one sentence that says which variable is wrong.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

from earthgptx.errors import BadSetting
from earthgptx.inference.language_engine import EngineName

PREFIX = "EARTHGPTX_"
SHORTEST_TOKEN = 16  # characters, where strangers can reach the server


@dataclass(frozen=True)
class Settings:
    """One field a variable: `max_pixels` is read from EARTHGPTX_MAX_PIXELS; docs/server.md lists them.

    Attributes:
        host, port: where to listen.
        model, device, engine: what `inference.load` is given.
        token: that clients must send; empty for none, and then only this machine is listened to.
        root: folder below which `POST /scenes` may open files by path; None for nowhere.
        data: folder for scenes and answers, which outlive the process there; None for a temporary one that does not.
        cors_origins: addresses whose pages may call the server, between commas.
        max_upload_bytes: of one image.
        max_pixels: of one image that is decoded whole; a larger one is read by windows, if its format allows it.
        max_windowed_pixels: of one image that is read by windows.
        max_body_bytes: of any request that carries no image.
        max_scenes: kept at once.
        scene_seconds: after which a scene that nobody uses is removed.
        max_answers: kept of one scene; the oldest goes first.
        max_dialogues: kept of one scene; the one unused for longest goes first.
        queue_size: questions that may wait; the next one is sent away with 429.
        batch_size: questions that the model answers at once.
        encoded_scenes: scenes whose features stay in memory.
        answer_seconds: after which a question is given up.
        max_new_tokens: the most words (tokens) that a question may ask for.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str = "nano"
    device: str = "cpu"
    engine: EngineName = "torch"
    token: str = ""
    root: Path | None = None
    data: Path | None = None
    cors_origins: tuple[str, ...] = ()
    max_upload_bytes: int = 256 * 2**20
    max_pixels: int = 64_000_000
    max_windowed_pixels: int = 10_000_000_000
    max_body_bytes: int = 4 * 2**20
    max_scenes: int = 100
    scene_seconds: int = 24 * 3600
    max_answers: int = 200
    max_dialogues: int = 50
    queue_size: int = 64
    batch_size: int = 8
    encoded_scenes: int = 16
    answer_seconds: int = 300
    max_new_tokens: int = 1024

    def __post_init__(self) -> None:
        """Refuses what could not work, and to be open to strangers.

        Raises:
            BadSetting: one sentence on the first thing wrong.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "port" else 1
            if isinstance(value, int) and value < least:
                raise BadSetting(f"{PREFIX}{field.name.upper()} must be {least} or more, not {value}.")
        if self.engine not in get_args(EngineName):
            raise BadSetting(f"{PREFIX}ENGINE must be {' or '.join(get_args(EngineName))}, not {self.engine}.")
        if self.engine == "vllm" and self.device not in ("cuda", "cuda:0"):  # vLLM takes the first card
            raise BadSetting(f"{PREFIX}ENGINE=vllm needs {PREFIX}DEVICE=cuda, not {self.device}.")
        if self.port > 65_535:
            raise BadSetting(f"{PREFIX}PORT must be at most 65535, not {self.port}.")
        if not self.token.isascii() or any(character.isspace() for character in self.token):
            raise BadSetting(f"{PREFIX}TOKEN must be ASCII without spaces, or no client could send it.")
        if self.root is not None and not self.root.is_dir():
            raise BadSetting(f"{PREFIX}ROOT is {self.root}, which is no folder.")
        if "*" in self.cors_origins:
            raise BadSetting(f"{PREFIX}CORS_ORIGINS must name its origins one by one; * would open it to every page.")
        if not is_loopback(self.host) and len(self.token) < SHORTEST_TOKEN:
            raise BadSetting(
                f"Listening on {self.host} needs {PREFIX}TOKEN with at least {SHORTEST_TOKEN} characters "
                f"({len(self.token)} were given); without one the server listens on 127.0.0.1 only."
            )

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Reads the variables that are set; those set to nothing count as unset.

        Raises:
            BadSetting: a value of the wrong kind, or one that `Settings` refuses.
        """
        given: dict[str, object] = {}
        for field in fields(cls):
            text = environment.get(PREFIX + field.name.upper(), "").strip()
            if text:
                given[field.name] = _value(field.name, str(field.type), text)
        return cls(**given)  # type: ignore[arg-type]  # each by its own field's type


def _value(name: str, kind: str, text: str) -> object:
    if kind == "int":
        if not text.removeprefix("-").isdecimal():
            raise BadSetting(f"{PREFIX}{name.upper()} must be a whole number, not {text[:40]!r}.")
        return int(text)
    if kind.startswith("Path"):
        return Path(text)
    if kind.startswith("tuple"):
        return tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    return text


def is_loopback(host: str) -> bool:
    """Whether a host's name can only mean this machine."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"

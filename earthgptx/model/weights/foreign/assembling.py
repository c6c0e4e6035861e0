"""Llama-2, DINOv2, a CNN of CLIP and SAM as they are published become one folder that `earthgptx.load` reads.

Everything is checked on the meta device before the first value is read; then one tensor after another is read, brought
into our names and precision, and written. The folder appears when it is whole, in place of an earlier one.
"""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from earthgptx.errors import DiskFull, FolderInUse, OutputExists, UnknownModel
from earthgptx.model.configuration import EarthGPTXConfig
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.sizes import PUBLISHED
from earthgptx.model.weights.foreign import clip_resnet, convnext, dinov2, llama, sam
from earthgptx.model.weights.foreign.key_map import Part
from earthgptx.model.weights.foreign.new_parts import NEW, new_tensors
from earthgptx.model.weights.foreign.shard_writer import SHARD_BYTES, Planned, ShardWriter
from earthgptx.model.weights.foreign.tokenizer import extended_tokenizer, tokenizer_folder
from earthgptx.model.weights.loudness import loudness_of

SOURCES = "sources.json"  # what the folder was made of
SEED = 0
_IN_BF16 = ("vision.", "language.llama.")  # frozen, or trained from bf16 (docs/decisions)
_WORDS = "language.llama.model.embed_tokens.weight"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CNNS = {
    "convnext": (convnext.open_convnext, convnext.size_of),
    "clip_resnet": (clip_resnet.open_clip_resnet, clip_resnet.size_of),
}


@dataclass(frozen=True)
class Places:
    """Where the published parts lie.

    Attributes:
        llama: folder in `transformers`' or in Meta's layout.
        dinov2, cnn, sam: file or folder; the CNN is the one that the size has.
    """

    llama: Path
    dinov2: Path
    cnn: Path
    sam: Path


def assemble_foreign(
    config: EarthGPTXConfig,
    places: Places,
    out: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    on_bytes: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Makes a model's folder out of published parts and random new ones.

    Args:
        config: of a size with these parts ("paper", "7b").
        places: of the parts.
        out: the folder that is made; an earlier one made by this function is replaced when the new one is whole.
        shard_bytes: most bytes in one of its files.
        on_bytes: called with what has been written and what will be, in bytes.

    Returns:
        `out`.

    Raises:
        BrokenCheckpoint: a part is cut short, of another size, a LoRA adapter, or its names or shapes do not fit.
        UnknownModel: a size without these parts.
        OutputExists: `out` is something else than an assembled model.
        DiskFull: the disk has too little room, or ran out of it; `out` is then as it was.
        FolderInUse: another process writes there.
    """
    _check_output(out)
    parts = _open_parts(config, places)
    planned = _plan(config, parts)
    tokenizer = extended_tokenizer(tokenizer_folder(places.llama), config.base_vocabulary_size)
    with _draft_of(out, sum(item.num_bytes for item in planned)) as draft:
        writer = ShardWriter(draft, planned, shard_bytes=shard_bytes)
        try:
            for name, tensor in _all_tensors(config, parts):
                writer.add(name, tensor)
                on_bytes(writer.written_bytes, writer.total_bytes)
            writer.finish()
        finally:
            writer.close()
        _write_rest(draft, config, parts, tokenizer)
    return out


def _open_parts(config: EarthGPTXConfig, places: Places) -> tuple[Part, ...]:
    """Opens and recognises the four parts, the Llama first, since new words are to be as large as its own."""
    if config.vision.cnn_kind not in _CNNS or config.pixels.encoder != "sam":
        raise UnknownModel(
            f"{config.size_name!r} has {config.vision.cnn_kind!r} and {config.pixels.encoder!r} where published parts "
            f"are {' or '.join(map(repr, _CNNS))} and 'sam'; sizes that take them are {', '.join(PUBLISHED)}."
        )
    open_cnn, _ = _CNNS[config.vision.cnn_kind]
    return (
        llama.open_llama(places.llama, config.language, config.size_name),
        dinov2.open_dinov2(places.dinov2, config.vision.vit),
        open_cnn(places.cnn, config.vision.cnn),
        sam.open_sam(places.sam, config.pixels.sam_vision, config.pixels.sam_decoder),
    )


def _plan(config: EarthGPTXConfig, parts: Sequence[Part]) -> list[Planned]:
    """Every tensor of the model in the order in which it will be written, after all parts were checked."""
    with torch.device("meta"):
        model = EarthGPTX(config)
    tied = model.all_tied_weights_keys  # written under the name of what they are tied to
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items() if name not in tied}
    sizes = (
        llama.size_of(config.language),
        dinov2.size_of(config.vision.vit),
        _CNNS[config.vision.cnn_kind][1](config.vision.cnn),
        sam.size_of(config.pixels.sam_vision),
    )
    for part, size in zip(parts, sizes, strict=True):
        part.check(shapes, size, config.size_name)
    held = [part.prefix + row.ours for part in parts for row in part.layout.rows]
    fresh = [name for prefix in NEW for name in shapes if name.startswith(prefix)]
    assert sorted([*held, *fresh]) == sorted(shapes), "a table of rows and the model's own names differ"
    return [Planned(name, shapes[name], _precision(name)) for name in [*held, *fresh]]


def _all_tensors(config: EarthGPTXConfig, parts: Sequence[Part]) -> Iterator[tuple[str, Tensor]]:
    loudness = 0.0
    for part in parts:
        for name, tensor in part.tensors():
            if name == _WORDS:
                loudness = loudness_of(tensor)
            yield name, tensor
    assert loudness > 0, "the Llama's words come before all new parts"
    yield from new_tensors(config, loudness=loudness, seed=SEED)


def _precision(name: str) -> torch.dtype:
    return torch.bfloat16 if name.startswith(_IN_BF16) else torch.float32


def _write_rest(
    draft: Path, config: EarthGPTXConfig, parts: Sequence[Part], tokenizer: PreTrainedTokenizerBase
) -> None:
    """The configuration, the tokenizer, and what the folder was made of."""
    stored = EarthGPTXConfig.from_dict(config.to_dict() | {"dtype": "bfloat16", "architectures": ["EarthGPTX"]})
    stored.save_pretrained(draft)
    tokenizer.save_pretrained(str(draft))
    sources = [
        {
            "part": part.title,
            "names": part.layout.name,
            "files": [path.name for shard in part.shards for path in shard.paths],
            "num_tensors": len(part.layout.rows),
        }
        for part in parts
    ]
    content = {"size": config.size_name, "sources": sources, "random": [*NEW], "seed": SEED}
    (draft / SOURCES).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _check_output(out: Path) -> None:
    """Makes sure that nothing but an earlier model of ours can be replaced.

    Raises:
        OutputExists: there is something else.
    """
    if out.is_dir() and not (out / SOURCES).is_file() and any(out.iterdir()):
        raise OutputExists(
            f"{out} is not empty and not an assembled model, so it is not replaced: name another folder."
        )
    if out.exists() and not out.is_dir():
        raise OutputExists(f"{out} is a file; the model needs a folder.")


@contextmanager
def _draft_of(out: Path, num_bytes: int) -> Iterator[Path]:
    """A folder beside the final one, which takes its place when the block ends well and is removed when not.

    Raises:
        FolderInUse: another process writes there.
        DiskFull: the disk lacks the room for `num_bytes`, or ran out of it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(out.name + ".part")
    draft.mkdir(exist_ok=True)
    with (draft / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderInUse(f"{draft} is being written by another process; wait for it.") from error
        try:
            _empty(draft)  # what a killed process left
            free = shutil.disk_usage(draft).free
            if free < num_bytes:
                raise DiskFull(f"{out} needs {num_bytes / 1e9:.1f} GB, but its disk has {free / 1e9:.1f} GB left.")
            yield draft
            (draft / "lock").unlink()
            _replace(out, draft)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            written = sum(path.stat().st_size for path in draft.iterdir())
            raise DiskFull(
                f"The disk is full after {written / 1e9:.1f} of {num_bytes / 1e9:.1f} GB of {out}; what was there "
                f"before is as it was."
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _empty(draft: Path) -> None:
    for path in draft.iterdir():
        if path.name != "lock":
            path.unlink()


def _replace(out: Path, draft: Path) -> None:
    """Puts the whole draft where it belongs; an earlier model is moved aside first and removed last."""
    old = out.with_name(out.name + ".old")
    if out.exists():
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
    draft.rename(out)
    shutil.rmtree(old, ignore_errors=True)

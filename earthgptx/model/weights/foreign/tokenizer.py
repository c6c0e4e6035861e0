"""A Llama's tokenizer with our words after its own, in the form that `transformers` reads back."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from transformers import LlamaTokenizerFast

from earthgptx.errors import BrokenCheckpoint, MissingExtra
from earthgptx.processing.vocabulary import SPECIAL_TOKENS

_FILES = ("tokenizer.json", "tokenizer.model")


def tokenizer_folder(llama: Path) -> Path:
    """Where the tokenizer of a Llama lies: beside its weights, or one folder above, where Meta's release has it.

    Raises:
        BrokenCheckpoint: in neither.
    """
    beside = llama if llama.is_dir() else llama.parent
    for folder in (beside, beside.resolve().parent):
        if any((folder / name).is_file() for name in _FILES):
            return folder
    raise BrokenCheckpoint(f"{beside} holds no tokenizer: one of {' and '.join(_FILES)} is needed.")


def extended_tokenizer(folder: Path, base_size: int) -> LlamaTokenizerFast:
    """Reads a tokenizer and adds our words.

    Args:
        folder: with `tokenizer.json` or `tokenizer.model`.
        base_size: words of the Llama, after which ours must come.

    Raises:
        BrokenCheckpoint: it cannot be read, or has another number of words.
        MissingExtra: it is Meta's `tokenizer.model`, which sentencepiece reads, and that is not installed.
    """
    if not (folder / "tokenizer.json").is_file() and find_spec("sentencepiece") is None:
        raise MissingExtra(f"{folder} holds tokenizer.model alone, to read which needs `pip install sentencepiece`.")
    try:
        tokenizer = LlamaTokenizerFast.from_pretrained(folder)
    except (ValueError, OSError, KeyError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BrokenCheckpoint(f"The tokenizer in {folder} cannot be read: {reason}.") from error
    if len(tokenizer) != base_size:
        raise BrokenCheckpoint(f"The tokenizer in {folder} has {len(tokenizer)} words, but the Llama has {base_size}.")
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
    ids = tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    if ids != list(range(base_size, base_size + len(SPECIAL_TOKENS))):
        raise BrokenCheckpoint(
            f"The tokenizer in {folder} gave our words the ids {ids}, not those from {base_size} on."
        )
    return tokenizer

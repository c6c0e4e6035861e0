"""The place of a published part: a path, or a repository of a model hub ("facebook/dinov2-large"), which is fetched.

A hub's files come into its own cache and are read from there; what was fetched once is found without the network.
"""

from __future__ import annotations

import re
from pathlib import Path

from earthgptx.errors import WeightsUnavailable
from earthgptx.model.weights.foreign.tensor_files import PICKLES, SAFETENSORS

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_BESIDE = ("*.json", "tokenizer.model")  # indexes, settings and tokenizers
# What is fetched, the best first: nothing is run in reading either, but safetensors files are mapped.
_FORMS = ((f"*{SAFETENSORS}",), tuple(f"*{ending}" for ending in PICKLES))


def place_of(name: str) -> Path:
    """The file or folder that a name means.

    Args:
        name: a path; or, where there is no such path, "owner/repository" of a model hub.

    Raises:
        WeightsUnavailable: neither this machine nor a hub has it.
    """
    path = Path(name)
    if path.exists() or not _REPOSITORY.fullmatch(name) or path.suffix in (SAFETENSORS, *PICKLES):
        return path  # what is missing there, its reader says
    for form in _FORMS:
        folder = _snapshot(name, (*form, *_BESIDE))
        if any(path for pattern in form for path in folder.glob(pattern)):
            break
    return folder


def _snapshot(repository: str, patterns: tuple[str, ...]) -> Path:
    """The folder into which a hub's client puts files of a repository.

    Raises:
        WeightsUnavailable: it cannot be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=list(patterns)))
    except GatedRepoError:
        reason = "its terms must be accepted on its page, and a token given (hf auth login)"
    except RepositoryNotFoundError:
        reason = "the hub has no such repository, or it is private"
    except LocalEntryNotFoundError:
        reason = "the hub cannot be reached, and its cache does not hold it"
    except Exception as error:  # of its client, which has had another one from version to version, or of the disk
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    raise WeightsUnavailable(
        f"There is no file or folder {repository}, and it cannot be fetched from a model hub: {reason}."
    )

"""`earthgptx` with a `kill -9` inside: python killed_run.py MOMENT train ... dies at that moment, as if the power went.

A signal from outside would come at another moment each time; this one always comes at the worst.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint import HuggingFaceStorageWriter

from earthgptx.cli import main
from earthgptx.model.feature_store import FeatureStore
from earthgptx.model.features import VisionFeatures

STEP = 4  # of the kill while a checkpoint is written


def die() -> None:
    """No handler, no `finally`, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_caching() -> None:
    """In the fifth record: its numbers are on disk, its name is not."""
    whole_append = FeatureStore.append

    def append(self: FeatureStore, keys: Sequence[str], features: VisionFeatures) -> None:
        if len(self.index) < 4:
            whole_append(self, keys, features)
            return
        with (self.folder / "records.bin").open("ab") as file:
            file.write(b"\1" * self.record)  # half of a record
        die()

    FeatureStore.append = append  # type: ignore[method-assign]


def die_while_saving() -> None:
    """With half of a checkpoint written."""
    whole_save = HuggingFaceStorageWriter.write_data

    def save(self: HuggingFaceStorageWriter, *arguments: Any) -> Any:
        if Path(self.path).name == f"state-{STEP:07d}.draft":
            (Path(self.path) / "half").write_bytes(b"half a checkpoint")
            die()
        return whole_save(self, *arguments)

    HuggingFaceStorageWriter.write_data = save  # type: ignore[method-assign]


if __name__ == "__main__":
    {"caching": die_while_caching, "saving": die_while_saving}[sys.argv.pop(1)]()
    main()

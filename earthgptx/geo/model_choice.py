"""Which model answers, known by the hash of its weights, so that other weights never go on with its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from earthgptx.errors import BrokenCheckpoint
from earthgptx.evaluation.report import checkpoint_hash
from earthgptx.inference import loading
from earthgptx.inference.assistant import Assistant


@dataclass(frozen=True)
class ModelChoice:
    """A model that can be loaded in any process.

    Attributes:
        name: of a model, or the whole path of a folder.
        device: where it runs.
        checkpoint: the hash of its weights.
    """

    name: str
    device: str
    checkpoint: str

    @classmethod
    def of(cls, name: str, device: str) -> ModelChoice:
        """Looks for the weights, and reads but does not load them.

        Raises:
            UnknownModel: no such name or folder.
        """
        folder = loading.checkpoint_folder(name)
        known = name if name in loading.EMBEDDED else str(Path(name).resolve())
        return cls(known, device, checkpoint_hash(folder))

    def load(self) -> Assistant:
        """The model.

        Raises:
            BrokenCheckpoint: the weights are others than they were, or than they are on another machine.
            EarthGPTXError: as `loading.load`.
        """
        found = checkpoint_hash(loading.checkpoint_folder(self.name))
        if found != self.checkpoint:
            raise BrokenCheckpoint(
                f"The weights of {self.name} changed, or are others on another machine: they were "
                f"{self.checkpoint[:12]}, here they are {found[:12]}."
            )
        return loading.load(self.name, device=self.device)

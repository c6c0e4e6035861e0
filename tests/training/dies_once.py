"""`earthgptx`, of which the second process dies once by `kill -9`, in the fifth step: torchrun dies_once.py train ...

The checkpoint of step 4 is whole by then, the one of step 5 has been begun by the other process at most.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from earthgptx.cli import main
from earthgptx.training.loop import Trainer

STEP = 4  # steps done when it dies
MARK = Path("died")


def die_once() -> None:
    whole_losses = Trainer.losses

    def losses(self: Trainer, item: Any) -> Any:
        if self.step == STEP and self.world.rank == 1 and not MARK.exists():
            MARK.write_text(str(self.world.rank))
            os.kill(os.getpid(), signal.SIGKILL)
        return whole_losses(self, item)

    Trainer.losses = losses  # type: ignore[method-assign]


if __name__ == "__main__":
    die_once()
    main()

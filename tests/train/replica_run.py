"""One of the processes of a run; started by test_data_parallel.py with what `torchrun` would set."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from medspan.train.data_parallel import joined
from medspan.train.run import train


class Quiet:
    """Ends the process like a kill where it is told to."""

    def __init__(self, last_step: int) -> None:
        self.last_step = last_step

    def on_step(self, state: object, total_steps: int, loss: float) -> None:  # noqa: ARG002 - a Watcher's signature
        if state.step == self.last_step:  # type: ignore[attr-defined]
            os._exit(9)

    def on_epoch(self, row: object, *, is_best: bool) -> None:
        pass


def main() -> None:
    recipe, output, resume, last_step = sys.argv[1:]
    torch.set_num_threads(1)
    with joined("cpu") as replicas:
        train(
            Path(recipe),
            Path(output),
            watcher=Quiet(int(last_step)),
            tell=lambda _: None,
            device="cpu",
            resume=resume == "resume",
            replicas=replicas,
        )


if __name__ == "__main__":
    main()

"""Trains killed with SIGKILL at a random step and resumed: are the weights those of a run nobody killed?

A slice of NCBI-disease (MEDSPAN_DATA) is trained once without interruption and then, a few times, by a
process that kills itself with SIGKILL right after a random step and is resumed by ``medspan train --resume``.
The weights of both must be equal byte for byte. Writes ``resume.json`` beside this file.

    MEDSPAN_DATA=... python benchmarks/resume.py
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medspan.train.checkpoint import EpochRow, State

ROOT = Path(__file__).resolve().parent.parent
RECIPE = """\
name = "resume"

[encoder]
kind = "blstm_cnn"
word_width = 50
hidden_width = 64

[corpora.slice]
source = "slice"

[heads.disease]
labels = ["Disease"]
corpora = ["slice"]

[train]
epochs = 2
batch_words = 100
checkpoint_steps = 20
average = 0.9
"""
RUNS = 5
SENTENCES = {"train": 400, "dev": 150}


@dataclass
class Killer:
    """A watcher that ends its own process as ``kill -9`` does, right after a step."""

    at_step: int

    def on_step(self, state: State, total_steps: int, loss: float) -> None:  # noqa: ARG002 - a Watcher's signature
        """Count, and kill."""
        if state.step == self.at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """Nothing to do."""


def write_slice(folder: Path) -> None:
    """The first sentences of each split as CoNLL files, and the recipe beside them."""
    from medspan.corpora import split_path  # noqa: PLC0415 - found once sys.path is set
    from medspan.formats.files import read_text  # noqa: PLC0415

    (folder / "slice").mkdir()
    for split, size in SENTENCES.items():
        blocks = read_text(split_path("ner/NCBI-disease", split)).split("\n\n")
        text = "\n\n".join(blocks[:size]) + "\n"
        (folder / "slice" / f"{split}.conll").write_text(text, encoding="utf-8")
    (folder / "resume.toml").write_text(RECIPE, encoding="utf-8")


def call(folder: Path, *words: str) -> int:
    """Run Python in the folder with one thread; its exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, check=False, capture_output=True
    )
    if done.returncode not in {0, -signal.SIGKILL}:
        sys.exit(done.stderr.decode())
    return done.returncode


def train(folder: Path, output: str, *more: str) -> None:
    """``medspan train`` on the slice."""
    call(folder, "-m", "medspan", "train", "resume.toml", "-o", output, "--device", "cpu", *more)


def digest(folder: Path, output: str) -> str:
    """SHA-256 of the weights."""
    return hashlib.sha256((folder / output / "model.safetensors").read_bytes()).hexdigest()


def steps_of(folder: Path, output: str) -> int:
    """Steps of a finished run."""
    lines = (folder / f"{output}.run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return int(json.loads(lines[-1])["step"])


def killed_and_resumed(folder: Path, step: int, expected: str) -> dict[str, object]:
    """One run killed after a step; without a checkpoint by then, it starts anew."""
    code = call(folder, str(Path(__file__).resolve()), "--kill-at", str(step))
    has_checkpoint = (folder / "parts.run" / "checkpoint.safetensors").exists()
    train(folder, "parts", *(["--resume"] if has_checkpoint else []))
    row = {
        "killed_after_step": step,
        "signal": -code,
        "resumed": has_checkpoint,
        "equal": digest(folder, "parts") == expected,
    }
    for left in ("parts", "parts.run"):
        shutil.rmtree(folder / left)
    return row


def train_and_die(step: int) -> None:
    """The child: train in the current folder and die after a step."""
    from medspan.train.run import train as run  # noqa: PLC0415 - only the child needs torch

    run(Path("resume.toml"), Path("parts"), watcher=Killer(step), tell=lambda _: None, device="cpu")


def processor() -> str:
    """Name and number of cores, as Linux tells them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, 1 thread used"


def main() -> None:
    """Run all and write the figures."""
    parser = argparse.ArgumentParser(description="kill -9 and resume: equal weights?")
    parser.add_argument("--kill-at", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=2026, help="seed of the random steps")
    options = parser.parse_args()
    if options.kill_at is not None:
        train_and_die(options.kill_at)
        return
    sys.path.insert(0, str(ROOT / "src"))
    draw = random.Random(options.seed)  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_slice(folder)
        train(folder, "whole")
        steps, expected = steps_of(folder, "whole"), digest(folder, "whole")
        runs = [killed_and_resumed(folder, draw.randrange(1, steps), expected) for _ in range(RUNS)]
    report = {
        "runs": runs,
        "equal": sum(bool(row["equal"]) for row in runs),
        "steps": steps,
        "sentences": SENTENCES["train"],
        "weights_sha256": expected,
        "command": "python benchmarks/resume.py",
        "date": time.strftime("%Y-%m-%d"),
        "hardware": processor(),
        "python": platform.python_version(),
    }
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"{report['equal']} of {len(runs)} equal; written to {target}")
    if report["equal"] != len(runs):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Trains killed with SIGKILL at a random step and resumed: are the weights those of a run nobody killed?

Slices of NCBI-disease and BC5CDR (MEDSPAN_DATA) are learnt by one encoder with a layer for diseases
(``medspan train``), and one head goes on by itself and is trained alone (``medspan finetune``): once without
interruption and then, a few times each, by a process that kills itself with SIGKILL right after a random step
and is resumed by the same verb with ``--resume``. All weights must be equal byte for byte. Writes
``resume.json`` beside this file.

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

[corpora.ncbi]
source = "ncbi"

[corpora.cdr]
source = "cdr"

[groups.disease]

[heads.ncbi]
labels = ["Disease"]
corpora = ["ncbi"]
group = "disease"

[heads.cdr]
labels = ["Disease", "Chemical"]
corpora = ["cdr"]
group = "disease"

[train]
epochs = 2
batch_words = 100
checkpoint_steps = 20
average = 0.9
sampling = "temperature"
conflict_sentences = 8

[finetune]
epochs = 2
single_epochs = 2
"""
RUNS = 5
SENTENCES = {"train": 400, "dev": 150}
SLICES = {"ncbi": "ner/NCBI-disease", "cdr": "ner/BC5CDR"}
VERBS = {"train": (), "finetune": ("--from", "whole-train", "--head", "ncbi")}


@dataclass
class Killer:
    """A watcher that ends its own process as ``kill -9`` does, right after a step."""

    at_step: int
    seen: int = 0

    def on_step(self, state: State, total_steps: int, loss: float) -> None:  # noqa: ARG002 - a Watcher's signature
        """Count, and kill."""
        self.seen += 1
        if self.seen == self.at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """Nothing to do."""


def write_slices(folder: Path) -> None:
    """The first sentences of each split as CoNLL files, and the recipe beside them."""
    from medspan.corpora import split_path  # noqa: PLC0415 - found once sys.path is set
    from medspan.formats.files import read_text  # noqa: PLC0415

    for name, source in SLICES.items():
        (folder / name).mkdir()
        for split, size in SENTENCES.items():
            blocks = read_text(split_path(source, split)).split("\n\n")
            text = "\n\n".join(blocks[:size]) + "\n"
            (folder / name / f"{split}.conll").write_text(text, encoding="utf-8")
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


def learn(folder: Path, verb: str, output: str, *more: str) -> None:
    """A verb on the slices."""
    call(folder, "-m", "medspan", verb, "resume.toml", "-o", output, "--device", "cpu", *VERBS[verb], *more)


def digest(folder: Path, output: str) -> str:
    """SHA-256 of all weights a verb wrote."""
    found = sorted((folder / output).rglob("model.safetensors"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in found)).hexdigest()


def steps_of(folder: Path, output: str) -> int:
    """Steps of all finished runs of a verb."""
    logs = [folder / f"{output}.run" / "metrics.jsonl", *(folder / output).glob("runs/*.run/metrics.jsonl")]
    rows = [path.read_text(encoding="utf-8").splitlines()[-1] for path in logs if path.exists()]
    return sum(int(json.loads(row)["step"]) for row in rows)


def killed_and_resumed(folder: Path, verb: str, step: int, expected: str) -> dict[str, object]:
    """One run killed after a step; without a checkpoint by then, it starts anew."""
    code = call(folder, str(Path(__file__).resolve()), "--kill-at", str(step), "--verb", verb)
    has_checkpoint = any(folder.glob("parts*/**/checkpoint.safetensors"))
    learn(folder, verb, "parts", *(["--resume"] if has_checkpoint or verb == "finetune" else []))
    row = {
        "verb": verb,
        "killed_after_step": step,
        "signal": -code,
        "resumed": has_checkpoint,
        "equal": digest(folder, "parts") == expected,
    }
    for left in ("parts", "parts.run"):
        shutil.rmtree(folder / left, ignore_errors=True)
    return row


def learn_and_die(verb: str, step: int) -> None:
    """The child: learn in the current folder and die after a step."""
    from medspan.train.finetune import Job, finetune  # noqa: PLC0415 - only the child needs torch
    from medspan.train.run import train  # noqa: PLC0415 - as above

    recipe, output, killer = Path("resume.toml"), Path("parts"), Killer(step)
    if verb == "train":
        train(recipe, output, watcher=killer, tell=lambda _: None, device="cpu")
    else:
        job = Job(recipe, Path("whole-train"), output, device="cpu")
        finetune(job, ["ncbi"], watcher=killer, tell=lambda _: None)


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
    parser.add_argument("--verb", choices=VERBS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=2026, help="seed of the random steps")
    options = parser.parse_args()
    if options.kill_at is not None:
        learn_and_die(options.verb, options.kill_at)
        return
    sys.path.insert(0, str(ROOT / "src"))
    draw = random.Random(options.seed)  # noqa: S311 - no secret
    runs, steps, weights = [], {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_slices(folder)
        for verb in VERBS:
            whole = f"whole-{verb}"
            learn(folder, verb, whole)
            steps[verb], weights[verb] = steps_of(folder, whole), digest(folder, whole)
            for _ in range(RUNS):
                step = draw.randrange(1, steps[verb])
                runs.append(killed_and_resumed(folder, verb, step, weights[verb]))
    report = {
        "runs": runs,
        "equal": sum(bool(row["equal"]) for row in runs),
        "steps": steps,
        "sentences": SENTENCES["train"],
        "weights_sha256": weights,
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

"""Training speed of medspan against a straightforward PyTorch BiLSTM-CNN-CRF (plain_tagger.py).

    MEDSPAN_DATA=DIR python benchmarks/training_speed.py                 # words/s, alternating runs
    MEDSPAN_DATA=DIR python benchmarks/training_speed.py --accuracy      # dev F1 after the same epochs

Same corpus, vocabulary, dimensions, optimiser kind and rates, threads, mean sentences a batch; medspan's
batches hold similar lengths, the plain ones shuffled sentences. Each run is a fresh process; the clock sees
training steps (building batches included), not reading, not dev. Words are real ones, padding not counted.
``--accuracy`` trains both for the same epochs and decodes both with medspan's decoder. Both averages of
weights, learning rates and hidden words are medspan's. Writes training_speed.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from facts import facts, merge_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.config import Recipe
    from medspan.train.checkpoint import EpochRow, State
    from medspan.train.loop import Trainer

HERE = Path(__file__).resolve()
RECIPE = HERE.parents[1] / "recipes" / "ncbi-disease.toml"
SYSTEMS = ("medspan", "plain")


class _Silent:
    """A watcher that says a line an epoch, to stderr."""

    def on_step(self, state: State, total_steps: int, loss: float) -> None:
        """Nothing."""

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """A line."""
        mark = " *" if is_best else ""
        print(f"medspan epoch {row.epoch + 1}: dev F1 {row.dev_mean:.4f}{mark}", file=sys.stderr)


def build_trainer(recipe: Recipe, folder: Path) -> Trainer:
    """Medspan's trainer over the recipe's corpora; the plain tagger learns from its examples."""
    import torch  # noqa: PLC0415 - the parent process needs none

    from medspan.train.data import read_corpora  # noqa: PLC0415 - as above
    from medspan.train.loop import Trainer  # noqa: PLC0415 - as above

    return Trainer(recipe, read_corpora(recipe, RECIPE.parent), folder, torch.device("cpu"))


class MedspanRun:
    """Medspan's own steps, endlessly."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def steps(self) -> Iterator[int]:
        """Learn from a batch; the words learnt from."""
        trainer, watcher = self.trainer, _Silent()
        trainer.network.train()
        while True:
            groups = trainer._groups(trainer.state.epoch)  # noqa: SLF001 - the loop itself is measured
            while trainer.state.position < len(groups):
                yield trainer._step(groups, watcher)  # noqa: SLF001 - as above
            trainer.state.epoch, trainer.state.position = trainer.state.epoch + 1, 0

    def best_dev_f1(self) -> float:
        """Train all epochs of the recipe; strict dev F1 of the best one."""
        self.trainer.run(_Silent())
        return self.trainer.state.best_score


def child(options: argparse.Namespace) -> dict[str, float]:
    """What one process measures."""
    import torch  # noqa: PLC0415 - the parent process needs none
    from plain_run import PlainRun  # noqa: PLC0415 - as above

    from medspan.config import load_recipe  # noqa: PLC0415 - as above

    torch.set_num_threads(options.threads)
    recipe = load_recipe(RECIPE)
    changes: dict[str, Any] = {"seed": options.seed}
    if options.accuracy:
        changes |= {"epochs": options.epochs, "patience": options.epochs}
    recipe = msgspec.structs.replace(recipe, train=msgspec.structs.replace(recipe.train, **changes))
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(recipe, Path(folder))
        run = MedspanRun(trainer) if options.child == "medspan" else PlainRun(trainer)
        if options.accuracy:
            return {"dev_f1": run.best_dev_f1()}
        steps = run.steps()
        for _ in range(options.warm_up):
            next(steps)
        began = time.perf_counter()
        words = sum(next(steps) for _ in range(options.steps))
        return {"words": words, "seconds": time.perf_counter() - began}


def start_child(system: str, options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Measure in a fresh process."""
    names = ("steps", "warm_up", "threads", "epochs")
    settings = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in names]
    command = [sys.executable, str(HERE), "--child", system, f"--seeds={seed}", *settings]
    command += ["--accuracy"] if options.accuracy else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def speed_summary(rates: dict[str, list[float]]) -> dict[str, Any]:
    """Median, least and most words/s of each system, and the ratio of the medians with that of each pair."""
    medians = {name: statistics.median(found) for name, found in rates.items()}
    pairs = [ours / plain for ours, plain in zip(rates["medspan"], rates["plain"], strict=True)]
    spread = {
        name: {"median": round(medians[name]), "min": round(min(found)), "max": round(max(found))}
        for name, found in rates.items()
    }
    ratio = {"median": medians["medspan"] / medians["plain"], "min": min(pairs), "max": max(pairs)}
    return {"words_per_second": spread, "ratio": {name: round(value, 2) for name, value in ratio.items()}}


def accuracy_summary(scores: dict[str, list[float]]) -> dict[str, Any]:
    """Mean dev F1 of each system and the difference in points of F1."""
    means = {name: statistics.fmean(found) for name, found in scores.items()}
    return {
        "mean_dev_f1": {name: round(value, 4) for name, value in means.items()},
        "difference_in_points": round(100 * (means["medspan"] - means["plain"]), 2),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Alternate the systems; one pair a run, or a seed."""
    found: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    seeds = options.seeds if options.accuracy else [options.seeds[0]] * options.runs
    for seed in seeds:
        for system in SYSTEMS:
            result = start_child(system, options, seed)
            value = result["dev_f1"] if options.accuracy else result["words"] / result["seconds"]
            found[system].append(value)
            print(f"{system}: {value:,.4g}", file=sys.stderr)
    settings = {"threads": options.threads, "recipe": RECIPE.name}
    if options.accuracy:
        settings |= {"seeds": options.seeds, "epochs": options.epochs}
        return facts(None, **settings, dev_f1=found, **accuracy_summary(found))
    settings |= {"steps": options.steps, "runs": options.runs}
    rounded = {name: [round(rate) for rate in rates] for name, rates in found.items()}
    return facts(options.seeds[0], **settings, runs_words_per_second=rounded, **speed_summary(found))


def main() -> int:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each system")
    parser.add_argument("--steps", type=int, default=150, help="steps a run")
    parser.add_argument("--warm-up", type=int, default=10, help="steps before the clock starts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--accuracy", action="store_true", help="dev F1 instead of speed")
    parser.add_argument("--epochs", type=int, default=12, help="epochs of --accuracy")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13], help="of --accuracy; speed takes one")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"))
    parser.add_argument("--child", choices=SYSTEMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        options.seed = options.seeds[0]
        print(json.dumps(child(options)))
        return 0
    result = measure(options)
    merge_json(options.output, "accuracy" if options.accuracy else "speed", result)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

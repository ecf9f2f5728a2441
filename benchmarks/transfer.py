"""What transfer gains: tag models from a random start, from word vectors, and from language models.

    MEDSPAN_DATA=DIR python benchmarks/transfer.py recipes/transfer-ncbi.toml -o OUT --seeds 13 14 15
        --shares 100 --vectors vectors-en --bilm bilm-en
    python benchmarks/transfer.py --summary

Everything but the start is the same: recipe, seed, sentences, epochs; but a random start drops half of its
features, the others a quarter (chosen on dev). A share below 100 trains on so many percent of the training
sentences, drawn with the seed, the same ones for every start; small sets get more epochs
(`subsets.subset_recipe`). The dev split selects the checkpoint; the test split is only scored.

Every run is a folder OUT/CORPUS-START-SHARE-SEED and is kept in transfer.json beside this file as it
finishes; a run that is there is not repeated, and a training that was stopped goes on. The summary says, for
each corpus, strict F1 by start and share; the gain over the random start with its interval (documents and
seeds resampled, paired); the share of labels and of epochs needed for what the random start reaches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from facts import facts, figures, numbered, read_json, write_json
from recipes import labels_of, train, with_seed
from subsets import amount_needed, draw, pool_of, subset_recipe

import medspan
from medspan import formats
from medspan.config import load_recipe
from medspan.corpora import load
from medspan.model.store import open_model
from medspan.train.data import relabel
from medspan.train.loop import document_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from medspan.config import Recipe
    from medspan.report import Report
    from medspan.types import Document

HERE = Path(__file__).resolve()
STARTS = ("random", "vectors", "bilm")
WHOLE = 100
RANDOM_DROPOUT = 0.5
RESAMPLES, SEED = 2000, 20


class Run(NamedTuple):
    """One training."""

    corpus: str
    start: str
    share: int
    seed: int

    @property
    def key(self) -> str:
        """Its name in the results and among the folders."""
        return f"{self.corpus}-{self.start}-{self.share}-{self.seed}"


def recipe_of(recipe: Recipe, run: Run, folder: Path) -> Recipe:
    """The recipe of a run; the sentences of a smaller share are written beside its folder."""
    ((_, corpus),) = recipe.corpora.items()
    if run.start == "random":
        encoder = msgspec.structs.replace(recipe.encoder, dropout=RANDOM_DROPOUT)
        recipe = msgspec.structs.replace(recipe, encoder=encoder)
    if run.share == WHOLE:
        return with_seed(recipe, run.seed)
    pool = pool_of(corpus.source)
    path = folder / f"{run.corpus}-{run.share}-{run.seed}.jsonl"
    if not path.exists():
        formats.write(draw(pool, round(len(pool) * run.share / WHOLE), run.seed, run.share), path)
    return subset_recipe(recipe, path.name, run.share / WHOLE, run.seed, folder)


def scored(recipe: Recipe, model: Path, split: str) -> tuple[dict[str, Any], list[tuple[int, int, int]]]:
    """Figures of a split, and of each document true positives, false positives and false negatives."""
    report, counts = report_of(recipe, model, split)
    return figures(report), counts


def report_of(recipe: Recipe, model: Path, split: str) -> tuple[Report, list[tuple[int, int, int]]]:
    """The evaluation on a split, and its counts by document."""
    ((name, corpus),) = recipe.corpora.items()
    labels = labels_of(recipe, name)
    gold = numbered(relabel(load(corpus.source, split), corpus.labels))
    bare = [document.replace(entities=()) for document in gold]
    found = list(medspan.load(model, device="cpu").annotate(bare))
    return medspan.evaluate(gold, found, labels=labels), document_counts(gold, found, frozenset(labels))


def document_counts(
    gold: Sequence[Document], found: Sequence[Document], labels: frozenset[str]
) -> list[tuple[int, int, int]]:
    """Of each document true positives, false positives and false negatives of some labels, strictly."""
    return [(score.tp, score.fp, score.fn) for score in document_scores(gold, found, labels)]


def do(recipe: Recipe, run: Run, folder: Path, starts: dict[str, Path]) -> dict[str, Any]:
    """Train and score; what is kept of it."""
    chosen = recipe_of(recipe, run, folder)
    model = folder / run.key
    if not model.exists():
        train(chosen, model, starts.get(run.start))
    test, counts = scored(recipe, model, "test")
    write_json(folder / f"{run.key}.counts.json", {"test": counts})
    log = (folder / f"{run.key}.run" / "metrics.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in log.splitlines()]
    metrics = json.loads(open_model(model).read("metrics.json"))
    return facts(
        run.seed,
        corpus=run.corpus,
        start=run.start,
        share=run.share,
        epochs=chosen.train.epochs,
        dev=round(max(row["dev_mean"] for row in rows), 4),
        test=test,
        minutes=round(60 * metrics["hours"], 1),
        curve=[[round(row["minutes"], 2), round(row["dev_mean"], 4)] for row in rows],
    )


def summary(runs: dict[str, Any], folder: Path | None, before: dict[str, Any]) -> dict[str, Any]:
    """By corpus what the runs show.

    Args:
        runs: by key.
        folder: where the counts by document are; None, or without them, keeps the intervals of before.
        before: the summary that stood there.
    """
    found = {}
    for corpus in sorted({row["corpus"] for row in runs.values()}):
        rows = [row for row in runs.values() if row["corpus"] == corpus]
        found[corpus] = {
            "f1": {start: _by_share(rows, start) for start in STARTS},
            "gain": {
                start: _gains(rows, start, folder) or before.get(corpus, {}).get("gain", {}).get(start)
                for start in STARTS[1:]
            },
            "labels": {start: labels_needed(rows, start) for start in STARTS[1:]},
            "epochs": {start: epochs_needed(rows, start) for start in STARTS[1:]},
        }
    return found


def _by_share(rows: Iterable[dict[str, Any]], start: str) -> dict[str, Any]:
    """Mean test F1 by share of the labels; deviation over seeds, or the interval of the only run."""
    found: dict[str, Any] = {}
    mine = [row for row in rows if row["start"] == start]
    for share in sorted({row["share"] for row in mine}):
        same = [row for row in mine if row["share"] == share]
        values = [row["test"]["f1"] for row in same]
        found[str(share)] = {
            "mean": round(statistics.fmean(values), 4),
            "std": round(statistics.stdev(values), 4) if len(values) > 1 else None,
            "dev": round(statistics.fmean(row["dev"] for row in same), 4),
            "seeds": sorted(row["seed"] for row in same),
            "low": same[0]["test"]["low"] if len(same) == 1 else None,
            "high": same[0]["test"]["high"] if len(same) == 1 else None,
        }
    return found


def _gains(rows: Sequence[dict[str, Any]], start: str, folder: Path | None) -> dict[str, Any] | None:
    """The gain with all labels over the seeds both starts have; None where counts are missing."""
    whole = [row for row in rows if row["share"] == WHOLE]
    seeds = [{row["seed"] for row in whole if row["start"] == name} for name in (start, "random")]
    both = sorted(seeds[0] & seeds[1])
    if not both or folder is None:
        return None
    corpus = rows[0]["corpus"]
    paths = [
        [folder / f"{Run(corpus, name, WHOLE, seed).key}.counts.json" for seed in both]
        for name in (start, "random")
    ]
    if not all(path.exists() for group in paths for path in group):
        return None
    after, before = (np.array([read_json(path)["test"] for path in group], np.float64) for group in paths)
    return {**paired_gain(after, before), "seeds": both}


def paired_gain(after: NDArray[np.float64], before: NDArray[np.float64]) -> dict[str, float]:
    """Difference of mean micro-F1 with its 95 % interval, documents and seeds drawn with replacement.

    Args:
        after: counts (seeds, documents, 3) of true positives, false positives and false negatives.
        before: the same of what it is compared with, seeds and documents in the same order.
    """
    rng = np.random.default_rng(SEED)
    seeds, documents, _ = after.shape
    drawn = []
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(documents, size=documents), minlength=documents)
        some = rng.integers(seeds, size=seeds)
        drawn.append(np.mean((_f1(weights @ after) - _f1(weights @ before))[some]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    mean = float(np.mean(_f1(after.sum(1)) - _f1(before.sum(1))))
    return {"mean": round(mean, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 2 * sums[:, 0] / np.maximum(2 * sums[:, 0] + sums[:, 1] + sums[:, 2], 1)
    return found


def labels_needed(rows: Sequence[dict[str, Any]], start: str) -> float | None:
    """The share of the labels that gives the random start's F1 with all of them, straight between shares."""
    goal = _by_share(rows, "random").get(str(WHOLE))
    curve = [(int(share), value["mean"]) for share, value in _by_share(rows, start).items()]
    if goal is None or len(curve) < 2:  # noqa: PLR2004 - no curve
        return None
    return amount_needed(curve, goal["mean"])


def epochs_needed(rows: Sequence[dict[str, Any]], start: str) -> list[dict[str, Any]]:
    """For each seed, after how many epochs and minutes each start has the random start's best dev F1."""
    whole = {(row["start"], row["seed"]): row["curve"] for row in rows if row["share"] == WHOLE}
    found = []
    for seed in sorted({seed for name, seed in whole if name == start and ("random", seed) in whole}):
        random, other = whole["random", seed], whole[start, seed]
        goal = max(f1 for _, f1 in random)
        first = next(i for i, (_, f1) in enumerate(random) if f1 == goal)
        reached = next((i for i, (_, f1) in enumerate(other) if f1 >= goal), None)
        found.append(
            {
                "seed": seed,
                "dev_f1": goal,
                "random": [first + 1, random[first][0]],
                start: None if reached is None else [reached + 1, other[reached][0]],
            }
        )
    return found


def main() -> int:
    """Do the runs that are not there yet, then say what they show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", type=Path, nargs="*", help="recipes of one corpus each")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--shares", type=int, nargs="+", default=[WHOLE], help="percent of the sentences")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--vectors", type=Path, help="a folder of medspan pretrain vectors")
    parser.add_argument("--bilm", type=Path, help="a folder of medspan pretrain bilm")
    parser.add_argument("-o", "--out", type=Path, help="folder for the models")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    parser.add_argument("--summary", action="store_true", help="run nothing, only say what is there")
    options = parser.parse_args()
    starts = {name: getattr(options, name) for name in STARTS[1:]}
    if missing := [name for name in options.starts if name in starts and starts[name] is None]:
        parser.error(f"--{missing[0]}: name its folder, or leave {missing[0]} out of --starts")
    if options.recipes and not options.summary and options.out is None:
        parser.error("-o: name a folder for the models")
    for path in options.recipes if not options.summary else []:
        recipe = load_recipe(path)
        corpus = next(iter(recipe.corpora))
        options.out.mkdir(parents=True, exist_ok=True)
        for seed, share, start in [
            (s, p, n) for s in options.seeds for p in options.shares for n in options.starts
        ]:
            run = Run(corpus, start, share, seed)
            if run.key not in read_json(options.output).get("runs", {}):
                keep(options.output, run.key, do(recipe, run, options.out, starts), options.out)
    results = read_json(options.output)
    results["summary"] = summary(results.get("runs", {}), options.out, results.get("summary", {}))
    write_json(options.output, results)
    print(json.dumps(results["summary"], indent=1))
    return 0


def keep(path: Path, key: str, row: dict[str, Any], folder: Path) -> None:
    """Add a finished run to the result file; another process may have added others since."""
    results = read_json(path)
    runs = {**results.get("runs", {}), key: row}
    write_json(path, {"summary": summary(runs, folder, results.get("summary", {})), "runs": runs})
    print(key, json.dumps(row["test"]), flush=True)


if __name__ == "__main__":
    sys.exit(main())

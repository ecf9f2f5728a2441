"""Simulates active learning: sentences chosen by ``suggest`` against sentences drawn at random.

    MEDSPAN_DATA=DIR python benchmarks/active_learning.py -o OUT --seeds 13 14 15 --vectors vectors-en

The training split of NCBI-disease, cut into sentences, is the text nobody has labelled; to annotate a
sentence is to uncover its gold mentions. Both strategies begin with the same ``--start`` random sentences and
add ``--step`` in each of ``--rounds`` rounds: ``suggest`` those the model of the round before is least sure
of and that differ, ``random`` any. Each round trains the recipe anew on what is annotated so far; the dev
split selects the checkpoint, as ever. Small sets get more epochs (a fixed rule, the same for both), for it is
steps that teach.

Every run is a folder OUT/SEED-STRATEGY-ROUND and is kept in active_learning.json beside this file as it
finishes; a run that is there is not repeated, and a training that was stopped goes on. The summary says, for
each round, F1 by strategy and which share of the random choice's sentences, and of its words, a strategy
needs for the same F1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facts import facts, figures, numbered, read_json, write_json
from recipes import train
from subsets import amount_needed, draw, pool_of, subset_recipe

import medspan
from medspan import formats
from medspan.config import load_recipe
from medspan.corpora import load
from medspan.suggest import suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.config import Recipe
    from medspan.suggest import Measure
    from medspan.types import Document

HERE = Path(__file__).resolve()
STRATEGIES: dict[str, Measure | None] = {"suggest": "sentence", "suggest-by-word": "word", "random": None}
"""By name, the measure of uncertainty; None draws at random."""


class Plan(NamedTuple):
    """What is simulated."""

    recipe: Recipe
    vectors: Path | None
    folder: Path
    results: Path
    start: int
    step: int
    rounds: int


def key_of(seed: int, strategy: str, number: int) -> str:
    """The name of a run; both strategies share what they begin with."""
    return f"{seed}-start-0" if number == 0 else f"{seed}-{strategy}-{number}"


def chosen_file(plan: Plan, key: str) -> Path:
    """The annotated sentences of a run."""
    return plan.folder / f"{key}.jsonl"


def choose(plan: Plan, pool: Sequence[Document], seed: int, strategy: str, number: int) -> list[Document]:
    """What is annotated in a round: all of the round before, and a step more."""
    path = chosen_file(plan, key_of(seed, strategy, number))
    if path.exists():
        return list(formats.read(path))
    if number == 0:
        chosen = draw(pool, plan.start, seed)
    else:
        before = key_of(seed, strategy, number - 1)
        old = list(formats.read(chosen_file(plan, before)))
        known = {document.id for document in old}
        left = [document for document in pool if document.id not in known]
        chosen = old + more_of(left, plan.step, plan.folder / before, f"{seed}-{number}", strategy)
    formats.write(chosen, path)
    return chosen


def more_of(
    left: Sequence[Document], count: int, model: Path, draw_name: str, strategy: str
) -> list[Document]:
    """The sentences a strategy adds."""
    by = STRATEGIES[strategy]
    if by is None:
        return draw(left, count, 0, draw_name)
    by_id = {document.id: document for document in left}
    found = suggest(medspan.load(model, device="cpu"), left, count=count, by=by)
    return [by_id[document.meta["sentence"]["document"]] for document in found]


def run(plan: Plan, pool: Sequence[Document], seed: int, strategy: str, number: int) -> dict[str, Any]:
    """One round of one strategy: choose, train, score."""
    key = key_of(seed, strategy, number)
    chosen = choose(plan, pool, seed, strategy, number)
    model = plan.folder / key
    source = chosen_file(plan, key).name
    recipe = subset_recipe(plan.recipe, source, len(chosen) / len(pool), seed, HERE.parents[1] / "recipes")
    if not model.exists():
        train(recipe, model, plan.vectors)
    ((corpus,), (head,)) = recipe.corpora.values(), recipe.heads.values()
    tagger = medspan.load(model, device="cpu")
    scores = {}
    for split in ("dev", "test"):
        gold = numbered(load(corpus.source, split))
        bare = [document.replace(entities=()) for document in gold]
        report = medspan.evaluate(gold, list(tagger.annotate(bare)), labels=head.labels)
        scores[split] = figures(report)
    words = sum(len(medspan.tokenize(document.text)) for document in chosen)
    mentions = sum(len(document.entities) for document in chosen)
    return facts(
        seed,
        strategy=strategy,
        round=number,
        sentences=len(chosen),
        words=words,
        mentions=mentions,
        epochs=recipe.train.epochs,
        **scores,
    )


def summary(runs: dict[str, Any]) -> dict[str, Any]:
    """Mean test F1 by strategy and number of sentences, and the share of sentences, and of words, it needs.

    A share is of what the random choice needs for the same F1: sentences taken for uncertainty are long, so
    both are told. Only rounds that every seed of every strategy begun has are in it.
    """
    seeds = sorted({row["seed"] for row in runs.values()})
    rounds = sorted({row["round"] for row in runs.values()})
    begun = {row["strategy"] for row in runs.values() if row["round"]} | {"random"}
    table = []
    for number in rounds:
        keys = {s: [key_of(seed, s, number) for seed in seeds] for s in STRATEGIES if s in begun}
        if all(key in runs for found in keys.values() for key in found):
            table.append(_row(runs, keys, number))
    for strategy in begun - {"random"}:
        for unit in ("sentences", "words"):
            curve = [(row[strategy][unit], row[strategy]["mean"]) for row in table]
            for row in table:
                needed = amount_needed(curve, row["random"]["mean"])
                share = None if needed is None else round(needed / row["random"][unit], 3)
                row[strategy][f"share_of_{unit}"] = share
    return {"seeds": seeds, "rounds": table}


def _row(runs: dict[str, Any], keys: dict[str, list[str]], number: int) -> dict[str, Any]:
    scores = {s: [runs[key]["test"]["f1"] for key in found] for s, found in keys.items()}
    return {
        "round": number,
        **{
            s: {
                "mean": round(statistics.fmean(found), 4),
                "std": round(statistics.stdev(found), 4) if len(found) > 1 else None,
                "sentences": runs[keys[s][0]]["sentences"],
                "words": round(statistics.fmean(runs[key]["words"] for key in keys[s])),
            }
            for s, found in scores.items()
        },
    }


def main() -> int:
    """Do the runs that are not there yet, then say what they show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", type=Path, default=HERE.parents[1] / "recipes" / "few-labels.toml")
    parser.add_argument("--vectors", type=Path, help="a pretrained folder every training starts from")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 14, 15])
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=["suggest", "random"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--start", type=int, default=250, help="sentences both strategies begin with")
    parser.add_argument("--step", type=int, default=250, help="sentences a round adds")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the models")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    parser.add_argument("--summary", action="store_true", help="run nothing, only say what is there")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    options.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(
        recipe, options.vectors, options.out, options.output, options.start, options.step, options.rounds
    )
    pool = pool_of(next(iter(recipe.corpora.values())).source)
    numbers = range(options.rounds + 1)
    wanted = [(seed, s, n) for seed in options.seeds for n in numbers for s in options.strategies]
    for seed, strategy, number in wanted if not options.summary else []:
        results = read_json(plan.results)
        key = key_of(seed, strategy, number)
        if key in results.get("runs", {}):
            continue
        runs = {**results.get("runs", {}), key: run(plan, pool, seed, strategy, number)}
        write_json(plan.results, {"summary": summary(runs), "runs": runs})
        print(key, json.dumps(runs[key]["test"]), flush=True)
    print(json.dumps(read_json(plan.results).get("summary"), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

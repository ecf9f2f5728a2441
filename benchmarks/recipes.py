"""Trains a recipe with several seeds through the command line and scores the test splits.

    MEDSPAN_DATA=DIR python benchmarks/recipes.py recipes/ncbi-disease.toml --seeds 13 14 15 -o OUT

Each seed becomes OUT/NAME-SEED; a model of the same recipe that stands there is not trained again, and one
that is also in the results is skipped. Test splits are those of the recipe's corpora, with the corpus'
sentences, scored strictly over the labels its heads learnt. Writes recipes.json beside this file: a run a
seed, mean and standard deviation over the seeds. The recipe's corpora must be names of the catalogue.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from facts import facts, figures, numbered, read_json, write_json

import medspan
from medspan.config import load_recipe
from medspan.corpora import load
from medspan.model.store import open_model
from medspan.toml import recipe_toml
from medspan.train.data import relabel

if TYPE_CHECKING:
    from medspan.config import Recipe

HERE = Path(__file__).resolve()


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """The same recipe with another seed."""
    return msgspec.structs.replace(recipe, train=msgspec.structs.replace(recipe.train, seed=seed))


def train(recipe: Recipe, folder: Path, start: Path | None = None) -> None:
    """Run ``medspan train``, from a pretrained folder where one is given; an interrupted run goes on."""
    path = folder.with_name(f"{folder.name}.toml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(recipe_toml(recipe), encoding="utf-8")
    command = [sys.executable, "-m", "medspan", "train", str(path), "-o", str(folder), "--device", "cpu"]
    if start is not None:
        command += ["--from", str(start)]
    if (folder.with_name(f"{folder.name}.run") / "checkpoint.safetensors").exists():
        command.append("--resume")
    subprocess.run(command, check=True)


def is_same(recipe: Recipe, folder: Path) -> bool:
    """Whether a model was trained by this recipe; threads aside, which do not count as another recipe."""
    trained = load_recipe(folder / "recipe.toml")
    return msgspec.structs.replace(trained, threads=None) == msgspec.structs.replace(recipe, threads=None)


def labels_of(recipe: Recipe, corpus: str) -> tuple[str, ...]:
    """The labels that shipped heads learn from a corpus."""
    heads = [head for head in recipe.heads.values() if corpus in head.corpora and head.ships]
    return tuple(dict.fromkeys(label for head in heads for label in head.labels))


def score(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The figures of each corpus' test split."""
    tagger = medspan.load(folder, device="cpu")
    scores = {}
    for name, corpus in recipe.corpora.items():
        if not (labels := labels_of(recipe, name)):
            continue
        gold = numbered(relabel(load(corpus.source, "test", format=corpus.format), corpus.labels))
        bare = [document.replace(entities=()) for document in gold]
        scores[name] = figures(medspan.evaluate(gold, list(tagger.annotate(bare)), labels=labels))
    return scores


def entry(recipe: Recipe, recipe_file: str, folder: Path) -> dict[str, Any]:
    """What is kept of one run."""
    model = open_model(folder)
    metrics = json.loads(model.read("metrics.json"))
    curve = folder.with_name(f"{folder.name}.run") / "metrics.jsonl"
    epochs = len(curve.read_text(encoding="utf-8").splitlines()) if curve.exists() else None
    return facts(
        recipe.train.seed,
        recipe=recipe_file,
        trained=model.spec.provenance.date,
        dev={name: round(value["f1"], 4) for name, value in metrics["dev"].items()},
        test=score(recipe, folder),
        minutes=round(60 * metrics["hours"], 1),
        epochs=epochs,
    )


def merge_run(results: dict[str, Any], name: str, run: dict[str, Any]) -> dict[str, Any]:
    """The results with one run added, or put in the place of the same seed's, and the summary over seeds."""
    before = results.get(name, {}).get("runs", [])
    others = [other for other in before if other["seed"] != run["seed"]]
    runs = sorted([*others, run], key=lambda item: int(item["seed"]))
    return {**results, name: {"summary": summary(runs), "runs": runs}}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation (n - 1) over seeds of dev and test F1, by corpus, and mean minutes."""
    corpora = runs[0]["test"]
    return {
        "seeds": [run["seed"] for run in runs],
        "dev_f1": {name: spread([run["dev"][name] for run in runs]) for name in corpora},
        "test_f1": {name: spread([run["test"][name]["f1"] for run in runs]) for name in corpora},
        "minutes": round(statistics.fmean(run["minutes"] for run in runs), 1),
    }


def spread(values: list[float]) -> dict[str, float | None]:
    """Mean and standard deviation; one value has none."""
    deviation = round(statistics.stdev(values), 4) if len(values) > 1 else None
    return {"mean": round(statistics.fmean(values), 4), "std": deviation}


def main() -> int:
    """Train and score what is not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 14, 15])
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the models")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    for seed in options.seeds:
        seeded = with_seed(recipe, seed)
        folder = options.out / f"{recipe.name}-{seed}"
        results = read_json(options.output)
        known = {run["seed"] for run in results.get(recipe.name, {}).get("runs", [])}
        if folder.exists() and seed in known:
            print(f"{folder}: done", file=sys.stderr)
            continue
        if not folder.exists():
            train(seeded, folder)
        if not is_same(seeded, folder):
            print(f"{folder}: was trained by another recipe; name another -o, or remove it", file=sys.stderr)
            return 1
        run = entry(seeded, options.recipe.name, folder)
        write_json(options.output, merge_run(read_json(options.output), recipe.name, run))
        print(json.dumps(run))
    print(json.dumps(read_json(options.output).get(recipe.name, {}).get("summary"), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Swedish: the character network learnt from dictionary-labelled windows against the dictionary itself.

    MEDSPAN_DATA=DIR python benchmarks/dictionary_swedish.py                      # the dictionaries: a minute
    MEDSPAN_DATA=DIR python benchmarks/dictionary_swedish.py -o OUT --seeds 13    # and the network
    MEDSPAN_DATA=DIR python benchmarks/dictionary_swedish.py -o OUT --start LM    # from a character LM

The dictionary is every surface annotated in swedish/wiki train: longest match on word borders, any case,
without and with inflection. Those windows cut words at both ends and a cut word is annotated too, so many
surfaces are pieces of words (``man``, ``kan``); ``inside`` leaves out what stands only at the edge of a
window. The network is recipes/char-blstm.toml, trained on the same windows; with ``--start`` its encoder
begins with a character language model. All are tested on the hand-annotated sentences of 1177 (all, and its
test split), which choose nothing: strict F1 over all types and by type with 95 % intervals, and F1 by
character, each character having the type of the mention it is in.

Results are kept in dictionary_swedish.json beside this file as they finish; what is there is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from facts import bounds, facts, figures, label_figures, read_json, write_json
from recipes import train, with_seed

import medspan
from medspan.config import load_recipe
from medspan.corpora import load
from medspan.metrics import Score, bootstrap
from medspan.weak.dictionary import DictionaryAnnotator
from medspan.weak.terms import corpus_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.config import Recipe
    from medspan.tasks.protocols import Annotator
    from medspan.types import Document

HERE = Path(__file__).resolve()
LABELS = ("Disorder_Finding", "Pharmaceutical_Drug", "Body_Structure")
TRAINED_ON = "swedish/wiki"
TESTED_ON = "swedish/1177"
SEED, RESAMPLES = 20, 1000
DICTIONARIES = {
    "dictionary": (False, None),
    "dictionary-inflected": (False, "sv"),
    "dictionary-inside": (True, None),
    "dictionary-inside-inflected": (True, "sv"),
}
"""By name: whether surfaces at the edges are left out, and the language of the inflection rules."""
AS_ASKED = ("dictionary", "dictionary-inflected")


def gold_sets() -> dict[str, list[Document]]:
    """The hand-annotated sentences: all of them, and the test split."""
    splits = {split: load(TESTED_ON, split) for split in ("train", "dev", "test")}
    return {"all": [document for part in splits.values() for document in part], "test": splits["test"]}


def score(annotator: Annotator, sets: dict[str, list[Document]]) -> dict[str, Any]:
    """Figures of each set."""
    found = {}
    for name, gold in sets.items():
        bare = [document.replace(entities=()) for document in gold]
        predicted = list(annotator.annotate(bare))
        report = medspan.evaluate(gold, predicted, labels=LABELS, seed=SEED, resamples=RESAMPLES)
        characters = character_scores(gold, predicted)
        found[name] = {**figures(report), "by_type": label_figures(report), "characters": characters}
    return found


def character_scores(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, Any]:
    """F1 over characters with its interval: a character is right where both give it the same type."""
    counts = [
        [_hits(_typed(right, label), _typed(guess, label)) for label in LABELS]
        for right, guess in zip(gold, predicted, strict=True)
    ]
    total = Score.of(*(sum(row[i] for document in counts for row in document) for i in range(3)))
    interval = bootstrap(counts, seed=SEED, resamples=RESAMPLES).f1
    return {"f1": round(total.f1, 4), **bounds(interval)}


def _typed(document: Document, label: str) -> set[int]:
    return {
        place
        for entity in document.entities
        if entity.label == label
        for span in entity.spans
        for place in range(span.start, span.end)
    }


def _hits(right: set[int], guess: set[int]) -> tuple[int, int, int]:
    return len(right & guess), len(guess - right), len(right - guess)


def dictionary(name: str) -> DictionaryAnnotator:
    """One of the baselines."""
    inside_only, language = DICTIONARIES[name]
    terms = corpus_terms(TRAINED_ON, inside_only=inside_only)
    return DictionaryAnnotator(terms, case="any", language=language)


def started(recipe: Recipe, start: Path | None) -> Recipe:
    """The recipe, its encoder beginning with a character language model where one is given."""
    if start is None:
        return recipe
    from medspan.config import TransferConfig  # noqa: PLC0415 - only where asked for

    return msgspec.structs.replace(recipe, transfer=TransferConfig(source=str(start.resolve())))


def gains(runs: dict[str, Any]) -> dict[str, Any]:
    """What networks gain over the better dictionary: of the two the issue names, and of all four."""
    found: dict[str, Any] = {}
    networks = sorted({name.rpartition("-")[0] for name in runs if name not in DICTIONARIES})
    for network in networks:
        rows = [run for name, run in runs.items() if name.rpartition("-")[0] == network]
        found[network] = {"seeds": [row["seed"] for row in rows]}
        for part in ("all", "test"):
            for measure, baselines in (("of two", AS_ASKED), ("of four", tuple(DICTIONARIES))):
                found[network][f"{part}, the better {measure}"] = _gain(runs, rows, part, baselines)
    return found


def _gain(
    runs: dict[str, Any], rows: Sequence[dict[str, Any]], part: str, baselines: Sequence[str]
) -> dict[str, Any]:
    there = [name for name in baselines if name in runs]
    best = max(there, key=lambda name: runs[name][part]["f1"])
    before = runs[best][part]["f1"]
    after = statistics.fmean(row[part]["f1"] for row in rows)
    return {
        "baseline": best,
        "baseline_f1": before,
        "f1": round(after, 4),
        "absolute": round(after - before, 4),
        "relative": round((after - before) / before, 4) if before else None,
    }


def keep(path: Path, name: str, row: dict[str, Any]) -> None:
    """Add a finished run to the result file."""
    runs = {**read_json(path).get("runs", {}), name: row}
    is_complete = all(baseline in runs for baseline in DICTIONARIES)
    write_json(path, {"gains": gains(runs) if is_complete else {}, "runs": runs})
    print(name, json.dumps({part: row[part]["f1"] for part in ("all", "test")}), flush=True)


def main() -> int:
    """Do what is not there yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", type=Path, default=HERE.parents[1] / "recipes" / "char-blstm.toml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--start", type=Path, help="a character language model to begin with")
    parser.add_argument("-o", "--out", type=Path, help="folder for the models; without it, dictionaries only")
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    options = parser.parse_args()
    sets = gold_sets()
    done = read_json(options.output).get("runs", {})
    for name in DICTIONARIES:
        if name not in done:
            keep(options.output, name, facts(None, **score(dictionary(name), sets)))
    recipe = started(load_recipe(options.recipe), options.start)
    for seed in options.seeds if options.out else []:
        name = f"{recipe.name}{'-charlm' if options.start else ''}-{seed}"
        if name in read_json(options.output).get("runs", {}):
            continue
        folder = options.out / name
        if not folder.exists():
            train(with_seed(recipe, seed), folder)
        annotator = medspan.load(folder, device="cpu")
        keep(options.output, name, facts(seed, **score(annotator, sets)))
    print(json.dumps(read_json(options.output).get("gains"), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

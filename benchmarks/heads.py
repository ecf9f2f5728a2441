"""Any model on the test splits of the heads of a recipe: strict F1, size and speed.

    MEDSPAN_DATA=DIR python benchmarks/heads.py NAME=MODEL… [--recipe RECIPE] [--heads NAME…]

A corpus is tested with the head of its name, where the model has one, else with the only head that has its
labels; corpora no head fits are left out. Words a second are those of one thread over the first corpus
tested. Scores go into multitask.json beside this file, by model; a corpus that is scored stays.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from facts import facts, figures, numbered, read_json, write_json
from safetensors.numpy import load_file
from transfer import document_counts

import medspan
from medspan.config import load_recipe
from medspan.corpora import load
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.train.data import relabel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.config import Recipe
    from medspan.model.tagger import Tagger
    from medspan.types import Document

HERE = Path(__file__).resolve()
RECIPE = HERE.parents[1] / "recipes" / "multitask.toml"
RESULT = HERE.with_name("multitask.json")


class HeadTests:
    """The test splits of the heads of a recipe, each read once.

    Args:
        recipe: names heads and corpora; every head learns from one corpus.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._gold: dict[str, list[Document]] = {}

    def gold(self, head: str) -> list[Document]:
        """The test split of a head's corpus, with the labels of the head alone."""
        if head not in self._gold:
            config = self.recipe.heads[head]
            (name,) = config.corpora
            corpus = self.recipe.corpora[name]
            labels = frozenset(config.labels)
            documents = relabel(load(corpus.source, "test"), corpus.labels)
            kept = (d.replace(entities=tuple(e for e in d.entities if e.label in labels)) for d in documents)
            self._gold[head] = numbered(list(kept))
        return self._gold[head]

    def bare(self, head: str) -> list[Document]:
        """The same without entities."""
        return [document.replace(entities=()) for document in self.gold(head)]

    def score(
        self, tagger: Tagger, head: str, found: list[Document] | None = None
    ) -> tuple[dict[str, Any], list[tuple[int, int, int]]]:
        """Figures on the test split of a head, and counts of each document; ``found``: it, annotated."""
        gold, found = self.gold(head), tagger.annotate(self.bare(head)) if found is None else found
        labels = self.recipe.heads[head].labels
        counts = document_counts(gold, found, frozenset(labels))
        return figures(medspan.evaluate(gold, found, labels=labels)), counts


def fitting(head: str, labels: tuple[str, ...], there: dict[str, tuple[str, ...]]) -> str | None:
    """The head of a model to test with: that of the same name, else the only one with all labels."""
    if head in there and set(labels) <= set(there[head]):
        return head
    found = [name for name, own in there.items() if set(labels) <= set(own)]
    return found[0] if len(found) == 1 else None


def sizes(folder: Path) -> dict[str, Any]:
    """Kind of encoder, millions of parameters of the graphs, and megabytes that annotating reads."""
    model = open_model(folder)
    weights = folder / "model.safetensors"
    trained = {"trained_parameters_m": _millions(weights)} if weights.exists() else {}
    needed = sum((folder / name).stat().st_size for name in model.spec.files if name != weights.name)
    return {"encoder": model.spec.encoder.kind, **trained, "mb": round(needed / 1e6, 2)}


def _millions(path: Path) -> float:
    return round(sum(int(np.prod(tensor.shape)) for tensor in load_file(path).values()) / 1e6, 1)


def main() -> int:
    """Score what is not scored yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--heads", nargs="+", help="only these")
    parser.add_argument("--output", type=Path, default=RESULT, help="the result file")
    options = parser.parse_args()
    tests = HeadTests(load_recipe(options.recipe))
    for name, _, place in (given.partition("=") for given in options.models):
        known = read_json(options.output).get("models", {}).get(name, {}).get("test", {})
        heads = [head for head in options.heads or tests.recipe.heads if head not in known]
        for head, found, speed in score_model(tests, heads, Path(place)):
            results = read_json(options.output)
            row = results.setdefault("models", {}).setdefault(name, facts(None, **sizes(Path(place))))
            row.setdefault("words_per_second", speed)
            row.setdefault("test", {})[head] = found
            write_json(options.output, results)
            print(name, head, json.dumps(found), flush=True)
    return 0


def score_model(tests: HeadTests, heads: list[str], place: Path) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Head, figures and words a second of CPU time.

    Heads of one corpus that are different heads of the model are tested together.
    """
    tagger = load_tagger(place, device="cpu", threads=1)
    decoders = dict(tagger.decoders)
    there = {head: decoder.labels for head, decoder in decoders.items()}
    by_corpus: dict[tuple[str, ...], dict[str, str]] = {}
    for head in heads:
        if (chosen := fitting(head, tests.recipe.heads[head].labels, there)) is not None:
            by_corpus.setdefault(tests.recipe.heads[head].corpora, {})[head] = chosen
    for members in by_corpus.values():
        tagger.decoders = {chosen: decoders[chosen] for chosen in members.values()}
        documents = tests.bare(next(iter(members)))
        started = time.process_time()
        found = tagger.annotate(documents)
        seconds = time.process_time() - started
        for head in members:
            scores, _counts = tests.score(tagger, head, found)
            yield head, scores, round(scores["words"] / seconds)


if __name__ == "__main__":
    sys.exit(main())

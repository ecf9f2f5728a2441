"""Trains the assertion head that comes with medspan.

    MEDSPAN_DATA=DIR python tools/train_assertion.py -o FILE [--sentences N] [--with-negex]

It learns from BioScope train (mentions are what the shipped model finds; those inside a negation scope are
absent, of the others only that is learnt that they are not) and from generated sentences. ``--with-negex``
adds the NegEx kit's train split, for a comparison only: nobody states a licence for it, so what ships has
none of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import medspan
from medspan.corpora import load
from medspan.tasks.assertion.annotator import ASSERTIONS, Assertion
from medspan.tasks.assertion.features import features_of
from medspan.tasks.assertion.head import FORMAT, HeadFile
from medspan.tasks.assertion.view import View
from medspan.train.assertion.fit import Example, Settings, fit
from medspan.train.assertion.generate import generated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.tasks.assertion.cues import CueFinder
    from medspan.types import Document, Entity

LABELS = ("present", *(label for label in ASSERTIONS if label != "present"))
ABSENT = frozenset({"absent"})
NOT_ABSENT = frozenset(LABELS) - ABSENT


def bioscope(split: str) -> Iterator[tuple[Document, list[bool]]]:
    """Sentences with the mentions the shipped model finds, and whether each is inside a negation scope."""
    gold = load("assertion/bioscope-abstracts", split)
    bare = [medspan.Document(document.id, document.text) for document in gold]
    for document, found in zip(gold, medspan.load(device="cpu", threads=1).annotate(bare), strict=True):
        scopes = [(e.start, e.end) for e in document.entities if e.label == "NegationScope"]
        inside = [any(low <= e.start and e.end <= high for low, high in scopes) for e in found.entities]
        yield found, inside


def negex(split: str) -> Iterator[tuple[Document, list[bool]]]:
    """Sentences of the kit with their conditions, and whether each is negated."""
    for document in load("assertion/negex", split):
        said = [{item.name: item.value for item in e.attributes}["negation"] for e in document.entities]
        yield document, [value == "Negated" for value in said]


def examples_of(
    documents: Iterable[tuple[Document, list[bool]]], finder: CueFinder, weight: float
) -> Iterator[Example]:
    """Examples that say absent or not absent."""
    for document, negated in documents:
        for entity, is_negated in zip(document.entities, negated, strict=True):
            yield from _example(document, entity, finder, ABSENT if is_negated else NOT_ABSENT, weight)


def made_examples(number: int, seed: int, finder: CueFinder) -> Iterator[Example]:
    """Examples of generated sentences, which say everything."""
    for document in generated(number, seed):
        for entity in document.entities:
            yield from _example(document, entity, finder, frozenset({entity.attributes[0].value}), 1.0)


def _example(
    document: Document, entity: Entity, finder: CueFinder, labels: frozenset[str], weight: float
) -> Iterator[Example]:
    context = View(document, finder).context(entity)
    features = features_of(context, entity.start, entity.end) if context else []
    if features:
        yield Example(features, labels, weight)


def options_of() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=12_000, help="how many to generate")
    parser.add_argument("--epochs", type=int, default=Settings().epochs)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--with-negex", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Make examples, fit, write."""
    options = options_of()
    finder = Assertion().finder
    examples = [
        *examples_of(bioscope("train"), finder, 1.0),
        *made_examples(options.sentences, options.seed, finder),
    ]
    if options.with_negex:
        examples += examples_of(negex("train"), finder, 1.0)
    settings = Settings(epochs=options.epochs, seed=options.seed)
    weights = fit(examples, LABELS, settings)
    provenance = {
        "learnt_from": "BioScope abstracts train (CC BY 2.0), generated sentences"
        + (", NegEx kit train (no licence stated)" if options.with_negex else ""),
        "examples": str(len(examples)),
        "settings": repr(settings),
        "date": time.strftime("%Y-%m-%d"),
    }
    options.output.write_bytes(msgspec.json.encode(HeadFile(FORMAT, list(LABELS), weights, provenance)))
    print(f"{len(examples):,} examples, {len(weights):,} features, {options.output.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

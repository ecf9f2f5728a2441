"""Writes what recipes/clinical.toml learns from beside its corpora, so that it fits notes too.

    MEDSPAN_DATA=DIR python benchmarks/clinical_extra.py FOLDER

FOLDER gets two corpora, each with train.jsonl and dev.jsonl:

``headed``      sentences of MACCROBAT2020 behind headings of notes; headings alone, which are no mentions
``prescribed``  its sentences without a medication, and headings: nothing in them is a treatment; sentences
                with one of invented discharge notes (`medspan.corpora.discharge`, templates of training)

Headings are drawn from the tables of `medspan.tasks.sections`, with capitals or all in capitals. A model
without them calls headings tests; and since each sentence of PHEE has a drug, it finds one in every sentence.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medspan import formats
from medspan.corpora import load
from medspan.corpora.discharge import discharge_notes
from medspan.tasks.phrases import expand_all, packaged_table, read_table
from medspan.tasks.sections import HeadingTable
from medspan.text.sentences import split_sentences
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CORPUS = "standoff/maccrobat2020"
TREATMENT = frozenset({"Medication", "Dosage", "Administration", "Frequency", "Duration"})
BODY = frozenset({"abdomen", "chest", "neck", "heart", "lungs", "extremities", "skin", "eyes", "ears"})
HEADED, SEED = 0.35, 13
MEDICATION = "Medication"
NOTES = {"train": 80, "dev": 15}
ALONE = {"train": 600, "dev": 120}


def headings() -> list[str]:
    """The English headings, but for those that name a part of the body by a single word."""
    table = read_table(packaged_table("sections", "en"), HeadingTable)
    found = [each for phrases in table.sections.values() for each in expand_all(phrases, "sections")]
    return sorted({each for each in found if each.lower() not in BODY})


def written(heading: str, choose: random.Random) -> str:
    """A heading as notes write it."""
    form = choose.choice((heading.upper(), heading.upper(), heading.title(), heading.capitalize()))
    return form + choose.choice((":", ":", ":", ""))


def sentences(documents: Iterable[Document]) -> Iterator[Document]:
    """Sentences with the mentions inside them, labels as the corpus has them."""
    for document in documents:
        for start, end in split_sentences(document.text):
            inside = [e for e in document.entities if start <= e.start and e.end <= end]
            yield Document("", document.text[start:end], tuple(moved(inside, -start)))


def moved(entities: list[Entity], by: int) -> Iterator[Entity]:
    """Entities at other places, bare and numbered anew."""
    for number, entity in enumerate(entities, 1):
        spans = tuple(Span(span.start + by, span.end + by) for span in entity.spans)
        yield Entity(f"T{number}", entity.label, spans)


def corpora(split: str) -> dict[str, list[Document]]:
    """The documents of both corpora."""
    choose = random.Random(f"{SEED}/{split}")  # noqa: S311 - no secret
    known = headings()
    alone = [Document("", written(heading, choose)) for heading in choose.sample(known, ALONE[split])]
    headed, prescribed = list(alone), list(alone)
    invented = sentences(discharge_notes(split, NOTES[split], seed=SEED))
    prescribed += [each for each in invented if any(e.label == MEDICATION for e in each.entities)]
    for document in sentences(load(CORPUS, split)):
        if not any(entity.label in TREATMENT for entity in document.entities):
            prescribed.append(msgspec.structs.replace(document, entities=()))
        if choose.random() < HEADED:
            before = written(choose.choice(known), choose) + choose.choice((" ", "\n"))
            entities = tuple(moved(list(document.entities), len(before)))
            headed.append(Document("", before + document.text, entities))
    return {"headed": headed, "prescribed": prescribed}


def main() -> int:
    """Write both corpora."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    for split in ("train", "dev"):
        for name, documents in corpora(split).items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            numbered = [document.replace(id=f"{number:05}") for number, document in enumerate(documents)]
            formats.write(numbered, folder / name / f"{split}.jsonl")
            print(f"{name}/{split}: {len(numbered):,} documents")
    return 0


if __name__ == "__main__":
    sys.exit(main())

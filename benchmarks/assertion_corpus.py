"""Writes what recipes/assertion.toml learns from: train.jsonl and dev.jsonl.

    MEDSPAN_DATA=DIR python benchmarks/assertion_corpus.py FOLDER

BioScope's sentences with the mentions the shipped model finds, those inside a negation scope absent; and
sentences generated from own templates, which say everything. A status is a relation of a mention with itself.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medspan import formats
from medspan.tasks.assertion.network import MENTION, PRESENT
from medspan.train.assertion.generate import generated
from medspan.types import Document, Entity, Relation

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
from train_assertion import bioscope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MADE = {"train": (9000, 0), "dev": (600, 1)}


def said(document: Document, statuses: Sequence[str]) -> Document:
    """The mentions of a document, and what is said of each."""
    entities = tuple(Entity(f"T{i}", MENTION, entity.spans) for i, entity in enumerate(document.entities, 1))
    relations = tuple(
        Relation(f"R{i}", status, f"T{i}", f"T{i}")
        for i, status in enumerate(statuses, 1)
        if status != PRESENT
    )
    return Document(document.id, document.text, entities, relations)


def documents(split: str) -> Iterator[Document]:
    """All documents of a split."""
    for document, inside in bioscope(split):
        if document.entities:
            yield said(document, ["absent" if each else PRESENT for each in inside])
    for document in generated(*MADE[split]):
        yield said(document, [entity.attributes[0].value for entity in document.entities])


def main() -> int:
    """Write both splits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for split in MADE:
        numbered = [d.replace(id=f"{number:05}") for number, d in enumerate(documents(split))]
        formats.write(numbered, folder / f"{split}.jsonl")
        print(
            f"{split}: {len(numbered):,} documents, {sum(len(d.relations) for d in numbered):,} not present"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

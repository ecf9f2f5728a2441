"""Writes the corpus that recipes/deid.toml learns from, and the notes benchmarks/deid.py measures on.

    MEDSPAN_DATA=DIR python benchmarks/deid_notes.py FOLDER

FOLDER gets train.jsonl and dev.jsonl: generated notes of the training templates and names (those of other
countries from faker), and the training half of unlabelled/mtsamples with identifiers put in.
``test_documents`` makes the notes for tests: other templates, other names, the other half of mtsamples.
"""

from __future__ import annotations

import argparse
import sys
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from medspan import formats
from medspan.corpora.places import corpus_roots
from medspan.errors import DataError
from medspan.tasks.deid.notes import NoteWriter
from medspan.tasks.deid.notes_insert import half_of, inserted
from medspan.tasks.deid.notes_names import own_names, world_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.tasks.deid.notes_names import Part
    from medspan.types import Document

GENERATED, GENERATED_DEV, GENERATED_TEST = 7000, 400, 600
INSERTED, INSERTED_DEV, INSERTED_TEST = 1100, 80, 500
SEED, DEV_SEED, TEST_SEED = 13, 14, 15
MTSAMPLES = "unlabelled/mtsamples.jsonl.gz"


def mtsamples(part: Part) -> Iterator[Document]:
    """The notes of one half.

    Raises:
        DataError: if they are not under MEDSPAN_DATA.
    """
    for root in corpus_roots():
        if (root / MTSAMPLES).is_file():
            return (document for document in formats.read(root / MTSAMPLES) if half_of(document) == part)
    raise DataError(f"{MTSAMPLES} is not under MEDSPAN_DATA; set it to a folder that holds it")


def with_identifiers(part: Part, count: int, seed: int) -> Iterator[Document]:
    """Runs of paragraphs of mtsamples with identifiers put in."""
    writer = NoteWriter(part, own_names(part), seed=seed)
    return islice(
        chain.from_iterable(inserted(document, writer, most=1) for document in mtsamples(part)), count
    )


def generated(part: Part, count: int, seed: int) -> Iterator[Document]:
    """Generated notes."""
    return NoteWriter(part, own_names(part), world=world_names(part), seed=seed).documents(count)


def test_documents() -> dict[str, list[Document]]:
    """Notes for tests by kind, of templates, names and notes that nothing was trained on."""
    return {
        "generated": list(generated("test", GENERATED_TEST, TEST_SEED)),
        "inserted": list(with_identifiers("test", INSERTED_TEST, TEST_SEED)),
    }


def numbered(documents: Iterator[Document]) -> list[Document]:
    """Documents with other ids, since parts of a corpus share none."""
    return [document.replace(id=f"{number:05}") for number, document in enumerate(documents)]


def main() -> int:
    """Write train.jsonl and dev.jsonl."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    notes = list(with_identifiers("train", INSERTED + INSERTED_DEV, SEED))
    train = chain(generated("train", GENERATED, SEED), notes[:INSERTED])
    dev = chain(generated("train", GENERATED_DEV, DEV_SEED), notes[INSERTED:])
    for name, documents in (("train", numbered(train)), ("dev", numbered(dev))):
        formats.write(documents, folder / f"{name}.jsonl")
        words = sum(len(document.text.split()) for document in documents)
        entities = sum(len(document.entities) for document in documents)
        print(f"{name}: {len(documents):,} documents, {words:,} words, {entities:,} entities")
    return 0


if __name__ == "__main__":
    sys.exit(main())

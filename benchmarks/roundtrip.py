"""Counts the mentions of real corpora that a format loses or moves without saying so.

    MEDSPAN_DATA=… python benchmarks/roundtrip.py [--documents 200] [FORMAT…]

Every split of ner/* and standoff/* is read, written in each format that can be read again, and read back.
A mention is its document, label and spans. ``declared`` is what the writer counted in its Losses as a
mention it cannot hold; ``lost`` = in - found again - declared, ``moved`` = what came back but was not in,
less those declared. Both, and ``texts_changed``, must be 0. Writes roundtrip.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from facts import facts, read_json

from medspan import formats
from medspan.formats.protocol import ReadOptions, WriteOptions

if TYPE_CHECKING:
    from medspan.types import Document

# The reasons by which writers count mentions, as against parts of them.
ENTITY_REASONS = {
    "discontinuous spans",
    "entities",
    "overlapping spans",
    "spans across sentences",
    "spans off word borders",
    "spans whose label holds a tab, a line end or a blank the columns cannot hold",
}
OPTIONS = WriteOptions(document_text=True)
FOLDERS = {"brat", "i2b2-2009", "text"}


def splits(data: Path) -> list[Path]:
    """Every annotated file of ner/* and standoff/*."""
    return sorted([*data.glob("ner/*/*.conll.gz"), *data.glob("standoff/*/*.jsonl.gz")])


def mentions(documents: list[Document]) -> Counter[tuple[object, ...]]:
    """The mentions, by position of their document."""
    return Counter(
        (number, entity.label, *((span.start, span.end) for span in entity.spans))
        for number, document in enumerate(documents)
        for entity in document.entities
    )


def blanked(text: str) -> str:
    """A text with every blank character a space, its length unchanged."""
    return re.sub(r"\s", " ", text)


def trip(documents: list[Document], name: str, folder: Path) -> dict[str, int]:
    """Write and read once; what came through."""
    path = folder / ("out" if name in FOLDERS else f"out.{name}")
    losses = formats.write(documents, path, name, OPTIONS)
    back = list(formats.read(path, name))
    if name in FOLDERS:  # files come back by name, not in order
        by_id = {document.id: document for document in back}
        back = [by_id[document.id] for document in documents]
    before, after = mentions(documents), mentions(back)
    declared = sum(count for reason, count in losses.counts.items() if reason in ENTITY_REASONS)
    same = (before & after).total()
    pairs = zip(documents, back, strict=False)
    if "line breaks" in losses.counts:  # declared: line ends become blanks, so no offset moves
        texts_changed = sum(blanked(one.text) != blanked(two.text) for one, two in pairs)
    else:
        texts_changed = sum(one.text != two.text for one, two in pairs)
    return {
        "documents": len(documents),
        "in": before.total(),
        "out": after.total(),
        "declared": declared,
        "lost": before.total() - same - declared,
        "moved": max(0, after.total() - same - declared),
        "texts_changed": texts_changed + abs(len(documents) - len(back)),
    }


def with_unique_ids(documents: list[Document]) -> list[Document]:
    """Documents that all have an id of their own, as folders need; repeated ones get a number."""
    seen: Counter[str] = Counter()
    unique = []
    for document in documents:
        seen[document.id] += 1
        number = seen[document.id]
        unique.append(document if number == 1 else document.replace(id=f"{document.id}#{number}"))
    return unique


def read_split(path: Path, limit: int | None) -> tuple[list[Document], int]:
    """The documents of a split, and how many units were rejected."""
    rejected: list[str] = []
    options = ReadOptions(rejected=lambda error, _: rejected.append(str(error)))
    documents = with_unique_ids(list(islice(formats.read(path, options=options), limit)))
    for message in rejected:
        print(message, file=sys.stderr)
    return documents, len(rejected)


def merge(
    output: Path,
    totals: dict[str, Counter[str]],
    by_split: dict[str, dict[str, dict[str, int]]],
    limit: int | None,
) -> None:
    """Put the formats of this run in the place of their earlier figures; others stay."""
    result = read_json(output)
    part = "all" if limit is None else f"first {limit} of each split"
    made = facts(None)
    for name, total in totals.items():
        result.setdefault("totals", {})[name] = {**total, "taken": part, "date": made["date"]}
    for split, rows in by_split.items():
        result.setdefault("splits", {}).setdefault(split, {}).update(rows)
    output.write_text(json.dumps({**result, "made": made}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    """Run all trips; exit code 1 where something was lost or moved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*")
    parser.add_argument("--documents", type=int, help="only the first so many of each split")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    data = Path(os.environ["MEDSPAN_DATA"])
    names = arguments.formats or sorted(formats.READERS.keys() & formats.WRITERS.keys())
    totals: dict[str, Counter[str]] = {name: Counter() for name in names}
    by_split: dict[str, dict[str, dict[str, int]]] = {}
    for path in splits(data):
        documents, rejected = read_split(path, arguments.documents)
        split = path.relative_to(data).as_posix()
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                row = trip(documents, name, Path(folder))
                totals[name].update(row)
                totals[name]["milliseconds"] += round(1000 * (time.perf_counter() - began))
            totals[name]["rejected"] += rejected
            by_split.setdefault(split, {})[name] = row
            if row["lost"] or row["moved"] or row["texts_changed"]:
                print(f"{split} {name}: {row}", file=sys.stderr)
    merge(arguments.output, totals, by_split, arguments.documents)
    for name, total in totals.items():
        print(name, dict(total))
    return int(any(total["lost"] or total["moved"] or total["rejected"] for total in totals.values()))


if __name__ == "__main__":
    sys.exit(main())

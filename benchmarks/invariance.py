"""Do batch, order and workers change what is found? The same notes in many ways, compared with one call.

    MEDSPAN_DATA=DIR python benchmarks/invariance.py [--words 300000] [--model default]

Half clinical notes, half articles. Calls of 1, 32 and 512 documents, shuffled, units scored one by one and
in batches of 512 and 8,000 padded words, and bulk jobs of 1 and 2 worker processes. Entities (label, borders)
must be identical and scores, which are given to four digits, equal to 1e-4. Writes invariance.json beside
this file.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facts import facts, merge_json
from peers.texts import sample

import medspan
from medspan import formats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.types import Document

SEED = 13
SIZES = (1, 32, 512)
BATCH_WORDS = (1, 512, 8000)
TOLERANCE = 1e-4 + 1e-9


def places(document: Document) -> dict[tuple[str, int, int], float]:
    """The entities of a document and their scores."""
    return {(e.label, e.start, e.end): e.score or 0.0 for e in document.entities}


def compare(wanted: Sequence[Document], found: Sequence[Document]) -> dict[str, Any]:
    """Documents whose entities differ, and the largest difference between the scores of the others."""
    differing, gap = 0, 0.0
    by_id = {document.id: places(document) for document in found}
    for document in wanted:
        one, other = places(document), by_id[document.id]
        differing += one.keys() != other.keys()
        gap = max([gap, *(abs(one[key] - other[key]) for key in one.keys() & other.keys())])
    return {"differing_documents": differing, "largest_score_difference": round(gap, 6)}


def in_calls(model: str, documents: Sequence[Document], size: int, batch_words: int | None) -> list[Document]:
    """Annotated in calls of so many documents, by a model loaded anew."""
    nlp = medspan.load(model, device="cpu", threads=1, batch_words=batch_words)
    calls = (documents[i : i + size] for i in range(0, len(documents), size))
    return [found for call in calls for found in nlp.annotate(call)]


def by_workers(model: str, texts: Path, workers: int, parts: int) -> list[Document]:
    """Annotated by a bulk job."""
    output = texts.with_name(f"found-{workers}")
    command = [sys.executable, "-m", "medspan", "annotate", str(texts), "-o", f"{output}/", "--model", model]
    command += ["--workers", str(workers), "--part-documents", str(parts)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return [found for part in sorted(output.glob("part-?????.jsonl")) for found in formats.read(part)]


def ways(model: str, documents: list[Document], folder: Path) -> Iterator[tuple[str, list[Document]]]:
    """Every way by name, and what it finds."""
    for size in SIZES:
        yield f"calls of {size}", in_calls(model, documents, size, None)
    shuffled = random.Random(SEED).sample(documents, len(documents))  # noqa: S311 - no secret
    yield "shuffled", in_calls(model, shuffled, 32, None)
    for words in BATCH_WORDS:
        yield f"batches of {words} words", in_calls(model, documents, 512, words)
    texts = folder / "texts.jsonl"
    formats.write(documents, texts, "jsonl")
    for workers in (1, 2):
        yield f"{workers} workers", by_workers(model, texts, workers, 50)


def main() -> int:
    """Try every way; exit code 1 if one differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, default=300_000)
    parser.add_argument("--model", default="default", help="a model folder or a shipped name")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    documents = [medspan.Document(text.id, text.text) for text in sample(options.words)]
    wanted = in_calls(options.model, documents, len(documents), None)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, found in ways(options.model, documents, Path(folder)):
            rows[name] = compare(wanted, found)
            print(name, json.dumps(rows[name]))
    is_same = all(
        row["differing_documents"] == 0 and row["largest_score_difference"] <= TOLERANCE
        for row in rows.values()
    )
    more = {
        "documents": len(documents),
        "entities": sum(len(document.entities) for document in wanted),
        "is_invariant": is_same,
        "ways": rows,
    }
    merge_json(options.output, Path(options.model).name, facts(SEED, **more))
    return int(not is_same)


if __name__ == "__main__":
    sys.exit(main())

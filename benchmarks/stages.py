"""The pipeline of all stages beside the entities alone: words a second, one thread, clinical notes.

    MEDSPAN_DATA=DIR python benchmarks/stages.py --index FOLDER [--model clinical]

FOLDER is an index of `medspan terminology build`, asked for every entity with a label of ``CODED``. The notes
are of unlabelled/mtsamples, each read once a round, so nothing is known from the round before but what an
annotator keeps for good. Time is that of the processor in this process; a round of the entities alone stands
beside a round of the pipeline, and the figure is the median of the rounds' ratios. Writes stages.json beside
this file.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deid_notes import mtsamples
from facts import facts, write_json

import medspan
from medspan.tasks.stages import stages_of
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.tasks.protocols import Annotator

CODED = ("Problem", "Disease", "Medication", "Chemical", "Reason")
PLAIN = ("sections", "assertion", "relations")


def notes(count: int) -> list[Document]:
    """Notes without what the corpus says of them."""
    return [Document(document.id, document.text) for document in islice(mtsamples("test"), count)]


def one_round(
    recognizer: Annotator, stages: Sequence[Annotator], documents: Sequence[Document]
) -> tuple[float, dict[str, float], list[Document]]:
    """Seconds of the entities, and of each stage after them; and what came of it."""
    began = time.process_time()
    found = list(recognizer.annotate(documents))
    alone, seconds = time.process_time() - began, {}
    for stage in stages:
        began = time.process_time()
        found = list(stage.annotate(found))
        seconds[type(stage).__name__] = time.process_time() - began
    return alone, seconds, found


def counts(documents: Sequence[Document]) -> dict[str, int]:
    """How much the stages added."""
    entities = [entity for document in documents for entity in document.entities]
    return {
        "entities": len(entities),
        "sections": sum(len(document.sections) for document in documents),
        "with_assertion": sum(bool(entity.attributes) for entity in entities),
        "not_present": sum(
            any(a.name == "assertion" and a.value != "present" for a in entity.attributes)
            for entity in entities
        ),
        "relations": sum(len(document.relations) for document in documents),
        "with_codes": sum(bool(entity.concepts) for entity in entities),
    }


def measure(model: str, index: Path, documents: Sequence[Document], rounds: int) -> dict[str, Any]:
    """The figures of some rounds."""
    recognizer = medspan.load(model, device="cpu", threads=1)
    codes = [f"codes.{label}={index}" for label in CODED if label in recognizer.labels]
    stages = stages_of([*PLAIN, *codes])
    words = sum(len(medspan.tokenize(document.text)) for document in documents)
    one_round(recognizer, stages, documents[:10])
    rows, found = [], []
    for _ in range(rounds):
        alone, seconds, found = one_round(recognizer, stages, documents)
        rows.append((alone, seconds))
    ratios = [alone / (alone + sum(seconds.values())) for alone, seconds in rows]
    shares = {
        name: round(statistics.median(seconds[name] / alone for alone, seconds in rows), 4)
        for name in rows[0][1]
    }
    return {
        "documents": len(documents),
        "words": words,
        "labels": list(recognizer.labels),
        "words_per_second_alone": round(statistics.median(words / alone for alone, _ in rows)),
        "words_per_second_all": round(statistics.median(words / (a + sum(s.values())) for a, s in rows)),
        "ratio": round(statistics.median(ratios), 4),
        "ratios": [round(ratio, 4) for ratio in ratios],
        "share_of_entities_time": shares,
        "found": counts(found),
    }


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="clinical")
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    results = measure(options.model, options.index, notes(options.documents), options.rounds)
    write_json(Path(__file__).with_suffix(".json"), facts(None, model=options.model, results=results))
    sys.stdout.write(f"{results['ratio']}  {results['share_of_entities_time']}  {results['found']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

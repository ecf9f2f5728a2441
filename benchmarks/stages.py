"""The pipeline of all stages beside the entities alone: words a second, one thread, clinical notes.

    MEDSPAN_DATA=DIR python benchmarks/stages.py --index FOLDER… [--model clinical]

Each FOLDER is an index of `medspan terminology build --for LABELS`, asked for those labels. The notes are
of unlabelled/mtsamples, others in each round: nothing is read twice. Time is that of the processor
in this process; a round of the entities alone stands beside a round of the pipeline. ``ratio`` is of all
rounds together, the first included, which opens the index. Writes stages.json beside this file, and its
figures into docs/clinical.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deid_notes import mtsamples
from facts import facts, fill_page, write_json

import medspan
from medspan.tasks.stages import stages_of
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.tasks.protocols import Annotator

PAGE = Path(__file__).resolve().parents[1] / "docs" / "clinical.md"
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


def measure(model: str, indexes: Sequence[Path], rounds: Sequence[Sequence[Document]]) -> dict[str, Any]:
    """The figures of some rounds, each of other documents."""
    recognizer = medspan.load(model, device="cpu", threads=1)
    stages = stages_of([*PLAIN, *(f"codes={index}" for index in indexes)])
    list(recognizer.annotate([Document("first", "Started on metformin for diabetes.")]))
    rows: list[tuple[float, dict[str, float]]] = []
    found: list[Document] = []
    for documents in rounds:
        alone, seconds, done = one_round(recognizer, stages, documents)
        rows.append((alone, seconds))
        found += done
    words = sum(len(medspan.tokenize(document.text)) for document in found)
    of_entities = sum(alone for alone, _ in rows)
    of_stages = {name: sum(seconds[name] for _, seconds in rows) for name in rows[0][1]}
    of_all = of_entities + sum(of_stages.values())
    return {
        "documents": len(found),
        "words": words,
        "labels": list(recognizer.labels),
        "words_per_second_alone": round(words / of_entities),
        "words_per_second_all": round(words / of_all),
        "ratio": round(of_entities / of_all, 4),
        "ratios": [round(alone / (alone + sum(seconds.values())), 4) for alone, seconds in rows],
        "share_of_entities_time": {name: round(s / of_entities, 4) for name, s in of_stages.items()},
        "found": counts(found),
    }


def page_figures(value: dict[str, Any]) -> str:
    """The lines of docs/clinical.md, from the result file."""
    found = value["results"]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in found["share_of_entities_time"].items())
    return (
        f"The pipeline of all stages runs at **{found['ratio']:.2f}** of the speed of the entities alone "
        f"({found['words_per_second_all']:,} against {found['words_per_second_alone']:,} words a second of "
        f"one thread, {found['documents']:,} notes). Of the time of the entities: {shares}.\n"
    )


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="clinical")
    parser.add_argument("--index", type=Path, nargs="+", required=True)
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    all_notes = notes(options.documents * options.rounds)
    rounds = [all_notes[place :: options.rounds] for place in range(options.rounds)]
    results = measure(options.model, options.index, rounds)
    target = Path(__file__).with_suffix(".json")
    value = facts(None, model=options.model, results=results)
    write_json(target, value)
    fill_page(PAGE, target, page_figures(value))
    sys.stdout.write(f"{results['ratio']}  {results['share_of_entities_time']}  {results['found']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

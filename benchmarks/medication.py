"""Medications and their fields tied by rule: PHEE and ADE with gold mentions, and invented notes.

    MEDSPAN_DATA=DIR python benchmarks/medication.py
    MEDSPAN_DATA=DIR python benchmarks/medication.py --model FOLDER

PHEE (standoff/phee): sentences of case reports. Gold mentions are given (labels as in recipes/phee.toml); a
pair is a drug and a field of the same event. PHEE does not say which of an event's drugs a field belongs to,
so each of them counts. ADE (relation/ade): drug and dosage, gold mentions given. ``nearest`` is
`medspan.tasks.medication.MedicationLinker`, ``every`` gives each field to every drug of the sentence, which
shows how much of the task is a choice. Rules were adjusted on the train split of PHEE, never on dev or
test. Intervals are 95 %, by bootstrap over sentences.

Invented notes (`medspan.corpora.discharge`, held-out templates and names): the i2b2 2009 scores of entries
with gold fields given, and with those of a model (``--model``), trained by recipes/i2b2-2009.toml on invented
notes. They show that the way from text to entries works, and nothing about notes of a hospital; they are kept
under a key of their own. Writes medication.json beside this file.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from facts import bounds, facts, merge_json, numbered

import medspan
from medspan.corpora import load
from medspan.corpora.discharge import discharge_notes
from medspan.formats.i2b2_entries import FIELDS, MEDICATION
from medspan.metrics import Score, bootstrap
from medspan.metrics.medication import HORIZONTAL, ROWS, MedicationReport, score_medications
from medspan.model.store import open_model
from medspan.tasks.medication import MedicationLinker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from medspan.types import Document

    Pair = tuple[str, object, object]
    Counts = list[list[tuple[int, int, int]]]

SEED, RESAMPLES = 20, 1000
NOTES = 50
PHEE = {
    "Treatment.Drug": MEDICATION,
    "Treatment.Dosage": "Dosage",
    "Treatment.Route": "Mode",
    "Treatment.Freq": "Frequency",
    "Treatment.Duration": "Duration",
    "Treatment.Disorder": "Reason",
}
ADE = {"Drug": MEDICATION, "Dosage": "Dosage"}
CORPORA = {"standoff/phee": PHEE, "relation/ade": ADE}


def mentions(document: Document, labels: dict[str, str]) -> Document:
    """The mentions of some labels under ours, each once, without relations."""
    once = {
        (labels[e.label], e.spans): msgspec.structs.replace(e, label=labels[e.label], attributes=())
        for e in reversed(document.entities)
        if e.label in labels
    }
    return document.replace(entities=tuple(once.values()), relations=())


def gold_pairs(document: Document, labels: dict[str, str]) -> set[Pair]:
    """Pairs of a drug and a field: related to one another, or both to one trigger."""
    by_id = {entity.id: entity for entity in document.entities}
    arguments: dict[str, list[str]] = {}
    pairs = []
    for relation in document.relations:
        if by_id[relation.tail].label in labels:
            arguments.setdefault(relation.head, []).append(relation.tail)
        pairs.append((relation.head, relation.tail))
    for tails in arguments.values():
        pairs += product(tails, tails)
    found = set()
    for head, tail in pairs:
        kinds = (labels.get(by_id[head].label), labels.get(by_id[tail].label))
        if kinds[0] == MEDICATION and kinds[1] not in {None, MEDICATION}:
            found.add((str(kinds[1]), by_id[head].spans, by_id[tail].spans))
    return found


def nearest_pairs(document: Document) -> set[Pair]:
    """The pairs of the rules."""
    (linked,) = MedicationLinker().annotate([document])
    by_id = {entity.id: entity for entity in linked.entities}
    return {(r.label, by_id[r.head].spans, by_id[r.tail].spans) for r in linked.relations}


def every_pair(document: Document) -> set[Pair]:
    """Each drug of the sentence with each field."""
    drugs = [e.spans for e in document.entities if e.label == MEDICATION]
    return {(e.label, drug, e.spans) for e in document.entities if e.label != MEDICATION for drug in drugs}


def pair_figures(
    documents: Sequence[Document], labels: dict[str, str], linker: Callable[[Document], set[Pair]]
) -> dict[str, Any]:
    """F1 of pairs by field and of all, with intervals."""
    kinds = [label for label in dict.fromkeys(labels.values()) if label != MEDICATION]
    counts: Counts = []
    for document in documents:
        gold, found = gold_pairs(document, labels), linker(mentions(document, labels))
        sides = [Counter(pair[0] for pair in side) for side in (gold & found, found - gold, gold - found)]
        counts.append([(sides[0][kind], sides[1][kind], sides[2][kind]) for kind in kinds])
    intervals = bootstrap(counts, seed=SEED, resamples=RESAMPLES)
    totals = [
        Score.of(*(sum(row[place][column] for row in counts) for column in range(3)))
        for place in range(len(kinds))
    ]
    rows = {
        kind: {**_figures(total), **bounds(interval)}
        for kind, total, interval in zip(kinds, totals, intervals.label_f1, strict=True)
    }
    return {"all": {**_figures(sum(totals, Score.of(0, 0, 0))), **bounds(intervals.f1)}, **rows}


def _figures(score: Score) -> dict[str, Any]:
    return {
        "f1": round(score.f1, 4),
        "precision": round(score.precision, 4),
        "recall": round(score.recall, 4),
        "gold": score.support,
    }


def real_text() -> dict[str, Any]:
    """The rules on PHEE and ADE, gold mentions given."""
    result: dict[str, Any] = {}
    for source, labels in CORPORA.items():
        for split in ("dev", "test"):
            documents = numbered(load(source, split))
            result[f"{source} {split}"] = {
                "sentences": len(documents),
                "nearest": pair_figures(documents, labels, nearest_pairs),
                "every": pair_figures(documents, labels, every_pair),
            }
    return result


def entry_figures(report: MedicationReport) -> dict[str, Any]:
    """The challenge's scores by row: F1 exact and inexact, at both levels."""
    rows: dict[str, Any] = {}
    for row in ROWS:
        for match, levels in (("exact", report.exact[row]), ("inexact", report.inexact[row])):
            rows.setdefault(row, {})[match] = {
                "system_f1": round(levels.system.f1, 4),
                "system_precision": round(levels.system.precision, 4),
                "system_recall": round(levels.system.recall, 4),
                "patient_f1": round(levels.patient.f1, 4),
            }
    right, paired = report.passages
    return {
        "records": report.records,
        "gold_entries": report.gold_entries,
        "passages": [right, paired],
        **rows,
    }


def given_fields(notes: Sequence[Document]) -> MedicationReport:
    """Entries by rule from gold fields."""
    labels = dict(zip(FIELDS.values(), FIELDS.values(), strict=True))
    linked = MedicationLinker().annotate([mentions(note, labels) for note in notes])
    return score_medications(notes, list(linked))


def from_text(notes: Sequence[Document], model: Path) -> tuple[MedicationReport, dict[str, Any]]:
    """Entries by rule from the fields of a model, and how well it finds these."""
    nlp = medspan.load(model, device="cpu", threads=1)
    found = list(nlp.annotate([note.replace(entities=(), relations=()) for note in notes]))
    fields = medspan.evaluate(notes, found)
    linked = list(MedicationLinker().annotate(found))
    return score_medications(notes, linked), {
        "strict_micro_f1": round(fields.micro.f1, 4),
        **bounds(fields.intervals.f1),
        "by_label": {row.label: round(row.score.f1, 4) for row in fields.labels},
    }


def main() -> int:
    """Measure what can be measured and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a model of recipes/i2b2-2009.toml; else no end to end")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    notes = list(discharge_notes("test", NOTES, seed=SEED))
    invented: dict[str, Any] = {"given_fields": entry_figures(given_fields(notes))}
    if options.model:
        report, fields = from_text(notes, options.model)
        spec = open_model(options.model).spec
        invented["from_text"] = {
            **entry_figures(report),
            "fields": fields,
            "graph_sha256": spec.files["model.onnx"],
        }
        merge_json(options.output, "invented_notes", facts(SEED, notes=NOTES, **invented))
        print("from text", report.exact[HORIZONTAL].system)
        return 0
    merge_json(options.output, "real_text", facts(SEED, resamples=RESAMPLES, **real_text()))
    merge_json(options.output, "invented_notes", facts(SEED, notes=NOTES, **invented))
    return 0


if __name__ == "__main__":
    sys.exit(main())

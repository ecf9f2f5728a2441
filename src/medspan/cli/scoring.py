"""The table and JSON of the i2b2 2009 medication scores, for ``evaluate --scoring i2b2-2009``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from medspan.formats.i2b2_entries import FIELDS, MEDICATION
from medspan.metrics.medication import HORIZONTAL, LevelScores, MedicationReport, score_medications
from medspan.tasks.medication import MedicationLinker

if TYPE_CHECKING:
    from medspan.types import Document

SCORINGS = ("entities", "i2b2-2009")


def with_entries(predicted: list[Document]) -> list[Document]:
    """The documents with medications tied to their fields by rule, where no relation ties any of them.

    A model finds fields only; predictions that came with relations of medications stay as they are.
    """
    return (
        predicted
        if any(_is_tied(document) for document in predicted)
        else [*MedicationLinker().annotate(predicted)]
    )


def _is_tied(document: Document) -> bool:
    medications = {entity.id for entity in document.entities if entity.label == MEDICATION}
    return any(item.head in medications and item.label in FIELDS.values() for item in document.relations)


def medication_page(gold: list[Document], predicted: list[Document], *, as_json: bool) -> tuple[str, float]:
    """The scores as text, and the main figure of the challenge: exact, horizontal, system-level F1."""
    report = score_medications(gold, with_entries(predicted))
    page = msgspec.json.format(msgspec.json.encode(report)).decode() + "\n" if as_json else _table(report)
    return page, report.exact[HORIZONTAL].system.f1


def _table(report: MedicationReport) -> str:
    lines = [f"{'i2b2 2009':<20}{'system level':^27}{'patient level':^27}"]
    lines.append(f"{'':<20}" + f"{'P':>9}{'R':>9}{'F1':>9}" * 2)
    for match, rows in (("exact", report.exact), ("inexact", report.inexact)):
        lines += [_row(f"{match} {name.lower()}", row) for name, row in rows.items()]
    right, paired = report.passages
    lines.append(
        f"{report.records} records, {report.gold_entries} entries, {report.predicted_entries} predicted, "
        f"list or narrative right in {right} of {paired} that were paired"
    )
    return "\n".join(lines) + "\n"


def _row(name: str, row: LevelScores) -> str:
    levels = (row.system, row.patient)
    return f"{name:<20}" + "".join(f"{s.precision:>9.4f}{s.recall:>9.4f}{s.f1:>9.4f}" for s in levels)

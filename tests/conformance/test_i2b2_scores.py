"""The medication scores against cases counted by hand, and against what published outputs show."""

from __future__ import annotations

import pytest

from medspan.errors import DataError
from medspan.formats.i2b2_entries import FIELDS, MEDICATION
from medspan.metrics.medication import HORIZONTAL, ROWS, MedicationReport, score_medications
from medspan.types import Attribute, Document, Entity, Relation, Span

#        0123456789...
TEXT = "aspirin 81 mg by mouth every day for chest pain and heparin 5000 units"
MENTIONS = {
    "aspirin": "m",
    "81 mg": "do",
    "by mouth": "mo",
    "every day": "f",
    "chest pain": "r",
    "pain": "r",
    "day": "f",
    "heparin": "m",
    "5000 units": "do",
}


def record(*entries: str, passage: str = "list", identity: str = "1") -> Document:
    """Entries such as ``aspirin | 81 mg | chest pain``: a medication, then its fields."""
    entities: list[Entity] = []
    relations: list[Relation] = []
    for entry in entries:
        words = [part.strip() for part in entry.split("|")]
        head = f"T{len(entities) + 1}"
        for word in words:
            start = TEXT.index(word)
            label = FIELDS[MENTIONS[word]]
            is_head = word == words[0]
            attributes = (Attribute("passage", passage),) if is_head else ()
            entity = Entity(
                f"T{len(entities) + 1}", label, (Span(start, start + len(word)),), None, attributes
            )
            entities.append(entity)
            if not is_head:
                relations.append(Relation(f"R{len(relations) + 1}", label, head, entity.id))
    return Document(identity, TEXT, tuple(entities), tuple(relations))


def counts(report: MedicationReport, row: str, match: str = "exact") -> tuple[int, int, int]:
    score = getattr(report, match)[row].system
    return score.tp, score.fp, score.fn


GOLD = record("aspirin | 81 mg | by mouth | every day | chest pain", "heparin | 5000 units")


def test_all_right():
    report = score_medications([GOLD], [GOLD])
    assert counts(report, HORIZONTAL) == (7, 0, 0)
    assert counts(report, HORIZONTAL, "inexact") == (12, 0, 0)
    assert report.passages == (2, 2)
    for match in (report.exact, report.inexact):
        assert list(match) == list(ROWS)
        present = [row for row in ROWS if row != "Duration"]
        assert all(match[row].system.f1 == match[row].patient.f1 == 1.0 for row in present)
        assert match["Duration"].patient.records == 0


def test_borders_count_once_exact_and_by_token_inexact():
    """``day`` for ``every day``, ``pain`` for ``chest pain``; no mode; the rest is right."""
    report = score_medications([GOLD], [record("aspirin | 81 mg | day | pain", "heparin | 5000 units")])
    assert counts(report, "Frequency") == (0, 1, 1)
    assert counts(report, "Frequency", "inexact") == (1, 0, 1)
    assert counts(report, "Mode") == (0, 0, 1)
    assert counts(report, "Mode", "inexact") == (0, 0, 2)
    assert counts(report, HORIZONTAL) == (4, 2, 3)
    assert counts(report, HORIZONTAL, "inexact") == (8, 0, 4)
    score = report.inexact[HORIZONTAL].system
    assert (score.precision, score.recall, score.f1) == pytest.approx((1.0, 8 / 12, 0.8))


def test_a_field_of_another_medication_is_right_vertically_and_wrong_horizontally():
    report = score_medications([GOLD], [record("aspirin | 5000 units", "heparin | 81 mg")])
    assert counts(report, "Dosage") == (2, 0, 0)
    assert counts(report, MEDICATION) == (2, 0, 0)
    assert counts(report, HORIZONTAL) == (2, 2, 5)
    assert counts(report, HORIZONTAL, "inexact") == (2, 4, 10)


def test_two_entries_of_a_mention_are_paired_with_those_they_agree_with():
    gold = record("aspirin | 81 mg | every day", "aspirin | 5000 units")
    assert counts(score_medications([gold], [gold]), HORIZONTAL) == (5, 0, 0)
    turned = record("aspirin | 5000 units", "aspirin | 81 mg | every day")
    assert counts(score_medications([gold], [turned]), HORIZONTAL) == (5, 0, 0)
    one = record("aspirin | 81 mg")
    report = score_medications([gold], [one])
    assert counts(report, MEDICATION) == (1, 0, 1)
    assert counts(report, HORIZONTAL) == (2, 0, 3)
    assert (report.gold_entries, report.predicted_entries) == (2, 1)


def test_an_entry_without_its_medication_earns_nothing_in_its_row():
    report = score_medications([record("heparin | 81 mg")], [record("aspirin | 81 mg")])
    assert counts(report, "Dosage") == (1, 0, 0)
    assert counts(report, HORIZONTAL) == (0, 2, 2)
    assert report.passages == (0, 0)


def test_patient_level_is_the_plain_mean_of_records():
    """Record 1: P 1, R 2/7, F 4/9. Record 2: all right. The mean F1 is not that of the means."""
    second = record("heparin | 5000 units", identity="2")
    report = score_medications([GOLD, second], [record("heparin | 5000 units"), second])
    row = report.exact[HORIZONTAL]
    assert (row.system.tp, row.system.fp, row.system.fn) == (4, 0, 5)
    assert row.system.f1 == pytest.approx(8 / 13)
    assert row.patient.precision == 1.0
    assert row.patient.recall == pytest.approx((2 / 7 + 1) / 2)
    assert row.patient.f1 == pytest.approx((4 / 9 + 1) / 2)
    assert row.patient.records == 2


def test_a_field_is_averaged_over_records_whose_gold_has_it():
    """As published: means of 251 records are over 243 for dosages, 250 for medications, 251 horizontally."""
    empty = Document("2", TEXT)
    report = score_medications([GOLD, empty], [GOLD, record("aspirin | 81 mg", identity="2")])
    assert report.exact["Dosage"].patient.records == 1
    assert report.exact["Dosage"].patient.f1 == 1.0
    assert report.exact["Dosage"].system.precision == pytest.approx(2 / 3)
    assert report.exact[HORIZONTAL].patient.records == 2
    assert report.exact[HORIZONTAL].patient.f1 == 0.5
    nothing = score_medications([GOLD, empty], [])
    assert nothing.exact[HORIZONTAL].patient.records == 1
    assert nothing.exact[HORIZONTAL].patient.f1 == 0.0


def test_marks_of_a_token_make_no_difference():
    text = "aspirin daily."
    bare, marked = (
        Document(
            "1", text, (Entity("T1", MEDICATION, (Span(0, 7),)), Entity("T2", "Frequency", (Span(8, end),)))
        )
        for end in (13, 14)
    )
    tied = [d.replace(relations=(Relation("R1", "Frequency", "T1", "T2"),)) for d in (bare, marked)]
    assert counts(score_medications(tied[:1], tied[1:]), HORIZONTAL) == (2, 0, 0)


def test_kind_of_passage_is_scored_apart():
    report = score_medications([GOLD], [record("aspirin", "heparin", passage="narrative")])
    assert report.passages == (0, 2)
    assert counts(report, HORIZONTAL) == (2, 0, 5)


@pytest.mark.parametrize(
    ("predicted", "problem"),
    [
        ([GOLD.replace(id="2")], "not in the gold"),
        ([GOLD, GOLD], "twice"),
        ([Document("1", TEXT + ".")], "texts differ"),
    ],
)
def test_other_records_are_refused(predicted: list[Document], problem: str):
    with pytest.raises(DataError, match=problem):
        score_medications([GOLD], predicted)

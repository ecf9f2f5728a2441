"""NOTE_NLP: an entity a row, with the columns and bounds of the OMOP common data model."""

from __future__ import annotations

import csv
import datetime as dt
from typing import TYPE_CHECKING

from medspan import formats
from medspan.formats import omop
from medspan.formats.protocol import WriteOptions
from medspan.types import Attribute, Concept, Document, Entity, Span

if TYPE_CHECKING:
    from pathlib import Path

TEXT = 'No "fever",\nbut a cough.'
FEVER = Entity(
    "T1",
    "Problem",
    (Span(4, 9),),
    attributes=(Attribute("assertion", "absent"), Attribute("temporality", "current")),
    concepts=(Concept("MESH:D005334"), Concept("OMOP:437663")),
)
COUGH = Entity("T2", "Problem", (Span(18, 23),), 0.5)


def written(documents: list[Document], path: Path) -> list[dict[str, str]]:
    formats.write(documents, path, "omop", WriteOptions(date="2026-11-22"))
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_says_what_the_model_asks_for(tmp_path: Path):
    rows = written(
        [Document("7", TEXT, (FEVER, COUGH)), Document("8", "cough"), Document("9", TEXT, (COUGH,))],
        tmp_path / "n.csv",
    )
    assert tuple(rows[0]) == omop.COLUMNS
    assert [(row["note_nlp_id"], row["note_id"]) for row in rows] == [("1", "7"), ("2", "7"), ("3", "9")]
    assert rows[0] == {
        "note_nlp_id": "1",
        "note_id": "7",
        "section_concept_id": "0",
        "snippet": TEXT,
        "offset": "4",
        "lexical_variant": "fever",
        "note_nlp_concept_id": "437663",
        "note_nlp_source_concept_id": "0",
        "nlp_system": "medspan",
        "nlp_date": "2026-11-22",
        "nlp_datetime": "",
        "term_exists": "N",
        "term_temporal": "current",
        "term_modifiers": "label=Problem,assertion=absent,temporality=current",
    }
    assert (rows[1]["term_exists"], rows[1]["note_nlp_concept_id"]) == ("", "0")


def test_texts_keep_within_the_bounds_of_the_columns(tmp_path: Path):
    text = "x" * 200 + "y" * 300 + "z" * 200
    (row,) = written([Document("1", text, (Entity("T1", "Long", (Span(200, 500),)),))], tmp_path / "n.csv")
    assert row["lexical_variant"] == "y" * omop.LONGEST
    assert row["snippet"] == "x" * 100 + "y" * 150


def test_assertions_that_are_the_patients_exist():
    for value, wanted in {"present": "Y", "possible": "Y", "absent": "N", "hypothetical": "N"}.items():
        entity = Entity("T1", "Problem", (Span(0, 1),), attributes=(Attribute("assertion", value),))
        (row,) = omop.rows(Document("1", "x", (entity,)), date="2026-11-22")
        assert row.term_exists == wanted


def test_the_day_is_todays_and_what_is_not_held_is_counted(tmp_path: Path):
    losses = formats.write([Document("1", TEXT, (COUGH,)), Document("2", "")], tmp_path / "n.csv", "omop")
    with (tmp_path / "n.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert abs(dt.date.fromisoformat(row["nlp_date"]) - dt.datetime.now(dt.UTC).date()) <= dt.timedelta(
        days=1
    )
    assert losses.counts["documents without entities"] == 1

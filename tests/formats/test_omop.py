"""NOTE_NLP: an entity a row, with the columns and bounds of the OMOP common data model."""

from __future__ import annotations

import csv
import datetime as dt
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import medspan
from medspan import formats
from medspan.errors import FormatError, MissingExtraError, UsageError
from medspan.formats import omop
from medspan.formats.protocol import WriteOptions
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents

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
        "nlp_system": f"medspan {medspan.__version__}",
        "nlp_date": "2026-11-22",
        "nlp_datetime": "",
        "term_exists": "N",
        "term_temporal": "present",
        "term_modifiers": "label=Problem,assertion=absent,temporality=current,code=MESH:D005334",
    }
    assert (rows[1]["term_exists"], rows[1]["note_nlp_concept_id"]) == ("", "0")


def test_texts_keep_within_the_bounds_of_the_columns(tmp_path: Path):
    text = "x" * 200 + "y" * 300 + "z" * 200
    (row,) = written([Document("1", text, (Entity("T1", "Long", (Span(200, 500),)),))], tmp_path / "n.csv")
    assert row["lexical_variant"] == "y" * omop.LONGEST
    assert row["snippet"] == "x" * 100 + "y" * 150


@pytest.mark.parametrize("name", ["n.csv", "n.parquet"])
def test_what_no_column_holds_is_not_in_it(tmp_path: Path, name: str):
    """Numbers beyond the model's integers, long words for a time, NUL, and a second concept of OMOP."""
    concepts = (Concept("OMOP:99999999999"), Concept("OMOP:437663"), Concept("OMOP:378253"))
    entity = Entity(
        "T1", "Problem", (Span(1, 8),), attributes=(Attribute("temporality", "z" * 80),), concepts=concepts
    )
    formats.write([Document("7", "a\0 cough", (entity,))], tmp_path / name, "omop")
    (found,) = omop.mentions(tmp_path / name)
    assert found.entity.spans == (Span(1, 8),)
    assert found.entity.concepts == (Concept("OMOP:437663"),)
    assert [value for key, value in found.modifiers if key == "code"] == [concepts[0].id, concepts[2].id]
    (row,) = omop.rows(Document("7", "a\0 cough", (entity,)), date="2026-11-22")
    assert (row.snippet, row.lexical_variant, row.term_temporal) == ("a  cough", "  cough", "z" * 50)


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


def modifiers_of(entity: Entity, document: Document) -> str:
    (row,) = (row for row in omop.rows(document, date="2026-11-22") if row.offset == str(entity.start))
    return row.term_modifiers


def test_time_is_said_in_the_words_of_the_model():
    for value, wanted in {"current": "present", "historical": "past", "2019": "2019", "": ""}.items():
        entity = Entity("T1", "Problem", (Span(0, 1),), attributes=(Attribute("temporality", value),))
        (row,) = omop.rows(Document("1", "x", (entity,)), date="2026-11-22")
        assert row.term_temporal == wanted


def test_modifiers_hold_what_relations_lead_to_and_the_section():
    text = "PLAN:\nAspirin 81 mg, daily"
    drug = Entity("T1", "Medication", (Span(6, 13),), 0.5, concepts=(Concept("OMOP:1112807"),))
    dose, often = Entity("T2", "Dosage", (Span(14, 19),)), Entity("T3", "Frequency", (Span(21, 26),))
    document = Document(
        "1",
        text,
        (drug, dose, often),
        (Relation("R1", "Dosage", "T1", "T2"), Relation("R2", "a,b=", "T1", "T3", 0.5)),
        sections=(Section("note", Span(0, 26)), Section("plan", Span(0, 25))),
    )
    assert (
        modifiers_of(drug, document) == r"label=Medication,section=plan,Dosage=81 mg,a\,b\==daily,score=0.5"
    )
    assert modifiers_of(often, document) == "label=Frequency,section=note"


def test_modifiers_of_our_names_are_kept_apart_from_ours():
    entity = Entity("T1", "X", (Span(0, 1),), 0.5, (Attribute("spans", "no"), Attribute("score", "9")))
    assert modifiers_of(entity, Document("1", "x", (entity,))) == "label=X,spans_=no,score_=9,score=0.5"


def test_modifiers_beyond_the_column_are_counted(tmp_path: Path):
    many = tuple(Attribute(f"name{number}", "v" * 90) for number in range(30))
    document = Document("1", "x y", (Entity("T1", "X", (Span(0, 1), Span(2, 3)), 0.5, many),))
    losses = formats.write([document], tmp_path / "n.csv", "omop")
    assert losses.counts["modifiers beyond 2,000 characters"] == 1
    with (tmp_path / "n.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert 1900 < len(row["term_modifiers"]) <= omop.LONGEST_MODIFIERS
    (mention,) = omop.mentions(tmp_path / "n.csv")
    assert mention.entity.spans == document.entities[0].spans


def test_the_model_is_named(tmp_path: Path):
    document = Document("1", TEXT, (COUGH,))
    formats.write([document], tmp_path / "n.csv", "omop", WriteOptions(model="clinical"))
    assert f",medspan {medspan.__version__} clinical," in (tmp_path / "n.csv").read_text(encoding="utf-8")


def test_parquet_has_the_types_of_the_model(tmp_path: Path):
    pq = pytest.importorskip("pyarrow.parquet", reason="needs medspan[arrow]")
    path = tmp_path / "n.parquet"
    formats.write([Document("7", TEXT, (FEVER, COUGH))], path, "omop", WriteOptions(date="2026-11-22"))
    table = pq.read_table(path)
    assert tuple(table.column_names) == omop.COLUMNS
    kinds = {name: str(kind) for name, kind in zip(table.schema.names, table.schema.types, strict=True)}
    assert kinds == dict.fromkeys(omop.COLUMNS, "string") | {
        "note_nlp_id": "int64",
        "section_concept_id": "int32",
        "note_nlp_concept_id": "int32",
        "note_nlp_source_concept_id": "int32",
        "nlp_date": "date32[day]",
    }
    first, second = table.to_pylist()
    assert first["nlp_date"] == dt.date(2026, 11, 22)
    assert (first["term_exists"], second["term_exists"], second["nlp_datetime"]) == ("N", None, None)
    formats.write([], path, "omop")
    assert pq.read_table(path).num_rows == 0
    assert list(omop.mentions(path)) == []


def test_packed_parquet_and_a_missing_extra_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="leave out the last extension"):
        formats.write([], tmp_path / "n.parquet.gz", "omop")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"medspan\[arrow\]"):
        formats.write([], tmp_path / "n.parquet", "omop")
    assert list(tmp_path.iterdir()) == []


@given(
    found=st.lists(documents(), max_size=3),
    name=st.sampled_from(["n.csv", "n.csv.gz", "n.parquet"]),
)
def test_spans_come_back(tmp_path_factory, found, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="needs medspan[arrow]")
    path = tmp_path_factory.mktemp("omop") / name
    formats.write(found, path, "omop")
    back = list(omop.mentions(path))
    entities = [entity for document in found for entity in document.entities]
    assert [(each.entity.label, each.entity.spans, each.entity.score) for each in back] == [
        (each.label, each.spans, each.score) for each in entities
    ]
    for mention, entity in zip(back, entities, strict=True):
        said = {item.name: item.value for item in entity.attributes}
        kept = {item.name: item.value for item in mention.entity.attributes}
        assert kept == {name: value for name, value in said.items() if name in {"assertion", "temporality"}}


def test_a_long_mention_keeps_its_end(tmp_path: Path):
    document = Document("1", "🦠" * 700, (Entity("T1", "Long", (Span(100, 600),)),))
    formats.write([document], tmp_path / "n.csv", "omop")
    (mention,) = omop.mentions(tmp_path / "n.csv")
    assert mention.note_id == "1"
    assert mention.entity.spans == (Span(100, 600),)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("offset", "place", r"n\.csv:1: there is no column 'offset'"),
        (",18,cough", ",x,cough", r"n\.csv:2: the row has no offset"),
        ("label=Problem", "assertion=absent", r"n\.csv:2: the row has no offset, label"),
        (",score=0.5", ",spans=9-4", r"n\.csv:2: the row has"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, old: str, new: str, place: str):
    path = tmp_path / "n.csv"
    formats.write([Document("1", TEXT.replace("\n", " "), (COUGH,))], path, "omop")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FormatError, match=place):
        list(omop.mentions(path))


def test_a_damaged_parquet_file_is_refused(tmp_path: Path):
    pytest.importorskip("pyarrow", reason="needs medspan[arrow]")
    (tmp_path / "n.parquet").write_bytes(b"PAR1")
    with pytest.raises(FormatError, match="damaged"):
        list(omop.mentions(tmp_path / "n.parquet"))

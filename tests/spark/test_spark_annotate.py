"""Rows of a DataFrame → rows with entities, on executors of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyspark")

from pyspark.errors import PythonException
from pyspark.sql.types import StructType

import medspan
from medspan.errors import ModelError, UsageError
from medspan.jobs.annotating import Failure
from medspan.pipeline import find_model, load, with_stages
from medspan.spark import annotate, explode, note_nlp, register
from medspan.spark.columns import added_columns
from medspan.spark.schema import COLUMNS, arrow_type, spark_fields
from medspan.spark.travel import packed, unpacked
from medspan.tasks.deid.annotator import Deidentifier
from medspan.tasks.deid.policy import load_policy
from medspan.types import Document

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

TEXTS = {
    "n1": "No sign of lithium toxicity. BRCA1 mutations in breast cancer.",
    "n2": None,
    "n3": "",
    "n4": "\U0001d504 fever 😀 after aspirin, naïve café.",
    "n5": "Nothing of note.",
}


@pytest.fixture
def notes(spark: SparkSession) -> DataFrame:
    rows = [(number, key, text) for number, (key, text) in enumerate(TEXTS.items())]
    return spark.createDataFrame(rows, "number int, note_id string, note_text string").repartition(2)


def expected(text: str) -> list[tuple[str, str, int, int, float]]:
    document = medspan.load()(text)
    return [(e.id, e.label, e.start, e.end, round(e.score or 0, 4)) for e in document.entities]


def by_id(df: DataFrame) -> dict[str, object]:
    return {row["note_id"]: row for row in df.collect()}


@pytest.mark.parametrize("travel", ["path", "bytes"])
def test_it_says_what_medspan_says_alone(notes: DataFrame, travel: str):
    found = by_id(annotate(notes, text="note_text", keep=["note_id"], travel=travel))  # type: ignore[arg-type]
    assert found.keys() == TEXTS.keys()
    for key, text in TEXTS.items():
        row = found[key]
        assert row["schema_version"] == 1
        assert (row["relations"], row["sections"], row["text_deidentified"]) == (None, None, None)
        if text is None:
            assert (row["entities"], row["error"]) == (None, "the text is null")
            continue
        assert row["error"] is None
        rows = [(e["id"], e["label"], e["start"], e["end"], round(e["score"], 4)) for e in row["entities"]]
        assert rows == expected(text)
        assert all(e["attributes"] is None and e["concepts"] is None for e in row["entities"])
    assert found["n4"]["entities"]


def test_offsets_are_those_of_sql(notes: DataFrame):
    found = explode(annotate(notes, text="note_text", keep=["note_id", "note_text"]))
    mentions = found.selectExpr("note_text", "start", "end", "substring(note_text, start + 1, end - start) m")
    rows = mentions.collect()
    assert rows
    assert all(row["m"] == row["note_text"][row["start"] : row["end"]] for row in rows)


def test_the_schema_is_known_before_a_row_is_read_and_holds_what_stages_give(notes: DataFrame):
    df = annotate(notes, text="note_text", pipeline="notes_pipeline:everything")
    assert df.columns == ["number", "note_id", *COLUMNS]
    assert [field.dataType for field in df.schema.fields[2:]] == [field.dataType for field in spark_fields()]
    row = by_id(df)["n1"]
    assert row["entities"][0]["attributes"][0].asDict() == {
        "name": "assertion",
        "value": "absent",
        "score": 0.5,
    }
    assert row["entities"][0]["concepts"][0].asDict() == {"id": "OMOP:42", "name": "a name", "score": None}
    last = row["entities"][-1]["id"]
    assert row["relations"][0].asDict() == {
        "id": "R1",
        "label": "of",
        "head": "T1",
        "tail": last,
        "score": 0.25,
    }
    assert row["sections"][0].asDict() == {"label": "history", "start": 0, "end": len(TEXTS["n1"])}
    assert by_id(df)["n5"]["relations"] == []


def test_stages_are_those_of_the_command_line(notes: DataFrame):
    row = by_id(annotate(notes, text="note_text", stages=["sections", "assertion"]))["n1"]
    said = {item["name"]: item["value"] for item in row["entities"][0]["attributes"]}
    (alone,) = with_stages(load(), ["sections", "assertion"]).annotate([Document("n1", str(TEXTS["n1"]))])
    assert said == {item.name: item.value for item in alone.entities[0].attributes}
    assert row["sections"] == []
    with pytest.raises(UsageError, match="stage 'section': unknown; did you mean sections"):
        annotate(notes, text="note_text", stages=["section"])


def test_a_bad_row_costs_itself_or_ends_the_job(spark: SparkSession):
    df = spark.createDataFrame(
        [("a", "Take aspirin."), ("b", "EXPLODE secret"), ("c", "x" * 50)], ["note_id", "text"]
    )
    options = {"pipeline": "notes_pipeline:everything", "max_chars": 20}
    found = by_id(annotate(df, **options))
    assert found["a"]["error"] is None
    assert found["a"]["entities"]
    assert found["b"]["error"].startswith("ValueError")
    assert found["c"]["error"] == "the text is longer than 20 characters"
    assert "secret" not in str(found["b"])
    with pytest.raises(PythonException, match="longer than 20 characters") as raised:
        annotate(df, on_error="raise", max_chars=20).collect()
    assert "secret" not in str(raised.value)


def test_a_megabyte_is_one_row(spark: SparkSession):
    text = "No sign of lithium toxicity. " * 36_000
    (row,) = (
        annotate(spark.createDataFrame([(text,)], ["text"])).selectExpr("size(entities) n", "error").collect()
    )
    assert row["error"] is None
    assert row["n"] >= 72_000


def test_what_cannot_be_is_said_at_once(notes: DataFrame, tmp_path: Path):
    for options, message in (
        ({"text": "note_txt"}, "note_text"),
        ({"text": "number"}, "int"),
        ({"text": "note_text", "keep": ["id"]}, "no column 'id'"),
        ({"text": "note_text", "pipeline": "notes_pipeline:nothing"}, "names no function"),
        ({"text": "note_text", "pipeline": "no_colon"}, "names no function"),
    ):
        with pytest.raises(UsageError, match=message):
            annotate(notes, **options)
    with pytest.raises(UsageError, match="'error' would stand twice"):
        annotate(notes.withColumnRenamed("number", "error"), text="note_text")
    with pytest.raises(ModelError):
        annotate(notes, tmp_path / "nowhere", text="note_text")
    with pytest.raises(UsageError, match="no column 'note_text'"):
        explode(annotate(notes, text="note_text"), keep=["note_text"])


def test_a_worker_without_the_model_says_so(notes: DataFrame, tmp_path: Path):
    folder = shutil.copytree(find_model("default"), tmp_path / "model")
    by_path = annotate(notes, folder, text="note_text")
    by_bytes = annotate(notes, folder, text="note_text", travel="bytes")
    shutil.rmtree(folder)
    with pytest.raises(PythonException, match='travel="bytes"'):
        by_path.collect()
    assert by_bytes.count() == len(TEXTS)


def test_the_packed_model_is_the_model():
    data = packed(find_model("default"))
    assert data == packed(find_model("default"))
    with unpacked(data) as folder:
        assert medspan.load(folder)(TEXTS["n1"]).entities == medspan.load()(TEXTS["n1"]).entities
    assert not folder.exists()


def test_sql_has_it_for_callers_of_the_jvm_too(spark: SparkSession, notes: DataFrame):
    register(spark, labels=["Disease"], name="diseases")
    register(spark)
    notes.createOrReplaceTempView("notes")
    rows = spark.sql("select note_id, medspan_entities(note_text) e from notes").collect()
    found = {row["note_id"]: row["e"] for row in rows}
    assert found["n2"] is None
    assert [e["label"] for e in found["n1"]] == [label for _, label, *_ in expected(TEXTS["n1"])]
    query = "select explode(transform(diseases(note_text), e -> e.label)) from notes where note_id = 'n1'"
    from_java = spark._jsparkSession.sql(query).collectAsList()
    assert {from_java.get(i).getString(0) for i in range(from_java.size())} == {"Disease"}


def test_note_nlp_has_the_columns_of_omop(notes: DataFrame):
    found = annotate(
        notes, text="note_text", pipeline="notes_pipeline:everything", keep=["note_id", "note_text"]
    )
    rows = (
        note_nlp(found, text="note_text", date="2026-11-22")
        .where("note_id = 'n1'")
        .orderBy("offset")
        .collect()
    )
    row = rows[0].asDict()
    assert row["lexical_variant"] == "lithium"
    assert row["offset"] == "11"
    assert row["term_exists"] == "N"
    assert row["note_nlp_concept_id"] == 42
    assert row["nlp_date"].isoformat() == "2026-11-22"
    said = "label=Chemical,assertion=absent,section=history,of=breast cancer,score=0."
    assert row["term_modifiers"].startswith(said)


def test_columns_of_no_rows_and_of_failures_alone():
    for results in ([], [Failure("why"), Failure("why not")]):
        columns = added_columns(results, {"entities", "relations", "sections"})
        assert [column.type for column in columns] == [arrow_type(kind) for kind in COLUMNS.values()]
        assert [len(column) for column in columns] == [len(results)] * len(COLUMNS)
        assert columns[0].null_count == len(results)


def test_the_schema_can_be_read_from_a_file(spark: SparkSession, notes: DataFrame, tmp_path: Path):
    annotate(notes, text="note_text").write.parquet(str(tmp_path / "found"))
    again = spark.read.parquet(str(tmp_path / "found"))
    assert StructType(again.schema.fields[2:]) == StructType(spark_fields())
    assert again.count() == len(TEXTS)


def test_a_changed_text_fills_its_column():
    document = Deidentifier(load_policy("redact"), key=b"k" * 16, as_column=True)("Mr. Quimby left.")
    results = [document, Failure("why")]
    texts = dict(zip(COLUMNS, added_columns(results, Deidentifier.gives), strict=True))["text_deidentified"]
    assert texts.to_pylist() == ["Mr. [NAME] left.", None]
    plain = dict(zip(COLUMNS, added_columns(results, {"entities"}), strict=True))["text_deidentified"]
    assert plain.to_pylist() == [None, None]

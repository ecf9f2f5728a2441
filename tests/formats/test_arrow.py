"""Arrow tables: a row an entity, the same columns for all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import medspan
from medspan.errors import MissingExtraError
from medspan.formats.arrow import to_table
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span
from strategies import documents

pa = pytest.importorskip("pyarrow", reason="needs medspan[arrow]")

NOTE = Document(
    "n",
    "👩 no fever, severe",
    (
        Entity(
            "T1",
            "Problem",
            (Span(5, 10), Span(12, 18)),
            0.5,
            (Attribute("assertion", "absent", 0.9),),
            (Concept("MESH:D005334", "Fever"),),
        ),
        Entity("T2", "Severity", (Span(12, 18),)),
    ),
    (Relation("R1", "has", "T1", "T2"),),
    sections=(Section("all", Span(0, 18)), Section("end", Span(11, 18))),
)


def test_a_row_is_an_entity():
    first, second = to_table([Document("0", "x"), NOTE]).to_pylist()
    assert first == {
        "document": "n",
        "id": "T1",
        "label": "Problem",
        "start": 5,
        "end": 18,
        "spans": [{"start": 5, "end": 10}, {"start": 12, "end": 18}],
        "text": "fever severe",
        "score": 0.5,
        "assertion": "absent",
        "temporality": None,
        "section": "all",
        "attributes": [{"name": "assertion", "value": "absent", "score": 0.9}],
        "concepts": [{"id": "MESH:D005334", "name": "Fever", "score": None}],
        "relations": [{"id": "R1", "label": "has", "tail": "T2", "score": None}],
    }
    assert (second["section"], second["score"], second["relations"]) == ("end", None, [])


@given(st.lists(documents(), max_size=3))
def test_spans_come_back(found):
    table = to_table(found)
    assert table.schema == to_table([]).schema
    table.validate(full=True)
    rows = table.to_pylist()
    entities = [(document, entity) for document in found for entity in document.entities]
    assert [tuple(Span(**span) for span in row["spans"]) for row in rows] == [e.spans for _, e in entities]
    assert [row["text"] for row in rows] == [document.text_of(entity) for document, entity in entities]


def test_many_rows_make_several_batches():
    many = Document("1", "x" * 10_000, tuple(Entity(f"T{n}", "X", (Span(n, n + 1),)) for n in range(10_000)))
    table = to_table([many])
    assert table.num_rows == 10_000
    assert table["start"].to_pylist() == list(range(10_000))


def test_pandas_is_not_needed():
    program = (
        "import sys; sys.modules['pandas'] = None\n"
        "from medspan.formats.arrow import to_table\n"
        "assert to_table([]).num_rows == 0; assert sys.modules['pandas'] is None"
    )
    source = str(Path(medspan.__file__).parents[1])
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": source}, check=True)


def test_pandas_takes_it():
    pytest.importorskip("pandas")
    frame = to_table([NOTE]).to_pandas()
    assert list(frame["label"]) == ["Problem", "Severity"]


def test_polars_takes_it():
    polars = pytest.importorskip("polars")
    assert polars.from_arrow(to_table([NOTE]))["label"].to_list() == ["Problem", "Severity"]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"medspan\[arrow\]"):
        to_table([])

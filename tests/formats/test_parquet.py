"""Parquet: a document a row."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import sys
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats
from medspan.errors import FormatError, MissingExtraError, UsageError
from medspan.formats.protocol import ReadOptions
from medspan.types import Attribute, Concept, Document, Entity, Span
from strategies import texts

pa = pytest.importorskip("pyarrow", reason="needs medspan[arrow]")
pq = pytest.importorskip("pyarrow.parquet", reason="needs medspan[arrow]")

SECRET = "Zyxomma"  # noqa: S105 - stands for document text: no message may hold it


def _write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def _read(path, **options):
    return list(formats.read(path, None, ReadOptions(**options)))


def test_rows_with_ids_and_meta(tmp_path):
    noon = dt.datetime(2020, 2, 29, 12, 0, 0, 5, tzinfo=ZoneInfo("Europe/Stockholm"))
    path = _write(
        tmp_path / "a.parquet",
        id=pa.array([7, None]),
        text=["fever\r\n\x00", "👍🏽"],
        ward=["B3", None],
        year=pa.array([1998, 2000], pa.int16()),
        score=[0.5, 1.0],
        is_signed=[True, False],
        day=[noon.date(), noon.date()],
        at=[noon, noon],
        local=[noon.replace(tzinfo=None)] * 2,
        dose=[decimal.Decimal("1.50")] * 2,
        kind=pa.array(["x", "y"]).dictionary_encode(),
        parts=[["a"], ["b"]],
        raw=[b"\xff", b""],
        deep=[{"a": 1}, {"a": 2}],
        nothing=pa.nulls(2),
    )
    first, second = _read(path)
    assert first == Document(
        "7",
        "fever\r\n\x00",
        meta={
            "ward": "B3",
            "year": 1998,
            "score": 0.5,
            "is_signed": True,
            "day": "2020-02-29",
            "at": "2020-02-29 11:00:00.000005Z",
            "local": "2020-02-29 12:00:00.000005",
            "dose": "1.50",
            "kind": "x",
        },
    )
    assert (second.id, second.text, second.meta["kind"]) == ("a-2", "👍🏽", "y")
    assert "ward" not in second.meta
    assert json.loads(json.dumps(first.meta)) == first.meta
    formats.write([first, second], tmp_path / "b.jsonl")
    assert list(formats.read(tmp_path / "b.jsonl")) == [first, second]


KINDS = ["string", "large_string", "binary", "large_binary", "dictionary"]


@given(
    rows=st.lists(st.tuples(texts(max_size=5), texts(max_size=5)), max_size=70),
    kind=st.sampled_from(KINDS),
    codec=st.sampled_from(["none", "snappy", "zstd", "gzip"]),
    limit=st.sampled_from([None, 10, 1_000]),
)
def test_texts_come_back(tmp_path_factory, rows, kind, codec, limit):
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    columns = [pa.array([row[place].encode() for row in rows], pa.binary()) for place in (0, 1)]
    arrow_kind = pa.string() if kind == "dictionary" else getattr(pa, kind)()
    columns = [column.cast(pa.string()).cast(arrow_kind) for column in columns]
    if kind == "dictionary":
        columns = [column.dictionary_encode() for column in columns]
    pq.write_table(pa.table(columns, names=["id", "text"]), path, compression=codec, row_group_size=20)
    rejected = []
    found = _read(path, max_chars=limit, rejected=lambda error, unit: rejected.append((error.problem, unit)))
    assert found == [
        Document(identity or f"a-{number}", text)
        for number, (identity, text) in enumerate(rows, 1)
        if limit is None or len(text) <= limit
    ]
    assert rejected == [
        (f"row {number}: the document is longer than {limit:,} characters", "")
        for number, (_, text) in enumerate(rows, 1)
        if limit is not None and len(text) > limit
    ]


def test_rows_without_text_are_rejected(tmp_path):
    path = _write(tmp_path / "a.parquet", Text=pa.array([None, "a", None, ""]))
    with pytest.raises(FormatError, match=r"a\.parquet: row 1: it has no text; leave the row out"):
        _read(path)
    rejected = []
    found = _read(path, rejected=lambda error, unit: rejected.append((error.problem, unit)))
    assert found == [Document("a-2", "a"), Document("a-4", "")]
    assert rejected == [("row 1: it has no text", ""), ("row 3: it has no text", "")]


@pytest.mark.parametrize(
    ("columns", "options", "problem"),
    [
        ({"note": [SECRET]}, {}, "there is no column 'text'"),
        ({"text": [SECRET]}, {"text_column": "note"}, "there is no column 'note'"),
        ({"text": [SECRET]}, {"id_column": "row"}, "there is no column 'row'"),
        ({"text": [5]}, {}, "the column 'text' does not hold texts"),
        ({"text": pa.nulls(1)}, {}, "the column 'text' does not hold texts"),
        ({"text": [[SECRET]]}, {}, "the column 'text' does not hold texts"),
        ({"text": [SECRET], "id": [0.5]}, {}, "the column 'id' holds neither texts nor whole numbers"),
        ({"text": [SECRET.encode() + b"\xff"]}, {}, "row 1: byte 7 of its text or id is not UTF-8"),
        ({"text": [SECRET], "id": [b"\xff"]}, {}, "row 1: byte 0 of its text or id is not UTF-8"),
    ],
)
def test_messages_say_where_what_and_what_to_do(tmp_path, columns, options, problem):
    path = _write(tmp_path / "a.parquet", **columns)
    with pytest.raises(FormatError) as caught:
        _read(path, **options)
    assert str(caught.value).startswith(f"{path}: {problem}; ")
    assert SECRET not in str(caught.value)
    rejected = []
    assert _read(path, **options, rejected=lambda error, unit: rejected.append((error.problem, unit))) == []
    assert rejected == [(problem, "")]


def test_damaged_packed_and_foreign_files(tmp_path):
    whole = _write(tmp_path / "a.parquet", text=[SECRET] * 5_000).read_bytes()
    damaged = tmp_path / "b.parquet"
    for content in (
        b"",
        b"no",
        whole[:-3],
        whole[20:],
        whole[:4] + b"\xff" * (len(whole) // 2) + whole[-200:],
    ):
        damaged.write_bytes(content)
        with pytest.raises(FormatError, match=r"b\.parquet: not a Parquet file, or damaged or cut off; get"):
            _read(damaged)
    rejected = []
    found = _read(tmp_path, rejected=lambda error, _unit: rejected.append(error.path))
    assert len(found) == 5_000
    assert rejected == [str(damaged)]
    with pytest.raises(FormatError, match="a packed Parquet file cannot be read; unpack it first"):
        list(formats.read(damaged.rename(tmp_path / "b.parquet.gz")))


def test_two_columns_of_one_name(tmp_path):
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="two columns have the same name; give each its own"):
        _read(tmp_path / "a.parquet")


def test_wrong_usage(tmp_path, monkeypatch):
    assert formats.guess_format("A.Parquet") == "parquet"
    with pytest.raises(UsageError, match="cannot write format 'parquet'"):
        formats.write([], tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="cannot be read from standard input; name a file"):
        list(formats.read("-", "parquet"))
    path = _write(tmp_path / "a.parquet", text=["x"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"reading Parquet needs pyarrow; .*medspan\[arrow\]"):
        _read(path, rejected=lambda *_: None)


def test_a_large_row_group_is_read_by_pieces(tmp_path):
    """The file's one row group holds 64 MB; Arrow's own memory is counted, of which it must not take half."""
    path = tmp_path / "a.parquet"
    rows = [f"{number} fever, cough " * 1_000 for number in range(3_000)]
    pq.write_table(pa.table({"text": rows}), path, row_group_size=len(rows), use_dictionary=False)
    del rows
    pool = pa.default_memory_pool()
    before, most = pool.bytes_allocated(), 0
    for document in formats.read(path):
        assert document.text.endswith("fever, cough ")
        most = max(most, pool.bytes_allocated() - before)
    assert most < 20_000_000


KIND = pa.list_(pa.struct([("label", pa.string()), ("start", pa.int32()), ("end", pa.int64())]))


def test_entities_are_read_as_a_data_frame_has_them(tmp_path):
    entity = {"label": "Drug", "start": 5, "end": 12}
    full = {
        "id": "T9",
        "score": 0.5,
        "attributes": [{"name": "assertion", "value": "absent", "score": None}],
        "concepts": [{"id": "RxNorm:1191", "name": None, "score": 0.25}],
    }
    path = _write(
        tmp_path / "a.parquet", text=["Take aspirin."] * 3, entities=pa.array([[entity], [], None], KIND)
    )
    first, second, third = _read(path)
    assert first.entities == (Entity("T1", "Drug", (Span(5, 12),)),)
    assert (second.entities, third.entities, third.meta) == ((), (), {})
    (read,) = _read(_write(tmp_path / "b.parquet", text=["Take aspirin."], entities=[[entity | full]]))
    assert read.entities == (
        Entity(
            "T9",
            "Drug",
            (Span(5, 12),),
            0.5,
            (Attribute("assertion", "absent"),),
            (Concept("RxNorm:1191", score=0.25),),
        ),
    )


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [(5, 99, "past the text"), (5, 5, "is not 0 <="), (None, 5, "lacks its label, start or end")],
)
def test_an_entity_that_does_not_fit_rejects_its_row(tmp_path, start, end, problem):
    entities = pa.array([[{"label": "Drug", "start": start, "end": end}], []], KIND)
    path = _write(tmp_path / "a.parquet", text=[f"{SECRET} a", "second"], entities=entities)
    with pytest.raises(FormatError, match="row 1: .*" + problem) as raised:
        _read(path)
    assert SECRET not in str(raised.value)
    rejected = []
    (kept,) = _read(path, rejected=lambda error, unit: rejected.append((error, unit)))
    assert kept.text == "second"
    assert len(rejected) == 1


def test_a_column_of_that_name_that_holds_something_else_is_passed_over(tmp_path):
    path = _write(tmp_path / "a.parquet", text=["a"], entities=[[{"name": "x"}]])
    assert _read(path) == [Document("a-1", "a")]

"""Notes: CSV and TSV with a document a row."""

from __future__ import annotations

import csv
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats
from medspan.errors import FormatError, UsageError
from medspan.formats.protocol import ReadOptions
from medspan.types import Document
from strategies import texts

SECRET = "Zyxomma"  # noqa: S105 - stands for document text: no message may hold it


def _read(tmp_path, content, **options):
    path = tmp_path / "v1.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(formats.read(path, "notes", ReadOptions(**options)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("text\n", []),
        ("text", []),
        ("text\nfever", [Document("v1-1", "fever")]),
        ("id,text\na,fever\n,cough\n", [Document("a", "fever"), Document("v1-2", "cough")]),
        ("\ufeffid;text\r\na;fever, cough\r\n", [Document("a", "fever, cough")]),
        ("ID\tText\n1\tfever\n", [Document("1", "fever")]),
        ("text,Text\nfever,x\n", [Document("v1-1", "fever", meta={"Text": "x"})]),
        (",text,w ard\n0,fever,\n", [Document("v1-1", "fever", meta={"column 1": "0", "w ard": ""})]),
        ('text\n"a\r\nb\n\n""c"""\n\n\nd\n', [Document("v1-1", 'a\r\nb\n\n"c"'), Document("v1-2", "d")]),
        ('"text","multi\nline"\na,b\n', [Document("v1-1", "a", meta={"multi\nline": "b"})]),
        ("text\tx\n a\x00b \t\x00\n", [Document("v1-1", " a\x00b ", meta={"x": "\x00"})]),
        ('text,x\n5" nail,6"\n', [Document("v1-1", '5" nail', meta={"x": '6"'})]),
        (f"text\n{'fever ' * 40_000}\n", [Document("v1-1", "fever " * 40_000)]),
        ('text\n""\n', [Document("v1-1", "")]),
    ],
)
def test_cases(tmp_path, content, expected):
    assert _read(tmp_path, content) == expected


def test_columns_are_chosen(tmp_path):
    content = "row_id,category,TEXT\n7,nursing,fever\n"
    (document,) = _read(tmp_path, content, text_column="text", id_column="ROW_ID")
    assert document == Document("7", "fever", meta={"category": "nursing"})
    (document,) = _read(tmp_path, content, text_column="category")
    assert document == Document("v1-1", "nursing", meta={"row_id": "7", "TEXT": "fever"})


@given(
    rows=st.lists(st.tuples(texts(max_size=6), texts(max_size=6), texts(max_size=6)), max_size=4),
    dialect=st.sampled_from(["excel", "excel-tab", "unix"]),
    limit=st.sampled_from([None, 10_000]),
)
def test_what_python_writes_comes_back(tmp_path_factory, rows, dialect, limit):
    path = tmp_path_factory.mktemp("notes") / "a.tsv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, dialect)
        writer.writerows([("id", "text", "other"), *rows])
    found = list(formats.read(path, "notes", ReadOptions(max_chars=limit)))
    assert found == [
        Document(identity or f"a-{number}", text, meta={"other": other})
        for number, (identity, text, other) in enumerate(rows, 1)
    ]


@pytest.mark.parametrize(
    ("content", "options", "line", "problem"),
    [
        ("", {}, 1, "there is no column 'text'"),
        (
            f"{SECRET},b\n",
            {},
            1,
            "there is no column 'text'; name the column that holds the text (--text-column; text_column",
        ),
        ("text\nx\n", {"text_column": "note"}, 1, "there is no column 'note'"),
        ("text\nx\n", {"id_column": "row"}, 1, "there is no column 'row'"),
        (f"text,x,x\n{SECRET},1,2\n", {}, 1, "two columns have the same name"),
        (f"text,x\n\na,b\n{SECRET}\n", {}, 4, "1 cells where the header names 2 columns"),
        (f'text\n"a\nb"\n"{SECRET}" x\n', {}, 4, "the quotes of the row are broken"),
        (f'text\n"{SECRET}\n\n', {}, 2, "the quotes of the row are broken"),
        (f'text\n"{SECRET}\n', {"max_chars": 5}, 2, "the quotes of the row are broken"),
        (f'text\n"a\n{SECRET}"\n', {"max_chars": 5}, 2, "the document is longer than 5 characters"),
        (f"a\rtext\n{SECRET}\rx\n", {}, 1, "the quotes of the row are broken"),
    ],
)
def test_messages_say_where_what_and_what_to_do(tmp_path, content, options, line, problem):
    with pytest.raises(FormatError) as caught:
        _read(tmp_path, content, **options)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'v1.csv'}:{line}: {problem}")
    assert len(caught.value.remedy) > 10
    assert SECRET not in message
    rejected = []
    _read(tmp_path, content, **options, rejected=lambda error, unit: rejected.append((error.line, unit)))
    assert [place for place, _ in rejected] == [line]


def test_bytes_that_are_not_utf8_cost_their_row(tmp_path):
    content = b'text,x\na,1\n"b\n\xff\nc,"\nd,2\n'
    with pytest.raises(FormatError, match=r"v1\.csv:3: byte 14 is not UTF-8; convert the file"):
        _read(tmp_path, content)
    rejected = []
    found = _read(tmp_path, content, rejected=lambda error, unit: rejected.append((error.line, unit)))
    assert found == [Document("v1-1", "a", meta={"x": "1"}), Document("v1-3", "d", meta={"x": "2"})]
    assert rejected == [(3, "\\xff\n")]


def test_rows_around_a_rejected_one_are_read(tmp_path):
    rejected = []
    content = 'id,text\n1,a\n"2" x,b\n3,c,d\n4,e\n'
    found = _read(tmp_path, content, rejected=lambda error, unit: rejected.append((error.line, unit)))
    assert [document.id for document in found] == ["1", "4"]
    assert rejected == [(3, ""), (4, '["3","c","d"]')]


def test_an_overlong_row_is_passed_over(tmp_path):
    many = "fever\n" * 300_000
    content = f'text,x\na,1\n"fever, ""cough""\n{many}",2\nc,{"x" * 2_000_000}\n"d\n",4\n'
    rejected = []
    found = _read(
        tmp_path, content, max_chars=100, rejected=lambda error, unit: rejected.append((error.line, unit))
    )
    assert [(document.id, document.text) for document in found] == [("v1-1", "a"), ("v1-4", "d\n")]
    assert rejected == [(3, ""), (300_005, "")]


def test_two_are_read_side_by_side_with_a_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"text\nx\n{'y' * 200_000}\n")
    table = tmp_path / "t.csv"
    table.write_text(f"document,label,start,end,document_text\nd,X,0,1,{'y' * 200_000}\n")
    one, other = (formats.read(path, "notes") for _ in range(2))
    assert next(one).text == next(other).text
    assert len(next(formats.read(table)).text) == 200_000
    assert len(next(one).text) == len(next(other).text) == 200_000


def test_the_name_of_the_format(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,x\n")
    assert formats.guess_format(path) == "table"
    with pytest.raises(FormatError, match=r"no column document, label, start, end; .*notes \(--from notes\)"):
        list(formats.read(path))
    path.write_text("id,text,start,end\n1,x,1,2\n")
    with pytest.raises(FormatError, match="no column document, label; name the columns in the first line"):
        list(formats.read(path))
    with pytest.raises(UsageError, match="cannot write format 'notes'"):
        formats.write([], path, "notes")


def test_memory_is_flat(tmp_path):
    path = tmp_path / "a.csv"
    row = '"' + 'fever, ""cough"" and\n' * 100 + '",x\n'
    path.write_text("text,y\n" + row * 2_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in formats.read(path, "notes")) == 2_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()

"""Malformed input: every message names file, line, problem and remedy, and holds none of the text."""

from __future__ import annotations

import gzip
import json

import pytest

from medspan import formats
from medspan.errors import AnnotationError, FormatError, UsageError
from medspan.formats.protocol import ReadOptions, WriteOptions
from medspan.types import Document, Entity, Span

SECRET = "Zyxomma"  # noqa: S105 - stands for document text: no message may hold it


def _json(**parts):
    return json.dumps({"id": "d", "text": f"{SECRET} fever", "entities": [], **parts})


def _entity(**parts):
    return _json(entities=[{"label": "Disease", "start": 8, "end": 13, **parts}])


CONLL = [
    (f"{SECRET}\n", 1, "not a word and a tag"),
    (f"{SECRET}\tO\n\tO\n", 2, "not a word and a tag"),
    (f" \tO\n{SECRET}", 1, "not a word and a tag"),
    (f"a\tO\n\nO\t{SECRET}\n", 3, "the last column is not a tag"),
    (f"{SECRET}\tB-\n", 1, "the last column is not a tag"),
    (f"{SECRET}\tB\n", 1, "the last column is not a tag"),
    (f"{SECRET}\tX-Disease\n", 1, "the last column is not a tag"),
    (f"{SECRET}\tO\t\n", 1, "the last column is not a tag"),
    (f"{SECRET}\tU-Disease\n", 1, "the last column is not a tag"),
    (f"-DOCSTART-\tO\n\na\tO\n{SECRET}\n", 4, "not a word and a tag"),
]
JSONL = [
    (f"{SECRET}\n", 1, "not JSON"),
    (f'{{"id": "d", "text": "{SECRET}"\n', 1, "not JSON"),
    (_json() + f'\n\n["{SECRET}"]\n', 3, "not a JSON object"),
    ("[" * 100_000 + "\n", 1, "nested too deeply"),
    (f'{{"id": "{SECRET[:1]}"}}\n', 1, "the document has no text"),
    (_json(text=5), 1, "the document has no text"),
    (_json(id=[SECRET]), 1, "the document's id is not a text"),
    (_json(id=True), 1, "the document's id is not a text"),
    (_json(entities={"a": SECRET}), 1, "entities is not a list"),
    (_json(entities=[SECRET]), 1, "entity number 1 is not an object"),
    (_json(meta=SECRET), 1, "meta is not an object"),
    (_json(meta={"doc": 1}, doc=2), 1, "'doc' stands in the document and in its meta"),
    (_entity(start=None), 1, "offsets are missing or not whole numbers"),
    (_entity(start=8.0), 1, "offsets are missing or not whole numbers"),
    (_entity(start=True), 1, "offsets are missing or not whole numbers"),
    (_entity(start=13), 1, "span (13, 13) is not 0 <= start < end"),
    (_entity(start=-1), 1, "span (-1, 13) is not 0 <= start < end"),
    (_entity(end=99), 1, "ends at 99, past the text"),
    (_entity(end=10**30), 1, "past the text"),
    (_entity(label=None), 1, "its label is not a text"),
    (_entity(label=""), 1, "has an empty label"),
    (_entity(text=SECRET), 1, "its text is not what stands at 8 to 13"),
    (_entity(score="high"), 1, "its score is not a number"),
    (_entity(spans=[[8, 10], [9, 13]]), 1, "are unsorted or overlap"),
    (_entity(spans=[[8, 10]]), 1, "its end is not that of its spans"),
    (_entity(spans=SECRET), 1, "its spans is not a list"),
    (_entity(attributes=SECRET), 1, "its attributes is not an object"),
    (_entity(attributes=[{"name": 1}]), 1, "an attribute is malformed"),
    (_entity(concepts=[{"name": SECRET}]), 1, "a concept is malformed"),
    (_entity(concepts=[7]), 1, "a concept is malformed"),
    (_json(entities=[{"id": "a", "label": "x", "start": 0, "end": 1}] * 2), 1, "has an entity id twice"),
    (_json(relations=[{"label": "r", "head": "T1", "tail": "T2"}]), 1, "names no entity of this document"),
    (_json(relations=[{"label": "r", "head": "T1"}]), 1, "its tail is not a text"),
    (_json(sentences=[[0, 99]]), 1, "ends past the text"),
    (_json(sentences=["x"]), 1, "offsets are missing or not whole numbers"),
    (_json(sections=[{"start": 0, "end": 2}]), 1, "a section's label is not a text"),
]
HEAD = "document\tid\tlabel\tstart\tend\tspans\ttext\tscore\tattributes\tdocument_text\n"
TABLE = [
    (f"{SECRET}\tb\n", 1, "the header names no column document, label, start, end"),
    ("", 1, "the header names no column"),
    (HEAD.replace("score", "text"), 1, "the header names a column twice"),
    (HEAD + "d\tT1\n", 2, "2 cells where the header names 10 columns"),
    (HEAD + f'd\tT1\tDisease\t0\t7\t\t"{SECRET}\n', 2, "the quotes of the table are broken"),
    (HEAD + f"d\tT1\tDisease\tx\t7\t\t\t\t\t{SECRET}\n", 2, "start, end or spans are not whole numbers"),
    (HEAD + f"d\tT1\tDisease\t²\t7\t\t\t\t\t{SECRET}\n", 2, "start, end or spans are not whole numbers"),
    (HEAD + f"d\tT1\tDisease\t7\t7\t\t\t\t\t{SECRET}\n", 2, "is not 0 <= start < end"),
    (HEAD + f"d\tT1\tDisease\t0\t8\t\t\t\t\t{SECRET}\n", 2, "ends at 8, past the text (7 characters)"),
    (HEAD + f"d\tT1\tDisease\t0\t5\t0-2;4-6\t\t\t\t{SECRET}\n", 2, "start and end are not those of spans"),
    (HEAD + f"d\tT1\tDisease\t0\t6\t0-4;3-6\t\t\t\t{SECRET}\n", 2, "are unsorted or overlap"),
    (HEAD + f"d\tT1\tDisease\t0\t3\t\t{SECRET}\t\t\t{SECRET}\n", 2, "its text is not what stands at 0 to 3"),
    (HEAD + f"d\tT1\tDisease\t0\t3\t\t\thigh\t\t{SECRET}\n", 2, "the score is not a number"),
    (HEAD + f"d\tT1\tDisease\t0\t3\t\t\t\tnegated\t{SECRET}\n", 2, "an attribute has no value"),
    (HEAD + f"d\tT1\t\t0\t3\t\t\t\t\t{SECRET}\n", 2, "has an empty label"),
    (HEAD + f"d\tT1\tA\t0\t3\t\t\t\t\t{SECRET}\nd\tT1\tA\t0\t3\t\t\t\t\t\n", 2, "has an entity id twice"),
    (
        f"document,id,label,start,end,relations,document_text\nd,T1,A,0,3,of=T9,{SECRET}\n",
        2,
        "names no entity of this document",
    ),
    (
        f"document,id,label,start,end,relations,document_text\nd,T1,A,0,3,T2,{SECRET}\n",
        2,
        "a relation names no mention",
    ),
    ("document,label,start,end\nd,Disease,0,3\n", 2, "the text of document 'd' is missing"),
]
CASES = [
    *(pytest.param("conll", *case, id=f"conll-{number}") for number, case in enumerate(CONLL)),
    *(pytest.param("jsonl", *case, id=f"jsonl-{number}") for number, case in enumerate(JSONL)),
    *(pytest.param("table", *case, id=f"table-{number}") for number, case in enumerate(TABLE)),
]


@pytest.mark.parametrize(("name", "content", "line", "problem"), CASES)
def test_messages_say_where_what_and_what_to_do(tmp_path, name, content, line, problem):
    path = tmp_path / "input.tsv"
    path.write_bytes(content.encode())
    with pytest.raises(FormatError) as caught:
        list(formats.read(path, name))
    message = str(caught.value)
    assert caught.value.line == line
    assert message.startswith(f"{path}:{line}: ")
    assert problem in message
    assert len(caught.value.remedy) > 10
    assert SECRET not in message


@pytest.mark.parametrize(("name", "content", "line", "problem"), CASES)
def test_rejected_units_are_handed_over_and_reading_goes_on(tmp_path, name, content, line, problem):
    path = tmp_path / "input.tsv"
    path.write_bytes(content.encode())
    rejected = []
    list(formats.read(path, name, ReadOptions(rejected=lambda error, unit: rejected.append((error, unit)))))
    assert [error.line for error, _ in rejected] == [line]
    assert problem in rejected[0][0].problem


def test_what_stands_around_a_rejected_unit_is_read(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("a\tO\n\nb\tO\nbad\n\nc\tB-X\n")
    rejected = []
    found = list(formats.read(path, options=ReadOptions(rejected=lambda *both: rejected.append(both))))
    assert [(document.id, document.text) for document in found] == [("a-1", "a"), ("a-3", "c")]
    assert rejected[0][1] == "b\tO\nbad\n\n"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("text", b"ab\xff", None),
        ("jsonl", b'{"id": "d", "text": ""}\n\xff\n', 2),
        ("conll", b"a\tO\n\xff\tO\n", 2),
    ],
)
def test_bytes_that_are_not_utf8_are_named_by_offset(tmp_path, name, content, line):
    path = tmp_path / "input"
    path.write_bytes(content)
    with pytest.raises(
        FormatError, match=rf"byte {content.index(0xFF)} is not UTF-8; convert the file"
    ) as caught:
        list(formats.read(path, name))
    assert caught.value.line == line
    assert caught.value.path == str(path)


@pytest.mark.parametrize("name", ["text", "blocks", "jsonl", "notes", "conll"])
@pytest.mark.parametrize(
    ("encoding", "hint"), [("utf-16", "utf-16"), ("utf-16-be", "utf-16"), ("latin1", "latin1")]
)
def test_utf16_is_told_from_other_encodings(tmp_path, name, encoding, hint):
    """As latin1 it would be turned into rubbish without a complaint."""
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path = tmp_path / "input"
    path.write_bytes(f"{mark}\xefd,text\n1,asthma\n".encode(encoding))
    with pytest.raises(FormatError, match=rf"byte 0 is not UTF-8; .* iconv -f {hint} -t utf-8"):
        list(formats.read(path, name))


def test_damaged_gzip(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "d", "text": ""}\n' * 9999)[:-20])
    with pytest.raises(FormatError, match="the gzip data is damaged or cut off; get the file anew"):
        list(formats.read(path))
    path.write_bytes(b"no gzip")
    with pytest.raises(FormatError, match="damaged"):
        list(formats.read(path))


@pytest.mark.parametrize("ids", ["a\n", "a\nb\nc\n"])
def test_lists_of_ids_that_do_not_fit(tmp_path, ids):
    (tmp_path / "x.conll").write_text("-DOCSTART-\tO\n\na\tO\n\n-DOCSTART-\tO\n\nb\tO\n")
    (tmp_path / "x.docids.txt").write_text(ids)
    with pytest.raises(
        FormatError, match=r"x\.docids\.txt: lists \d ids, but x\.conll has 2 -DOCSTART- lines"
    ):
        list(formats.read(tmp_path / "x.conll"))


@pytest.mark.parametrize(
    ("path", "name", "message"),
    [
        ("absent.conll", None, "no such file or folder"),
        ("absent", None, "no such file or folder"),
        ("", "conll", "the folder has no file ending in .conll"),
        ("x.docx", None, "no format is known by it; known: .*; name the format"),
        ("x.conll", "connl", "did you mean conll"),
        ("x.conll", "html", "cannot read format 'html'"),
        ("-", None, "standard input and output have no extension; name the format"),
    ],
)
def test_wrong_usage_of_read(tmp_path, path, name, message):
    target = path if path == "-" else tmp_path / path
    if path == "x.docx":
        target.write_text("")
    with pytest.raises(UsageError, match=message):
        list(formats.read(target, name))


def test_wrong_usage_of_write(tmp_path):
    document = Document("d", "x")
    (tmp_path / "file").write_text("")
    cases = [
        ([document], tmp_path / "no" / "such.jsonl", None, WriteOptions(), "cannot be written: No such file"),
        ([document], tmp_path, "jsonl", WriteOptions(), "is a folder; name a file"),
        (
            [document],
            tmp_path / "x.conll",
            None,
            WriteOptions(tag_scheme="BIO"),
            "unknown tag scheme 'BIO'; known",
        ),
        ([document] * 2, tmp_path / "x.txt", None, WriteOptions(), "holds one document; name a folder"),
        ([document], tmp_path / "file", "text", WriteOptions(), "writes a folder of files; name a folder"),
    ]
    for documents, path, name, options, message in cases:
        with pytest.raises(UsageError, match=message):
            formats.write(documents, path, name, options)
    with pytest.raises(AnnotationError, match="two documents have the id 'd'"):
        formats.write([document] * 2, tmp_path / "folder", "text")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize("name", ["jsonl", "conll", "table", "html", "text"])
def test_half_a_surrogate_pair_is_refused_and_nothing_is_left(tmp_path, name):
    found = [Document("d", "fine"), Document("e", f"{SECRET} \ud800", (Entity("T1", "X", (Span(0, 9),)),))]
    with pytest.raises(AnnotationError, match="half of a surrogate pair") as caught:
        formats.write(found, tmp_path / "out", name, WriteOptions(document_text=True))
    assert SECRET not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_meta_that_is_not_json(tmp_path):
    with pytest.raises(AnnotationError, match="document 'd': meta holds a value that is not JSON; keep only"):
        formats.write([Document("d", SECRET, meta={"a": object()})], tmp_path / "x.jsonl")
    assert list(tmp_path.iterdir()) == []

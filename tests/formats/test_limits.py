"""Documents that are too long are refused, before they fill the memory where that can be seen."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from types import SimpleNamespace

import pytest

from medspan import formats
from medspan.errors import FormatError
from medspan.formats import files
from medspan.formats.protocol import ReadOptions
from medspan.types import Document, Entity, Span

SECRET = "Zyxomma"  # noqa: S105 - stands for document text: no message may hold it
ODD = "a\u00e5\u20ac\U0001f9ec\x00"  # 1 to 4 bytes a character


def _content(name, text):
    return {
        "text": text,
        "blocks": f"{text}\n",
        "jsonl": json.dumps({"text": text}) + "\n",
        "notes": f'text\n"{text}"\n',
        "conll": "".join(f"{character}\tO\n" for character in text.replace("\x00", ".")),
    }[name]


@pytest.mark.parametrize("name", ["text", "blocks", "jsonl", "notes", "conll"])
@pytest.mark.parametrize("packing", ["", ".gz"])
def test_the_limit_is_exact_and_in_characters(tmp_path, name, packing):
    path = tmp_path / f"a{packing}"
    with files.writing(path) as handle:
        handle.write(_content(name, ODD * 20))
    (document,) = formats.read(path, name)
    length = len(document.text)
    assert length >= 100
    assert list(formats.read(path, name, ReadOptions(max_chars=length))) == [document]
    with pytest.raises(FormatError, match=rf"the document is longer than {length - 1:,} characters; split"):
        list(formats.read(path, name, ReadOptions(max_chars=length - 1)))


def test_a_line_that_is_mostly_escapes_or_annotations_is_no_long_document(tmp_path):
    text = "\U0001f9ec" * 200_000
    entities = tuple(Entity(f"T{number}", "Disease", (Span(0, 1),)) for number in range(1_000))
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": text, "entities": []}) + "\n")
    options = ReadOptions(max_chars=200_000)
    assert [document.text for document in formats.read(path, options=options)] == [text]
    formats.write([Document("d", "x", entities)], path)
    assert len(list(formats.read(path, options=ReadOptions(max_chars=1)))) == 1


@pytest.mark.parametrize("name", ["text", "blocks", "jsonl", "notes"])
def test_what_is_refused_is_not_read(tmp_path, name):
    path = tmp_path / "a.x"
    long = SECRET * 3_000_000
    first, last = {
        "text": ("", ""),
        "blocks": ("a\n\n", "\nb\n"),
        "jsonl": ('{"text": "a"}\n', '{"text": "b"}\n'),
        "notes": ("text\na\n", "b\n"),
    }[name]
    path.write_text(f"{first}{long}\n{last}")
    rejected = []
    options = ReadOptions(max_chars=1_000, rejected=lambda error, unit: rejected.append((error, unit)))
    tracemalloc.start()
    try:
        found = list(formats.read(path, name, options))
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()
    assert [document.text.strip() for document in found] == (["a", "b"] if first else [])
    ((error, unit),) = rejected
    assert unit == ""
    assert error.line == {"text": None, "blocks": 3, "jsonl": 2, "notes": 3}[name]
    assert SECRET not in str(error)
    assert len(str(error)) < 300


def test_standard_input_is_read_no_further(monkeypatch):
    given = io.BytesIO(b"x" * 10_000_000)
    monkeypatch.setattr(files, "sys", SimpleNamespace(stdin=SimpleNamespace(buffer=given)))
    with pytest.raises(FormatError, match="<stdin>: the document is longer than 10 characters"):
        list(formats.read("-", "text", ReadOptions(max_chars=10)))
    assert given.tell() < 1_000_000


def test_other_formats_name_the_document(tmp_path):
    path = tmp_path / "a.conll.gz"
    path.write_bytes(gzip.compress(f"a\tO\n\n-DOCSTART-\tO\n\n{SECRET}\tO\n".encode()))
    with pytest.raises(FormatError, match=r"a\.conll\.gz: document '.*': the document is longer than 5"):
        list(formats.read(path, options=ReadOptions(max_chars=5)))


def test_an_empty_document_is_never_too_long(tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert len(list(formats.read(tmp_path, options=ReadOptions(max_chars=0)))) == 1

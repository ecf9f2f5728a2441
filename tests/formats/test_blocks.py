"""Blocks: documents between empty lines, streamed."""

from __future__ import annotations

import io
import lzma
import tracemalloc
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats
from medspan.errors import FormatError, UsageError
from medspan.formats import files
from medspan.formats.protocol import ReadOptions
from medspan.types import Document
from strategies import texts

SECRET = "Zyxomma"  # noqa: S105 - stands for document text: no message may hold it


def _read(tmp_path, content, **options):
    path = tmp_path / "notes.v1.txt"
    path.write_bytes(content)
    return list(formats.read(path, "blocks", ReadOptions(**options)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", []),
        ("\n", []),
        ("\n\r\n\n", []),
        ("a", ["a"]),
        ("a\n", ["a\n"]),
        ("a\n\n", ["a\n"]),
        ("\n\na\nb\n\n\n\nc", ["a\nb\n", "c"]),
        ("a\r\nb\r\n\r\n\r\nc\r\n", ["a\r\nb\r\n", "c\r\n"]),
        ("a\n \nb\n\t\r\n\nc", ["a\n \nb\n\t\r\n", "c"]),
        ("a\rb\r\r\n\nc\x0b\x0c\x85\u2028\n", ["a\rb\r\r\n", "c\x0b\x0c\x85\u2028\n"]),
        ("\ufeffa\n\n\x00\n\n\x00", ["\ufeffa\n", "\x00\n", "\x00"]),
    ],
)
def test_cases(tmp_path, content, expected):
    found = _read(tmp_path, content.encode())
    assert found == [Document(f"notes.v1-{number}", text) for number, text in enumerate(expected, 1)]


_lines = st.tuples(texts(max_size=5), st.sampled_from(["\n", "\r\n"])).map(
    lambda pair: pair[0].replace("\n", " ").rstrip("\r") + pair[1]
)
_blocks = st.lists(_lines.filter(lambda line: line not in {"\n", "\r\n"}), min_size=1, max_size=3).map(
    "".join
)
_empty = st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=3).map("".join)


@given(found=st.lists(st.tuples(_blocks, _empty), max_size=4), before=st.sampled_from(["", "\n", "\r\n\n"]))
def test_what_is_joined_comes_apart(tmp_path_factory, found, before):
    folder = tmp_path_factory.mktemp("blocks")
    joined = before + "".join(text + gap for text, gap in found)
    assert [document.text for document in _read(folder, joined.encode())] == [text for text, _ in found]


@given(text=texts(), limit=st.one_of(st.none(), st.integers(0, 50)))
def test_nothing_but_empty_lines_is_missing(tmp_path_factory, text, limit):
    rejected = []
    found = _read(
        tmp_path_factory.mktemp("blocks"),
        text.encode(),
        max_chars=limit,
        rejected=lambda error, unit: rejected.append((error, unit)),
    )
    assert all(document.text for document in found)
    whole = _read(tmp_path_factory.mktemp("blocks"), text.encode())
    assert "".join(document.text for document in whole).replace("\n", "").replace("\r", "") == text.replace(
        "\n", ""
    ).replace("\r", "")
    assert found == [document for document in whole if limit is None or len(document.text) <= limit]
    assert len(rejected) == len(whole) - len(found)


def test_a_rejected_block_keeps_its_number(tmp_path):
    content = f"a\n\n{SECRET}\nx\xff\n\nb\n".encode("latin1")
    with pytest.raises(FormatError, match=r"notes\.v1\.txt:4: byte 12 is not UTF-8; convert") as caught:
        _read(tmp_path, content)
    assert SECRET not in str(caught.value)
    rejected = []
    found = _read(tmp_path, content, rejected=lambda error, unit: rejected.append((error.line, unit)))
    assert [document.id for document in found] == ["notes.v1-1", "notes.v1-3"]
    assert rejected == [(4, f"{SECRET}\nx\\xff\n")]


def test_folders_and_standard_input(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("one\n\ntwo")
    (tmp_path / "sub" / "a.txt.xz").write_bytes(lzma.compress(b"three"))
    found = {document.id: document.text for document in formats.read(tmp_path, "blocks")}
    assert found == {"a-1": "one\n", "a-2": "two", "sub/a-1": "three"}
    monkeypatch.setattr(files, "sys", SimpleNamespace(stdin=SimpleNamespace(buffer=io.BytesIO(b"x\n\ny"))))
    assert [document.id for document in formats.read("-", "blocks")] == ["stdin-1", "stdin-2"]


def test_it_is_read_only_and_named(tmp_path):
    assert formats.guess_format("a.txt") == "text"
    with pytest.raises(UsageError, match="cannot write format 'blocks'"):
        formats.write([], tmp_path / "a.txt", "blocks")


def test_memory_is_flat(tmp_path):
    path = tmp_path / "a.txt.xz"
    with lzma.open(path, "wb", preset=0) as handle:
        for number in range(2_000):
            handle.write(b"%d fever and cough for three days\n" % number * 100 + b"\n")
    tracemalloc.start()
    try:
        assert sum(1 for _ in formats.read(path, "blocks")) == 2_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()

"""Texts as delivered, names on disk, and files that appear whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest
from hypothesis import given

from medspan import formats
from medspan.errors import UsageError
from medspan.formats import files
from medspan.types import Document
from strategies import texts


@given(identity=texts(max_size=6))
def test_ids_become_file_names_and_ids_again(identity):
    name = files.file_name(identity)
    assert not set(name) & set('/\\:*?"<>|\x00\n')
    assert name not in {"", ".", ".."}
    assert files.document_id_of(name) == identity


@given(text=texts())
def test_text_is_what_was_delivered(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("texts") / "note.v1.txt"
    path.write_bytes(text.encode())
    assert list(formats.read(path)) == [Document("note.v1", text)]


def test_folder_of_texts_in_order(tmp_path):
    for name in ("b.txt", "a.TXT", "c.md", "d.txt.gz"):
        (tmp_path / name).write_bytes(b"\x1f\x8b" if name == "c.md" else b"")
    (tmp_path / "d.txt.gz").unlink()
    formats.write([Document("d", "packed")], tmp_path / "d.txt.gz")
    found = list(formats.read(tmp_path, "text"))
    assert [document.id for document in found] == ["a", "b", "d"]
    assert found[2].text == "packed"


def test_guessing(tmp_path):
    expected = {
        "a.conll": "conll",
        "a.IOB2.gz": "conll",
        "a.jsonl": "jsonl",
        "a.ndjson.GZ": "jsonl",
        "a.txt": "text",
        "a.csv": "table",
        "a.tsv": "table",
        "a.html": "html",
    }
    assert {name: formats.guess_format(name) for name in expected} == expected
    (tmp_path / "a.txt").write_text("")
    assert formats.guess_format(tmp_path) == "text"
    (tmp_path / "a.tsv").write_text("")
    assert formats.guess_format(tmp_path) == "table"
    (tmp_path / "a.tsv").unlink()
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"several formats fit \(jsonl, text\); name the format"):
        formats.guess_format(tmp_path)


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("old")

    def broken():
        yield Document("d", "x")
        raise ZeroDivisionError

    for name in ("jsonl", "conll", "table", "html", "text"):
        with pytest.raises(ZeroDivisionError):
            formats.write(broken(), path if name != "text" else tmp_path / "folder", name)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


def test_new_files_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        formats.write([], tmp_path / "a.jsonl")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o640


def test_pipes_and_devices_are_written_in_place(tmp_path):
    formats.write([Document("d", "x")], "/dev/null", "jsonl")
    assert files.Path("/dev/null").is_char_device()
    formats.write([Document("d", "x")], tmp_path / "a.txt")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    formats.write([Document("d", "y")], tmp_path / "link", "jsonl")
    assert (tmp_path / "link").read_text().startswith('{"id":"d"')


def test_other_files_of_a_folder_stay(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes.md").write_text("mine")
    (folder / "a.txt").write_text("old")
    formats.write([Document("a", "new"), Document("EMEA/1", "x")], folder, "text")
    assert sorted(file.name for file in folder.iterdir()) == ["EMEA%2F1.txt", "a.txt", "notes.md"]
    assert (folder / "a.txt").read_text() == "new"

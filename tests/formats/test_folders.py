"""Folders with subfolders, packed and plain files mixed."""

from __future__ import annotations

import os

import pytest

from medspan import formats
from medspan.errors import FormatError, UsageError
from medspan.formats.protocol import ReadOptions
from medspan.types import Document

pytest.importorskip("zstandard", reason="needs medspan[arrow]")


def _tree(root, end, content="x"):
    names = [
        "b",
        "a",
        "2021/b",
        "2021/a.v1",
        "2021/05/a",
        "2020/a",
        ".hidden/a",
        "2020/.b.parts/a",
        "2020/._a",
    ]
    packings = ["", ".gz", ".xz", ".zst", ".bz2", "", "", "", ""]
    for name, packing in zip(names, packings, strict=True):
        path = root / f"{name}.{end}{packing}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with formats.files.writing(path) as handle:
            handle.write(content)
    return ["a", "b", "2020/a", "2021/a.v1", "2021/b", "2021/05/a"]


def test_texts_of_subfolders(tmp_path):
    expected = _tree(tmp_path, "txt")
    assert [document.id for document in formats.read(tmp_path)] == expected
    formats.write(list(formats.read(tmp_path)), tmp_path / "again", "text")
    assert sorted(document.id for document in formats.read(tmp_path / "again")) == sorted(expected)


@pytest.mark.parametrize(
    ("name", "end", "content"),
    [
        ("jsonl", "ndjson", '{"text": "x"}\n{"text": "y"}\n'),
        ("notes", "csv", "text\nx\ny\n"),
        ("blocks", "txt", "x\n\ny\n"),
    ],
)
def test_other_formats_of_subfolders(tmp_path, name, end, content):
    stems = _tree(tmp_path, end, content)
    found = [document.id for document in formats.read(tmp_path, name)]
    assert found == [f"{stem}-{number}" for stem in stems for number in (1, 2)]


def test_parquet_of_subfolders(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    for name in ("b", "2020/b"):
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"text": ["x"]}), path)
    assert [document.id for document in formats.read(tmp_path)] == ["b-1", "2020/b-1"]


def test_an_id_depends_on_no_other_file(tmp_path):
    before = _tree(tmp_path, "txt")
    (tmp_path / "2020" / "b.txt").write_text("new")
    after = [document.id for document in formats.read(tmp_path)]
    assert [identity for identity in after if identity != "2020/b"] == before


def test_the_format_is_guessed_from_subfolders_where_the_folder_does_not_tell(tmp_path):
    (tmp_path / "README.md").write_text("")
    (tmp_path / "sub").mkdir()
    with pytest.raises(UsageError, match="no format is known by it"):
        formats.guess_format(tmp_path)
    formats.write([Document("d", "x")], tmp_path / "sub" / "a.jsonl.xz")
    assert formats.guess_format(tmp_path) == "jsonl"
    (tmp_path / "a.txt").write_text("")
    assert formats.guess_format(tmp_path) == "text"


def test_other_formats_are_read_as_they_were(tmp_path):
    (tmp_path / "sub").mkdir()
    for folder in (tmp_path, tmp_path / "sub"):
        (folder / "a.txt").write_text("x")
        (folder / "a.ann").write_text("")
        (folder / "a.conll").write_text("a\tO\n")
    assert [document.id for document in formats.read(tmp_path, "brat")] == ["a", "sub/a"]
    assert [document.id for document in formats.read(tmp_path, "conll")] == ["a-1"]


def test_links_to_folders_are_not_followed(tmp_path):
    _tree(tmp_path / "in", "txt")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "in" / "b.txt")
    assert len(list(formats.read(tmp_path / "in"))) == 7


def test_empty_folders(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("text", "jsonl", "notes", "blocks"):
        with pytest.raises(UsageError, match=r"has no file ending in \..* \(or that and one of \.gz, \.xz"):
            list(formats.read(tmp_path, name))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_what_cannot_be_opened(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    (tmp_path / "a.txt").chmod(0)
    rejected = []
    found = list(formats.read(tmp_path, options=ReadOptions(rejected=lambda *both: rejected.append(both))))
    assert [document.id for document in found] == ["b"]
    assert isinstance(rejected[0][0], FormatError)
    with pytest.raises(UsageError, match=r"a\.txt: cannot be read: Permission denied"):
        list(formats.read(tmp_path))


def test_a_file_that_cannot_be_opened_costs_only_itself(tmp_path, monkeypatch):
    _tree(tmp_path, "txt")
    plain = formats.files.Path.open

    def refusing(path, *words, **options):
        if path.name == "b.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *words, **options)

    monkeypatch.setattr(formats.files.Path, "open", refusing)
    rejected = []
    options = ReadOptions(rejected=lambda error, unit: rejected.append((error.path, unit)))
    assert len(list(formats.read(tmp_path, options=options))) == 5
    assert rejected == [(str(tmp_path / "b.txt"), "")]
    with pytest.raises(UsageError, match="Permission denied"):
        list(formats.read(tmp_path / "b.txt", options=options))


def test_the_folder_of_a_bulk_job_gives_its_documents_only(tmp_path):
    row = '{"id": "a", "text": "No fever."}\n'
    for name in ("part-00000.jsonl", "part-00001.jsonl"):
        (tmp_path / name).write_text(row, encoding="utf-8")
    for name in ("manifest.jsonl", "part-00001.errors.jsonl", "notes.rejected.jsonl"):
        (tmp_path / name).write_text("no document\n", encoding="utf-8")
    assert [document.text for document in formats.read(tmp_path, "jsonl")] == ["No fever."] * 2
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "manifest.jsonl").write_text(
        row, encoding="utf-8"
    )  # of somebody else: a file like any other
    assert len(list(formats.read(elsewhere, "jsonl"))) == 1

"""Packed files: what goes in comes out, the same bytes each time, and damage is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan import formats
from medspan.errors import FormatError, MissingExtraError
from medspan.formats import files
from medspan.formats.packing import PACKINGS, packing_of, unpacked_name
from medspan.formats.protocol import ReadOptions
from medspan.types import Document
from strategies import documents

zstandard = pytest.importorskip("zstandard", reason="needs medspan[arrow]")

# Each packed by its own tool, in two parts one after the other, as `cat a.gz b.gz` makes them.
PACKERS = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
NOISE = random.Random(3).randbytes(5_000).hex()  # noqa: S311 - not a secret


def test_every_packing_is_tested():
    assert tuple(PACKERS) == PACKINGS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("packed")


@given(found=st.lists(documents(), max_size=2), packing=st.sampled_from(PACKINGS))
def test_what_goes_in_comes_out(folder, found, packing):
    path = folder / f"all.jsonl{packing}"
    formats.write(found, path)
    assert list(formats.read(path)) == found


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("name", ["conll", "table", "html", "text", "jsonl"])
def test_the_same_documents_give_the_same_bytes(tmp_path, packing, name):
    for target in ("one", "other"):
        formats.write([Document("d", NOISE)], tmp_path / f"{target}.txt{packing}", name)
    one, other = ((tmp_path / f"{target}.txt{packing}").read_bytes() for target in ("one", "other"))
    assert one == other
    assert len(one) < len(NOISE)


@pytest.mark.parametrize("packing", PACKINGS)
def test_parts_one_after_the_other(tmp_path, packing):
    path = tmp_path / f"a.TXT{packing.upper()}"
    path.write_bytes(PACKERS[packing](b"one ") + PACKERS[packing](NOISE.encode()) + PACKERS[packing](b" end"))
    (document,) = formats.read(path)
    assert document == Document("a", f"one {NOISE} end")


def test_a_frame_to_be_skipped(tmp_path):
    skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    (tmp_path / "a.txt.zst").write_bytes(skipped + PACKERS[".zst"](b"text") + skipped)
    assert [document.text for document in formats.read(tmp_path)] == ["text"]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("damage", ["cut", "short by one", "empty", "foreign", "flipped"])
def test_damage_is_told(tmp_path, packing, damage):
    path = tmp_path / f"a.jsonl{packing}"
    whole = PACKERS[packing](f'{{"id": "d", "text": "{NOISE}"}}\n'.encode() * 50)
    middle = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:middle],
            "short by one": whole[:-1],
            "empty": b"",
            "foreign": b"this is not a packed file at all",
            "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        }[damage]
    )
    with pytest.raises(FormatError, match="data is damaged or cut off; get the file anew") as caught:
        list(formats.read(path))
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["text", "blocks", "jsonl", "notes"])
def test_a_damaged_file_of_a_folder_costs_that_file_only(tmp_path, name):
    end = {"text": "txt", "blocks": "txt", "jsonl": "jsonl", "notes": "csv"}[name]
    content = {"jsonl": b'{"id": "x", "text": "x"}\n', "notes": b"text\nx\n"}.get(name, b"x\n")
    for stem, data in {"a": content, "b": content[:-1], "c": content}.items():
        packed = gzip.compress(data)
        (tmp_path / f"{stem}.{end}.gz").write_bytes(packed[:-4] if stem == "b" else packed)
    rejected = []
    options = ReadOptions(rejected=lambda error, unit: rejected.append((error.path, unit)))
    assert len(list(formats.read(tmp_path, name, options))) >= 2
    assert rejected == [(str(tmp_path / f"b.{end}.gz"), "")]


def test_an_error_of_the_disk_is_no_damage(tmp_path, monkeypatch):
    path = tmp_path / "a.txt.bz2"
    path.write_bytes(bz2.compress(b"x"))

    class Broken(io.BytesIO):
        def peek(self, _size):
            return b"x"

        def read(self, *_):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda *_: Broken())
    with pytest.raises(OSError, match="Input/output error") as caught, files.reading(path) as handle:
        handle.read()
    assert not isinstance(caught.value, FormatError)


def test_without_zstandard(tmp_path, monkeypatch):
    (tmp_path / "a.txt.zst").write_bytes(PACKERS[".zst"](b"x"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    message = r'\.zst files needs zstandard; install it with: pip install "medspan\[arrow\]"'
    for options in (ReadOptions(), ReadOptions(rejected=lambda *_: None)):
        with pytest.raises(MissingExtraError, match=message):
            list(formats.read(tmp_path, options=options))
    with pytest.raises(MissingExtraError, match=message):
        formats.write([Document("d", "x")], tmp_path / "b.txt.zst")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt.zst"]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_small_archive_of_something_huge_stays_small_in_memory(tmp_path, packing):
    packed = PACKERS[packing](bytes(40_000_000))
    for name in ("text", "blocks", "jsonl", "notes"):
        (tmp_path / f"{name}{packing}").write_bytes(packed)
    rejected = []
    options = ReadOptions(rejected=lambda error, unit: rejected.append((error.problem, unit)), max_chars=1000)
    tracemalloc.start()
    try:
        for name in ("text", "blocks", "jsonl", "notes"):
            assert list(formats.read(tmp_path / f"{name}{packing}", name, options)) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000
    expected = ("the document is longer than 1,000 characters", "")
    assert rejected == [expected] * 4


@pytest.mark.parametrize(
    ("name", "packing", "bare", "suffix"),
    [
        ("a.conll.gz", ".gz", "a", ".conll"),
        ("a.b.TXT.XZ", ".xz", "a.b", ".txt"),
        ("a.jsonl.bz2", ".bz2", "a", ".jsonl"),
        ("a.csv.Zst", ".zst", "a", ".csv"),
        ("a.txt", "", "a", ".txt"),
        ("gz", "", "gz", ""),
        ("notes.gz", ".gz", "notes", ""),
        ("a.gz.txt", "", "a.gz", ".txt"),
    ],
)
def test_names(name, packing, bare, suffix):
    path = Path("x.gz") / name
    assert packing_of(name) == packing
    assert unpacked_name(name) + packing == name[: len(name) - len(packing)] + packing
    assert files.stem_of(path) == files.bare_name(name, last_only=True) == bare
    assert files.suffix_of(path) == suffix

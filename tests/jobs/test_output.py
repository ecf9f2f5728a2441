"""Files of a job: whole or not at all, and the same bytes each time."""

from __future__ import annotations

import gzip
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from medspan.jobs.output import Stored, WriteError, check_packing, digest_of, drop_leftovers, new_file

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = [b"one\n", b"", b"two\n" * 100_000]


def store(path: Path) -> Stored:
    with new_file(path) as file:
        for data in CONTENT:
            file.write(data)
    return file.stored


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_the_same_content_gives_the_same_bytes(tmp_path: Path, suffix: str):
    if suffix.endswith("zst"):
        pytest.importorskip("zstandard")
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    stored = store(first)
    assert stored == store(second) == digest_of(first)
    data = first.read_bytes()
    assert data == second.read_bytes()
    assert stored == (hashlib.sha256(data).hexdigest(), len(data))
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]
    if suffix == ".jsonl.gz":
        assert gzip.decompress(data) == b"".join(CONTENT)


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), new_file(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_full_disk_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
):
    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "write", full)
    path = tmp_path / f"part-00000.jsonl{suffix}"
    with pytest.raises(WriteError) as caught:
        store(path)
    assert str(caught.value) == f"{path}: cannot be written: {os.strerror(28)}"
    assert list(tmp_path.iterdir()) == []


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:1000]))
    path = tmp_path / "a.jsonl"
    store(path)
    assert path.read_bytes() == b"".join(CONTENT)


def test_a_folder_that_is_gone_is_named(tmp_path: Path):
    with pytest.raises(WriteError, match=r"gone.*No such file"), new_file(tmp_path / "gone" / "a.jsonl"):
        pass


def test_leftovers_are_dropped_and_nothing_else(tmp_path: Path):
    for name in (".part-00000.jsonl.ab12cd34.part", "part-00000.jsonl", "mine.part"):
        (tmp_path / name).touch()
    drop_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.part", "part-00000.jsonl"]


def test_digests_and_packings_that_are_not_there(tmp_path: Path):
    assert digest_of(tmp_path / "none") is None
    check_packing(".jsonl")
    check_packing(".jsonl.gz")

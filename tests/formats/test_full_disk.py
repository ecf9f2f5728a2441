"""A disk that is full: the message names the file, what stood there stays, nothing is left beside it."""

from __future__ import annotations

import io
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from medspan import formats
from medspan.errors import UsageError
from medspan.formats import sinks
from medspan.formats.packing import PACKINGS
from medspan.types import Document

resource = pytest.importorskip("resource", reason="limits of file sizes are Unix's")
NOISE = os.urandom(200_000).hex()


@contextmanager
def _full_disk(size):
    """No file can grow past this size: what a full disk does, with another reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("packing", ["", *PACKINGS])
@pytest.mark.parametrize("size", [0, 10, 70_000])
@pytest.mark.parametrize("name", ["jsonl", "html"])
def test_a_file(tmp_path, packing, size, name):
    if packing == ".zst":
        pytest.importorskip("zstandard", reason="needs medspan[arrow]")
    path = tmp_path / f"out{packing}"
    path.write_text("before")
    with (
        _full_disk(size),
        pytest.raises(UsageError, match=rf"out{packing}: cannot be written: File too large"),
    ):
        formats.write([Document("d", NOISE)], path, name)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_folder(tmp_path):
    with _full_disk(70_000), pytest.raises(UsageError, match=r"b\.txt: cannot be written: File too large"):
        formats.write([Document("a", "short"), Document("b", NOISE)], tmp_path / "out", "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_device(tmp_path):
    for text in ("short", NOISE * 20):
        with pytest.raises(UsageError, match="/dev/full: cannot be written: No space left on device"):
            formats.write([Document("d", text)], "/dev/full", "jsonl")
        with Path("/dev/full").open("wb") as full, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sinks, "sys", SimpleNamespace(stdout=SimpleNamespace(buffer=_unbuffered(full))))
            with pytest.raises(UsageError, match="<stdout>: cannot be written: No space left on device"):
                formats.write([Document("d", text)], "-", "jsonl")
    assert list(tmp_path.iterdir()) == []


def _unbuffered(handle):
    return io.FileIO(handle.fileno(), "wb", closefd=False)


def test_an_error_of_reading_is_not_one_of_writing(tmp_path):
    def documents():
        yield Document("d", "x")
        raise OSError(5, "Input/output error", "in.txt")

    with pytest.raises(OSError, match="Input/output error") as caught:
        formats.write(documents(), tmp_path / "a.jsonl")
    assert not isinstance(caught.value, UsageError)
    assert list(tmp_path.iterdir()) == []


class _Told(io.BytesIO):
    """Standard output that keeps what it was given, piece by piece."""

    def __init__(self):
        super().__init__()
        self.pieces = []

    def write(self, data):
        self.pieces.append(bytes(data))
        return len(data)


def _standard_output(monkeypatch):
    told = _Told()
    monkeypatch.setattr(sinks, "sys", SimpleNamespace(stdout=SimpleNamespace(buffer=told)))
    return told


def test_standard_output_is_whole_or_nothing_while_it_is_short(monkeypatch):
    told = _standard_output(monkeypatch)

    def broken():
        yield Document("d", "x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        formats.write(broken(), "-", "jsonl")
    assert told.pieces == []
    formats.write([Document("d", "x")] * 2, "-", "jsonl")
    assert told.pieces == [b'{"id":"d","text":"x","entities":[]}\n' * 2]
    assert not told.closed


def test_standard_output_does_not_pile_up(monkeypatch, tmp_path):
    told = _standard_output(monkeypatch)
    documents = [Document(str(number), NOISE) for number in range(40)]
    formats.write(documents, "-", "jsonl")
    assert max(map(len, told.pieces)) < 6_000_000
    (tmp_path / "a.jsonl").write_bytes(b"".join(told.pieces))
    assert list(formats.read(tmp_path)) == documents


def test_a_reader_that_goes_away_stays_a_broken_pipe(monkeypatch):
    class Closed(io.RawIOBase):
        def write(self, _data):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sinks, "sys", SimpleNamespace(stdout=SimpleNamespace(buffer=Closed())))
    with pytest.raises(BrokenPipeError):
        formats.write([Document("d", "x")], "-", "jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_named_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        formats.write([Document("d", "x")], pipe, "jsonl")
        assert os.read(reader, 1000) == b'{"id":"d","text":"x","entities":[]}\n'
    finally:
        os.close(reader)

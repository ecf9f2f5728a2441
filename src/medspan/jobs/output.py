"""Files of a job: written beside their place, brought to the disk, then renamed; whole or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from medspan.errors import MedspanError
from medspan.formats.packing import packing
from medspan.formats.sinks import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEFTOVERS = ".*.part"
SUFFIXES = {None: ".jsonl", "gz": ".jsonl.gz", "zst": ".jsonl.zst"}
_BUFFER_BYTES = 1 << 18


class WriteError(MedspanError):
    """A file of a job cannot be written: the disk is full, the folder is gone."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path}: cannot be written: {error.strerror or type(error).__name__}")


class Stored(NamedTuple):
    """What came to stand in a file."""

    sha256: str
    size: int


class _Sink:
    """Bytes on their way to the disk, counted; what packers need of a binary file."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self._size = 0
        self._waiting = bytearray()

    @property
    def stored(self) -> Stored:
        """Digest and size of what is on the disk."""
        return Stored(self._digest.hexdigest(), self._size)

    def write(self, data: bytes) -> int:
        """Add bytes.

        Raises:
            WriteError: if the disk is full, or the like.
        """
        self._waiting += data
        if len(self._waiting) >= _BUFFER_BYTES:
            self._put()
        return len(data)

    def flush(self) -> None:
        """Do nothing: `sync` does."""

    def sync(self) -> None:
        """Bring everything to the disk.

        Raises:
            WriteError: if the disk is full, or the like.
        """
        self._put()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise WriteError(self._path, error) from None

    def _put(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        self._digest.update(data)
        self._size += len(data)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise WriteError(self._path, error) from None


class NewFile:
    """A file on its way; ``stored`` once the block of `new_file` has ended."""

    def __init__(self) -> None:
        self.stored = Stored("", 0)
        self.write: Callable[[bytes], object] = _refuse


def _refuse(_data: bytes) -> None:
    raise MedspanError("a file of a job is written inside the block of `new_file` only")


@contextmanager
def new_file(path: Path) -> Iterator[NewFile]:
    """Write a file; ``.gz`` and ``.zst`` are packed, the same content always to the same bytes.

    Raises:
        WriteError: if it cannot be written; nothing is left behind.
        MissingExtraError: if it is to be ``.zst`` and no zstd is installed.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise WriteError(path, error) from None
    try:
        try:
            sink, file = _Sink(path, descriptor), NewFile()
            with packing(cast("IO[bytes]", sink), path) as packed:
                file.write = packed.write
                yield file
            sink.sync()
            file.write, file.stored = _refuse, sink.stored
        finally:
            os.close(descriptor)
        _rename(part, path)
    finally:
        part.unlink(missing_ok=True)


def _rename(part: Path, path: Path) -> None:
    try:
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise WriteError(path, error) from None


def check_packing(suffix: str) -> None:
    """Refuse a packing that is not installed before anything is begun.

    Raises:
        MissingExtraError: naming the extra.
    """
    with packing(io.BytesIO(), Path(f"part{suffix}")) as packed:
        packed.write(b"")


def drop_leftovers(folder: Path) -> None:
    """Remove files that were being written when a job was killed."""
    for left in folder.glob(LEFTOVERS):
        left.unlink(missing_ok=True)


def digest_of(path: Path) -> Stored | None:
    """Digest and size of a file; None where there is none."""
    try:
        with path.open("rb") as handle:
            return Stored(hashlib.file_digest(handle, "sha256").hexdigest(), handle.tell())
    except FileNotFoundError:
        return None

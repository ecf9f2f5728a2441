"""Files of a job: written beside their place, brought to the disk, then renamed; whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from medspan.errors import MedspanError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEFTOVERS = ".*.part"
SUFFIXES = {None: ".jsonl", "gz": ".jsonl.gz", "zst": ".jsonl.zst"}
_BUFFER_BYTES = 1 << 18
_GZIP_LEVEL = 6
_GZIP_BITS = 31  # a gzip header without name and time: the same content gives the same bytes
_ZSTD_LEVEL = 3


class WriteError(MedspanError):
    """A file of a job cannot be written: the disk is full, the folder is gone."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path}: cannot be written: {error.strerror or type(error).__name__}")


class Stored(NamedTuple):
    """What came to stand in a file."""

    sha256: str
    size: int


class Packer(Protocol):
    """What zlib and zstd have in common."""

    def compress(self, data: bytes, /) -> bytes:
        """Packed bytes that are ready."""
        ...

    def flush(self) -> bytes:
        """The rest."""
        ...


class NewFile:
    """A file on its way; it takes its place when the block of `new_file` ends well."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._packer = packer_of(path.name)
        self._digest = hashlib.sha256()
        self._size = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    @property
    def stored(self) -> Stored:
        """Digest and size, once the block has ended."""
        return Stored(self._digest.hexdigest(), self._size)

    def write(self, data: bytes) -> None:
        """Add content.

        Raises:
            WriteError: if the disk is full, or the like.
        """
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= _BUFFER_BYTES:
            self._flush()

    def finish(self) -> None:
        """Bring everything to the disk.

        Raises:
            WriteError: if the disk is full, or the like.
        """
        self._flush()
        if self._packer:
            self._put(self._packer.flush())
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise WriteError(self._path, error) from None

    def _flush(self) -> None:
        data = b"".join(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        self._put(self._packer.compress(data) if self._packer else data)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise WriteError(self._path, error) from None


@contextmanager
def new_file(path: Path) -> Iterator[NewFile]:
    """Write a file; ``.gz`` and ``.zst`` are packed.

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
            file = NewFile(path, descriptor)
            yield file
            file.finish()
        finally:
            os.close(descriptor)
        try:
            part.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise WriteError(path, error) from None
    finally:
        part.unlink(missing_ok=True)


def packer_of(name: str) -> Packer | None:
    """What packs a file of this name; None where it is not packed.

    Raises:
        MissingExtraError: if that is zstd and it is not installed.
    """
    if name.endswith(".gz"):
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)
    if not name.endswith(".zst"):
        return None
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("writing .zst", "zstandard", "arrow") from None
    packer: Packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return packer


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, so that a rename survives a power cut."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows has no handle of a folder to flush
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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

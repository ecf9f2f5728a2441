"""Where written bytes go, with errors that name the file: a new file, or a stream that takes nothing back."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from medspan.errors import AnnotationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUFFER = 1 << 16
_HELD_BACK = 4 << 20  # bytes a stream waits for, so that short output comes whole or not at all


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Name the file in errors of the operating system.

    Raises:
        UsageError: where the system refuses; a pipe that nobody reads any more stays a BrokenPipeError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or 'the system refused it'}") from error


class _NamedFile(io.FileIO):
    """A new file whose errors name the file it will become."""

    def __init__(self, part: Path, path: Path) -> None:
        self._path = path
        with explained(path):
            super().__init__(part, "xb")

    def write(self, data: Any) -> int | None:  # type: ignore[override]  # noqa: ANN401 - any buffer
        with explained(self._path):
            return super().write(data)

    def close(self) -> None:
        with explained(self._path):
            super().close()


def create(part: Path, path: Path) -> IO[bytes]:
    """A new file at ``part`` that is to become ``path``; the with block that uses it closes it.

    Raises:
        UsageError: here, or later where something cannot be written; names ``path``.
    """
    return io.BufferedWriter(_NamedFile(part, path), _BUFFER)


class _Stream(io.RawIOBase):
    """Standard output, a pipe or a device (``path``), which gets nothing before there is much."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._held = bytearray()
        self._longest = _HELD_BACK
        self._opened: IO[bytes] | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        """Take all of the data."""
        self._held += data
        if len(self._held) > self._longest:
            self.release()
        return len(data)

    def release(self) -> None:
        """Let what was held back go, and from now on hold little."""
        self._longest = _BUFFER
        with explained(self._path or "<stdout>"):
            if self._path is None:
                target: IO[bytes] = sys.stdout.buffer
            else:
                target = self._opened = self._opened or self._path.open("wb")
            target.write(self._held)
            target.flush()
        self._held = bytearray()

    def close(self) -> None:
        """Close a device; standard output stays open, and what is still held is dropped."""
        if self._opened is not None:
            with explained(self._path or ""):
                self._opened.close()
        super().close()


@contextmanager
def stream(path: Path | None) -> Iterator[IO[bytes]]:
    """Standard output (None), a pipe or a device; where the block fails early, it gets nothing."""
    with _Stream(path) as held:
        yield held  # type: ignore[misc]  # a raw stream does all that a text handle asks of it
        held.release()


@contextmanager
def encoded(raw: IO[bytes]) -> Iterator[IO[str]]:
    """A handle for text, written to ``raw`` as UTF-8 with its line ends as they are.

    Raises:
        AnnotationError: if a text holds half of a surrogate pair, which no UTF-8 file can.
    """
    text = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=False)
    try:
        yield text
        text.flush()
    except UnicodeEncodeError as error:
        raise AnnotationError(
            "a text holds half of a surrogate pair and cannot be UTF-8; repair it where it was made"
        ) from error
    finally:
        text.detach() if not raw.closed else None


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, so that a rename survives a power cut."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows has no handle of a folder to flush
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Packed files: gzip, xz, bzip2 and Zstandard, told by the last part of a name.

Unpacking holds a bounded piece at a time; packing is deterministic: the same content gives the same bytes.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

from medspan.errors import FormatError, MedspanError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PACKINGS = (".gz", ".xz", ".bz2", ".zst")

# The usual preset, 6, takes 94 MB of memory and packs 1 MB/s; this one 9 MB, 9 MB/s, a third more bytes.
_XZ_PRESET = 1
_ZSTD_LEVEL = 3
# Four bytes of Zstandard can stand for 128 kB of zeros, so packed bytes are fed in small pieces.
_ZSTD_PIECE = 256
_BUFFER = 1 << 16


def packing_of(name: str) -> str:
    """The packing a file name speaks of, or an empty text: ``a.CSV.GZ`` → ``.gz``."""
    lower = name.lower()
    return next((packing for packing in PACKINGS if lower.endswith(packing)), "")


def unpacked_name(name: str) -> str:
    """A file name without its packing: ``a.csv.gz`` → ``a.csv``."""
    return name[: len(name) - len(packing_of(name))]


@contextmanager
def unpacking(raw: io.BufferedReader, path: Path) -> Iterator[IO[bytes]]:
    """What a file holds, unpacked where its name says that it is packed.

    Raises:
        FormatError: where packed data is damaged or cut off.
        MissingExtraError: if it is a .zst file and zstandard is not installed.
    """
    packing = packing_of(path.name)
    if not packing:
        yield raw
        return
    try:
        _check_begun(raw)
        with _OPENERS[packing](raw) as unpacked:
            yield unpacked
    except Exception as error:
        if _is_damage(error, packing):
            name = packing[1:]
            problem = f"the {'gzip' if name == 'gz' else name} data is damaged or cut off"
            raise FormatError(path, None, problem, "get the file anew") from error
        raise


def _check_begun(raw: io.BufferedReader) -> None:
    """Take an empty file for one that is cut off, as gzip's reader does not."""
    if not raw.peek(1):
        raise EOFError


def _is_damage(error: Exception, packing: str) -> bool:
    """Whether an error of reading is one of the packed data, not of the disk."""
    if isinstance(error, OSError):
        return error.errno is None  # BadGzipFile, and what bz2 raises
    if isinstance(error, MedspanError):
        return False
    return isinstance(error, EOFError | _errors_of(packing))


def _errors_of(packing: str) -> type[Exception]:
    """What its library raises about damaged data."""
    if packing == ".xz":
        import lzma  # noqa: PLC0415 - only xz files pay for it

        return lzma.LZMAError
    if packing == ".zst":
        damaged: type[Exception] = _zstandard().ZstdError
        return damaged
    import zlib  # noqa: PLC0415 - only packed files pay for it

    return zlib.error


def _open_gzip(raw: IO[bytes]) -> IO[bytes]:
    import gzip  # noqa: PLC0415 - only gzip files pay for it

    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))


def _open_xz(raw: IO[bytes]) -> IO[bytes]:
    import lzma  # noqa: PLC0415 - only xz files pay for it

    return lzma.LZMAFile(raw)


def _open_bz2(raw: IO[bytes]) -> IO[bytes]:
    import bz2  # noqa: PLC0415 - only bzip2 files pay for it

    return bz2.BZ2File(raw)


def _open_zstd(raw: IO[bytes]) -> IO[bytes]:
    return io.BufferedReader(_Frames(raw, _zstandard().ZstdDecompressor()), _BUFFER)


_OPENERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".gz": _open_gzip,
    ".xz": _open_xz,
    ".bz2": _open_bz2,
    ".zst": _open_zstd,
}


def _zstandard() -> Any:  # noqa: ANN401 - a module that may not be there
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("reading or writing .zst files", "zstandard", "arrow") from error
    return zstandard


class _Frames(io.RawIOBase):
    """Zstandard frames, unpacked one after another.

    Stands in for the library's own reader, which takes a frame that is cut off for a whole one.
    """

    def __init__(self, raw: IO[bytes], decompressor: Any) -> None:  # noqa: ANN401 - of an extra
        self._raw, self._decompressor = raw, decompressor
        self._frame: Any = None  # None between frames
        self._packed = b""
        self._pending = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill the buffer; 0 at the end.

        Raises:
            EOFError: if the last frame is cut off.
        """
        while not self._pending:
            packed = self._packed or self._raw.read(_ZSTD_PIECE)
            if not packed:
                if self._frame is not None:
                    raise EOFError
                return 0
            self._pending = memoryview(self._unpack(packed))
        taken = self._pending[: len(buffer)]
        buffer[: len(taken)] = taken
        self._pending = self._pending[len(taken) :]
        return len(taken)

    def _unpack(self, packed: bytes) -> bytes:
        self._packed = b""
        self._frame = self._frame or self._decompressor.decompressobj()
        unpacked: bytes = self._frame.decompress(packed)
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None
        return unpacked


@contextmanager
def packing(raw: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """A handle whose content reaches ``raw`` packed as the name of ``path`` says.

    Raises:
        MissingExtraError: if it is a .zst file and zstandard is not installed.
    """
    name = packing_of(path.name)
    if name:
        with _packer(raw, name) as packed:
            yield packed
    else:
        yield raw


def _packer(raw: IO[bytes], name: str) -> IO[bytes]:
    if name == ".gz":
        import gzip  # noqa: PLC0415 - only gzip files pay for it

        # No name and no time, so that the same documents give the same bytes.
        return cast("IO[bytes]", gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0))
    if name == ".xz":
        import lzma  # noqa: PLC0415 - only xz files pay for it

        return lzma.LZMAFile(raw, "wb", preset=_XZ_PRESET)
    if name == ".bz2":
        import bz2  # noqa: PLC0415 - only bzip2 files pay for it

        return bz2.BZ2File(raw, "wb")
    packer = _zstandard().ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
    return cast("IO[bytes]", packer.stream_writer(raw, closefd=False))

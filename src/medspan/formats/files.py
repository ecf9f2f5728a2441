"""Files in and out: gzip, folders, standard input; whole or not at all on the way out.

Text is decoded strictly and its line ends are left alone, so offsets are into what was delivered.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from medspan.errors import AnnotationError, FormatError, UsageError
from medspan.formats.protocol import ReadOptions, reject

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD = Path("-")


def name_of(path: Path) -> str:
    """How messages call an input."""
    return "<stdin>" if path == STANDARD else str(path)


def stem_of(path: Path) -> str:
    """``notes/a.conll.gz`` → ``a``; standard input is ``stdin``."""
    if path == STANDARD:
        return "stdin"
    return bare_name(path.name, last_only=False)


def bare_name(name: str, *, last_only: bool) -> str:
    """A file name without ``.gz`` and without its extension."""
    name = name.removesuffix(".gz")
    return Path(name).stem if last_only else (Path(name).stem or name)


def suffix_of(path: Path) -> str:
    """The extension in lower case, ``.gz`` ignored: ``a.CoNLL.gz`` → ``.conll``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def input_files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The file itself (or standard input), or a folder's files with one of the suffixes, sorted.

    Raises:
        UsageError: if there is no such path, or a folder has no such file.
    """
    if path == STANDARD or path.is_file() or (path.exists() and not path.is_dir()):
        return [path]
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    found = sorted(file for file in path.iterdir() if suffix_of(file) in suffixes and file.is_file())
    if not found:
        raise UsageError(f"{path}: the folder has no file ending in {', '.join(suffixes)} (or that and .gz)")
    return found


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, of a gzip file unpacked, or of standard input.

    Raises:
        FormatError: if a gzip file is damaged.
        UsageError: if the file cannot be opened.
    """
    if path == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        raw = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    with raw:
        if not path.name.lower().endswith(".gz"):
            yield raw
            return
        import gzip  # noqa: PLC0415 - only gzip files pay for it
        import zlib  # noqa: PLC0415

        try:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield cast("IO[bytes]", unpacked)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FormatError(
                path, None, "the gzip data is damaged or cut off", "get the file anew"
            ) from error


def read_text(path: Path) -> str:
    """A whole file as text, byte order mark and line ends included.

    Raises:
        FormatError: if it is not UTF-8; names the byte offset.
    """
    with reading(path) as handle:
        data = handle.read()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(path, None, error.start) from None


def read_lines(path: Path, options: ReadOptions = ReadOptions(), *, stand_in: str = "") -> Iterator[str]:
    r"""The lines of a file one by one, their ends included; only ``\n`` ends a line.

    A line that is not UTF-8 is rejected, and ``stand_in`` comes in its place where reading goes on.

    Raises:
        FormatError: if a line is not UTF-8; names line and byte offset.
    """
    offset = 0
    with reading(path) as handle:
        for number, line in enumerate(handle, 1):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                shown = line.decode(errors="backslashreplace")
                reject(options, _not_utf8(path, number, offset + error.start), shown)
                text = stand_in
            yield text
            offset += len(line)


def _not_utf8(path: Path, line: int | None, offset: int) -> FormatError:
    return FormatError(
        name_of(path),
        line,
        f"byte {offset} is not UTF-8",
        "convert the file to UTF-8 first, e.g. iconv -f latin1 -t utf-8",
    )


@contextmanager
def writing(path: Path) -> Iterator[IO[str]]:
    """A text handle whose content reaches ``path`` whole or not at all; ``-`` is standard output.

    The content goes to a file beside the target, which takes its place when the block ends well.

    Raises:
        UsageError: if the target cannot be written.
        AnnotationError: if a text holds half of a surrogate pair, which no UTF-8 file can.
    """
    if path == STANDARD or (path.exists() and not path.is_file() and not path.is_dir()):
        with _collecting() as (buffer, text):
            yield text
        _emit(path, buffer)
        return
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with _creating(part, path) as raw, _packed(raw, path) as packed, _encoded(packed) as text:
            yield text
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _collecting() -> Iterator[tuple[BytesIO, IO[str]]]:
    buffer = BytesIO()
    with _encoded(buffer) as text:
        yield buffer, text


def _emit(path: Path, buffer: BytesIO) -> None:
    if path == STANDARD:
        sys.stdout.buffer.write(buffer.getvalue())
        sys.stdout.buffer.flush()
    else:  # a device or a pipe has no place to put a file beside it
        path.write_bytes(buffer.getvalue())


def _creating(part: Path, path: Path) -> IO[bytes]:
    try:
        return part.open("xb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def _packed(raw: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    if not path.name.lower().endswith(".gz"):
        yield raw
        return
    import gzip  # noqa: PLC0415 - only gzip files pay for it

    # No name and no time, so that the same documents give the same bytes.
    with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
        yield cast("IO[bytes]", packed)


@contextmanager
def _encoded(raw: IO[bytes]) -> Iterator[IO[str]]:
    text = TextIOWrapper(raw, encoding="utf-8", newline="", write_through=False)
    try:
        yield text
        text.flush()
    except UnicodeEncodeError as error:
        raise AnnotationError(
            "a text holds half of a surrogate pair and cannot be UTF-8; repair it where it was made"
        ) from error
    finally:
        text.detach() if not raw.closed else None


_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|%]|^\.|[. ]$")
_QUOTED = re.compile(r"%([0-9A-F]{2})")


def file_name(document_id: str) -> str:
    """A document id as a file name every system takes; ``document_id_of`` turns it back."""
    return _UNSAFE.sub(lambda found: f"%{ord(found.group()):02X}", document_id) or "%"


def document_id_of(name: str) -> str:
    """The document id a file name made by ``file_name`` stands for."""
    return _QUOTED.sub(lambda found: chr(int(found.group(1), 16)), name) if name != "%" else ""


@contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """A new folder whose files are moved into ``path`` when the block ends well, else removed.

    Files that ``path`` already has stay, unless one of the same name replaces them.

    Raises:
        UsageError: if ``path`` is a file or cannot be made.
    """
    if path == STANDARD or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path}: this format writes a folder of files; name a folder")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        yield part
        path.mkdir(exist_ok=True)
        for file in sorted(part.iterdir()):
            os.replace(file, path / file.name)  # noqa: PTH105 - one atomic call, as documented
    finally:
        for file in part.iterdir():
            file.unlink()
        part.rmdir()

"""Files in and out: packed ones, folders, standard input; whole or not at all on the way out.

Text is decoded strictly and its line ends are left alone, so offsets are into what was delivered.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from medspan.errors import FormatError, MissingExtraError, UsageError
from medspan.formats import sinks
from medspan.formats.packing import PACKINGS, packing, packing_of, unpacked_name, unpacking
from medspan.formats.protocol import ReadOptions, reject, too_long

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from medspan.types import Document

STANDARD = Path("-")
_DOUBLE = (".fhir.ndjson",)  # extensions of two parts
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")  # what a spreadsheet's "Unicode text" begins with
_PIECE = 1 << 18  # bytes read at a time where a limit must be kept
# A character takes at most 4 bytes of UTF-8, and as an escape in JSON at most 12.
_UTF8_BYTES, _JSON_BYTES = 4, 12
_PART = re.compile(r"part-\d{5,}\.jsonl(?:\.gz|\.zst)?")
_REJECTED = re.compile(r"part-\d{5,}\.errors\.jsonl|.+\.rejected\.jsonl")
_LINE_SLACK = 1 << 20  # what a line may hold besides its text: ids, annotations, other columns


def name_of(path: Path) -> str:
    """How messages call an input."""
    return "<stdin>" if path == STANDARD else str(path)


def stem_of(path: Path) -> str:
    """``notes/a.conll.gz`` → ``a``; standard input is ``stdin``."""
    if path == STANDARD:
        return "stdin"
    return bare_name(path.name, last_only=False)


def bare_name(name: str, *, last_only: bool) -> str:
    """A file name without its packing (``.gz`` …) and without its extension."""
    name = unpacked_name(name)
    return Path(name).stem if last_only else (Path(name).stem or name)


def suffix_of(path: Path) -> str:
    """The extension in lower case, the packing ignored: ``a.CoNLL.gz`` → ``.conll``.

    Of extensions in two parts both: ``.fhir.ndjson``.
    """
    name = unpacked_name(path.name.lower())
    return next((double for double in _DOUBLE if name.endswith(double)), Path(name).suffix)


def refuse_missing(path: Path) -> None:
    """Say that a file or folder to read is not there; standard input always is.

    Raises:
        UsageError: if there is no such path.
    """
    if path != STANDARD and not path.exists():
        raise UsageError(f"{path}: no such file or folder")


def input_files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The file itself (or standard input), or a folder's files with one of the suffixes, sorted.

    Raises:
        UsageError: if there is no such path, or a folder has no such file.
    """
    refuse_missing(path)
    if path == STANDARD or not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if suffix_of(file) in suffixes and file.is_file())
    if not found:
        raise _no_files(path, suffixes)
    return found


def files_below(path: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Files with one of the suffixes, those of subfolders included, and the stem that names their documents.

    A folder's files come sorted, before those of its subfolders. The stem is the file name without
    extension, and in a subfolder the path to it (``2021/a``): it depends on no other file, and two files
    share it only where they differ in nothing but extension or packing. Hidden files and folders are left
    out, and what medspan itself wrote beside documents (`beside_documents`); links to folders are not
    followed. Names are held for one folder at a time.

    Raises:
        UsageError: if there is no such path, it cannot be read, or it holds no such file.
    """
    if not path.is_dir():
        yield from ((file, stem_of(file)) for file in input_files(path, suffixes))
        return
    is_empty = True
    for folder, below, names in os.walk(path, onerror=_refuse_folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        parent = Path(folder).relative_to(path).as_posix()
        prefix = "" if parent == "." else f"{parent}/"
        for name in sorted(set(names) - beside_documents(names)):
            file = Path(folder, name)
            if not name.startswith(".") and suffix_of(file) in suffixes and file.is_file():
                is_empty = False
                yield file, prefix + bare_name(name, last_only=True)
    if is_empty:
        raise _no_files(path, suffixes)


def beside_documents(names: Collection[str]) -> set[str]:
    """Of the names of a folder's files: lists of rejected units, and the manifest of a bulk job."""
    found = {name for name in names if _REJECTED.fullmatch(name)}
    is_job = any(_PART.fullmatch(name) for name in names)
    return found | ({"manifest.jsonl"} if is_job else set())


def documents_below(
    path: Path,
    suffixes: tuple[str, ...],
    options: ReadOptions,
    read_file: Callable[[Path, str, ReadOptions], Iterator[Document]],
) -> Iterator[Document]:
    """Documents of all these files, read by ``read_file`` from a file and its stem.

    What is wrong with a file as a whole (damaged, without a needed column, of a folder but not to be
    opened) is rejected, and reading goes on with the next file.

    Raises:
        FormatError: where a file is malformed and ``options.rejected`` is None.
        UsageError: if there is nothing to read.
    """
    for file, stem in files_below(path, suffixes):
        try:
            yield from read_file(file, stem, options)
        except FormatError as error:
            reject(options, error, "")
        except UsageError as error:
            if options.rejected is None or file == path or isinstance(error, MissingExtraError):
                raise
            options.rejected(FormatError(file, None, str(error), "mend it and read it by itself"), "")


def suffixes_below(path: Path) -> set[str]:
    """The extensions of a folder's files and of those in its subfolders."""
    walked = os.walk(path, onerror=_refuse_folder)
    return {suffix_of(Path(name)) for _, _, names in walked for name in names}


def _refuse_folder(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _no_files(path: Path, suffixes: tuple[str, ...]) -> UsageError:
    packed = ", ".join(PACKINGS)
    return UsageError(
        f"{path}: the folder has no file ending in {', '.join(suffixes)} (or that and one of {packed})"
    )


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, of a packed file unpacked, or of standard input.

    Raises:
        FormatError: if a packed file is damaged or cut off.
        MissingExtraError: if it is a .zst file and zstandard is not installed.
        UsageError: if the file cannot be opened.
    """
    if path == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        raw = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    with raw, unpacking(raw, path) as unpacked:
        yield unpacked


def read_text(path: Path, *, max_chars: int | None = None) -> str:
    """A whole file as text, byte order mark and line ends included.

    Raises:
        FormatError: if it is not UTF-8 (names the byte offset), or longer than ``max_chars`` characters.
    """
    data = _read_all(path) if max_chars is None else _read_at_most(path, max_chars)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise not_utf8(path, None, error.start, data[:2]) from None
    if max_chars is not None and len(text) > max_chars:
        raise too_long(name_of(path), None, max_chars)
    return text


def _read_all(path: Path) -> bytes:
    with reading(path) as handle:
        return handle.read()


def _read_at_most(path: Path, max_chars: int) -> bytes:
    """A file's bytes; one that must be too long is refused by its size, or as soon as it shows."""
    left = _UTF8_BYTES * max_chars
    pieces = []
    if path != STANDARD and not packing_of(path.name) and path.is_file() and path.stat().st_size > left:
        raise too_long(path, None, max_chars)
    with reading(path) as handle:
        while piece := handle.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise too_long(name_of(path), None, max_chars)
            pieces.append(piece)
    return b"".join(pieces)


def longest_line(max_chars: int | None) -> int | None:
    """How many bytes the line (or row) of a document of this many characters can take at most."""
    return None if max_chars is None else _JSON_BYTES * max_chars + _LINE_SLACK


def longest_text(max_chars: int | None) -> int | None:
    """How many bytes of UTF-8 a text of this many characters can take at most."""
    return None if max_chars is None else _UTF8_BYTES * max_chars


def byte_lines(handle: IO[bytes], longest: int | None = None) -> Iterator[tuple[bytes | None, int]]:
    r"""The lines of a file with their length in bytes, their ends included; only ``\n`` ends a line.

    In the place of a line of more than ``longest`` bytes comes None; it is passed over piece by piece.
    """
    if longest is None:
        for line in handle:
            yield line, len(line)
        return
    while line := handle.readline(longest + 1):
        size = len(line)
        if size <= longest:
            yield line, size
            continue
        while line and not line.endswith(b"\n"):
            line = handle.readline(_PIECE)
            size += len(line)
        yield None, size


def read_lines(path: Path, options: ReadOptions = ReadOptions(), *, stand_in: str = "") -> Iterator[str]:
    r"""The lines of a file one by one, their ends included; only ``\n`` ends a line.

    A line that is not UTF-8, or longer than any document of ``options.max_chars`` can make it, is
    rejected, and ``stand_in`` comes in its place where reading goes on.

    Raises:
        FormatError: if a line is not UTF-8 (names line and byte offset) or too long.
    """
    offset = 0
    with reading(path) as handle:
        for number, (line, size) in enumerate(byte_lines(handle, longest_line(options.max_chars)), 1):
            text = stand_in
            if line is None:
                reject(options, too_long(name_of(path), number, options.max_chars), "")
            else:
                try:
                    text = line.decode()
                except UnicodeDecodeError as error:
                    shown = line.decode(errors="backslashreplace")
                    reject(options, not_utf8(path, number, offset + error.start, line[:2]), shown)
            yield text
            offset += size


def not_utf8(path: Path, line: int | None, offset: int, begins: bytes = b"") -> FormatError:
    """The error for a byte that no UTF-8 file has; how the file begins may tell what it is."""
    encoding = "utf-16" if not offset and begins in _UTF16_MARKS else "latin1"
    return FormatError(
        name_of(path),
        line,
        f"byte {offset} is not UTF-8",
        f"convert the file to UTF-8 first, e.g. iconv -f {encoding} -t utf-8",
    )


@contextmanager
def writing(path: Path) -> Iterator[IO[str]]:
    """A text handle whose content reaches ``path`` whole or not at all; ``-`` is standard output.

    The content goes to a file beside the target, which takes its place when the block ends well.
    Standard output, pipes and devices, which cannot take anything back, get it as soon as it is more
    than a few megabytes.

    Raises:
        UsageError: if the target cannot be written, e.g. because the disk is full.
        MissingExtraError: if it is a .zst file and zstandard is not installed.
        AnnotationError: if a text holds half of a surrogate pair, which no UTF-8 file can.
    """
    if path == STANDARD or (path.exists() and not path.is_file() and not path.is_dir()):
        with sinks.stream(None if path == STANDARD else path) as raw, sinks.encoded(raw) as text:
            yield text
        return
    with writing_bytes(path) as raw, packing(raw, path) as packed, sinks.encoded(packed) as text:
        yield text


@contextmanager
def writing_bytes(path: Path) -> Iterator[IO[bytes]]:
    """A handle for bytes, as they are, whose content reaches the file ``path`` whole or not at all.

    Raises:
        UsageError: if the file cannot be written, e.g. because it is a folder or the disk is full.
    """
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with sinks.create(part, path) as raw:
            yield raw
        with sinks.explained(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
    with sinks.explained(path):
        part.mkdir()
    try:
        yield part
        with sinks.explained(path):
            path.mkdir(exist_ok=True)
            for file in sorted(part.iterdir()):
                os.replace(file, path / file.name)  # noqa: PTH105 - one atomic call, as documented
    finally:
        for file in part.iterdir():
            file.unlink()
        part.rmdir()

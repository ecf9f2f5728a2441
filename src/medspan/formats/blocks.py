r"""Blocks: plain text with empty lines between documents, streamed.

A document is a run of lines none of which is empty, its text exactly those lines with their ends; the empty
lines between documents (``\n`` or ``\r\n`` and nothing else, one or more) belong to none. Ids are the file's
stem and the document's number: ``notes-1``, ``notes-2``. No more than one document is held at a time, so a
file of any size can be read. Only read; no extension speaks of it, so it is named: ``--from blocks``.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import msgspec

from medspan.formats import files
from medspan.formats.protocol import ReadOptions, reject, too_long
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXTENSIONS = (".txt",)  # of a folder's files
_EMPTY = (b"\n", b"\r\n")


class _Block(msgspec.Struct):
    """A document's bytes, and where they begin: line from 1, offset in bytes; ``data`` None if too long."""

    line: int
    offset: int
    data: bytes | None


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a text file, of a folder of ``.txt`` files and its subfolders, or of standard input.

    Raises:
        FormatError: if a document is not UTF-8 (names line and byte offset) or too long; a document is the
            unit that is rejected.
        UsageError: if there is nothing to read.
    """
    return files.documents_below(path, EXTENSIONS, options, _read_file)


def _read_file(file: Path, stem: str, options: ReadOptions) -> Iterator[Document]:
    with files.reading(file) as handle:
        blocks = _blocks(handle, files.longest_text(options.max_chars))
        for number, block in enumerate(blocks, 1):
            text = _text(block, file, options)
            if text is not None:
                yield Document(f"{stem}-{number}", text)


def _text(block: _Block, file: Path, options: ReadOptions) -> str | None:
    """The text of a block, or None where it was rejected."""
    text = None
    if block.data is not None:
        try:
            text = block.data.decode()
        except UnicodeDecodeError as error:
            line = block.line + block.data.count(b"\n", 0, error.start)
            problem = files.not_utf8(file, line, block.offset + error.start, block.data[:2])
            reject(options, problem, block.data.decode(errors="backslashreplace"))
            return None
    if text is None or (options.max_chars is not None and len(text) > options.max_chars):
        reject(options, too_long(files.name_of(file), block.line, options.max_chars), "")
        return None
    return text


def _blocks(handle: IO[bytes], longest: int | None) -> Iterator[_Block]:
    """The blocks of a file; of one of more than ``longest`` bytes only the place is kept."""
    lines: list[bytes] = []
    block: _Block | None = None
    size = offset = 0
    for number, (line, length) in enumerate(files.byte_lines(handle, longest), 1):
        if line in _EMPTY:
            if block is not None:
                yield _whole(block, lines)
            block, lines, size = None, [], 0
        else:
            block = block or _Block(number, offset, b"")
            size += length
            if line is None or (longest is not None and size > longest):
                block.data, lines = None, []
            elif block.data is not None:
                lines.append(line)
        offset += length
    if block is not None:
        yield _whole(block, lines)


def _whole(block: _Block, lines: list[bytes]) -> _Block:
    if block.data is not None:
        block.data = b"".join(lines)
    return block

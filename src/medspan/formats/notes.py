"""Notes: CSV or TSV with a header and a document a row, streamed.

The column ``text`` (or the one ``ReadOptions.text_column`` names) holds the text, ``id`` the document's id;
where that column or its value is absent, the id is the file's stem and the number of the row. Columns are
found by their names, in any case of letters where no other fits. The cells of all other columns go to
``meta`` as texts, under the column's name. Quoted cells may hold line breaks and are of any length; text is
kept as it stands in them. The delimiter is the most frequent of tab, comma and semicolon in the header.

No more than one row is held at a time. Only read; ``.csv`` and ``.tsv`` by themselves mean a table of
entities, so this format is named: ``--from notes``.
"""

from __future__ import annotations

import csv
from itertools import chain
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec

from medspan.errors import FormatError
from medspan.formats import files
from medspan.formats.columns import allow_long_fields, delimiter_of, find_columns
from medspan.formats.protocol import ReadOptions, is_too_long, reject, too_long
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXTENSIONS = (".csv", ".tsv")
_PIECE = 1 << 18  # bytes read at a time while a row is passed over


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a table, of a folder of tables and its subfolders, or of standard input.

    Raises:
        FormatError: where the header lacks a column, or a row is malformed or too long; a row is the unit
            that is rejected.
        UsageError: if there is nothing to read.
    """
    allow_long_fields()
    return files.documents_below(path, EXTENSIONS, options, _read_file)


def _read_file(file: Path, stem: str, options: ReadOptions) -> Iterator[Document]:
    with files.reading(file) as handle:
        yield from _documents(_Rows(handle, file, options.max_chars), stem, options)


class _RowError(Exception):
    """What is wrong with a row; ``unit`` is what can be shown of it."""

    def __init__(self, error: FormatError, unit: str) -> None:
        super().__init__()
        self.error, self.unit = error, unit


class _Rows:
    """The lines of a file for the csv module, and where its rows begin.

    Keeps count of quotes, so that a row that cannot be read is passed over to its end: a line break
    belongs to a quoted cell where the number of quotes before it is odd.
    """

    def __init__(self, handle: IO[bytes], path: Path, max_chars: int | None) -> None:
        self.line = 1  # of the row being read
        self._handle, self.path, self._max_chars = handle, path, max_chars
        self._longest = files.longest_line(max_chars)
        self._lines = self._offset = self._size = 0
        self._is_quoted = False

    def begin(self) -> None:
        """Say that a new row begins."""
        self.line, self._size, self._is_quoted = self._lines + 1, 0, False

    def error(self, problem: str, remedy: str) -> FormatError:
        """An error at the row being read."""
        return FormatError(files.name_of(self.path), self.line, problem, remedy)

    def error_of_length(self) -> FormatError:
        """The error for a row whose document is too long."""
        return too_long(files.name_of(self.path), self.line, self._max_chars)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._piece(-1 if self._longest is None else self._longest + 1)
        if not line:
            raise StopIteration
        self._size += len(line)
        if self._longest is not None and self._size > self._longest:
            self._pass_over(line)
            raise _RowError(self.error_of_length(), "")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            place = self._offset - len(line) + error.start
            self._pass_over(line)
            found = files.not_utf8(self.path, self.line, place, line[:2])
            raise _RowError(found, line.decode(errors="backslashreplace")) from None

    def _piece(self, size: int) -> bytes:
        piece = self._handle.readline(size)
        self._offset += len(piece)
        self._lines += piece.endswith(b"\n")
        self._is_quoted ^= piece.count(b'"') % 2 == 1
        return piece

    def _pass_over(self, piece: bytes) -> None:
        while piece and (self._is_quoted or not piece.endswith(b"\n")):
            piece = self._piece(_PIECE)


class _Columns(NamedTuple):
    """The names of the columns, and which of them hold text and id."""

    names: list[str]
    text: int
    id: int | None


def _documents(rows: _Rows, stem: str, options: ReadOptions) -> Iterator[Document]:
    try:
        first = next(rows, "").removeprefix("\ufeff")
        reader = csv.reader(chain([first], rows), delimiter=delimiter_of(first), strict=True)
        columns = _columns(_cells(reader, rows) or [], rows, options)
    except _RowError as problem:
        reject(options, problem.error, problem.unit)
        return
    for number, cells in enumerate(_rows_of_cells(reader, rows), 1):
        try:
            document = _document(cells, columns, f"{stem}-{number}", rows)
        except _RowError as problem:
            reject(options, problem.error, problem.unit)
        else:
            if is_too_long(document, options):
                reject(options, rows.error_of_length(), "")
            else:
                yield document


def _columns(names: list[str], rows: _Rows, options: ReadOptions) -> _Columns:
    places = find_columns(names, options, files.name_of(rows.path), rows.line)
    return _Columns([name or f"column {number}" for number, name in enumerate(names, 1)], *places)


def _cells(reader: Iterator[list[str]], rows: _Rows) -> list[str] | None:
    """The cells of the next row, none of them for an empty line; None after the last row."""
    try:
        return next(reader, None)
    except csv.Error as error:
        problem = f"the quotes of the row are broken ({error})"
        raise _RowError(rows.error(problem, "put a quote twice inside quotes"), "") from None


def _rows_of_cells(reader: Iterator[list[str]], rows: _Rows) -> Iterator[list[str] | _RowError]:
    """The rows below the header; what is wrong with it in the place of one that cannot be read."""
    while True:
        rows.begin()
        try:
            cells = _cells(reader, rows)
        except _RowError as problem:
            yield problem
            continue
        if cells is None:
            return
        if cells:
            yield cells


def _document(cells: list[str] | _RowError, columns: _Columns, numbered: str, rows: _Rows) -> Document:
    if isinstance(cells, _RowError):
        raise cells
    if len(cells) != len(columns.names):
        problem = f"{len(cells)} cells where the header names {len(columns.names)} columns"
        unit = msgspec.json.encode(cells).decode()
        raise _RowError(rows.error(problem, "quote cells that hold the delimiter"), unit)
    identity = cells[columns.id] if columns.id is not None else ""
    own = (columns.text, columns.id)
    named = zip(columns.names, cells, strict=True)
    meta = {name: cell for place, (name, cell) in enumerate(named) if place not in own}
    return Document(identity or numbered, cells[columns.text], meta=meta)

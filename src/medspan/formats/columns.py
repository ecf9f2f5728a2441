"""What readers and writers of tables share: cells, the delimiter, and the columns of text and id."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

from medspan.errors import FormatError
from medspan.formats.protocol import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# The csv module's own limit, 131,072 characters, is less than a long note. A C long holds this everywhere.
_LONGEST_FIELD = 2**31 - 1
NAME_TEXT = "name the column that holds the text (--text-column; text_column in Python)"
NAME_ID = "name the column that holds the id (--id-column; id_column in Python)"


def allow_long_fields() -> None:
    """Raise the csv module's limit for this process, once and for good.

    The limit is global, and a reader that is being streamed needs it between any two rows: setting it
    back would break another thread's reading.
    """
    if csv.field_size_limit() < _LONGEST_FIELD:
        csv.field_size_limit(_LONGEST_FIELD)


def delimiter_of(header: str) -> str:
    """The delimiter a header line uses: the most frequent of tab, comma and semicolon."""
    return max("\t,;", key=header.count)


class Places(NamedTuple):
    """Which columns, counted from 0, hold the text and the id; there may be none of the latter."""

    text: int
    id: int | None


def find_columns(names: Sequence[str], options: ReadOptions, path: Path | str, line: int | None) -> Places:
    """The columns of text and id, by their exact names, else in any case of letters.

    Raises:
        FormatError: if the text's column is not there, the id's is not there though it was named, or a
            name stands twice. The message names only what was asked for: the first line of a file
            without a header is document text.
    """
    text, identity = _place(options.text_column, names), _place(options.id_column, names)
    if text is None:
        problem = f"there is no column {options.text_column!r}"
        raise FormatError(path, line, problem, NAME_TEXT)
    if identity is None and options.id_column != ReadOptions().id_column:
        problem = f"there is no column {options.id_column!r}"
        remedy = f"{NAME_ID}, or none to have rows numbered"
        raise FormatError(path, line, problem, remedy)
    if len(set(names)) < len(names):
        raise FormatError(path, line, "two columns have the same name", "give each its own")
    return Places(text, identity)


def _place(wanted: str, names: Sequence[str]) -> int | None:
    if wanted in names:
        return names.index(wanted)
    folded = [name.strip().casefold() for name in names]
    folded_wanted = wanted.strip().casefold()
    return folded.index(folded_wanted) if folded_wanted in folded else None


def cell(value: str, delimiter: str) -> str:
    """A value as it is written, in quotes where it would break the table.

    Python's csv module leaves a lone carriage return without quotes, and reads a line end there.
    """
    if any(character in value for character in (delimiter, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value

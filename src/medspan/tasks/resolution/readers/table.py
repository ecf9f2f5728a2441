"""A table: CSV or TSV with the columns ``id`` and ``name``, maybe ``synonyms``, ``type``, ``preferred``.

``synonyms`` holds further names, joined by ``|``. Where ``preferred`` is there, a row whose value is 1, true
or yes holds the name to show; else the first name of an id is. One row a line: a cell has no line break.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from medspan.errors import FormatError
from medspan.formats.columns import allow_long_fields, delimiter_of
from medspan.tasks.resolution.readers.lines import numbered
from medspan.tasks.resolution.terms import Kind, Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from medspan.tasks.resolution.readers.lines import ReadSettings
    from medspan.tasks.resolution.terms import ReadLog

_COLUMNS: Final[tuple[str, ...]] = ("id", "name", "synonyms", "type", "preferred")
_NEEDED: Final = ("id", "name")
_YES: Final = frozenset(("1", "true", "yes", "y", "t", "preferred"))


def read(path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:
    """The names of a table.

    Raises:
        FormatError: if a column is absent, or too many rows are bad.
    """
    allow_long_fields()
    lines = numbered(path, log)
    _, header = next(lines, (1, ""))
    delimiter = delimiter_of(header)
    titles = [title.strip().casefold() for title in _cells(header, delimiter) or ()]
    places = {name: titles.index(name) for name in _COLUMNS if name in titles}
    for name in _NEEDED:
        if name not in places:
            raise FormatError(path, 1, f"there is no column {name!r}", "begin the file with: id,name")
    for number, line in lines:
        cells = _cells(line, delimiter)
        if cells is None or len(cells) != len(titles):
            log.add(path, number, "is no row of the table" if cells is None else _width(cells, titles))
            continue
        values = {name: cells[at].strip() for name, at in places.items()}
        if not (values["id"] and values["name"]):
            log.add(path, number, "an id or a name is empty")
            continue
        log.good()
        if not settings.types or values.get("type", "") in settings.types:
            yield from _names(values)


def _cells(line: str, delimiter: str) -> list[str] | None:
    """The cells of a line; those of a TSV are taken as they stand."""
    if delimiter == "\t":
        return line.split("\t")
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _width(cells: list[str], titles: list[str]) -> str:
    return f"has {len(cells)} cells, not {len(titles)}"


def _names(values: Mapping[str, str]) -> Iterator[Name]:
    is_preferred = "synonyms" in values
    if "preferred" in values:
        is_preferred = values["preferred"].casefold() in _YES
    kind, concept = values.get("type", ""), values["id"]
    yield Name(concept, values["name"], Kind.PREFERRED if is_preferred else Kind.SYNONYM, kind)
    for synonym in values.get("synonyms", "").split("|"):
        if synonym.strip():
            yield Name(concept, synonym.strip(), Kind.SYNONYM, kind)

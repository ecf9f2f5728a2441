"""The columns that MRCONSO.RRF of UMLS and RXNCONSO.RRF of RxNorm share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from medspan.tasks.resolution.readers.lines import rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.readers.lines import ReadSettings
    from medspan.tasks.resolution.terms import ReadLog

WIDTH: Final = 19  # 18 columns, and the bar that ends a line
_ENGLISH: Final = "ENG"
_KEPT: Final = frozenset(("N", ""))


class Atom(NamedTuple):
    """One row: a string of a vocabulary and the concept it belongs to."""

    concept: str
    term_status: str
    string_type: str
    is_preferred: str
    vocabulary: str
    term_type: str
    code: str
    string: str


def atoms(path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Atom]:
    """Rows in the wanted language and vocabularies that are not suppressed.

    Raises:
        FormatError: if too many rows are bad.
    """
    for number, row in rows(path, log, "|", WIDTH):
        if not (row[0] and row[14]):
            log.add(path, number, "a concept or its string is empty")
            continue
        is_wanted = not settings.vocabularies or row[11] in settings.vocabularies
        if is_wanted and row[16] in _KEPT and settings.takes(row[1], _ENGLISH):
            yield Atom(row[0], row[2], row[4], row[6], row[11], row[12], row[13], row[14])

"""OMOP vocabularies as Athena delivers them: CONCEPT.csv and CONCEPT_SYNONYM.csv, which are tab-separated.

Ids are OMOP concept ids, which NOTE_NLP wants, or the codes of the vocabularies. Concepts that are no longer
valid are left out. ``types`` are domains (Condition, Drug …).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from medspan.errors import FormatError
from medspan.tasks.resolution.readers.lines import one_file, rows
from medspan.tasks.resolution.terms import Kind, Name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.readers.lines import ReadSettings
    from medspan.tasks.resolution.terms import ReadLog

_WIDTH: Final = 10
_SYNONYM_WIDTH: Final = 3
_ENGLISH: Final = "4180186"


def read(path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:
    """The names of a download: its folder, or CONCEPT.csv, with CONCEPT_SYNONYM.csv beside it or without.

    Raises:
        FormatError: if the file is none, or too many rows are bad.
        UsageError: if the file is not there.
    """
    file = one_file(path, "CONCEPT.csv*", "concepts of Athena")
    ids: dict[str, tuple[str, str]] = {}
    for number, row in rows(file, log, "\t", _WIDTH):
        if number == 1:
            _refuse_others(file, row)
        elif not (row[0] and row[1] and row[6]):
            log.add(file, number, "an id, a code or a name is empty")
        elif _is_wanted(row, settings):
            identity = f"{row[3]}:{row[6]}" if settings.codes else row[0]
            ids[row[0]] = identity, row[2]
            yield Name(identity, row[1], Kind.PREFERRED, row[2])
    for synonyms in sorted(file.parent.glob("CONCEPT_SYNONYM.csv*")):
        for _, row in rows(synonyms, log, "\t", _SYNONYM_WIDTH):
            if row[0] in ids and row[1] and settings.takes(row[2], _ENGLISH):
                yield Name(ids[row[0]][0], row[1], Kind.SYNONYM, ids[row[0]][1])


def _is_wanted(row: list[str], settings: ReadSettings) -> bool:
    is_valid = row[9] == ""
    is_typed = not settings.types or row[2] in settings.types
    return is_valid and is_typed and (not settings.vocabularies or row[3] in settings.vocabularies)


def _refuse_others(path: Path, row: list[str]) -> None:
    if row[0] != "concept_id":
        raise FormatError(path, 1, "is no CONCEPT.csv of Athena", "begin with its header, tab-separated")

"""SNOMED CT in RF2: the description file of a snapshot, active concepts, and the language reference set.

The semantic tag that ends a fully specified name, ``(disorder)``, is the type of its concept and no part of
the name. Needs a SNOMED licence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from medspan.errors import FormatError
from medspan.tasks.resolution.readers.lines import one_file, rows
from medspan.tasks.resolution.terms import Kind, Name, ReadLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.readers.lines import ReadSettings

_WIDTH: Final = 9
_CONCEPT_WIDTH: Final = 5
_LANGUAGE_WIDTH: Final = 7
_FULL_NAME: Final = "900000000000003001"
_PREFERRED: Final = "900000000000548007"
_ENGLISH: Final = "en"
_TAG: Final = re.compile(r"\s*\(([^()]+)\)\Z")


def read(path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:
    """The names of a release: its folder, or the description file of a snapshot.

    Raises:
        FormatError: if the file is none, or too many rows are bad.
        UsageError: if the file is not there, or the folder holds several.
    """
    file = one_file(
        path, f"sct2_Description_Snapshot-{settings.language or _ENGLISH}*", "names of a snapshot"
    )
    active = _active_concepts(file.parent)
    preferred = _preferred_descriptions(file.parent)
    tags = _tags(file)
    for _, row in _descriptions(file, log):
        concept, term = row[4], row[7]
        if row[2] != "1" or not settings.takes(row[5], _ENGLISH) or (active and concept not in active):
            continue
        tag = tags.get(concept, "")
        if settings.types and tag not in settings.types:
            continue
        is_full = row[6] == _FULL_NAME
        is_best = row[0] in preferred and not is_full
        name = _TAG.sub("", term) if is_full else term
        yield Name(concept, name or term, Kind.PREFERRED if is_best else Kind.SYNONYM, tag)


def _descriptions(path: Path, log: ReadLog) -> Iterator[tuple[int, list[str]]]:
    for number, row in rows(path, log, "\t", _WIDTH):
        if number == 1:
            if row[4] != "conceptId" or row[7] != "term":
                raise FormatError(
                    path, 1, "is no description file of RF2", "name sct2_Description_Snapshot…txt"
                )
            continue
        if not (row[4] and row[7]):
            log.add(path, number, "a concept or its term is empty")
            continue
        yield number, row


def _tags(path: Path) -> dict[str, str]:
    """The semantic tag of each concept, from its active full name; bad rows count in the second reading."""
    found = {}
    for _, row in _descriptions(path, ReadLog(1.0)):
        if row[2] == "1" and row[6] == _FULL_NAME and (match := _TAG.search(row[7])):
            found[row[4]] = match[1]
    return found


def _active_concepts(folder: Path) -> set[str]:
    """Active concepts, by the concept file beside; empty where there is none: then all count."""
    return {
        row[0]
        for path in sorted(folder.glob("sct2_Concept_Snapshot*"))
        for _, row in rows(path, ReadLog(1.0), "\t", _CONCEPT_WIDTH)
        if row[2] == "1"
    }


def _preferred_descriptions(folder: Path) -> set[str]:
    """Descriptions that a language reference set of the release prefers."""
    places = (folder, folder.parent / "Refset" / "Language")
    return {
        row[5]
        for place in places
        for path in sorted(place.glob("der2_cRefset_LanguageSnapshot*"))
        for _, row in rows(path, ReadLog(1.0), "\t", _LANGUAGE_WIDTH)
        if row[2] == "1" and row[6] == _PREFERRED
    }

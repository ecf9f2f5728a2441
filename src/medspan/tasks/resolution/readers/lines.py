"""What the readers of terminologies share: settings, numbered lines, rows of a fixed number of fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from medspan.errors import FormatError, UsageError
from medspan.formats import files
from medspan.formats.protocol import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.terms import ReadLog

ANY: Final = "any"
_UNREADABLE: Final = "\0"


class ReadSettings(msgspec.Struct, frozen=True):
    """Which names of a source to take; an empty tuple takes all.

    ``language``: the source's own code (``ENG`` in RRF, ``en`` in RF2, a concept id in Athena); None for its
    English, ``any`` for all. ``vocabularies``: SAB in RRF, vocabulary_id in Athena. ``types``: kinds of
    concept as the source calls them (semantic types of UMLS, term types of RxNorm, semantic tags of SNOMED,
    domains of Athena, namespaces of OBO, the column ``type`` of a table). ``codes``: take the codes of the
    vocabularies as ids (``SNOMEDCT_US:22298006``), not the source's own (CUI, OMOP concept_id).
    """

    language: str | None = None
    vocabularies: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    codes: bool = False

    def takes(self, language: str, english: str) -> bool:
        """Whether a name of this language is wanted."""
        return self.language == ANY or language == (self.language or english)


def numbered(path: Path, log: ReadLog) -> Iterator[tuple[int, str]]:
    """The lines of a file, packed or not, without their ends, with 1-based numbers; not the empty ones."""

    def reject(error: FormatError, _: str) -> None:
        log.add(path, error.line or 0, error.problem)

    log.files.append(path)
    lines = files.read_lines(path, ReadOptions(rejected=reject), stand_in=_UNREADABLE)
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if text and text != _UNREADABLE:
            yield number, text.removeprefix("\ufeff") if number == 1 else text


def rows(path: Path, log: ReadLog, delimiter: str, width: int) -> Iterator[tuple[int, list[str]]]:
    """Lines cut into exactly ``width`` fields; others are counted as bad."""
    for number, line in numbered(path, log):
        fields = line.split(delimiter)
        if len(fields) != width:
            log.add(path, number, f"has {len(fields)} fields, not {width}")
            continue
        log.good()
        yield number, fields


def one_file(path: Path, pattern: str, what: str) -> Path:
    """The file itself, or the one file of a folder (subfolders included) that a pattern fits.

    Raises:
        UsageError: if there is none, or more than one.
    """
    if path.is_file():
        return path
    found = sorted(path.rglob(pattern))
    if len(found) != 1:
        named = ", ".join(str(each) for each in found[:5]) or "none"
        raise UsageError(f"{path}: needs one file {pattern} ({what}), found: {named}; name the file itself")
    return found[0]

"""Readers of terminologies: a dict of them by the name of their format. A new format is a file and a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from medspan.errors import UsageError, did_you_mean
from medspan.formats import files
from medspan.tasks.resolution.readers import athena, obo, rxnorm, snomed, table, umls
from medspan.tasks.resolution.readers.lines import ReadSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.terms import Name, ReadLog

__all__ = ["READERS", "ReadSettings", "Reader", "format_of", "read_names"]


class Reader(Protocol):
    """Reads a terminology: a stream of names, in the order of the source, in flat memory."""

    def __call__(self, path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:
        """The names; lines that cannot be read go to ``log``."""
        ...


READERS: dict[str, Reader] = {
    "table": table.read,
    "obo": obo.read,
    "umls": umls.read,
    "rxnorm": rxnorm.read,
    "snomed": snomed.read,
    "athena": athena.read,
}
_BY_SUFFIX = {".csv": "table", ".tsv": "table", ".obo": "obo"}
_BY_FILE = {
    "MRCONSO.RRF": "umls",
    "RXNCONSO.RRF": "rxnorm",
    "CONCEPT.csv": "athena",
    "sct2_Description_Snapshot": "snomed",
}


def read_names(path: Path, format: str | None, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:  # noqa: A002 - the word users know
    """The names of a source.

    Args:
        path: a file, or the folder of a release.
        format: a name of `READERS`; guessed from the path where None.
        settings: which names.
        log: counts lines that cannot be read, and stops where they are too many.

    Raises:
        UsageError: if the path or the format is unknown.
        FormatError: if the file does not follow its format.
    """
    return READERS[format or format_of(path)](path, settings, log)


def format_of(path: Path) -> str:
    """The format of a source, by its name, or by the files of its folder.

    Raises:
        UsageError: if it cannot be told.
    """
    files.refuse_missing(path)
    names = [path.name] if path.is_file() else [file.name for file in sorted(path.rglob("*"))]
    for start, format_name in _BY_FILE.items():
        if any(name.startswith(start) for name in names):
            return format_name
    found = _BY_SUFFIX.get(files.suffix_of(path)) if path.is_file() else None
    if found is None:
        raise UsageError(
            f"{path}: its name does not tell the format; say it with --format: {', '.join(READERS)}"
        )
    return found


def check_format(name: str) -> str:
    """The name of a format.

    Raises:
        UsageError: if there is none of that name.
    """
    if name not in READERS:
        raise UsageError(f"no format {name!r} of terminologies; {did_you_mean(name, READERS)}")
    return name

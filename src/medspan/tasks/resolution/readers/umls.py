"""UMLS: MRCONSO.RRF, and MRSTY.RRF beside it where only some semantic types are wanted.

Ids are CUIs, or the codes of the vocabularies. Suppressed strings are left out. Needs a UMLS licence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from medspan.errors import UsageError
from medspan.tasks.resolution.readers.lines import one_file, rows
from medspan.tasks.resolution.readers.rrf import atoms
from medspan.tasks.resolution.terms import Kind, Name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.readers.lines import ReadSettings
    from medspan.tasks.resolution.readers.rrf import Atom
    from medspan.tasks.resolution.terms import ReadLog

_TYPES_WIDTH: Final = 7


def read(path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:
    """The names of a UMLS release: the file MRCONSO.RRF, or a folder that holds it.

    Raises:
        FormatError: if too many rows are bad.
        UsageError: if a file is not there.
    """
    names = one_file(path, "MRCONSO.RRF*", "names of UMLS")
    wanted = _concepts_of(names, settings, log) if settings.types else None
    for atom in atoms(names, settings, log):
        if wanted is None or atom.concept in wanted:
            identity = f"{atom.vocabulary}:{atom.code}" if settings.codes else atom.concept
            kind = Kind.PREFERRED if _is_preferred(atom) else Kind.SYNONYM
            yield Name(identity, atom.string, kind)


def _is_preferred(atom: Atom) -> bool:
    return (atom.term_status, atom.string_type, atom.is_preferred) == ("P", "PF", "Y")


def _concepts_of(names: Path, settings: ReadSettings, log: ReadLog) -> set[str]:
    """Concepts of the wanted semantic types, given by TUI or by name."""
    path = next(iter(sorted(names.parent.glob("MRSTY.RRF*"))), None)
    if path is None:
        raise UsageError(
            f"{names.parent}: has no MRSTY.RRF, which holds the semantic types; leave out --type"
        )
    types = frozenset(settings.types)
    return {row[0] for _, row in rows(path, log, "|", _TYPES_WIDTH) if row[1] in types or row[3] in types}

"""RxNorm: RXNCONSO.RRF. Ids are RXCUIs; ``types`` are term types: IN (ingredient), SCD (clinical drug).

Names of RxNorm itself say the type of a concept, so where types are asked for the file is read twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from medspan.tasks.resolution.readers.lines import one_file
from medspan.tasks.resolution.readers.rrf import atoms
from medspan.tasks.resolution.terms import Kind, Name, ReadLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.readers.lines import ReadSettings

_OWN: Final = "RXNORM"
_SYNONYMS: Final = frozenset(("SY", "TMSY", "PSN", "ET"))


def read(path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:
    """The names of an RxNorm release: the file RXNCONSO.RRF, or a folder that holds it.

    Raises:
        FormatError: if too many rows are bad.
        UsageError: if the file is not there.
    """
    names = one_file(path, "RXNCONSO.RRF*", "names of RxNorm")
    wanted = _concepts_of(names, settings) if settings.types else None
    for atom in atoms(names, settings, log):
        if wanted is None or atom.concept in wanted:
            is_best = atom.vocabulary == _OWN and atom.term_type not in _SYNONYMS
            identity = f"{atom.vocabulary}:{atom.code}" if settings.codes else atom.concept
            yield Name(identity, atom.string, Kind.PREFERRED if is_best else Kind.SYNONYM, atom.term_type)


def _concepts_of(names: Path, settings: ReadSettings) -> set[str]:
    """Concepts with a name of RxNorm of a wanted type; bad rows are counted in the second reading."""
    return {
        atom.concept
        for atom in atoms(names, settings, ReadLog(1.0))
        if atom.vocabulary == _OWN and atom.term_type in settings.types
    }

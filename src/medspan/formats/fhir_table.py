"""What becomes of a label in FHIR, and the systems of codes: ``tables/fhir.toml`` and tables of users."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from medspan.toml import convert, read_toml

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["condition", "medication", "test", "observation", "dosage", "route", "frequency", "duration"]
FIELDS: tuple[Kind, ...] = ("dosage", "route", "frequency", "duration")
"""Kinds that are part of a medication's dosage."""

_OURS = Path(__file__).parent / "tables" / "fhir.toml"
_SAME = re.compile(r"[\s_.-]+")


class _Relations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels of relations, by what they say."""

    reason: list[str] = []


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table as it stands in a file."""

    labels: dict[Kind, list[str]] = {}
    relations: _Relations = _Relations()
    systems: dict[str, str] = {}


class Table:
    """One or several tables, the last of which wins.

    Args:
        files: in TOML, in the form of ``tables/fhir.toml``.

    Raises:
        ConfigError: if a file is malformed, naming it and the key.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._kinds: dict[str, Kind] = {}
        self._reasons: set[str] = set()
        self._systems: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        for path in files:
            table = convert(read_toml(path, "table"), _File, str(path))
            for kind, labels in table.labels.items():
                self._kinds |= dict.fromkeys(map(_plain, labels), kind)
            self._reasons |= set(map(_plain, table.relations.reason))
            self._systems |= table.systems
        for prefix, system in self._systems.items():
            self._prefixes.setdefault(system, prefix)

    def kind_of(self, label: str) -> Kind:
        """What an entity of a label becomes."""
        return self._kinds.get(_plain(label), "observation")

    def is_reason(self, label: str) -> bool:
        """Whether a relation of this label says why a medication is taken."""
        return _plain(label) in self._reasons

    def code_of(self, concept_id: str) -> tuple[str | None, str]:
        """System (None where it is not known) and code of a concept's id."""
        prefix, _, code = concept_id.partition(":")
        system = self._systems.get(prefix) if code else None
        return (None, concept_id) if system is None else (system, code)

    def id_of(self, system: str | None, code: str) -> str:
        """The opposite of `code_of`; a system nobody knows stays before its code."""
        if system is None:
            return code
        return f"{self._prefixes.get(system, system)}:{code}"


@lru_cache(maxsize=8)
def table_of(own: tuple[Path, ...] = ()) -> Table:
    """The table that comes with medspan, and those of a user after it.

    Raises:
        ConfigError: if a file is malformed.
    """
    return Table([_OURS, *own])


def _plain(label: str) -> str:
    return _SAME.sub("_", label).casefold()

"""Ontologies in OBO: Mondo, HPO, DOID, ChEBI and many more.

Of each term the name and the synonyms that are EXACT or RELATED; NARROW and BROAD ones name something else.
Obsolete terms are left out. ``alt_id`` is left out too: it names no name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from medspan.tasks.resolution.readers.lines import numbered
from medspan.tasks.resolution.terms import Kind, Name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from medspan.tasks.resolution.readers.lines import ReadSettings
    from medspan.tasks.resolution.terms import ReadLog

_SYNONYM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*([A-Z]*)')
_ESCAPED: Final = re.compile(r"\\(.)")
_TAKEN: Final = frozenset(("EXACT", "RELATED", ""))
_COMMENT: Final = re.compile(r"\s+!.*\Z")


class _Term:
    """A stanza, while it is read."""

    def __init__(self) -> None:
        self.id = ""
        self.names: list[str] = []
        self.type = ""
        self.is_obsolete = False

    def found(self, settings: ReadSettings) -> Iterator[Name]:
        if self.is_obsolete or not self.id or (settings.types and self.type not in settings.types):
            return
        for place, name in enumerate(self.names):
            yield Name(self.id, name, Kind.SYNONYM if place else Kind.PREFERRED, self.type)


def read(path: Path, settings: ReadSettings, log: ReadLog) -> Iterator[Name]:
    """The names of an OBO file.

    Raises:
        FormatError: if too many lines are bad.
    """
    term: _Term | None = None
    default_type = ""
    for number, line in numbered(path, log):
        if line.startswith("["):
            if term is not None:
                yield from term.found(settings)
            term = _Term() if line.strip() == "[Term]" else None
            if term is not None:
                term.type = default_type
            continue
        tag, colon, value = line.partition(":")
        if not colon:
            log.add(path, number, "is neither a stanza nor a tag with a value")
            continue
        log.good()
        if term is None:
            default_type = value.strip() if tag == "default-namespace" else default_type
        elif problem := _take(term, tag, value.strip()):
            log.add(path, number, problem)
    if term is not None:
        yield from term.found(settings)


def _take(term: _Term, tag: str, value: str) -> str:
    """Add a line to a term; what is wrong with it, else nothing."""
    if tag == "id":
        term.id = _COMMENT.sub("", value)
    elif tag == "name":
        term.names.insert(0, _ESCAPED.sub(r"\1", _COMMENT.sub("", value)))
    elif tag == "namespace":
        term.type = value
    elif tag == "is_obsolete":
        term.is_obsolete = value.startswith("true")
    elif tag == "synonym":
        match = _SYNONYM.match(value)
        if match is None:
            return "a synonym is not in quotes"
        if match[2] in _TAKEN:
            term.names.append(_ESCAPED.sub(r"\1", match[1]))
    return ""

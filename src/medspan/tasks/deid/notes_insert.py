"""Identifiers put into real notes without any, as `medspan.tasks.deid.notes` invents them.

A note is taken in runs of paragraphs. Paragraphs that may hold something of their own are left out: those a
pattern matches, those with a common name, and the blanks that whoever made the notes public put there (*Dr.
X*, *ABC Hospital*). Sentences with identifiers are put between the others, and *the patient* becomes a name
here and there.
"""

from __future__ import annotations

import hashlib
import random
import re
from functools import cache
from typing import TYPE_CHECKING

from medspan.tasks.deid.names import name_lists
from medspan.tasks.deid.notes import as_document
from medspan.tasks.deid.notes_slots import Piece
from medspan.tasks.deid.patterns import shipped_patterns
from medspan.tasks.deid.terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.tasks.deid.notes import NoteWriter
    from medspan.tasks.deid.notes_names import Part
    from medspan.types import Document

_BLANKED = re.compile(
    r"\b(?:Dr|Mr|Mrs|Ms|Miss|Drs)\b\.?|\b(?:XX+|XYZ|ABC[DEF]*|MM|DD|YYYY|Doe)\b|_{2,}|\*{2,}"
    r"|\bage of 9\d|\b1?[09]\d[- ]year"
)
_PATIENT = re.compile(
    r"(?<=[.:] )The patient(?= (?:was|is|has|had|did|will|tolerated|reports|states|denies))"
)
_WORD = re.compile(r"(?<![\w-])[A-Z][a-z]{2,}(?![\w-])")
_RUN = 6
_GROUPS = ("hpi", "body", "plan")
_NAMED, _INSERTED = 0.5, 0.55


def half_of(document: Document) -> Part:
    """The part a note belongs to, by the digest of its id."""
    return "test" if hashlib.sha256(document.id.encode()).digest()[0] % 2 else "train"


def inserted(document: Document, writer: NoteWriter, *, most: int = 3) -> Iterator[Document]:
    """Runs of a note's paragraphs with identifiers put in, at most so many."""
    clean = [
        paragraph for paragraph in document.text.split("\n") if paragraph.strip() and is_clean(paragraph)
    ]
    digest = hashlib.sha256(document.id.encode()).digest()
    choose = random.Random(int.from_bytes(digest[:8], "big"))  # noqa: S311 - invented notes, no secrets
    for number, first in enumerate(range(0, len(clean), _RUN)):
        if number == most:
            return
        yield _with_identifiers(f"{document.id}-{number}", clean[first : first + _RUN], writer, choose)


def _with_identifiers(
    name: str, paragraphs: list[str], writer: NoteWriter, choose: random.Random
) -> Document:
    pieces: list[Piece] = []
    for paragraph in paragraphs:
        if choose.random() < _INSERTED:
            more, _ = writer.snippet(_GROUPS)
            pieces += [*more, Piece("\n")]
        pieces += [*_named(paragraph, writer, choose), Piece("\n")]
    return as_document(name, pieces)


def _named(paragraph: str, writer: NoteWriter, choose: random.Random) -> list[Piece]:
    match = _PATIENT.search(paragraph)
    if match is None or choose.random() > _NAMED:
        return [Piece(paragraph)]
    slots = writer.slots()
    who = (
        slots.fill("given")
        if choose.random() < _NAMED
        else [*slots.fill("title"), Piece(" "), *slots.fill("last")]
    )
    return [Piece(paragraph[: match.start()]), *who, Piece(paragraph[match.end() :])]


def is_clean(paragraph: str) -> bool:
    """Whether nothing in a paragraph looks as if it identified someone."""
    if _BLANKED.search(paragraph) or shipped_patterns().find(paragraph):
        return False
    return not any(
        word[0].lower() in _common() and not _is_eponym(paragraph, word.end())
        for word in _WORD.finditer(paragraph)
    )


def _is_eponym(paragraph: str, end: int) -> bool:
    after = re.match(r"(?:'s)?[ -]([a-z]+)", paragraph[end : end + 30])
    return bool(after) and after is not None and after[1] in terms().eponyms


@cache
def _common() -> frozenset[str]:
    lists = name_lists("en")
    names = {name.lower() for name in (*lists.female, *lists.male, *lists.surname)}
    return frozenset(names - terms().words) | terms().regions

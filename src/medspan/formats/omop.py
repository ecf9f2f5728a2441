"""OMOP NOTE_NLP (common data model 5.4): an entity a row, as CSV with the model's column names. Only written.

``note_id`` is the document's id; the model wants whole numbers there, and what is given is written as it is.
``offset`` is the first character, counted from 0; ``lexical_variant`` the mention and ``snippet`` its
surroundings, at most 250 characters each. ``note_nlp_concept_id`` is the number of a concept ``OMOP:number``,
0 (no matching concept) where an entity has none. ``term_exists`` is ``Y`` or ``N`` where an attribute
``assertion`` says whether the patient has it, else empty; ``term_temporal`` is an attribute ``temporality``;
``term_modifiers`` are the label and all attributes, ``name=value``. ``note_nlp_id`` counts from 1.

Not held, and counted: scores, relations, sections, ends of discontinuous mentions and the like.
"""

from __future__ import annotations

import csv
import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from medspan.formats import files
from medspan.formats.protocol import Losses, WriteOptions, count_unheld
from medspan.formats.surface import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document, Entity

LONGEST = 250
_AROUND = 100
_SYSTEM = "medspan"
_OMOP = "OMOP:"
_NOT_THE_PATIENTS = frozenset(
    {"absent", "hypothetical", "conditional", "associated_with_someone_else", "family"}
)


class Row(NamedTuple):
    """A row of NOTE_NLP without its own number; the names are the model's."""

    note_id: str
    section_concept_id: int
    snippet: str
    offset: str
    lexical_variant: str
    note_nlp_concept_id: int
    note_nlp_source_concept_id: int
    nlp_system: str
    nlp_date: str
    nlp_datetime: str
    term_exists: str
    term_temporal: str
    term_modifiers: str


COLUMNS = ("note_nlp_id", *Row._fields)


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write one row an entity.

    Raises:
        UsageError: if the file cannot be written.
    """
    losses = Losses()
    date = options.date or dt.datetime.now(dt.UTC).date().isoformat()
    number = 0
    with files.writing(path) as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(COLUMNS)
        for document in documents:
            for number, row in enumerate(rows(document, date=date), start=number + 1):  # noqa: B020 - counts on
                table.writerow((number, *row))
            _count(document, losses)
    return losses


def rows(document: Document, *, date: str, system: str = _SYSTEM) -> Iterator[Row]:
    """The rows of a document's entities.

    Args:
        document: with entities.
        date: day of the annotation, ISO.
        system: what found them.
    """
    for entity in document.entities:
        attributes = {attribute.name: attribute.value for attribute in entity.attributes}
        first, last = max(0, entity.start - _AROUND), entity.end + _AROUND
        yield Row(
            note_id=document.id,
            section_concept_id=0,
            snippet=document.text[first:last][:LONGEST],
            offset=str(entity.start),
            lexical_variant=joined(entity, document.text)[:LONGEST],
            note_nlp_concept_id=_concept(entity),
            note_nlp_source_concept_id=0,
            nlp_system=system,
            nlp_date=date,
            nlp_datetime="",
            term_exists=_exists(attributes.get("assertion")),
            term_temporal=attributes.get("temporality", ""),
            term_modifiers=",".join(
                f"{name}={value}" for name, value in {"label": entity.label, **attributes}.items()
            ),
        )


def _concept(entity: Entity) -> int:
    numbers = (concept.id.removeprefix(_OMOP) for concept in entity.concepts if concept.id.startswith(_OMOP))
    return next((int(number) for number in numbers if number.isdecimal()), 0)


def _exists(assertion: str | None) -> str:
    if assertion is None:
        return ""
    return "N" if assertion in _NOT_THE_PATIENTS else "Y"


def _count(document: Document, losses: Losses) -> None:
    count_unheld(document, losses, frozenset({"attributes", "concepts"}))
    losses.add("discontinuous spans", sum(entity.is_discontinuous for entity in document.entities))
    losses.add("documents without entities", int(not document.entities))

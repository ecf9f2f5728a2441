r"""OMOP NOTE_NLP (common data model 5.4): an entity a row, as CSV or Parquet (``.parquet``).

``note_id`` is the document's id; the model wants whole numbers there, and what is given is written as it is
(Parquet: as text, so that a file's columns do not depend on its rows; cast it as you load it). ``offset``
is the first character, counted from 0 in code points; ``lexical_variant`` the mention and ``snippet`` its
surroundings, at most 250 characters each (NUL, which databases refuse, is a blank there).
``note_nlp_concept_id`` is the number of the first concept ``OMOP:number``, 0 (no matching concept) where an
entity has none.

``term_exists`` is ``Y`` or ``N`` where an attribute ``assertion`` says whether the patient has it, else
empty: an entity nobody judged is not taken for one without modifiers. ``term_temporal`` is the model's
``present`` or ``past`` for an attribute ``temporality`` that is current or historical, any other as it is.
``term_modifiers`` are, with commas between, ``name=value``: the label; ``spans`` (``12-15;20-24``) of a
mention that is discontinuous or too long for its column; all attributes; ``section``, where one holds the
mention; what relations lead to, as ``Dosage=81 mg``; ``code``, the ids of other concepts; ``score``. Of
others that have these names, ``_`` stands behind. A ``\`` stands before a comma, ``=`` or ``\`` that is
meant itself. What would go beyond 2,000 characters is left out, from the end, and counted. ``note_nlp_id``
counts from 1.

`mentions` reads the spans again. Not held, and counted: scores of attributes, concepts and relations, names
of concepts, sections as such, meta, documents without entities.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from medspan import __version__
from medspan.formats import files
from medspan.formats.columns import cell
from medspan.formats.omop_read import OMOP, Mention, mentions
from medspan.formats.parquet_rows import write_rows
from medspan.formats.protocol import Losses, WriteOptions, count_unheld, day_of
from medspan.formats.surface import joined, section_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from medspan.formats.parquet_rows import Kind
    from medspan.types import Concept, Document, Entity, Relation

__all__ = ["COLUMNS", "LONGEST", "Mention", "Row", "mentions", "rows", "write"]

LONGEST = 250
"""Characters of a snippet and of a mention."""
LONGEST_MODIFIERS = 2000
_LONGEST_TEMPORAL = 50
_LARGEST = 2**31 - 1  # of the model's integers
_AROUND = 100
_TEMPORAL: Mapping[str, str] = {"current": "present", "historical": "past"}
_OWN_NAMES = frozenset({"label", "spans", "section", "code", "score"})
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
_KINDS: Mapping[str, Kind] = {
    "note_nlp_id": "int64",
    "section_concept_id": "int32",
    "note_nlp_concept_id": "int32",
    "note_nlp_source_concept_id": "int32",
    "nlp_date": "date32",
}
_EMPTY_IS_NULL = frozenset({"nlp_datetime", "term_exists", "term_temporal"})


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write one row an entity; Parquet for ``.parquet``, else CSV.

    Raises:
        MissingExtraError: if Parquet is asked for and pyarrow is not installed.
        UsageError: if the file cannot be written.
    """
    losses = Losses()
    numbered = enumerate(_all_rows(documents, options, losses), start=1)
    if files.suffix_of(path) == ".parquet":
        columns = {name: _KINDS.get(name, "string") for name in COLUMNS}
        write_rows((_typed(number, row) for number, row in numbered), path, columns)
        return losses
    with files.writing(path) as handle:
        handle.write(",".join(COLUMNS) + "\n")
        for number, row in numbered:
            handle.write(",".join(cell(str(value), ",") for value in (number, *row)) + "\n")
    return losses


def _all_rows(documents: Iterable[Document], options: WriteOptions, losses: Losses) -> Iterator[Row]:
    date = day_of(options)
    system = f"medspan {__version__}" + (f" {options.model}" if options.model else "")
    for document in documents:
        yield from rows(document, date=date, system=system, losses=losses)
        _count(document, losses)


def _typed(number: int, row: Row) -> tuple[object, ...]:
    """A row as Parquet has it: null for what is not said, the day as a date."""
    values = {
        name: None if not value and name in _EMPTY_IS_NULL else value for name, value in row._asdict().items()
    }
    return (number, *(values | {"nlp_date": dt.date.fromisoformat(row.nlp_date)}).values())


def rows(
    document: Document, *, date: str, system: str = f"medspan {__version__}", losses: Losses | None = None
) -> Iterator[Row]:
    """The rows of a document's entities.

    Args:
        document: with entities.
        date: day of the annotation, ISO.
        system: name and version of what found them.
        losses: where to count modifiers that are left out.
    """
    tails: dict[str, list[Relation]] = {}
    for relation in document.relations:
        tails.setdefault(relation.head, []).append(relation)
    entities = {entity.id: entity for entity in document.entities}
    for entity in document.entities:
        attributes = {attribute.name: attribute.value for attribute in entity.attributes}
        related = [
            (each.label, _cell(joined(entities[each.tail], document.text), LONGEST_MODIFIERS))
            for each in tails.get(entity.id, ())
        ]
        first, last = max(0, entity.start - _AROUND), entity.end + _AROUND
        modifiers = _modifiers(entity, related, section_of(document, entity))
        temporality = attributes.get("temporality", "")
        yield Row(
            note_id=document.id,
            section_concept_id=0,
            snippet=_cell(document.text[first:last]),
            offset=str(entity.start),
            lexical_variant=_cell(joined(entity, document.text)),
            note_nlp_concept_id=_number(concept.id) if (concept := _concept(entity)) else 0,
            note_nlp_source_concept_id=0,
            nlp_system=system[:LONGEST],
            nlp_date=date,
            nlp_datetime="",
            term_exists=_exists(attributes.get("assertion")),
            term_temporal=_TEMPORAL.get(temporality, temporality)[:_LONGEST_TEMPORAL],
            term_modifiers=_compact(modifiers, losses or Losses()),
        )


def _modifiers(
    entity: Entity, related: Sequence[tuple[str, str]], section: str | None
) -> Iterator[tuple[str, str]]:
    """What is said of an entity, by name, the most needed first."""
    yield "label", entity.label
    if entity.is_discontinuous or entity.end - entity.start > LONGEST:
        yield "spans", ";".join(f"{span.start}-{span.end}" for span in entity.spans)
    for attribute in entity.attributes:
        yield _apart(attribute.name), attribute.value
    if section is not None:
        yield "section", section
    yield from ((_apart(name), value) for name, value in related)
    in_its_column = _concept(entity)
    for concept in entity.concepts:
        if concept is not in_its_column:
            yield "code", concept.id
    if entity.score is not None:
        yield "score", repr(float(entity.score))


def _apart(name: str) -> str:
    """A name as it is, or with a line behind it where it would be taken for one of ours."""
    return f"{name}_" if name in _OWN_NAMES else name


def _compact(modifiers: Iterable[tuple[str, str]], losses: Losses) -> str:
    parts: list[str] = []
    left = LONGEST_MODIFIERS
    for name, value in modifiers:
        part = f"{_marked(name)}={_marked(value)}"
        left -= len(part) + bool(parts)
        if left < 0:
            losses.add("modifiers beyond 2,000 characters")
            break
        parts.append(part)
    return ",".join(parts)


def _marked(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _cell(text: str, longest: int = LONGEST) -> str:
    return text[:longest].replace("\0", " ")


def _concept(entity: Entity) -> Concept | None:
    """The concept whose number is in the column; None where no number fits there."""
    return next((concept for concept in entity.concepts if _number(concept.id)), None)


def _number(concept_id: str) -> int:
    """Of a concept of OMOP; 0 for any other."""
    digits = concept_id.removeprefix(OMOP)
    if digits == concept_id or not digits.isdecimal() or len(digits) > len(str(_LARGEST)):
        return 0
    return number if (number := int(digits)) <= _LARGEST else 0


def _exists(assertion: str | None) -> str:
    if assertion is None:
        return ""
    return "N" if assertion in _NOT_THE_PATIENTS else "Y"


def _count(document: Document, losses: Losses) -> None:
    count_unheld(document, losses, frozenset({"attributes", "concepts", "scores", "relations"}))
    attributes = [item for entity in document.entities for item in entity.attributes]
    concepts = [item for entity in document.entities for item in entity.concepts]
    losses.add("attribute scores", sum(item.score is not None for item in attributes))
    losses.add("concept names", sum(item.name is not None for item in concepts))
    losses.add("concept scores", sum(item.score is not None for item in concepts))
    losses.add("relation scores", sum(relation.score is not None for relation in document.relations))
    losses.add("documents without entities", int(not document.entities))

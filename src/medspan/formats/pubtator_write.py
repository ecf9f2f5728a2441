"""Documents as PubTator lines, counting what those cannot say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from medspan.formats.protocol import CONCEPT_RELATIONS, count_unheld
from medspan.formats.quoting import LINE_BREAKS, quote, unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.formats.protocol import Losses
    from medspan.types import Document, Entity

DOCUMENT = unsafe(r"|")
FIELD = unsafe("")
NAME = unsafe("|")
CONCEPT = unsafe("|;,", "^-(?=1?$)")
# Mutations as tmVar names them hold the separators of concepts: p|SUB|V|600|E.
TMVAR = re.compile(r"tmVar:|[cgmnpr]\|(?:SUB|DEL|INS|DUP|INDEL|FS|Allele)\|")

_BREAK = re.compile(f"[{LINE_BREAKS}]")
_COLUMN_BREAK = re.compile(f"[\t{LINE_BREAKS}]")


def block_of(document: Document, losses: Losses) -> str:
    """The lines of a document and the blank line after it."""
    identity = quote(document.id, DOCUMENT)
    title, abstract = split_text(document.text)
    flat = _BREAK.sub(" ", title), _BREAK.sub(" ", abstract)
    losses.add("line breaks", len(_BREAK.findall(title)) + len(_BREAK.findall(abstract)))
    lines = [f"{identity}|t|{flat[0]}", f"{identity}|a|{flat[1]}"]
    lines += ["\t".join((identity, *_columns(entity, document))) for entity in document.entities]
    lines += ["\t".join((identity, *columns)) for columns in _relations(document, losses)]
    _count(document, losses)
    return "\n".join(lines) + "\n\n"


def one_column(text: str) -> str:
    """Text as a column holds it: each tab or line break is a blank."""
    return _COLUMN_BREAK.sub(" ", text)


def split_text(text: str) -> tuple[str, str]:
    """Title and abstract: parted at the first line break, unless nothing would follow it."""
    title, _, abstract = text.partition("\n")
    return (title, abstract) if abstract else (text, "")


def _columns(entity: Entity, document: Document) -> list[str]:
    columns = [
        str(entity.start),
        str(entity.end),
        one_column(document.text[entity.start : entity.end]),
        quote(entity.label, FIELD),
        _concept_column(entity),
    ]
    if any(concept.name is not None for concept in entity.concepts):
        names = (concept.name for concept in entity.concepts)
        columns.append("|".join("" if name is None else quote(name, NAME) for name in names))
    further = document.meta.get("pubtator", {}).get("columns", {}).get(entity.id, [])
    return columns + [one_column(str(column)) for column in further]


def _concept_column(entity: Entity) -> str:
    ids = [concept.id for concept in entity.concepts]
    if len(ids) == 1 and TMVAR.match(ids[0]) and not _COLUMN_BREAK.search(ids[0]):
        return ids[0]
    return "|".join(quote(identity, CONCEPT) for identity in ids) or "-"


def _relations(document: Document, losses: Losses) -> Iterator[tuple[str, ...]]:
    """Columns of the relations between concepts, those between mentions reduced to that."""
    seen = set()
    for relation in document.meta.get(CONCEPT_RELATIONS, ()):
        columns = _concept_relation(relation)
        losses.add("relation fields", len(relation.keys() - {"type", "head_id", "tail_id", "columns"}))
        seen.add(columns[:3])
        yield columns
    first = {entity.id: entity.concepts[0].id for entity in document.entities if entity.concepts}
    for between in document.relations:
        if between.head not in first or between.tail not in first:
            losses.add("relations of mentions without a concept")
            continue
        losses.add("which mentions a relation is between")
        reduced = (between.label, first[between.head], first[between.tail])
        columns = tuple(quote(column, FIELD) for column in reduced)
        if columns not in seen:
            seen.add(columns)
            yield columns


def _concept_relation(relation: dict[str, Any]) -> tuple[str, ...]:
    values = [relation.get(key, "") for key in ("type", "head_id", "tail_id")]
    return tuple(quote(str(value), FIELD) for value in (*values, *relation.get("columns", ())))


def _count(document: Document, losses: Losses) -> None:
    entities = document.entities
    count_unheld(document, losses, frozenset({"relations", "concepts", "meta"}))
    losses.add("meta values", len(document.meta.keys() - {CONCEPT_RELATIONS, "pubtator", "conll"}))
    losses.add("discontinuous spans", sum(entity.is_discontinuous for entity in entities))
    losses.add("entity ids", sum(entity.id != f"T{number}" for number, entity in enumerate(entities, 1)))
    losses.add("relation scores", sum(relation.score is not None for relation in document.relations))
    concepts = (concept for entity in entities for concept in entity.concepts)
    losses.add("concept scores", sum(concept.score is not None for concept in concepts))

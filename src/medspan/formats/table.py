r"""Tables (CSV or TSV): an entity a row, for spreadsheets and data frames.

Columns, found by their names in any order: ``document``, ``id``, ``label``, ``start``, ``end``, ``spans``
(``12-15;20-24``, only where discontinuous), ``text`` (the mention; checked when read), ``score``,
``concepts`` (ids, best first, with ``|`` between), ``attributes`` (``name=value``, with ``|`` between),
``relations`` (``label=id`` of the mention it leads to, with ``|`` between). In the last three a ``\`` stands
before a ``|``, ``=`` or ``\`` that is meant itself. Other columns are kept in ``meta["entity_extra"]``.

Offsets need texts: a column ``document_text`` (first row of a document; written on request), else
``<document>.txt`` beside the table. Not held, and counted: texts and documents without entities (unless
that column is written), names and scores of concepts, scores of attributes, ids and scores of relations,
sentences, sections, meta.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

from medspan.formats import files
from medspan.formats.columns import cell
from medspan.formats.protocol import Losses, WriteOptions, count_unheld
from medspan.formats.surface import joined
from medspan.formats.table_read import COLUMNS, EXTENSIONS, TEXT_COLUMN, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document, Entity

__all__ = ["COLUMNS", "EXTENSIONS", "read", "write"]

_MEANT = re.compile(r"[|=\\]")


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write one row an entity; commas for ``.csv``, else tabs.

    Raises:
        UsageError: if the file cannot be written.
    """
    losses = Losses()
    delimiter = "," if files.suffix_of(path) == ".csv" else "\t"
    columns = (*COLUMNS, TEXT_COLUMN) if options.document_text else COLUMNS
    with files.writing(path) as handle:
        handle.write(delimiter.join(columns) + "\n")
        for document in documents:
            for row in _rows(document, has_text=options.document_text):
                handle.write(delimiter.join(cell(value, delimiter) for value in row) + "\n")
            _count(document, losses, has_text=options.document_text)
    return losses


def _rows(document: Document, *, has_text: bool) -> Iterator[list[str]]:
    text = [document.text] if has_text else []
    if has_text and not document.entities:
        yield [document.id, *[""] * (len(COLUMNS) - 1), *text]
    relations: dict[str, list[str]] = {}
    for relation in document.relations:
        relations.setdefault(relation.head, []).append(f"{_marked(relation.label)}={_marked(relation.tail)}")
    for number, entity in zip(count(), document.entities, strict=False):
        values = [*_values(entity, document.text), "|".join(relations.get(entity.id, ()))]
        yield [document.id, *values, *(text if not number else [""] * len(text))]


def _values(entity: Entity, text: str) -> list[str]:
    parts = ";".join(f"{span.start}-{span.end}" for span in entity.spans)
    return [
        entity.id,
        entity.label,
        str(entity.start),
        str(entity.end),
        parts if entity.is_discontinuous else "",
        joined(entity, text),
        "" if entity.score is None else repr(float(entity.score)),
        "|".join(_marked(concept.id) for concept in entity.concepts),
        "|".join(f"{_marked(item.name)}={_marked(item.value)}" for item in entity.attributes),
    ]


def _marked(value: str) -> str:
    return _MEANT.sub(lambda found: "\\" + found.group(), value)


def _count(document: Document, losses: Losses, *, has_text: bool) -> None:
    holds = frozenset({"attributes", "concepts", "scores", "relations"})
    count_unheld(document, losses, holds)
    places = {entity.id: place for place, entity in enumerate(document.entities)}
    ordered = sorted(document.relations, key=lambda relation: places[relation.head])
    losses.add("relation ids", sum(r.id != f"R{number}" for number, r in enumerate(ordered, 1)))
    losses.add("relation scores", sum(relation.score is not None for relation in ordered))
    concepts = [concept for entity in document.entities for concept in entity.concepts]
    attributes = [attribute for entity in document.entities for attribute in entity.attributes]
    losses.add("concept names", sum(concept.name is not None for concept in concepts))
    losses.add("concept scores", sum(concept.score is not None for concept in concepts))
    losses.add("attribute scores", sum(attribute.score is not None for attribute in attributes))
    if not has_text:
        losses.add("document texts")
        losses.add("documents without entities", int(not document.entities))

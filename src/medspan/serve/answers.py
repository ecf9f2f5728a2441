"""Documents → the JSON of an answer, in the unit of offsets that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from medspan.formats.jsonl import as_json
from medspan.jobs.annotating import Line
from medspan.text.utf16 import to_utf16

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from medspan.serve.orders import Annotate, Deidentify, Offsets
    from medspan.tasks.deid.annotator import Change
    from medspan.types import Document

CHANGES = "changes"
"""Key of the meta under which the changes of a de-identified document travel to its answer."""

_ENCODER = msgspec.json.Encoder()
_OFFSETS = ("start", "end")


def annotated(document: Document, order: Annotate) -> Line:
    """The answer for an annotated document."""
    kept = _kept(document, order)
    value = in_unit(kept, order.offsets)
    if not order.echo:
        del value["text"]
    return _line(value, kept)


def deidentified(document: Document, order: Deidentify) -> Line:
    """The answer for a de-identified document, whose meta holds its changes."""
    meta = dict(document.meta)
    changes = meta.pop(CHANGES)
    new = document.replace(meta=meta)
    return _line({**in_unit(new, order.offsets), CHANGES: changes}, new)


def changes_json(changes: Iterable[Change], old: str, new: str, offsets: Offsets) -> list[dict[str, Any]]:
    """Changes as JSON values, with offsets into the text that was given and the new one."""
    before, after = _mover(old, offsets), _mover(new, offsets)
    return [
        {
            "label": each.label,
            "start": before(each.start),
            "end": before(each.end),
            "new_start": after(each.new_start),
            "new_end": after(each.new_end),
        }
        for each in changes
    ]


def in_unit(document: Document, offsets: Offsets) -> dict[str, Any]:
    """The JSON of a document with offsets in a unit."""
    value = as_json(document)
    move = _mover(document.text, offsets)
    if move is _same:
        return value
    for part in (*value["entities"], *value.get("sections", ())):
        part.update({name: move(part[name]) for name in _OFFSETS})
        if "spans" in part:
            part["spans"] = [[move(start), move(end)] for start, end in part["spans"]]
    if "sentences" in value:
        value["sentences"] = [[move(start), move(end)] for start, end in value["sentences"]]
    return value


def _kept(document: Document, order: Annotate) -> Document:
    """The document with the entities that are wanted, and the relations between them."""
    if order.labels is None and order.min_score <= 0:
        return document
    wanted = None if order.labels is None else set(order.labels)
    entities = tuple(
        entity
        for entity in document.entities
        if (wanted is None or entity.label in wanted) and (entity.score or 0.0) >= order.min_score
    )
    ids = {entity.id for entity in entities}
    relations = tuple(each for each in document.relations if {each.head, each.tail} <= ids)
    return document.replace(entities=entities, relations=relations)


def _mover(text: str, offsets: Offsets) -> Callable[[int], int]:
    return to_utf16(text) if offsets == "utf16" else _same


def _line(value: dict[str, Any], document: Document) -> Line:
    return Line(_ENCODER.encode(value) + b"\n", len(document.text), len(document.entities))


def _same(offset: int) -> int:
    return offset

"""Documents as BioC records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import AnnotationError
from medspan.formats.bioc import (
    ATTRIBUTE,
    OWN,
    ROLES,
    Annotation,
    Infons,
    Kept,
    Link,
    Location,
    Node,
    Passage,
    Record,
    planned,
    sections_of,
)
from medspan.formats.bioc_concepts import identifiers
from medspan.formats.protocol import kept_of

if TYPE_CHECKING:
    from medspan.formats.bioc import Part
    from medspan.types import Document, Entity, Relation


def record_of(document: Document) -> Record:
    """A document as BioC; nothing is lost.

    Raises:
        AnnotationError: if meta holds something that is not JSON.
    """
    try:
        return _record(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise AnnotationError(
            f"document {document.id!r}: meta holds a value that is not JSON; keep only text, numbers, "
            "true, false, null, lists and objects there"
        ) from error


def _record(document: Document) -> Record:
    kept = kept_of(document, "bioc", Kept)
    parts = planned(document.text, document.sections, kept.passages)
    passages = [Passage(part.start, document.text[part.start : part.end], part.infons) for part in parts]
    record = Record(document.id, _document_infons(document, parts, kept), passages)
    for entity in document.entities:
        home: Passage | Record = next((item for item in passages if _lies_in(entity, item)), record)
        home.annotations.append(_annotation(entity, document, kept))
    record.annotations += kept.annotations
    record.relations += [_link(relation, kept) for relation in document.relations]
    record.relations += kept.relations
    # Readers number what stands at the passages first; this says the order where that would change it.
    at_passages = [item.id for passage in passages for item in passage.annotations]
    found = at_passages + [item.id for item in record.annotations]
    order = [entity.id for entity in document.entities]
    if found[: len(order)] != order:
        own = json.loads((record.infons or {}).get(OWN, "{}"))
        record.infons = {**(record.infons or {}), OWN: json.dumps({**own, "order": order})}
    return record


def _lies_in(entity: Entity, passage: Passage) -> bool:
    return passage.offset <= entity.start and entity.end <= passage.offset + len(passage.text or "")


def _document_infons(document: Document, parts: list[Part], kept: Kept) -> Infons:
    own: dict[str, Any] = {}
    if document.sections != sections_of(parts):
        own["sections"] = [[item.label, item.span.start, item.span.end] for item in document.sections]
    if document.sentences:
        own["sentences"] = [[span.start, span.end] for span in document.sentences]
    if kept.sentence_infons:
        own["sentence_infons"] = kept.sentence_infons
    meta = {key: value for key, value in document.meta.items() if key != "bioc"}
    if meta:
        own["meta"] = meta
    return {**kept.infons, **({OWN: json.dumps(own)} if own else {})}


def _annotation(entity: Entity, document: Document, kept: Kept) -> Annotation:
    infons: Infons = {**kept.entity_infons.get(entity.id, {}), "type": entity.label}
    own: dict[str, Any] = {}
    if entity.concepts:
        joined = ";".join(concept.id for concept in entity.concepts)
        infons["identifier"] = joined
        plain = all(concept.name is None and concept.score is None for concept in entity.concepts)
        if not plain or identifiers(joined) != [concept.id for concept in entity.concepts]:
            own["concepts"] = [msgspec.to_builtins(concept) for concept in entity.concepts]
    if entity.score is not None:
        infons["score"] = repr(float(entity.score))
    for attribute in entity.attributes:
        infons[ATTRIBUTE + attribute.name] = attribute.value
    scores = {item.name: item.score for item in entity.attributes if item.score is not None}
    if scores:
        own["attribute_scores"] = scores
    if own:
        infons[OWN] = json.dumps(own)
    locations = [Location(span.start, span.end - span.start) for span in entity.spans]
    return Annotation(entity.id, infons, document.text_of(entity), locations)


def _link(relation: Relation, kept: Kept) -> Link:
    infons: Infons = {**kept.relation_infons.get(relation.id, {}), "type": relation.label}
    if relation.score is not None:
        infons["score"] = repr(float(relation.score))
    roles = kept.roles.get(relation.id, ROLES)
    ends = (relation.head, relation.tail)
    return Link(relation.id, infons, [Node(end, role) for end, role in zip(ends, roles, strict=False)])

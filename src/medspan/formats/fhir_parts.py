"""Small parts of FHIR resources: exact texts, codings, mentions as extensions, ids and references."""

from __future__ import annotations

import base64
import math
import re
import uuid
from typing import TYPE_CHECKING, Any

from medspan.formats.fhir_table import table_of
from medspan.formats.surface import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.formats.fhir_table import Table
    from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span

Json = dict[str, Any]

URL = "urn:medspan:fhir:"
"""What the names of our extensions and identifiers begin with."""
MENTION, RELATION, SECTION = URL + "mention", URL + "relation", URL + "section"
ASSERTION, CONCEPT, DOCUMENT = URL + "assertion", URL + "concept", URL + "document"

_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN: Json = {"extension": [{"url": _ABSENT_REASON, "valueCode": "unknown"}]}
"""What stands where FHIR wants something that nobody said."""

_NAMESPACE = uuid.UUID("8b0f7e52-5d57-5b1e-9c39-7f1f3a4f6d10")  # of our ids; any would do
# FHIR's strings have no control characters but these, and at least one character. Of blanks only the plain
# one is let through: what \S means to a validator beyond ASCII depends on its language.
_REFUSED = re.compile(r"[^ \t\r\n\S]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CODE = re.compile(r"\S+(?: \S+)*")


def shown(text: str) -> str:
    """A text for people, as FHIR allows it: other blanks and control characters become blanks."""
    return _REFUSED.sub(" ", text) or " "


def exact(url: str, value: str) -> list[Json]:
    """A text as an extension that a reader gets back as it is: as bytes where FHIR's strings cannot hold it.

    An empty one is no extension.
    """
    if not value:
        return []
    if not _REFUSED.search(value):
        return [{"url": url, "valueString": value}]
    return [{"url": url, "valueBase64Binary": base64.b64encode(value.encode()).decode()}]


def score(value: float | None) -> list[Json]:
    """A score as an extension; none where there is none, or it is no number."""
    return [] if value is None or not math.isfinite(value) else [{"url": "score", "valueDecimal": value}]


def span(item: Span) -> Json:
    """A span as an extension: code points of the unchanged text, half-open."""
    return {
        "url": "span",
        "extension": [
            {"url": "start", "valueUnsignedInt": item.start},
            {"url": "end", "valueUnsignedInt": item.end},
        ],
    }


def mention(entity: Entity, place: int, table: Table) -> Json:
    """All of an entity as one extension, so that nothing is lost whatever resource it became.

    Args:
        entity: the entity.
        place: its place among those of the document.
        table: with systems of codes.
    """
    return {
        "url": MENTION,
        "extension": [
            {"url": "place", "valueUnsignedInt": place},
            *exact("id", entity.id),
            *exact("label", entity.label),
            *map(span, entity.spans),
            *score(entity.score),
            *map(_attribute, entity.attributes),
            *({"url": "concept", "valueCoding": coding(each, table)} for each in entity.concepts),
        ],
    }


def _attribute(item: Attribute) -> Json:
    return of_parts("attribute", *exact("name", item.name), *exact("value", item.value), *score(item.score))


def of_parts(url: str, *parts: Json) -> Json:
    """An extension of extensions, of which FHIR wants one at least."""
    return {"url": url, "extension": list(parts) or [{"url": "empty", "valueBoolean": True}]}


def coding(concept: Concept, table: Table) -> Json:
    """A concept; what a Coding cannot say of it stands in an extension."""
    system, code = table.code_of(concept.id)
    is_code = bool(_CODE.fullmatch(code)) and not _REFUSED.search(code)
    said_id = table_of().id_of(system, code) if is_code else ""  # as a reader without tables has it
    display = None if not concept.name else shown(concept.name)
    more = [
        *(exact("id", concept.id) if said_id != concept.id else []),
        *(exact("name", concept.name or "") if display != concept.name else []),
        *score(concept.score),
    ]
    value: Json = {"extension": [{"url": CONCEPT, "extension": more}]} if more else {}
    value |= ({} if system is None else {"system": system}) | {"code": code} if is_code else {}
    value |= {} if display is None else {"display": display}
    return value or {"userSelected": False}  # an empty id; no element may be empty


def concept_text(group: Sequence[Entity], document: Document, table: Table) -> Json:
    """A CodeableConcept: the codes of entities of the same place, each once, and their mention as text."""
    concepts: dict[str, Concept] = {}
    for entity in group:
        for concept in entity.concepts:
            concepts.setdefault(concept.id, concept)
    codes = [coding(concept, table) for concept in concepts.values()]
    value: Json = {"coding": codes} if codes else {}
    return value | {"text": shown(joined(group[0], document.text))}


def coded(system: str, code: str) -> Json:
    """A CodeableConcept of one of HL7's own codes."""
    return {"coding": [{"system": system, "code": code}]}


def relation(item: Relation) -> Json:
    """A relation as an extension; ``head`` and ``tail`` are ids of mentions."""
    texts = {"id": item.id, "label": item.label, "head": item.head, "tail": item.tail}
    named = (part for name, text in texts.items() for part in exact(name, text))
    return of_parts(RELATION, *named, *score(item.score))


def section(item: Section) -> Json:
    """A section as an extension."""
    return {"url": SECTION, "extension": [*exact("label", item.label), span(item.span)]}


def identity(*parts: str) -> str:
    """A UUID that the same parts always give."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(f"{len(part)}:{part}" for part in parts)))


def reference(identifier: str) -> Json:
    """A reference to a resource of the same bundle."""
    return {"reference": f"urn:uuid:{identifier}"}

"""JSON values → the parts of a document, each checked, with messages that say what is wrong."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.errors import DataError
from medspan.formats.protocol import CONCEPT_RELATIONS
from medspan.formats.surface import SURFACE_REMEDY, joined, surface_problem
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DOCUMENT_KEYS = {"id", "text", "entities", "relations", "sentences", "sections", "meta"}
_ENTITY_KEYS = {
    "id",
    "label",
    "type",
    "start",
    "end",
    "spans",
    "parts",
    "text",
    "score",
    "attributes",
    "attribute_scores",
    "concepts",
    "ids",
}
_RELATION_KEYS = {"id", "label", "type", "head", "tail", "score"}


class MalformedError(DataError):
    """A JSON value is not what stands for a document; ``problem`` and ``remedy`` go into a FormatError."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


def build_document(value: object, identity: str) -> Document:
    """A document from its JSON value; ``identity`` where it names no id.

    Raises:
        MalformedError: if a part has the wrong type or is missing.
        AnnotationError: if an annotation does not fit the text.
    """
    if not isinstance(value, dict):
        raise MalformedError("not a JSON object", "write one JSON object on each line")
    if not isinstance(value.get("text"), str):
        raise MalformedError("the document has no text", 'give it a key "text" that holds its text')
    text = value["text"]
    meta = dict(_typed(value.get("meta", {}), dict, "meta", "an object"))
    _keep(meta, {key: part for key, part in value.items() if key not in _DOCUMENT_KEYS})
    entities = _entities(_list(value, "entities"), text, meta)
    return Document(
        _identity(value.get("id", identity), "the document's id"),
        text,
        entities,
        _relations(_list(value, "relations"), meta),
        _sentences(_list(value, "sentences")),
        tuple(map(_section, _list(value, "sections"))),
        meta,
    )


def _keep(meta: dict[str, Any], unknown: dict[str, Any]) -> None:
    twice = sorted(meta.keys() & unknown.keys())
    if twice:
        raise MalformedError(f"{twice[0]!r} stands in the document and in its meta", "keep one of them")
    meta.update(unknown)


def _typed(value: object, kind: type, name: str, wanted: str) -> Any:  # noqa: ANN401 - a JSON value
    if not isinstance(value, kind) or isinstance(value, bool):
        raise MalformedError(f"{name} is not {wanted}", f"write {wanted} there")
    return value


def _list(value: dict[str, Any], key: str) -> list[Any]:
    part = value.get(key)
    return [] if part is None else list(_typed(part, list, key, "a list"))


def _identity(value: object, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return str(_typed(value, str, name, "a text"))


def _score(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return float(_typed(value, float, name, "a number"))


def _span(pair: object, name: str) -> Span:
    """A span from ``[start, end]`` or ``{"start": …, "end": …}``."""
    if isinstance(pair, dict):
        pair = [pair.get("start"), pair.get("end")]
    if not isinstance(pair, list) or len(pair) != 2 or any(type(offset) is not int for offset in pair):  # noqa: PLR2004
        raise MalformedError(
            f"{name}: offsets are missing or not whole numbers", "write start and end as numbers"
        )
    return Span(pair[0], pair[1])


def _sentences(pairs: list[Any]) -> tuple[Span, ...]:
    """The sentences; empty ones, which some splitters leave at the end, mark no text and are left out."""
    return tuple(_span(pair, "sentence") for pair in pairs if not _is_empty(pair))


def _is_empty(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and type(pair[0]) is int and pair[0] == pair[1] >= 0  # noqa: PLR2004


def _section(value: object) -> Section:
    section = _typed(value, dict, "a section", "an object")
    label = _typed(section.get("label"), str, "a section's label", "a text")
    return Section(label, _span(section.get("span", section), "section"))


def _fresh(taken: set[str], letter: str) -> Iterator[str]:
    """T1, T2, … without those that are taken."""
    return (name for name in (f"{letter}{number}" for number in count(1)) if name not in taken)


def _given_ids(values: Iterable[object]) -> set[str]:
    return {str(value["id"]) for value in values if isinstance(value, dict) and "id" in value}


def _label(value: dict[str, Any], name: str) -> str:
    return str(_typed(value.get("label", value.get("type")), str, f"{name}: its label", "a text"))


def _entities(values: list[Any], text: str, meta: dict[str, Any]) -> tuple[Entity, ...]:
    fresh = _fresh(_given_ids(values), "T")
    entities = []
    extra = {}
    for number, value in enumerate(values, 1):
        _typed(value, dict, f"entity number {number}", "an object")
        identity = (
            _identity(value["id"], f"the id of entity number {number}") if "id" in value else next(fresh)
        )
        entities.append(_entity(value, identity))
        unknown = {key: part for key, part in value.items() if key not in _ENTITY_KEYS}
        unknown |= _not_held(value, entities[-1], text)
        if unknown:
            extra[identity] = unknown
    if extra:
        _keep(meta, {"entity_extra": extra})
    return tuple(entities)


def _entity(value: dict[str, Any], identity: str) -> Entity:
    name = f"entity {identity!r}"
    parts = value.get("spans") or value.get("parts") or [[value.get("start"), value.get("end")]]
    spans = tuple(sorted(_span(pair, name) for pair in _typed(parts, list, f"{name}: its spans", "a list")))
    entity = Entity(
        identity,
        _label(value, name),
        spans,
        _score(value.get("score"), f"{name}: its score"),
        _attributes(value, name),
        _concepts(value, name),
    )
    for key, offset in (("start", entity.start), ("end", entity.end)):
        if value.get(key, offset) != offset:
            raise MalformedError(f"{name}: its {key} is not that of its spans", "make them agree")
    return entity


def _not_held(value: dict[str, Any], entity: Entity, text: str) -> dict[str, Any]:
    """What an Entity does not say: parts in reading order, a surface that departs from the text.

    Raises:
        MalformedError: if the surface is not the mention's, punctuation and blanks aside.
    """
    parts = value.get("spans") or value.get("parts") or []
    order = [(part.start, part.end) for part in (_span(pair, "") for pair in parts)]
    kept = {"parts": parts} if order != sorted(order) else {}
    surface = value.get("text")
    if not isinstance(surface, str):
        return kept
    as_ordered = " ".join(text[start:end] for start, end in order)
    problem = surface_problem(surface, entity, text) if surface != as_ordered else None
    if problem:
        raise MalformedError(problem, SURFACE_REMEDY)
    exact = (as_ordered, joined(entity, text), text[entity.start : entity.end])
    return kept if surface in exact else kept | {"text": surface}


def _attributes(value: dict[str, Any], name: str) -> tuple[Attribute, ...]:
    """Attributes from an object of names and values, or from a list of objects."""
    given = value.get("attributes") or {}
    scores = _typed(value.get("attribute_scores", {}), dict, f"{name}: attribute_scores", "an object")
    if isinstance(given, list):
        return tuple(_convert(item, Attribute, f"{name}: an attribute") for item in given)
    _typed(given, dict, f"{name}: its attributes", "an object")
    return tuple(
        Attribute(key, _attribute_value(part), _score(scores.get(key), f"{name}: an attribute's score"))
        for key, part in given.items()
    )


def _attribute_value(value: object) -> str:
    """A value as text; one that is none (true, 3, a list) as its JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _concepts(value: dict[str, Any], name: str) -> tuple[Concept, ...]:
    given = _typed(value.get("concepts") or value.get("ids") or [], list, f"{name}: its concepts", "a list")
    return tuple(
        Concept(item) if isinstance(item, str) else _convert(item, Concept, f"{name}: a concept")
        for item in given
    )


def _convert(item: object, kind: type[Any], name: str) -> Any:  # noqa: ANN401 - one of two structs
    try:
        return msgspec.convert(item, kind)
    except msgspec.ValidationError as error:
        raise MalformedError(
            f"{name} is malformed ({error})", f"write an object of a {kind.__name__.lower()}"
        ) from error


def _relations(values: list[Any], meta: dict[str, Any]) -> tuple[Relation, ...]:
    """Relations between mentions; those between concepts of the document go to meta as they are."""
    fresh = _fresh(_given_ids(values), "R")
    relations, of_concepts, extra = [], [], {}
    for number, value in enumerate(values, 1):
        name = f"relation number {number}"
        _typed(value, dict, name, "an object")
        if "head_id" in value or "tail_id" in value:
            of_concepts.append(value)
            continue
        identity = _identity(value["id"], f"{name}: its id") if "id" in value else next(fresh)
        head, tail = (_identity(value.get(end), f"{name}: its {end}") for end in ("head", "tail"))
        score = _score(value.get("score"), f"{name}: its score")
        relations.append(Relation(identity, _label(value, name), head, tail, score))
        unknown = {key: part for key, part in value.items() if key not in _RELATION_KEYS}
        if unknown:
            extra[identity] = unknown
    _keep(meta, {CONCEPT_RELATIONS: of_concepts} if of_concepts else {})
    _keep(meta, {"relation_extra": extra} if extra else {})
    return tuple(relations)

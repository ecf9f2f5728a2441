"""BioC records as documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import msgspec

from medspan.errors import AnnotationError, FormatError
from medspan.formats.bioc import (
    ATTRIBUTE,
    OWN,
    ROLES,
    Annotation,
    Infons,
    Kept,
    Link,
    Part,
    gap,
    planned,
    sections_of,
)
from medspan.formats.bioc_concepts import identifiers
from medspan.formats.surface import SURFACE_REMEDY, surface_problem
from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span

if TYPE_CHECKING:
    from medspan.formats.bioc import Passage, Record, Sentence

# Databases that some corpora use as the key of an infon instead of "identifier".
_DATABASES = ("MESH", "OMIM")
_WIDEST_GAP = 1_000_000


class _Own(msgspec.Struct):
    """What the infon ``medspan`` of a document says."""

    sections: list[tuple[str, int, int]] | None = None
    sentences: list[tuple[int, int]] | None = None
    sentence_infons: list[Infons] = []
    meta: dict[str, Any] = {}
    order: list[str] = []


class _OwnEntity(msgspec.Struct):
    """What the infon ``medspan`` of an annotation says."""

    concepts: list[Concept] = []
    attribute_scores: dict[str, float] = {}


_Kind = TypeVar("_Kind", _Own, _OwnEntity)


class _Scope(NamedTuple):
    """Annotations and relations that stand together, whose ids mean each other first."""

    annotations: list[Annotation]
    relations: list[Link]


def document_of(record: Record, path: str) -> Document:
    """The document of a record.

    Raises:
        FormatError: saying what is wrong, and on which line of an XML file.
    """
    return _Reader(record, path).document()


class _Reader:
    """What one record has said so far."""

    def __init__(self, record: Record, path: str) -> None:
        self._record = record
        self._path = path
        self._id = "" if record.id is None else str(record.id)
        self._text = ""
        self._parts: list[Part] = []
        self._sentences: list[Span] = []
        self._sentence_infons: list[Infons] = []
        self._scopes: list[_Scope] = []
        self._entities: dict[str, Entity] = {}
        self._relations: dict[str, Relation] = {}
        self._kept = Kept()

    def document(self) -> Document:
        """The document."""
        for passage in self._record.passages:
            self._passage(passage)
        self._scopes.append(_Scope(self._record.annotations, self._record.relations))
        names = [self._annotations(scope.annotations) for scope in self._scopes]
        # An id of the same passage goes before the same id elsewhere, the first elsewhere before others.
        everywhere: dict[str, str] = {}
        for name in reversed(names):
            everywhere |= name
        for scope, own_names in zip(self._scopes, names, strict=True):
            for link in scope.relations:
                self._link(link, everywhere | own_names)
        infons = dict(self._record.infons or {})
        own = _own(infons, _Own)
        try:
            return self._built(infons, own)
        except AnnotationError as error:
            self._fail(
                self._record.line, str(error), f"correct its offsets; if it is the infon {OWN}, remove it"
            )

    def _built(self, infons: Infons, own: _Own) -> Document:
        sections = sections_of(self._parts)
        if own.sections is not None:
            sections = tuple(Section(label, Span(start, end)) for label, start, end in own.sections)
        if own.sentences is not None:
            self._sentences = [Span(start, end) for start, end in own.sentences]
        self._kept.infons = infons
        self._kept.sentence_infons = own.sentence_infons or (
            self._sentence_infons if any(self._sentence_infons) else []
        )
        if planned(self._text, sections, []) != self._parts and self._parts:
            self._kept.passages = self._parts
        kept = msgspec.to_builtins(self._kept)
        rank = {identity: number for number, identity in enumerate(own.order)}
        entities = sorted(self._entities.values(), key=lambda entity: rank.get(entity.id, len(rank)))
        return Document(
            self._id,
            self._text,
            tuple(entities),
            tuple(self._relations.values()),
            tuple(self._sentences),
            sections,
            {**own.meta, **({"bioc": kept} if kept else {})},
        )

    def _fail(self, line: int | None, problem: str, remedy: str) -> NoReturn:
        raise FormatError(self._path, line, f"document {self._id!r}: {problem}", remedy)

    def _passage(self, passage: Passage) -> None:
        self._reach(passage, gap)
        self._scopes.append(_Scope(passage.annotations, passage.relations))
        self._text += passage.text or ""
        for sentence in passage.sentences:
            self._sentence(sentence, is_text=not passage.text)
        self._parts.append(Part(passage.offset, len(self._text), passage.infons or {}))

    def _sentence(self, sentence: Sentence, *, is_text: bool) -> None:
        text = sentence.text or ""
        if is_text:
            self._reach(sentence, lambda length: " " * length)
            self._text += text
        if text:
            if sentence.offset < 0:
                self._fail(sentence.line, f"a sentence begins at {sentence.offset}", "begin at 0 or later")
            self._sentences.append(Span(sentence.offset, sentence.offset + len(text)))
            self._sentence_infons.append(sentence.infons or {})
        self._scopes.append(_Scope(sentence.annotations, sentence.relations))

    def _reach(self, part: Passage | Sentence, filling: Any) -> None:  # noqa: ANN401 - a function of a length
        """Fill the text up to where a part begins."""
        missing = part.offset - len(self._text)
        what = type(part).__name__.lower()
        if missing < 0:
            self._fail(
                part.line,
                f"a {what} begins at {part.offset}, inside the text before it ({len(self._text)} characters)",
                SURFACE_REMEDY,
            )
        if missing > _WIDEST_GAP:
            self._fail(part.line, f"a {what} begins {missing} characters after the text", SURFACE_REMEDY)
        self._text += filling(missing)

    def _annotations(self, annotations: list[Annotation]) -> dict[str, str]:
        """Take a scope's annotations; returns their ids by the ids they were given."""
        names: dict[str, str] = {}
        for annotation in annotations:
            if not annotation.locations:
                annotation.line = None
                self._kept.annotations.append(annotation)
                continue
            given = "" if annotation.id is None else str(annotation.id)
            identity = _unused(given, self._entities)
            names.setdefault(given, identity)
            self._entities[identity] = self._entity(annotation, identity)
        return names

    def _entity(self, annotation: Annotation, identity: str) -> Entity:
        infons = dict(annotation.infons or {})
        label = infons.pop("type", None)
        if not isinstance(label, str) or not label:
            self._fail(
                annotation.line, f"annotation {identity!r} has no infon 'type'", "give it its label so"
            )
        own = _own(infons, _OwnEntity)
        score = _score(infons)
        concepts = _concepts(infons, own)
        attributes = [
            Attribute(
                key.removeprefix(ATTRIBUTE), infons.pop(key), own.attribute_scores.get(key[len(ATTRIBUTE) :])
            )
            for key in list(infons)
            if key.startswith(ATTRIBUTE) and isinstance(infons[key], str)
        ]
        if infons:
            self._kept.entity_infons[identity] = infons
        try:
            spans = sorted(Span(place.offset, place.offset + place.length) for place in annotation.locations)
            entity = Entity(identity, label, tuple(spans), score, tuple(attributes), concepts)
        except AnnotationError as error:
            self._fail(annotation.line, str(error), "correct offset and length of its locations")
        if entity.end > len(self._text):
            problem = (
                f"annotation {identity!r} ends at {entity.end}, past the text ({len(self._text)} characters)"
            )
            self._fail(annotation.line, problem, SURFACE_REMEDY)
        wrong = surface_problem(annotation.text, entity, self._text) if annotation.text else None
        if wrong:
            self._fail(annotation.line, wrong, SURFACE_REMEDY)
        return entity

    def _link(self, link: Link, names: dict[str, str]) -> None:
        ends = [names.get(str(node.refid)) for node in link.nodes]
        if len(ends) != len(ROLES) or None in ends:
            link.line = None
            self._kept.relations.append(link)
            return
        roles = [node.role or "" for node in link.nodes]
        if roles == ROLES[::-1]:
            ends, roles = ends[::-1], ROLES
        infons = dict(link.infons or {})
        label = infons.pop("type", None) or infons.pop("relation", None)
        identity = _unused("" if link.id is None else str(link.id), self._relations)
        score = _score(infons)
        self._relations[identity] = Relation(identity, str(label or ""), str(ends[0]), str(ends[1]), score)
        if roles != ROLES:
            self._kept.roles[identity] = roles
        if infons:
            self._kept.relation_infons[identity] = infons


def _unused(identity: str, taken: dict[str, Any]) -> str:
    name, number = identity, 1
    while name in taken:
        number += 1
        name = f"{identity}.{number}"
    return name


def _own(infons: Infons, kind: type[_Kind]) -> _Kind:
    """Our own infon, taken out; nothing where it is absent or somebody else's."""
    try:
        found = msgspec.convert(json.loads(infons[OWN]), kind)
    except (KeyError, TypeError, ValueError, RecursionError):
        return kind()
    del infons[OWN]
    return found


def _score(infons: Infons) -> float | None:
    """The infon ``score``, taken out, if it is a number."""
    try:
        score = float(infons.get("score", ""))
    except (TypeError, ValueError):
        return None
    del infons["score"]
    return score


def _concepts(infons: Infons, own: _OwnEntity) -> tuple[Concept, ...]:
    """Concepts in full where we wrote them and nobody changed the identifiers since, else their ids."""
    joined = infons.get("identifier")
    found = []
    if isinstance(joined, str | int):
        del infons["identifier"]
        if own.concepts and ";".join(concept.id for concept in own.concepts) == str(joined):
            return tuple(own.concepts)
        found = identifiers(str(joined))
    for database in _DATABASES:
        value = infons.get(database)
        if isinstance(value, str) and value:
            del infons[database]
            found += [name if ":" in name else f"{database}:{name}" for name in identifiers(value)]
    return tuple(map(Concept, found))

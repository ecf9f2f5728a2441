"""Documents as the lines of a brat ``.ann`` file."""

from __future__ import annotations

import re
from itertools import chain, count
from typing import TYPE_CHECKING

from medspan.formats.brat_lines import (
    DEFAULT_ROLES,
    ENTITY_ID,
    LINE_ID,
    NOTE,
    RELATION_ID,
    Kept,
    flat,
    note_text,
    one_line,
    plain,
    references,
    solid,
    split_line,
    words,
)
from medspan.formats.protocol import Losses, count_unheld, kept_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.types import Attribute, Concept, Document, Entity, Relation

# Without a database (or with one that says so) a concept is written as "_:id".
_WITH_DATABASE = re.compile(r"(?!_:)[^:\s\x00-\x1f\x7f-\x9f]+:.")
_HOLDS = frozenset({"relations", "attributes", "concepts", "scores", "meta"})


def annotation_text(document: Document, losses: Losses) -> str:
    """The content of a document's ``.ann`` file."""
    count_unheld(document, losses, _HOLDS)
    losses.add("meta values", len(document.meta.keys() - {"brat", "conll"}))
    return "".join(f"{line}\n" for line in _Lines(document, losses).all())


class _Lines:
    """One document's lines; ids are handed out so that none stands twice."""

    def __init__(self, document: Document, losses: Losses) -> None:
        self._document = document
        self._kept = kept_of(document, "brat", Kept)
        self._raw = [split_line(one_line(raw)) for raw in self._kept.lines]
        self._ids = {line.id for line in self._raw} - {"*"}
        for parts in self._kept.ids.values():
            self._ids.update(chain.from_iterable(ids for group in parts.values() for ids in group.values()))
        given = {entity.id for entity in document.entities if ENTITY_ID.fullmatch(entity.id)}
        given |= {item.id for item in document.relations if RELATION_ID.fullmatch(item.id)} - self._ids
        self._given = given
        self._ids |= given
        self._fresh = {kind: count(1) for kind in "TRAN#"}
        self._notes: list[str] = []
        self._losses = losses

    def all(self) -> Iterator[str]:
        """Entities, relations, attributes, concepts, what was kept as it was, notes."""
        entities = self._document.entities
        names = {entity.id: self._name("T", entity.id) for entity in entities}
        lines = [self._entity(entity, names[entity.id]) for entity in entities]
        lines += [self._relation(relation, names) for relation in self._document.relations]
        lines += [self._attribute(e, names[e.id], attribute) for e in entities for attribute in e.attributes]
        lines += [self._concept(e, names[e.id], concept) for e in entities for concept in e.concepts]
        defined = {split_line(line).id for line in lines}
        yield from lines
        yield from self._still_valid(defined)
        yield from self._notes

    def _name(self, kind: str, identity: str) -> str:
        return identity if identity in self._given else self._next(kind)

    def _next(self, kind: str) -> str:
        found = next(name for number in self._fresh[kind] if (name := f"{kind}{number}") not in self._ids)
        self._ids.add(found)
        return found

    def _note(self, target: str, score: float | None, **fields: tuple[str, str | None]) -> None:
        text = note_text(score, fields)
        if text:
            self._notes.append(f"{self._next('#')}\t{NOTE} {target}\t{text}")

    def _entity(self, entity: Entity, name: str) -> str:
        label = plain(entity.label)
        self._note(name, entity.score, id=(name, entity.id), label=(label, entity.label))
        offsets = ";".join(f"{span.start} {span.end}" for span in entity.spans)
        return f"{name}\t{label} {offsets}\t{flat(self._document.text_of(entity))}"

    def _relation(self, relation: Relation, names: dict[str, str]) -> str:
        name, label = self._name("R", relation.id), plain(relation.label)
        self._note(name, relation.score, id=(name, relation.id), label=(label, relation.label))
        roles = [plain(role) for role in self._kept.roles.get(relation.id, DEFAULT_ROLES)]
        return f"{name}\t{label} {roles[0]}:{names[relation.head]} {roles[1]}:{names[relation.tail]}"

    def _part_id(self, entity: Entity, kind: str, key: str) -> str:
        identity = self._kept.take_id(entity.id, kind, key)
        return identity if LINE_ID.fullmatch(identity) else self._next(kind)

    def _attribute(self, entity: Entity, target: str, attribute: Attribute) -> str:
        identity, name = self._part_id(entity, "A", attribute.name), plain(attribute.name)
        value = words(attribute.value)
        self._note(identity, attribute.score, name=(name, attribute.name), value=(value, attribute.value))
        return f"{identity}\t{name} {target}" + ("" if value == "true" else f" {value}")

    def _concept(self, entity: Entity, target: str, concept: Concept) -> str:
        identity = self._part_id(entity, "N", concept.id)
        written = solid(concept.id) if _WITH_DATABASE.match(concept.id) else f"_:{solid(concept.id)}"
        # An empty name is not the same as none, which is an empty column.
        name = "" if concept.name is None else flat(concept.name) or "-"
        self._note(
            identity,
            concept.score,
            concept=(written.removeprefix("_:"), concept.id),
            name=(name, concept.name or ""),
        )
        return f"{identity}\tReference {target} {written}\t{name}"

    def _still_valid(self, defined: set[str]) -> list[str]:
        """The kept lines whose annotations are still there."""
        lines = self._raw
        while True:
            known = defined | {line.id for line in lines}
            valid = [line for line in lines if known.issuperset(references(line))]
            if len(valid) == len(lines):
                break
            lines = valid
        self._losses.add("brat lines about what is no longer there", len(self._raw) - len(lines))
        return [line.raw for line in lines]

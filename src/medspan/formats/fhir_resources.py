"""Entities → FHIR R4 resources: which one each becomes, and how its assertion is said there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.formats.fhir_parts import (
    ASSERTION,
    UNKNOWN,
    Json,
    coded,
    concept_text,
    exact,
    identity,
    mention,
    reference,
    shown,
)
from medspan.formats.fhir_table import FIELDS
from medspan.formats.surface import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from medspan.formats.fhir_table import Kind, Table
    from medspan.types import Document, Entity

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_CLINICAL, _VERIFIED = _TERMINOLOGY + "condition-clinical", _TERMINOLOGY + "condition-ver-status"

SOMEONE_ELSES = frozenset({"associated_with_someone_else", "family"})
"""Assertions by which what an entity names is not the patient's."""

VERIFICATION: Mapping[str, str] = {
    "present": "confirmed",
    "absent": "refuted",
    "possible": "provisional",
    "hypothetical": "unconfirmed",
    "conditional": "unconfirmed",
}
"""Condition.verificationStatus by assertion; left out for any other, and where there is none."""

CLINICAL: Mapping[str, str] = {"current": "active", "historical": "inactive"}
"""Condition.clinicalStatus by temporality, of what is present; left out otherwise."""

MEDICATION_STATUS: Mapping[str, str] = {"absent": "not-taken", "hypothetical": "intended"}
"""MedicationStatement.status by assertion; ``active`` or ``completed`` (historical) of what is present, else
``unknown``."""

_REFUTING = VERIFICATION.keys() - {"present"} | SOMEONE_ELSES


class Maker:
    """The resources of one document's entities.

    Args:
        document: with entities.
        table: what becomes of labels.
        subject: the reference to the patient; None where nobody is named.
        source: id of the resource that is the document.
        seed: what the ids of resources are made of, beside those of entities.
    """

    def __init__(
        self, document: Document, table: Table, *, subject: Json | None, source: str, seed: str
    ) -> None:
        self._document, self._table, self._seed = document, table, seed
        self._subject, self._source = subject, reference(source)
        self._kinds: dict[str, Kind] = {e.id: table.kind_of(e.label) for e in document.entities}
        self._said = {e.id: {item.name: item.value for item in e.attributes} for e in document.entities}
        self._places = {e.id: place for place, e in enumerate(document.entities)}
        self._entities = {e.id: e for e in document.entities}
        self._fields: dict[str, list[Entity]] = {}
        self._reasons: dict[str, list[Entity]] = {}
        for relation in document.relations:
            for drug, other in ((relation.head, relation.tail), (relation.tail, relation.head)):
                self._tie(drug, other, relation.label)
        self._tied = {field.id for fields in self._fields.values() for field in fields}
        self._groups = self._grouped()
        self._homes = {entity.id: self._id_of(group) for group in self._groups for entity in group}
        """The id of the resource an entity became."""

    def _tie(self, drug: str, other: str, label: str) -> None:
        """Take note of a field or a reason of a medication."""
        if self._kinds[drug] != "medication" or self._is_someone_elses(drug):
            return
        ties = self._fields if self._kinds[other] in FIELDS else None
        if self._table.is_reason(label) and self._kinds[other] == "condition":
            ties = self._reasons
        if ties is not None and self._entities[other] not in ties.setdefault(drug, []):
            ties[drug].append(self._entities[other])

    def _is_someone_elses(self, identifier: str) -> bool:
        return self._said[identifier].get("assertion") in SOMEONE_ELSES

    def resources(self) -> Iterator[Json]:
        """A resource an entity, in their order, but for two kinds of entities.

        The fields of a medication stand in its dosage. And what has two labels, as Chemical and Medication or
        Disease and Problem, is one medication or condition: entities of the same spans, kind, assertion and
        temporality, but different labels, share a resource.
        """
        return map(self._resource, self._groups)

    def _id_of(self, group: Sequence[Entity]) -> str:
        return identity(self._seed, group[0].id)

    def _grouped(self) -> list[list[Entity]]:
        groups: list[list[Entity]] = []
        same: dict[object, list[list[Entity]]] = {}
        for entity in self._document.entities:
            kind, said = self._kinds[entity.id], self._said[entity.id]
            if entity.id in self._tied:
                continue
            if kind in {"condition", "medication"}:
                near = same.setdefault(
                    (entity.spans, kind, said.get("assertion"), said.get("temporality")), []
                )
                free = (group for group in near if all(entity.label != other.label for other in group))
                if group := next(free, None):
                    group.append(entity)
                    continue
                groups.append([entity])
                near.append(groups[-1])
            else:
                groups.append([entity])
        return groups

    def _resource(self, group: Sequence[Entity]) -> Json:
        first = group[0]
        kind, is_elses = self._kinds[first.id], self._is_someone_elses(first.id)
        if kind == "condition":
            own = self._family(group) if is_elses else self._condition(group)
        elif kind == "medication" and not is_elses:
            own = self._medication(group)
        else:
            own = self._observation(group, is_coded=kind in {"test", "medication"})
        head = {
            "resourceType": own.pop("resourceType"),
            "id": self._id_of(group),
            "extension": [self._mention(entity) for entity in group],
        }
        return head | own

    def _mention(self, entity: Entity) -> Json:
        return mention(entity, self._places[entity.id], self._table)

    def _code(self, group: Sequence[Entity]) -> Json:
        return concept_text(group, self._document, self._table)

    def _condition(self, group: Sequence[Entity]) -> Json:
        said = self._said[group[0].id]
        assertion = said.get("assertion", "")
        own: Json = {"resourceType": "Condition"}
        if assertion == "present" and (clinical := CLINICAL.get(said.get("temporality", ""))):
            own["clinicalStatus"] = coded(_CLINICAL, clinical)
        if verified := VERIFICATION.get(assertion):
            own["verificationStatus"] = coded(_VERIFIED, verified)
        evidence = [{"detail": [self._source]}]
        return own | {"code": self._code(group), "subject": self._subject or UNKNOWN, "evidence": evidence}

    def _family(self, group: Sequence[Entity]) -> Json:
        """Somebody's condition who is not the patient; who it is no assertion says."""
        return {
            "resourceType": "FamilyMemberHistory",
            "status": "partial",
            "patient": self._subject or UNKNOWN,
            "relationship": {"text": "someone other than the patient"},
            "condition": [{"code": self._code(group)}],
        }

    def _medication(self, group: Sequence[Entity]) -> Json:
        said = self._said[group[0].id]
        assertion = said.get("assertion", "")
        status = MEDICATION_STATUS.get(assertion, "unknown")
        if assertion == "present":
            status = "completed" if said.get("temporality") == "historical" else "active"
        own = {
            "resourceType": "MedicationStatement",
            "status": status,
            "medicationCodeableConcept": self._code(group),
            "subject": self._subject or UNKNOWN,
            "derivedFrom": [self._source],
        }
        if reasons := _tied(self._reasons, group):
            own["reasonCode"] = [{"text": shown(self._text(reason))} for reason in reasons]
            ids = [self._homes[reason.id] for reason in reasons if not self._is_someone_elses(reason.id)]
            if ids:
                own["reasonReference"] = [reference(each) for each in dict.fromkeys(ids)]
        if fields := _tied(self._fields, group):
            own["dosage"] = [self._dosage(sorted(fields, key=lambda field: (field.start, field.end)))]
        return own

    def _dosage(self, fields: Sequence[Entity]) -> Json:
        """A Dosage: the fields in the order of the text; route and timing where there is one of them."""
        own: Json = {
            "extension": [self._mention(field) for field in fields],
            "text": shown(self._words(fields)),
        }
        frequencies = [field for field in fields if self._kinds[field.id] == "frequency"]
        routes = [field for field in fields if self._kinds[field.id] == "route"]
        if len(frequencies) == 1:
            own["timing"] = {"code": {"text": shown(self._text(frequencies[0]))}}
        if len(routes) == 1:
            own["route"] = self._code(routes)
        return own

    def _words(self, fields: Sequence[Entity]) -> str:
        """What fields say, each character once: one word may be both a route and a frequency."""
        parts: list[list[int]] = []
        for start, end in sorted((span.start, span.end) for field in fields for span in field.spans):
            if parts and start < parts[-1][1]:
                parts[-1][1] = max(parts[-1][1], end)
            else:
                parts.append([start, end])
        return " ".join(self._document.text[start:end] for start, end in parts)

    def _text(self, entity: Entity) -> str:
        return joined(entity, self._document.text)

    def _observation(self, group: Sequence[Entity], *, is_coded: bool) -> Json:
        """An Observation.

        What is not simply present of the patient is a modifier: who does not know it must not use it.
        """
        entity = group[0]
        assertion = self._said[entity.id].get("assertion", "")
        own: Json = {"resourceType": "Observation"}
        if assertion in _REFUTING:
            own["modifierExtension"] = exact(ASSERTION, assertion)
        own["status"] = "unknown"
        own["code"] = self._code(group) if is_coded else {"text": shown(entity.label)}
        if self._subject and not self._is_someone_elses(entity.id):
            own["subject"] = self._subject
        if not is_coded:
            own["valueCodeableConcept"] = self._code(group)
        return own | {"derivedFrom": [self._source]}


def _tied(ties: Mapping[str, Sequence[Entity]], group: Sequence[Entity]) -> list[Entity]:
    """What is tied to any of a group, each once."""
    found = {each.id: each for entity in group for each in ties.get(entity.id, ())}
    return list(found.values())

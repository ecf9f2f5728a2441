"""What is wrong with a FHIR R4 bundle: by `fhir.resources` (R4B), and by rules that it does not look at."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fhir.resources.R4B.bundle import Bundle
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Required bindings of R4 (hl7.org/fhir/R4/valueset-….html) of the elements
# medspan writes. A bundle of ours is a collection.
CODES = {
    "Bundle.type": "collection",
    "DocumentReference.status": "current superseded entered-in-error",
    "Condition.clinicalStatus": "active recurrence relapse inactive remission resolved",
    "Condition.verificationStatus": "unconfirmed provisional differential confirmed refuted entered-in-error",
    "MedicationStatement.status": "active completed entered-in-error intended stopped on-hold unknown "
    "not-taken",
    "Observation.status": "registered preliminary final amended corrected cancelled entered-in-error unknown",
    "FamilyMemberHistory.status": "partial completed entered-in-error health-unknown",
    "ProvenanceEntity.role": "derivation revision quotation source removal",
    "DeviceDeviceName.type": "udi-label-name user-friendly-name patient-reported-name manufacturer-name "
    "model-name other",
}
SYSTEMS = {
    "Condition.clinicalStatus": "http://terminology.hl7.org/CodeSystem/condition-clinical",
    "Condition.verificationStatus": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def faults(line: str) -> list[str]:
    """What is wrong with a bundle, each fault with its place; no text of the document."""
    value = json.loads(line)
    try:
        bundle = Bundle.model_validate(value)
    except ValidationError as error:
        return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in value["entry"]}
    found = [] if len(kinds) == len(value["entry"]) else ["bdl-7: a fullUrl stands twice"]
    for entry in value["entry"]:
        resource = entry["resource"]
        if not _ID.fullmatch(resource["id"]) or entry["fullUrl"] != f"urn:uuid:{resource['id']}":
            found.append(f"{resource['resourceType']}: its id is none, or not that of its fullUrl")
    return [*found, *_json_faults(value, "Bundle"), *_model_faults(bundle, kinds)]


def _json_faults(value: Any, place: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """ele-1 and ext-1: nothing is empty; an extension has a value or parts. And no control characters."""
    if value in ({}, [], "") or value is None:
        yield f"{place}: is empty"
    if isinstance(value, str) and _CONTROL.search(value):
        yield f"{place}: holds a control character"
    if isinstance(value, list):
        for item in value:
            yield from _json_faults(item, place)
    if isinstance(value, dict):
        if place.lower().endswith("extension") and "url" in value:
            values = [key for key in value if key.startswith("value")]
            if len(values) + ("extension" in value) != 1:
                yield f"{place}: has not one value or parts"
        for key, item in value.items():
            yield from _json_faults(item, f"{place}.{key}")


def _model_faults(model: BaseModel, kinds: dict[str, str]) -> Iterator[str]:
    """Codes outside the value sets, references that lead nowhere or to the wrong kind of resource."""
    name = type(model).__name__
    for key, field in type(model).model_fields.items():
        value = getattr(model, key, None)
        place = f"{name}.{key}"
        if value is None:
            continue
        if place in CODES and not set(_codes(value, SYSTEMS.get(place))) <= set(CODES[place].split()):
            yield f"{place}: a code outside its value set"
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from _reference_faults(item, place, extra.get("enum_reference_types"), kinds)
                yield from _model_faults(item, kinds)


def _codes(value: Any, system: str | None) -> list[str]:  # noqa: ANN401 - a code or a CodeableConcept
    if isinstance(value, str):
        return [value]
    return [coding.code if coding.system == system else f"of {coding.system}" for coding in value.coding]


def _reference_faults(item: BaseModel, place: str, allowed: object, kinds: dict[str, str]) -> Iterator[str]:
    address = getattr(item, "reference", None)
    if not isinstance(allowed, list) or not isinstance(address, str) or not address.startswith("urn:uuid:"):
        return
    kind = kinds.get(address)
    if kind is None:
        yield f"{place}: leads nowhere"
    elif kind not in allowed and "Resource" not in allowed:
        yield f"{place}: leads to a {kind}"

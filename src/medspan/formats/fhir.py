"""FHIR R4: a Bundle a document, a bundle a line (NDJSON). Needs no FHIR library.

A bundle (``collection``) holds, each under a UUID that the same document always gives:

- ``DocumentReference``: the text (UTF-8), or with ``WriteOptions(source_text=False)`` its size and SHA-1;
- a resource an entity: Condition, FamilyMemberHistory, MedicationStatement or Observation by its label
  (``tables/fhir.toml``; ``WriteOptions.fhir_tables`` for your own) and its assertion (`fhir_resources`).
  Dosage, route, frequency and duration that a relation ties to a medication stand in its dosage instead,
  and a place with two labels of a kind (Chemical, Medication) is one resource;
- ``Provenance``: all of these were assembled from the document by the ``Device`` medspan (version, and
  the model where ``WriteOptions.model`` names it).

The patient is ``meta["patient"]``, a reference (``Patient/7``, an address) or else an identifier; where
there is none, FHIR's data-absent-reason says so. An extension ``urn:medspan:fhir:mention`` holds an entity
whole: id, label, spans (code points, half-open), score, attributes, concepts; relations stand at the
Provenance, sections at the DocumentReference. So `read` gives back what was written: texts, ids, entities,
relations, sections and the patient. Not held, and counted: sentences and other meta values, texts where
they are left out.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from typing import TYPE_CHECKING

import msgspec

from medspan import __version__
from medspan.formats import files
from medspan.formats.fhir_parts import (
    DOCUMENT,
    Json,
    coded,
    exact,
    identity,
    of_parts,
    reference,
    relation,
    section,
    shown,
)
from medspan.formats.fhir_read import EXTENSIONS, PATIENT, PATIENT_URL, read
from medspan.formats.fhir_resources import Maker
from medspan.formats.fhir_table import table_of
from medspan.formats.protocol import Losses, WriteOptions, count_unheld, day_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from medspan.types import Document

__all__ = ["EXTENSIONS", "bundle", "read", "write"]

_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_REFERENCE = re.compile(r"Patient/[A-Za-z0-9.-]{1,64}|(?:https?://|urn:uuid:|urn:oid:)\S+")
_ENCODER = msgspec.json.Encoder()
_HELD = frozenset({"relations", "attributes", "concepts", "scores", "sections"})


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write one bundle a line.

    Raises:
        ConfigError: if a table is malformed.
        UsageError: if the file cannot be written.
    """
    table_of(options.fhir_tables)  # its faults before anything is written
    losses = Losses()
    with files.writing(path) as handle:
        for document in documents:
            handle.write(_ENCODER.encode(bundle(document, options)).decode() + "\n")
            _count(document, losses, options)
    return losses


def _count(document: Document, losses: Losses, options: WriteOptions) -> None:
    has_patient = bool(_patient(document))
    meta = {key: value for key, value in document.meta.items() if key != PATIENT or not has_patient}
    count_unheld(document.replace(meta=meta) if has_patient else document, losses, _HELD)
    losses.add("document texts", int(not options.source_text))


def bundle(document: Document, options: WriteOptions = WriteOptions()) -> Json:
    """A document as a FHIR R4 Bundle, as JSON values.

    Args:
        document: with entities.
        options: ``date``, ``model``, ``source_text`` and ``fhir_tables`` concern it.

    Raises:
        ConfigError: if a table is malformed.
        AnnotationError: where the text holds half of a surrogate pair, as it is written.
    """
    data = document.text.encode()
    now = f"{day_of(options)}T00:00:00Z" if options.date else f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    seed = identity(document.id, hashlib.sha256(data).hexdigest())
    source = identity(seed, "", "DocumentReference")
    patient = _patient(document)
    subject = _subject(patient) if patient else None
    maker = Maker(document, table_of(options.fhir_tables), subject=subject, source=source, seed=seed)
    found = list(maker.resources())
    resources = [_document_reference(document, data, source, subject, has_text=options.source_text), *found]
    if found:
        device = _device(options.model)
        resources += [device, _provenance(document, found, device["id"], source, now)]
    return {
        "resourceType": "Bundle",
        "id": seed,
        "type": "collection",
        "timestamp": now,
        "entry": [{"fullUrl": f"urn:uuid:{each['id']}", "resource": each} for each in resources],
    }


def _patient(document: Document) -> str:
    """Who the document speaks of, as its meta has it; empty where nobody is named."""
    value = document.meta.get(PATIENT)
    return value if isinstance(value, str) and value.strip() else ""


def _subject(patient: str) -> Json:
    """A reference, or the identifier of somebody; what a reader gets back is the same text."""
    if _REFERENCE.fullmatch(patient):
        return {"reference": patient}
    (value,) = exact(PATIENT_URL, patient)
    if "valueString" in value:
        return {"type": "Patient", "identifier": {"value": patient}}
    return {"type": "Patient", "identifier": {"extension": [value]}}


def _document_reference(
    document: Document, data: bytes, source: str, subject: Json | None, *, has_text: bool
) -> Json:
    attachment: Json = {"contentType": "text/plain; charset=utf-8"}
    if has_text and data:
        attachment["data"] = base64.b64encode(data).decode()
    attachment |= {
        "size": len(data),
        "hash": base64.b64encode(
            hashlib.sha1(data, usedforsecurity=False).digest()
        ).decode(),  # as FHIR has it
    }
    own: Json = {"resourceType": "DocumentReference", "id": source}
    own["extension"] = [
        *(exact(DOCUMENT, document.id) or [of_parts(DOCUMENT)]),
        *map(section, document.sections),
    ]
    if document.id.strip():
        own["identifier"] = [{"system": DOCUMENT, "value": shown(document.id)}]
    own["status"] = "current"
    if subject:
        own["subject"] = subject
    return own | {"content": [{"attachment": attachment}]}


def _device(model: str | None) -> Json:
    names = [{"name": "medspan", "type": "user-friendly-name"}]
    if model:
        names.append({"name": model, "type": "model-name"})
    return {
        "resourceType": "Device",
        "id": identity("medspan", __version__, model or ""),
        "deviceName": names,
        "version": [{"value": __version__}],
    }


def _provenance(document: Document, found: list[Json], device: str, source: str, recorded: str) -> Json:
    own: Json = {"resourceType": "Provenance", "id": identity(source, "Provenance")}
    if document.relations:
        own["extension"] = [relation(each) for each in document.relations]
    agent = {"type": coded(_PARTICIPANT, "assembler"), "who": reference(device)}
    return own | {
        "target": [reference(each["id"]) for each in found],
        "recorded": recorded,
        "agent": [agent],
        "entity": [{"role": "source", "what": reference(source)}],
    }

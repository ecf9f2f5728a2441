"""The OpenAPI 3.1 document of the service, made from the structs that read requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import msgspec

from medspan import __version__
from medspan.formats.handout import MEDIA_TYPES
from medspan.serve import openapi_project, schema
from medspan.serve.bodies import JSON, LINES
from medspan.serve.convert import known_formats
from medspan.serve.problems import MEDIA_TYPE, Problem
from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.policy import GENERALISED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.serve.offers import Offers

_NOTE = "No sign of lithium toxicity; her father had asthma."
_LETTER = "Dear Dr Anna Berg, I saw Mr John Smith on 03/04/2021."
_STRUCTS = (
    schema.AnnotateRequest,
    schema.DeidentifyRequest,
    schema.ConvertRequest,
    schema.AnnotateAnswer,
    schema.DeidentifyAnswer,
    schema.ModelsAnswer,
    schema.StatusAnswer,
    schema.Given,
    Problem,
)
_REF = "#/components/schemas/{name}"
_LINES_SHAPE = {
    "type": "array",
    "items": {"$ref": _REF.format(name="Given")},
    "description": "A document a line; the array stands for the lines.",
}
_WRONG = {
    "400": "The body is not JSON.",
    "401": "A key is needed.",
    "403": "A page of another site asked.",
    "404": "Not there.",
    "408": "The body did not come.",
    "409": "It does not fit what is there.",
    "413": "Too large.",
    "415": "Not of a known media type.",
    "421": "The service is not called so.",
    "422": "Not of the right form, or not offered.",
    "429": "Too much waits already; Retry-After says when to come again.",
    "504": "It took too long.",
    "507": "The service's disk is full.",
}
_READ = ("401", "421")
_POSTED = tuple(code for code in _WRONG if code not in {"404", "409", "507"})


def document(offers: Offers, *, has_keys: bool, has_project: bool = False) -> dict[str, Any]:
    """The OpenAPI document.

    Args:
        offers: what can be asked for; its names stand in it.
        has_keys: whether requests need a key.
        has_project: whether there is a project.
    """
    structs = (*_STRUCTS, *(openapi_project.STRUCTS if has_project else ()))
    _, components = msgspec.json.schema_components(structs, ref_template=_REF)
    _with_offers(components, offers)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "medspan",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Entities in biomedical and clinical text; no text is kept or logged. How large "
            "a request may be stands in /v1/models; a larger one gets 413.",
        },
        "servers": [{"url": "/"}],
        "paths": _paths(offers) | (openapi_project.paths(_problems, _REF) if has_project else {}),
        "components": {
            "schemas": components | (openapi_project.schemas() if has_project else {}),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        **({"security": [{"key": []}]} if has_keys else {}),
    }


def _with_offers(components: dict[str, Any], offers: Offers) -> None:
    """Say in the schemas what can be asked for here."""
    for name in ("AnnotateRequest", "DeidentifyRequest"):
        asked = components[name]
        fields = asked["properties"]
        fields["text"] = {"type": "string", "description": fields["text"].get("description", "")}
        fields["documents"] = {
            "type": "array",
            "items": {"$ref": _REF.format(name="Given")},
            "description": "Many documents, instead of text.",
        }
        asked["oneOf"] = [{"required": ["text"]}, {"required": ["documents"]}]
    annotate = components["AnnotateRequest"]["properties"]
    annotate["model"] = _one_of(offers.models, annotate["model"])
    annotate["stages"] = _some_of(offers.stages, annotate["stages"])
    annotate["labels"] = _some_of(offers.models[offers.default].labels, annotate["labels"])
    deidentify = components["DeidentifyRequest"]["properties"]
    deidentify["policy"] = _one_of(offers.policies, deidentify["policy"])
    every = get_args(schema.Action)
    convert = components["ConvertRequest"]["properties"]
    convert["format"]["enum"] = known_formats()
    convert["documents"]["items"] = {
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string"}},
        "description": "As /v1/annotate answers, with offsets in code points.",
    }
    deidentify["actions"] |= {
        "properties": {
            label: {"enum": [a for a in every if a != "generalise" or label in GENERALISED]}
            for label in LABELS
        },
        "additionalProperties": False,
    }


def _one_of(names: Any, field: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - any collection of names
    return {"description": field.get("description", ""), "enum": [*names, None], "default": None}


def _some_of(names: Any, field: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - any collection of names
    items = {"type": "array", "items": {"enum": list(names)}} if names else {"type": "array", "maxItems": 0}
    return {"description": field.get("description", ""), "anyOf": [items, {"type": "null"}], "default": None}


def _paths(offers: Offers) -> dict[str, Any]:
    paths = {
        "/v1/models": {"get": _read("What this service offers.", "ModelsAnswer")},
        "/v1/annotate": {
            "post": _post(
                "Find entities, and what follows from them.",
                "AnnotateRequest",
                "AnnotateAnswer",
                {"text": _NOTE, "labels": offers.models[offers.default].labels[:2]},
            )
        },
        "/v1/convert": {"post": _convert()},
        "/healthz": {"get": _read("Whether the process lives.", "StatusAnswer", is_open=True)},
        "/readyz": {"get": _read("Whether it takes requests.", "StatusAnswer", is_open=True, can_wait=True)},
        "/metrics": {"get": _answered("Counters, for Prometheus.", "text/plain", {"type": "string"})},
    }
    if offers.policies:
        paths["/v1/deidentify"] = {
            "post": _post(
                "Take out what identifies people.",
                "DeidentifyRequest",
                "DeidentifyAnswer",
                {"text": _LETTER, "policy": offers.policies[0]},
            )
        }
    return paths


def _problems(codes: tuple[str, ...]) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}}
    return {code: {"description": _WRONG[code], "content": content} for code in codes}


def _answered(summary: str, kind: str, shape: Mapping[str, Any]) -> dict[str, Any]:
    answer = {"description": "Done.", "content": {kind: {"schema": shape}}}
    return {"summary": summary, "responses": {"200": answer, **_problems(_READ)}}


def _read(summary: str, answer: str, *, is_open: bool = False, can_wait: bool = False) -> dict[str, Any]:
    found = _answered(summary, JSON, {"$ref": _REF.format(name=answer)})
    if is_open:
        found["security"] = []
    if can_wait:
        found["responses"]["503"] = {
            **found["responses"]["200"],
            "description": "Not yet, or not any more.",
        }
    return found


def _post(summary: str, body: str, answer: str, example: dict[str, Any]) -> dict[str, Any]:
    many = {"documents": [{"id": "a", "text": example["text"]}, {"id": "b", "text": "A second text."}]}
    found = _answered(summary, JSON, {"$ref": _REF.format(name=answer)})
    found["responses"]["200"]["content"][LINES] = {
        "schema": {"type": "string", "description": 'A document a line, or {"error": ...} in its place.'}
    }
    found["responses"] |= _problems(_POSTED)
    found["requestBody"] = {
        "required": True,
        "content": {
            JSON: {
                "schema": {"$ref": _REF.format(name=body)},
                "examples": {"one": {"value": example}, "many": {"value": many}},
            },
            LINES: {
                "schema": _LINES_SHAPE,
                "example": many["documents"],
            },
        },
    }
    return found


def _convert() -> dict[str, Any]:
    found = _answered("Annotated documents in another format.", JSON, {})
    found["responses"]["200"]["content"] = {kind: {} for kind in MEDIA_TYPES}
    found["responses"] |= _problems((*(code for code in _POSTED if code not in {"429", "504"}), "507"))
    found["requestBody"] = {
        "required": True,
        "content": {JSON: {"schema": {"$ref": _REF.format(name="ConvertRequest")}}},
    }
    return found

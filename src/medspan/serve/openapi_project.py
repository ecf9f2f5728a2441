"""The part of the OpenAPI document on a project: documents to annotate, annotators, training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from medspan.project import structs
from medspan.serve import project_bodies

if TYPE_CHECKING:
    from collections.abc import Callable

STRUCTS = (
    structs.Summary,
    structs.Page,
    structs.Added,
    structs.Saved,
    structs.Agreement,
    structs.Run,
    project_bodies.LabelsBody,
    project_bodies.DocumentsBody,
    project_bodies.SaveBody,
    project_bodies.TrainBody,
)
_UNIT = "offsets"
_PARAMETERS: dict[str, dict[str, Any]] = {
    "annotator": {"type": "string", "minLength": 1, "maxLength": 100},
    "state": {"enum": ["open", "done", "skipped", "all"]},
    "order": {"enum": ["suggested", "given"]},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
    "offset": {"type": "integer", "minimum": 0, "maximum": 2**53},
    "format": {"type": "string"},
    _UNIT: {"enum": ["codepoint", "utf16"]},
}


class _Action(NamedTuple):
    """A method of a path; ``body`` and ``answer`` name schemas, ``answer`` none where it is a file."""

    summary: str
    answer: str | None
    body: str | None = None
    query: tuple[str, ...] = ()
    status: str = "200"
    problems: tuple[str, ...] = ()


_DOCUMENT = "/v1/project/documents/{id}"
_TURN = ("annotator", _UNIT)
_ACTIONS: dict[tuple[str, str], _Action] = {
    ("/v1/project", "get"): _Action("The project at a glance.", "Summary"),
    ("/v1/project", "patch"): _Action("Other labels.", "Summary", "LabelsBody", problems=("409",)),
    ("/v1/project/documents", "post"): _Action("Add documents.", "Added", "DocumentsBody", (_UNIT,)),
    ("/v1/project/documents", "get"): _Action(
        "The documents, the most informative first.",
        "Page",
        query=("annotator", "state", "order", "limit", "offset"),
    ),
    (_DOCUMENT, "get"): _Action("A document as an annotator finds it.", "Saved", query=_TURN),
    (_DOCUMENT, "put"): _Action(
        "What an annotator says of it; 409 where another window has written.",
        "Saved",
        "SaveBody",
        _TURN,
        problems=("409",),
    ),
    (f"{_DOCUMENT}/undo", "post"): _Action("Undo.", "Saved", query=_TURN, problems=("409",)),
    (f"{_DOCUMENT}/redo", "post"): _Action("Redo.", "Saved", query=_TURN, problems=("409",)),
    ("/v1/project/agreement", "get"): _Action("How far annotators agree.", "Agreement", query=(_UNIT,)),
    ("/v1/project/export", "get"): _Action("A file.", None, query=("format", "annotator", _UNIT)),
    ("/v1/project/suggest", "post"): _Action("Rate the open documents with the present model.", "Rated"),
    ("/v1/project/train", "post"): _Action("Train.", "Run", "TrainBody", status="201", problems=("409",)),
    ("/v1/project/train", "get"): _Action("The last run.", "Run"),
    ("/v1/project/train/stop", "post"): _Action("Stop the run.", "Run", problems=("409",)),
    ("/v1/project/runs/{number}/accept", "post"): _Action(
        "Let the model of a run answer from now on.", "Run", problems=("409",)
    ),
}


def paths(problems: Callable[[tuple[str, ...]], dict[str, Any]], ref: str) -> dict[str, Any]:
    """The paths.

    Args:
        problems: the answers for some statuses of errors.
        ref: template of a reference to a schema.
    """
    found: dict[str, Any] = {}
    for (path, method), action in _ACTIONS.items():
        found.setdefault(path, {})[method] = _method(path, action, problems, ref)
    return found


def schemas() -> dict[str, Any]:
    """Schemas that are of no struct."""
    rated = {"type": "object", "required": ["rated"], "properties": {"rated": {"type": "integer"}}}
    return {"Rated": rated}


def _method(
    path: str, action: _Action, problems: Callable[[tuple[str, ...]], dict[str, Any]], ref: str
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if action.answer is None:
        answer["content"] = {"*/*": {}}
    else:
        answer["content"] = {"application/json": {"schema": {"$ref": ref.format(name=action.answer)}}}
    of_one = action.query == _TURN
    query = [_in_query(name, is_needed=of_one and name == "annotator") for name in action.query]
    known = ("400", "401", "404", "413", "415", "421", "422", "403", *action.problems)
    found: dict[str, Any] = {
        "summary": action.summary,
        "parameters": [*_in_path(path), *query],
        "responses": {action.status: answer, **problems(known)},
    }
    if action.body:
        schema = {"$ref": ref.format(name=action.body)}
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return found


def _in_path(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(name: str, *, is_needed: bool) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": is_needed, "schema": _PARAMETERS[name]}

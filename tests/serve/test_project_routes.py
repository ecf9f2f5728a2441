"""The routes of a project as a client sees them."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

pytest.importorskip("starlette")

from starlette.applications import Starlette
from starlette.testclient import TestClient

from medspan.project import Project
from medspan.serve.app import PROBLEMS
from medspan.serve.guard import Guard
from medspan.serve.metrics import Metrics
from medspan.serve.project_routes import project_routes
from medspan.serve.settings import Limits
from tiny_project import LABELS, tiny_model
from tiny_training import tiny_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "Zebrafieber"
PATH = "/v1/project"


class Services:
    """What the app gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, Path] = {}

    def default_model(self) -> tuple[str, Path]:
        return "tiny", self.folder

    def add_model(self, name: str, folder: Path) -> None:
        self.models[name] = folder


class Site(NamedTuple):
    client: TestClient
    project: Project
    services: Services

    def add(self, *texts: str) -> None:
        documents = [{"id": f"d{i}", "text": text} for i, text in enumerate(texts)]
        answer = self.client.post(f"{PATH}/documents", json={"documents": documents, "split": "documents"})
        assert answer.status_code == 200, answer.text

    def put(self, place: int, body: dict[str, Any], query: str = "annotator=anna") -> Any:
        return self.client.put(f"{PATH}/documents/{place}?{query}", json=body)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def site(tmp_path: Path, model: Path) -> Iterator[Site]:
    project, services = Project(tmp_path / "notes.medspan", labels=LABELS), Services(model)
    routes = project_routes(project, services, Limits())
    app = Guard(Starlette(routes=routes, exception_handlers=PROBLEMS), Metrics(), log=lambda _: None)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Site(client, project, services)
    project.close()


def test_a_project_at_a_glance(site: Site):
    site.add("One text.", "Another text.")
    assert site.client.get(PATH).json() == {
        "name": "notes",
        "labels": list(LABELS),
        "documents": 2,
        "held_back": site.project.documents.counts()[1],
        "annotators": [],
        "model": "tiny",
        "runs": [],
    }
    changed = site.client.patch(PATH, json={"labels": ["Drug", "Effect", "Disease"]})
    assert changed.json()["labels"] == ["Drug", "Effect", "Disease"]
    site.put(1, {"entities": [{"label": "Drug", "start": 0, "end": 3}], "state": "done", "revision": 0})
    assert site.client.patch(PATH, json={"labels": ["Effect"]}).status_code == 409


def test_a_document_is_saved_undone_and_redone(site: Site):
    site.add("One text.")
    first = site.client.get(f"{PATH}/documents/1?annotator=anna").json()
    assert first["from"] == "model"
    assert (first["state"], first["revision"], first["can_undo"]) == ("open", 0, False)
    mark = {"start": 0, "end": 3, "label": "Drug"}
    saved = site.put(1, {"entities": [mark], "state": "done", "revision": 0})
    assert saved.status_code == 200
    assert saved.json() == site.client.get(f"{PATH}/documents/1?annotator=anna").json()
    assert saved.json()["entities"] == [mark]
    assert (saved.json()["from"], saved.json()["state"]) == ("annotator", "done")
    old = site.put(1, {"entities": [], "state": "done", "revision": 0})
    assert (old.status_code, old.json()["revision"]) == (409, 1)
    undone = site.client.post(f"{PATH}/documents/1/undo?annotator=anna").json()
    assert (undone["entities"], undone["can_redo"]) == (first["entities"], True)
    assert site.client.post(f"{PATH}/documents/1/redo?annotator=anna").json()["entities"] == [mark]
    assert site.client.post(f"{PATH}/documents/1/redo?annotator=anna").status_code == 409


def test_offsets_in_utf16(site: Site):
    text = "\U0001f489 zelvorin was given."
    site.client.post(
        f"{PATH}/documents?offsets=utf16",
        json={
            "documents": [{"text": text, "entities": [{"id": "T1", "label": "Drug", "start": 3, "end": 11}]}],
            "split": "documents",
        },
    )
    unit = "annotator=anna&offsets=utf16"
    found = site.client.get(f"{PATH}/documents/1?annotator=anna").json()["entities"]
    assert [(e["start"], e["end"]) for e in found] == [(2, 10)]
    body = {"entities": [{"label": "Drug", "start": 3, "end": 11}], "state": "done", "revision": 0}
    assert site.put(1, body, unit).json()["entities"][0]["start"] == 3
    assert site.client.get(f"{PATH}/documents/1?annotator=anna").json()["entities"][0]["start"] == 2
    site.put(1, {"entities": [], "state": "done", "revision": 0}, "annotator=ben")
    listed = [
        site.client.get(f"{PATH}/agreement{query}").json()["disagreements"][0]
        for query in ("", "?offsets=utf16")
    ]
    assert [(each["start"], each["end"]) for each in listed] == [(2, 10), (3, 11)]
    assert listed[0]["by"] == ["anna"]


def test_the_list_and_new_suggestions(site: Site):
    site.add(*(tiny_document(number).text for number in range(12)))
    page = site.client.get(f"{PATH}/documents?annotator=anna&state=open&limit=5&offset=5").json()
    assert (page["total"], len(page["documents"])) == (12, 5)
    assert page["documents"][0].keys() == {
        *("id", "name", "characters", "state", "uncertainty", "is_held_back", "preview")
    }
    site.put(1, {"entities": [], "state": "skipped", "revision": 0})
    site.put(2, {"entities": [], "state": "done", "revision": 0})
    for state, count in {"skipped": 1, "done": 1, "open": 10, "all": 12}.items():
        found = site.client.get(f"{PATH}/documents?annotator=anna&state={state}").json()
        assert found["total"] == count
    assert site.client.post(f"{PATH}/suggest").json() == {"rated": 11}


def test_export(site: Site):
    site.add("One text.")
    assert site.client.get(f"{PATH}/export?format=jsonl&annotator=anna").status_code == 404
    site.put(1, {"entities": [{"label": "Drug", "start": 0, "end": 3}], "state": "done", "revision": 0})
    lines = site.client.get(f"{PATH}/export?format=jsonl&annotator=anna")
    assert lines.headers["content-disposition"] == 'attachment; filename="notes.jsonl"'
    assert lines.json()["entities"][0]["text"] == "One"
    packed = site.client.get(f"{PATH}/export?format=brat")
    assert packed.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert any(name.startswith("anna/") for name in archive.namelist())
    assert site.client.get(f"{PATH}/export?format=docx").status_code == 422


def test_runs(site: Site):
    assert site.client.get(f"{PATH}/train").status_code == 404
    assert site.client.post(f"{PATH}/train/stop").status_code == 404
    assert site.client.post(f"{PATH}/runs/1/accept").status_code == 404
    assert site.client.post(f"{PATH}/runs/x/accept").status_code == 422
    few = site.client.post(f"{PATH}/train", json={})
    assert few.status_code == 422
    assert "annotate more first" in few.json()["detail"]
    number = site.project.runs.begin(10, 2)
    assert site.client.get(f"{PATH}/train").json()["state"] == "preparing"
    assert site.client.post(f"{PATH}/runs/{number}/accept").status_code == 409
    assert site.client.post(f"{PATH}/train/stop").json()["state"] == "stopped"


def test_an_accepted_model_answers_now_and_after_a_restart(site: Site, model: Path):
    site.add("One text.")
    number = site.project.runs.begin(10, 2)
    site.project.runs.model_folder(number).symlink_to(model)
    site.project.runs.enter(number, "done")
    accepted = site.client.post(f"{PATH}/runs/{number}/accept").json()
    assert accepted["accepted"]
    folder = site.project.runs.model_folder(number)
    assert site.services.models == {"project-1": folder}
    assert site.client.get(PATH).json()["model"] == "project-1"
    later = Services(model)
    project_routes(site.project, later, Limits())
    assert later.models == {"project-1": folder}


@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "status"),
    [
        ("PATCH", "", b"{", "application/json", 400),
        ("PATCH", "", b"\xff", "application/json", 400),
        ("PATCH", "", b'{"labels": ["A"]}', "text/plain", 415),
        ("PATCH", "", b'{"labels": ["A"], "Zebrafieber": 1}', "application/json", 422),
        ("PATCH", "", b'{"labels": []}', "application/json", 422),
        ("PATCH", "", b'"Zebrafieber"', "application/json", 422),
        ("POST", "/documents", b'{"documents": [{"text": 5}]}', "application/json", 422),
        ("POST", "/documents", b'{"documents": [{"text": "Zebrafieber", "Zebrafieber": 5}]}', "application/json", 422),
        (
            "POST",
            "/documents?offsets=utf16",
            b'{"documents": [{"text": "Zebrafieber", "entities": [{"start": "Zebrafieber", "spans": [3]}, 4]}]}',
            "application/json",
            422,
        ),
        ("POST", "/documents", b'{"documents": [], "split": "Zebrafieber"}', "application/json", 422),
        ("PUT", "/documents/1?annotator=anna", b'{"entities": [], "state": "Zebrafieber", "revision": 0}', "application/json", 422),
        ("PUT", "/documents/1?annotator=anna", b'{"entities": [{"start": 0, "end": 99, "label": "Drug"}], "state": "done", "revision": 0}', "application/json", 422),
        ("PUT", "/documents/1?annotator=anna", b'{"entities": [{"start": 2, "end": 1, "label": "Drug"}], "state": "done", "revision": 0}', "application/json", 422),
        ("PUT", "/documents/1?annotator=anna", b'{"entities": [{"start": 0, "end": 1, "label": "Zebrafieber"}], "state": "done", "revision": 0}', "application/json", 422),
        ("PUT", "/documents/1", b'{"entities": [], "state": "done", "revision": 0}', "application/json", 422),
        ("PUT", "/documents/7?annotator=anna", b'{"entities": [], "state": "done", "revision": 0}', "application/json", 404),
        ("GET", "/documents/1?annotator=", b"", "", 422),
        ("GET", "/documents/1?annotator=a&annotator=b", b"", "", 422),
        ("GET", "/documents/..%2f..%2fetc?annotator=a", b"", "", 404),
        ("GET", "/documents?limit=0", b"", "", 422),
        ("GET", "/documents?limit=Zebrafieber", b"", "", 422),
        ("GET", "/documents?offset=99999999999999999999", b"", "", 422),
        ("GET", "/documents?state=Zebrafieber", b"", "", 422),
        ("GET", "/documents?Zebrafieber=1", b"", "", 422),
        ("GET", "?offsets=utf16", b"", "", 422),
        ("GET", "/export?offsets=utf16", b"", "", 422),
        ("GET", "/agreement?offsets=utf8", b"", "", 422),
        ("POST", "/train", b'{"start": "/etc/passwd"}', "application/json", 422),
        ("POST", "/train", b'{"minutes": 0}', "application/json", 422),
        ("POST", "/train", b'{"minutes": NaN}', "application/json", 400),
        ("DELETE", "", b"", "", 405),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_without_an_echo(  # noqa: PLR0917 - columns of a table
    site: Site, method: str, path: str, content: bytes, kind: str, status: int
):
    site.add(f"{CANARY} in a text.")
    headers = {"Content-Type": kind} if kind else {}
    answer = site.client.request(method, f"{PATH}{path}", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert CANARY not in answer.text

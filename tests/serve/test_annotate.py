"""/v1/annotate: the same answers as the Python API, in either unit of offsets, one or many, whole or streamed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import medspan
from medspan.formats.jsonl import as_json
from medspan.pipeline import with_stages

if TYPE_CHECKING:
    import httpx


NOTE = "No sign of lithium toxicity. 😀 Her father had asthma and takes metformin 500 mg daily."
LINES = "application/x-ndjson"


def asked(client: httpx.Client, **body: object) -> dict[str, Any]:
    answer = client.post("/v1/annotate", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_text_gets_what_the_python_api_gives(client: httpx.Client) -> None:
    answer = asked(client, text=NOTE, stages=[])
    expected = json.loads(json.dumps(as_json(medspan.load(threads=1)(NOTE))))
    assert answer == {"documents": [expected], "model": "default", "offsets": "codepoint", "errors": []}


def test_stages_add_what_they_add(client: httpx.Client) -> None:
    whole = with_stages(medspan.load("clinical", threads=1), ("sections", "assertion", "relations"))
    (expected,) = whole.annotate([medspan.Document("a", NOTE)])
    answer = asked(client, documents=[{"id": "a", "text": NOTE}], model="clinical")
    assert answer["documents"] == [json.loads(json.dumps(as_json(expected)))]
    assert any("attributes" in entity for entity in answer["documents"][0]["entities"])


def test_offsets_in_utf16_are_those_of_browsers(client: httpx.Client) -> None:
    units = NOTE.encode("utf-16-le")
    (document,) = asked(client, text=NOTE, offsets="utf16", model="clinical")["documents"]
    assert document["entities"]
    for entity in document["entities"]:
        assert units[2 * entity["start"] : 2 * entity["end"]].decode("utf-16-le") == entity["text"]


def test_labels_and_scores_choose(client: httpx.Client) -> None:
    (all_of_it,) = asked(client, text=NOTE)["documents"]
    (chosen,) = asked(client, text=NOTE, labels=["Disease"], min_score=0.5)["documents"]
    assert {entity["label"] for entity in all_of_it["entities"]} >= {"Disease", "Chemical"}
    assert {entity["label"] for entity in chosen["entities"]} == {"Disease"}


def test_echo_false_leaves_the_text_out(client: httpx.Client) -> None:
    answer = client.post("/v1/annotate?echo=false", json={"text": NOTE})
    assert "text" not in answer.json()["documents"][0]


def test_many_documents_come_back_in_order(client: httpx.Client) -> None:
    given = [{"id": f"n{i}", "text": f"Patient {i} has asthma.", "meta": {"row": i}} for i in range(200)]
    found = asked(client, documents=given)["documents"]
    assert [(each["id"], each["meta"]) for each in found] == [(each["id"], each["meta"]) for each in given]


def test_lines_in_lines_out(client: httpx.Client) -> None:
    body = "".join(json.dumps({"id": str(i), "text": NOTE}) + "\n\n" for i in range(100))
    headers = {"Content-Type": LINES}
    answer = client.post("/v1/annotate?model=default&labels=Disease", content=body, headers=headers)
    assert answer.headers["content-type"] == LINES
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["id"] for row in rows] == [str(i) for i in range(100)]
    assert {entity["label"] for row in rows for entity in row["entities"]} == {"Disease"}


def test_json_in_lines_out(client: httpx.Client) -> None:
    answer = client.post("/v1/annotate", json={"text": NOTE}, headers={"Accept": LINES})
    assert json.loads(answer.text)["id"] == "text"


def test_no_documents_are_no_error(client: httpx.Client) -> None:
    assert asked(client, documents=[])["documents"] == []
    assert client.post("/v1/annotate", content=b"", headers={"Content-Type": LINES}).text == ""


@pytest.mark.parametrize("text", ["", " ", "\0", "a" * 5000, "\n" * 100, "\u2028x", "e\u0301" * 10])
def test_any_text_is_answered(client: httpx.Client, text: str) -> None:
    (document,) = asked(client, text=text)["documents"]
    assert document["text"] == text


REFUSED = [
    (b"{", 400, "not JSON in UTF-8: it is cut off"),
    (b'{"text": SECRET}', 400, "not JSON in UTF-8: malformed at byte 9"),
    (b'{"text": "\xff"}', 400, "not JSON"),
    (b'"text"', 422, "body"),
    (b"{}", 422, '"text" or "documents"'),
    (b'{"text": "a", "documents": []}', 422, '"text" or "documents"'),
    (
        b'{"text": "a", "SECRET": 1}',
        422,
        "body: object has a key that is not known; known: documents, labels, m",
    ),
    (b'{"txt": "a"}', 422, "body: object has a key that is not known; did you mean text?"),
    (
        b'{"documents": [{"text": "a", "metta": 1}]}',
        422,
        "documents[0]: object has a key that is not known; did",
    ),
    (b'{"text": "a", "x` - at `$.SECRET": 1}', 422, "body: object has a key that is not known"),
    (b'{"text": "a", "a`SECRET\\n` b": 1}', 422, "body: object has a key that is not known; known"),
    (b'{"text": 7}', 422, "text: expected"),
    (b'{"documents": [{"id": "a"}]}', 422, "documents[0]: object missing required field `text`"),
    (b'{"text": "a", "model": "SECRET"}', 422, "model: no such model here"),
    (b'{"text": "a", "labels": ["SECRET"]}', 422, "labels: one is not offered"),
    (b'{"text": "a", "stages": ["SECRET"]}', 422, "stages: one is not offered"),
    (b'{"text": "a", "min_score": 2}', 422, "min_score"),
    (b'{"text": "a", "offsets": "SECRET"}', 422, "offsets: this value is not known; known: codepoint, utf16"),
    (b'{"text": "a", "offsets": "utf-16"}', 422, "offsets: this value is not known; did you mean utf16?"),
]


@pytest.mark.parametrize(("body", "status", "told"), REFUSED)
def test_what_is_wrong_is_told_and_never_repeated(
    client: httpx.Client, body: bytes, status: int, told: str
) -> None:
    answer = client.post("/v1/annotate", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert told in problem["detail"]
    assert "SECRET" not in answer.text
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_bad_line_is_named(client: httpx.Client) -> None:
    body = b'{"text": "a"}\n{"text": SECRET}\n'
    answer = client.post("/v1/annotate", content=body, headers={"Content-Type": LINES})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("line 2: ")
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("modle=default", "did you mean model?"),
        ("echo=maybe", "echo"),
        ("min_score=SECRET", "query: min_score: expected `float`"),
        ("min_score=2", "query: min_score: expected `float` <= 1.0"),
        ("offsets=utf-16", "query: offsets: this value is not known; did you mean utf16?"),
        ("echo=true&echo=true", "stands twice"),
    ],
)
def test_a_wrong_query_is_refused(client: httpx.Client, query: str, told: str) -> None:
    body, headers = b'{"text": "a"}\n', {"Content-Type": LINES}
    answer = client.post(f"/v1/annotate?{query}", content=body, headers=headers)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Type": "text/plain"}, 415), ({}, 415), ({"Content-Encoding": "gzip"}, 415)],
)
def test_other_media_types_are_refused(client: httpx.Client, headers: dict[str, str], status: int) -> None:
    kind = {"Content-Type": "application/json"} if "Content-Encoding" in headers else {}
    answer = client.post("/v1/annotate", content=b'{"text": "a"}', headers={**kind, **headers})
    assert answer.status_code == status

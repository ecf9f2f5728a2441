"""/v1/convert: what was annotated comes back as a file of another format, with the same entities."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from medspan import formats

if TYPE_CHECKING:
    from pathlib import Path

    import httpx


TEXT = "Asthma and lithium toxicity. 😀 Metformin."


@pytest.fixture(scope="module")
def documents(client: httpx.Client) -> list[dict[str, Any]]:
    given = [{"id": "a", "text": TEXT}, {"id": "b/../../x", "text": "Diabetes."}]
    found: list[dict[str, Any]] = client.post("/v1/annotate", json={"documents": given}).json()["documents"]
    return found


def test_every_format_that_is_offered_is_written(
    client: httpx.Client, documents: list[dict[str, Any]]
) -> None:
    offered = client.get("/v1/models").json()["formats"]
    assert {"jsonl", "brat", "html", "omop"} <= set(offered)
    for name in offered:
        answer = client.post("/v1/convert", json={"documents": documents, "format": name})
        assert answer.status_code == 200, (name, answer.text)
        assert answer.headers["content-disposition"].startswith('attachment; filename="documents')
        assert answer.content


@pytest.mark.parametrize("name", ["brat", "conll", "pubtator", "bioc_json"])
def test_entities_survive(
    client: httpx.Client, documents: list[dict[str, Any]], name: str, tmp_path: Path
) -> None:
    answer = client.post("/v1/convert", json={"documents": documents[:1], "format": name})
    file = tmp_path / answer.headers["content-disposition"].partition('"')[2].rstrip('"')
    file.write_bytes(answer.content)
    if file.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            archive.extractall(tmp_path / "unpacked")
        file = tmp_path / "unpacked"
    (found,) = formats.read(file, name)
    expected = [(each["label"], each["text"]) for each in documents[0]["entities"]]
    assert [(each.label, found.text_of(each)) for each in found.entities] == expected


def test_no_name_in_a_zip_leaves_its_folder(client: httpx.Client, documents: list[dict[str, Any]]) -> None:
    answer = client.post("/v1/convert", json={"documents": documents, "format": "brat"})
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert names
    assert not any(name.startswith("/") or ".." in name.split("/") for name in names)


@pytest.mark.parametrize(
    "body",
    [
        {"documents": [], "format": "SECRET"},
        {
            "documents": [{"text": "SECRET", "entities": [{"label": "x", "start": 0, "end": 99}]}],
            "format": "brat",
        },
        {"documents": [{"id": "SECRET"}], "format": "brat"},
        {"documents": [], "format": "brat", "path": "SECRET"},
    ],
)
def test_what_cannot_be_converted_is_refused(client: httpx.Client, body: dict[str, object]) -> None:
    answer = client.post("/v1/convert", json=body)
    assert answer.status_code == 422
    assert "SECRET" not in answer.text

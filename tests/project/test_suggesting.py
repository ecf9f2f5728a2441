"""The order in which documents are suggested, and what an export holds."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from medspan.errors import UsageError
from medspan.formats import WRITERS, read
from medspan.project.exporting import export
from medspan.project.structs import Mark, NotFoundError
from medspan.project.suggesting import rate
from medspan.types import Document
from tiny_project import tiny_model, tiny_project
from tiny_training import tiny_document

if TYPE_CHECKING:
    from pathlib import Path


def test_unsure_ones_come_first_and_every_fifth_is_of_the_sample(tmp_path: Path):
    project = tiny_project(tmp_path, documents=60, done=4)
    model = tiny_model(tmp_path / "model")
    assert project.documents.unrated()
    rated = rate(project, "tiny", model)
    assert rated == 56
    page = project.documents.page("anna", wanted="open", order="suggested", limit=100, offset=0)
    places = [each.is_held_back for each in page.documents[:20]]
    assert [place for place, held in enumerate(places) if held] == [4, 9, 14, 19]
    free = [each.uncertainty for each in page.documents if not each.is_held_back]
    assert None not in free
    assert free[0] == max(free)
    assert project.annotations.get(page.documents[0].id, "anna").origin == "model"
    again = project.documents.page("anna", wanted="open", order="suggested", limit=100, offset=0)
    rate(project, "tiny", model)
    assert project.documents.page("anna", wanted="open", order="suggested", limit=100, offset=0) == again
    project.close()


def test_what_was_imported_stays_suggested(tmp_path: Path):
    project = tiny_project(tmp_path, documents=2, done=0)
    project.documents.add([tiny_document(500)], "documents")
    before = project.documents.all()[-1].suggestions
    assert before
    rate(project, "tiny", tiny_model(tmp_path / "model"))
    assert project.documents.all()[-1].suggestions == before
    project.close()


@pytest.mark.parametrize("format", sorted(WRITERS))
def test_every_format_is_exported(tmp_path: Path, format: str):  # noqa: A002 - as the function
    project = tiny_project(tmp_path, documents=4, done=3)
    project.annotations.save("1", "be/n", marks=[Mark(0, 4, "Drug")], state="done", revision=0)
    both = export(project, format)
    with zipfile.ZipFile(io.BytesIO(both.content)) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
        assert len(folders) == 2
        assert not any(".." in name or name.startswith("/") for name in archive.namelist())
    assert export(project, format, "anna").content
    project.close()


def test_an_export_is_what_was_done(tmp_path: Path):
    project = tiny_project(tmp_path, documents=6, done=5)
    file = export(project, "jsonl", "anna")
    assert (file.name, file.media_type) == ("tiny.jsonl", "application/x-ndjson")
    (tmp_path / "back.jsonl").write_bytes(file.content)
    back = list(read(tmp_path / "back.jsonl"))
    done = project.annotations.done("anna")
    rows = {row.name: row for row in project.documents.all()}
    assert [rows[document.id].number for document in back] == sorted(done)
    for document in back:
        marks = {Mark(e.start, e.end, e.label) for e in document.entities}
        assert marks == set(done[rows[document.id].number])
    project.close()


def test_an_export_says_where_documents_came_from(tmp_path: Path):
    project = tiny_project(tmp_path, documents=0, done=0)
    project.documents.add([Document("ward/7", "One text. Another."), Document("", "Third.")], "sentences")
    meta = {"patient": "Patient/7"}
    given = [Document("twice", "Fourth.", meta=meta), Document("twice", "Fifth.")]
    project.documents.add(given, "documents")
    for row in project.documents.all():
        project.annotations.save(str(row.number), "anna", marks=[], state="done", revision=0)
    (tmp_path / "back.jsonl").write_bytes(export(project, "jsonl", "anna").content)
    back = list(read(tmp_path / "back.jsonl"))
    assert [document.id for document in back] == ["ward/7:0-9", "ward/7:10-18", ":0-6", "twice#4", "twice#5"]
    assert back[1].meta == {"sentence": {"document": "ward/7", "start": 10, "end": 18}}
    assert back[3].meta == meta
    for name in WRITERS:
        assert export(project, name, "anna").content
    project.close()


def test_what_cannot_be_exported(tmp_path: Path):
    project = tiny_project(tmp_path, documents=2, done=0)
    with pytest.raises(NotFoundError, match="nothing is done yet"):
        export(project, "jsonl")
    with pytest.raises(UsageError, match="did you mean jsonl"):
        export(project, "json1")
    project.close()

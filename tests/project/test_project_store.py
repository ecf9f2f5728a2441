"""A project file: made, refused, filled once per text, and the same part of it always held back."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from medspan.errors import DataError, MedspanError, UsageError
from medspan.project import Project
from medspan.project.documents import HELD_BACK_EVERY, digest_of, is_held_back
from medspan.project.structs import ConflictError, Mark, NotFoundError
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("Disease", "Drug")


def texts(count: int) -> list[Document]:
    return [Document(f"d{i}", f"Patient {i} took drug number {i}.") for i in range(count)]


def test_a_project_comes_back_as_it_was(tmp_path: Path):
    path = tmp_path / "mine.medspan"
    project = Project(path, labels=LABELS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert project.documents.add(texts(3), "documents").added == 3
    project.annotations.save("1", "anna", marks=[Mark(0, 7, "Drug")], state="done", revision=0)
    project.close()
    again = Project(path, labels=("Other",))  # labels are those of a new project only
    assert again.labels() == LABELS
    assert again.name == "mine"
    assert again.annotations.get("1", "anna").entities == (Mark(0, 7, "Drug"),)
    assert again.summary("default").annotators[0].done == 1
    again.close()


def test_a_second_process_may_not_open_it(tmp_path: Path):
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    with pytest.raises(UsageError, match="is open in another medspan"):
        Project(tmp_path / "p.medspan")
    project.close()
    Project(tmp_path / "p.medspan").close()


def test_a_copy_of_the_file_alone_holds_all_that_was_saved(tmp_path: Path):
    """As backups take it, while it is open."""
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    project.documents.add(texts(50), "documents")
    project.annotations.save("1", "anna", marks=[Mark(0, 7, "Drug")], state="done", revision=0)
    (tmp_path / "copy.medspan").write_bytes((tmp_path / "p.medspan").read_bytes())
    project.close()
    copy = Project(tmp_path / "copy.medspan")
    assert copy.documents.counts()[0] == 50
    assert copy.annotations.get("1", "anna").entities == (Mark(0, 7, "Drug"),)
    copy.close()
    assert {path.name for path in tmp_path.iterdir()} == {"p.medspan", "copy.medspan"}


def test_a_file_in_which_nothing_is_left_is_no_new_project(tmp_path: Path):
    connection = sqlite3.connect(tmp_path / "p.medspan")
    connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE a (b); DROP TABLE a")
    connection.close()
    before = (tmp_path / "p.medspan").read_bytes()
    assert before
    with pytest.raises(DataError, match="holds nothing"):
        Project(tmp_path / "p.medspan")


def test_what_is_no_project_is_refused(tmp_path: Path):
    path = tmp_path / "text.medspan"
    path.write_text("This is not a database, it is only text.\n" * 100)
    with pytest.raises(DataError, match="is no project file"):
        Project(path)
    other = tmp_path / "other.medspan"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE things (a)")
    connection.close()
    with pytest.raises(DataError, match="a database of another program"):
        Project(other)
    with pytest.raises(UsageError, match=r"name a file NAME\.medspan"):
        Project(tmp_path / "absent" / "p.medspan")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 9", r"written by a newer medspan \(schema 9"),
        ("DROP TABLE runs", "lacks the table 'runs'"),
    ],
)
def test_another_schema_is_refused(tmp_path: Path, statement: str, said: str):
    path = tmp_path / "p.medspan"
    Project(path, labels=LABELS).close()
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(DataError, match=said):
        Project(path)


def test_the_same_letters_are_added_once(tmp_path: Path):
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    documents = [
        Document("a", "Severe asthma."),
        Document("b", "severe   ASTHMA!"),
        Document("c", "--- !"),
        Document("d", "Mild asthma."),
    ]
    first = project.documents.add(documents, "documents")
    assert (first.added, first.known) == (2, 2)
    second = project.documents.add(documents, "documents")
    assert (second.added, second.known) == (0, 4)
    project.close()


def test_sentences_keep_their_place_and_their_entities(tmp_path: Path):
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    text = "She has asthma. He takes aspirin."
    entity = Entity("T1", "Drug", (Span(25, 32),), 0.5)
    project.documents.add([Document("note", text, entities=(entity,))], "sentences")
    rows = project.documents.all()
    assert [row.name for row in rows] == ["note:0-15", "note:16-33"]
    saved = project.annotations.get("2", "anna")
    assert saved.entities == (Mark(9, 16, "Drug", 0.5),)
    assert (saved.origin, saved.state, saved.revision) == ("model", "open", 0)
    assert project.annotations.get("1", "anna").origin == "none"
    project.close()


def test_a_fifth_is_held_back_whatever_the_order(tmp_path: Path):
    first = Project(tmp_path / "a.medspan", labels=LABELS)
    second = Project(tmp_path / "b.medspan", labels=LABELS)
    first.documents.add(texts(500), "documents")
    second.documents.add(reversed(texts(500)), "documents")
    held = [{row.name for row in p.documents.all() if row.is_held_back} for p in (first, second)]
    assert held[0] == held[1]
    assert held[0] == {d.id for d in texts(500) if is_held_back(digest_of(d.text))}
    assert 500 / HELD_BACK_EVERY * 0.6 < len(held[0]) < 500 / HELD_BACK_EVERY * 1.4
    first.close()
    second.close()


def test_some_are_held_back_of_few_too(tmp_path: Path):
    unlucky = [d for d in texts(100) if not is_held_back(digest_of(d.text))]
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    project.documents.add(unlucky[:4], "documents")
    assert project.documents.counts() == (4, 0)
    project.documents.add(unlucky[4:6], "documents")
    assert project.documents.counts() == (6, 1)
    project.documents.add(unlucky[6:30], "documents")
    assert project.documents.counts() == (30, 3)
    project.close()


def test_labels_in_use_stay(tmp_path: Path):
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    project.documents.add(texts(1), "documents")
    project.annotations.save("1", "anna", marks=[Mark(0, 7, "Drug")], state="open", revision=0)
    project.set_labels(("New", "Drug"))
    assert project.labels() == ("New", "Drug")
    with pytest.raises(ConflictError, match="'Drug' is in use"):
        project.set_labels(("New",))
    assert project.labels() == ("New", "Drug")
    project.annotations.undo("1", "anna")
    project.set_labels(("New",))
    project.close()


@pytest.mark.parametrize(
    "labels", [[], ["A", "A"], [" "], ["x" * 101], ["a\nb"], [str(i) for i in range(201)]]
)
def test_odd_labels_are_refused(tmp_path: Path, labels: list[str]):
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    with pytest.raises(UsageError, match="labels: "):
        project.set_labels(labels)
    assert project.labels() == LABELS
    project.close()


def test_the_list_is_a_page_of_what_an_annotator_has_left(tmp_path: Path):
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    project.documents.add([Document(f"d{i}", f"{i} " + "x" * 200) for i in range(5)], "documents")
    project.annotations.save("2", "anna", marks=[], state="done", revision=0)
    project.annotations.save("3", "anna", marks=[], state="skipped", revision=0)
    page = project.documents.page("anna", wanted="open", order="given", limit=2, offset=1)
    assert page.total == 3
    assert [each.id for each in page.documents] == ["4", "5"]
    assert page.documents[0].characters == 202
    assert page.documents[0].preview == "3 " + "x" * 78
    done = project.documents.page("anna", wanted="done", order="suggested", limit=9, offset=0)
    assert [each.id for each in done.documents] == ["2"]
    assert project.documents.page("ben", wanted="all", order="given", limit=9, offset=0).total == 5
    project.close()


@pytest.mark.parametrize("identity", ["0", "2", "x", "-1", "\u0661", "9" * 30, ""])
def test_a_document_that_is_not_there(tmp_path: Path, identity: str):
    project = Project(tmp_path / "p.medspan", labels=LABELS)
    project.documents.add(texts(1), "documents")
    with pytest.raises(NotFoundError):
        project.documents.get(identity)
    project.close()


def test_a_full_disk_changes_nothing_and_is_told(tmp_path: Path):
    project = Project(tmp_path / "full.medspan", labels=("Drug",))
    project.documents.add([Document("a", "One text.")], "documents")
    with project._database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(MedspanError, match=r"cannot be written .*full.*nothing was changed"):
        project.documents.add([Document("b", "word " * 50_000)], "documents")
    assert project.documents.counts()[0] == 1
    with project._database.reading() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    project.documents.add([Document("b", "Another text.")], "documents")
    assert project.documents.counts()[0] == 2
    project.close()

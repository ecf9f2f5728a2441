"""Every saving is kept: undo and redo are those of a list, and of two writers one is told to look again."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medspan.errors import AnnotationError, UsageError
from medspan.project import Project
from medspan.project.structs import ConflictError, Mark
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "Asthma and eczema."
WHO = ("anna", "ben")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "p.medspan", labels=("Disease",))
    made.documents.add([Document("d", TEXT), Document("e", "Another text.")], "documents")
    yield made
    made.close()


class Model:
    """What undo and redo should do: a list of savings and a place in it."""

    def __init__(self) -> None:
        self.saved: list[tuple[Mark, ...]] = []
        self.place = 0
        self.writes = 0

    def save(self, marks: tuple[Mark, ...]) -> None:
        self.saved = [*self.saved[: self.place], marks]
        self.place += 1
        self.writes += 1

    def move(self, by: int) -> bool:
        if not 0 <= self.place + by <= len(self.saved):
            return False
        self.place += by
        self.writes += 1
        return True

    @property
    def present(self) -> tuple[Mark, ...]:
        return self.saved[self.place - 1] if self.place else ()


STEPS = st.tuples(
    st.sampled_from(WHO), st.one_of(st.just("undo"), st.just("redo"), st.integers(1, len(TEXT)))
)


@settings(max_examples=40)
@given(steps=st.lists(STEPS, max_size=30))
def test_undo_and_redo_are_those_of_a_list(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str | int]]
):
    project = Project(tmp_path_factory.mktemp("p") / "p.medspan", labels=("Disease",))
    project.documents.add([Document("d", TEXT)], "documents")
    models = {name: Model() for name in WHO}
    for who, step in steps:
        model = models[who]
        if isinstance(step, int):
            marks = (Mark(0, step, "Disease"),)
            project.annotations.save("1", who, marks=marks, state="done", revision=model.writes)
            model.save(marks)
        elif model.move(-1 if step == "undo" else 1):
            getattr(project.annotations, step)("1", who)
        else:
            with pytest.raises(ConflictError, match=f"nothing to {step}"):
                getattr(project.annotations, step)("1", who)
        for name, expected in models.items():
            found = project.annotations.get("1", name)
            assert found.entities == expected.present
            assert found.revision == expected.writes
            assert found.can_undo == (expected.place > 0)
            assert found.can_redo == (expected.place < len(expected.saved))
            assert found.state == ("done" if expected.place else "open")
    project.close()


def test_of_writers_at_once_one_wins(project: Project):
    """Each thread saves what it read until all have saved once; nobody overwrites what he has not seen."""
    threads, barrier, refused = 8, Barrier(8), []

    def work(number: int) -> None:
        barrier.wait()
        while True:
            seen = project.annotations.get("1", "anna")
            marks = [*seen.entities, Mark(number, number + 1, "Disease")]
            try:
                project.annotations.save("1", "anna", marks=marks, state="open", revision=seen.revision)
            except ConflictError as error:
                refused.append((error.revision or 0) > seen.revision)
            else:
                return

    running = [Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(30)
    found = project.annotations.get("1", "anna")
    assert found.revision == threads
    assert all(refused)  # each was told of a revision it had not seen
    assert {mark.start for mark in found.entities} == set(range(threads))


def test_an_old_revision_is_told_the_present_one(project: Project):
    project.annotations.save("1", "anna", marks=[], state="open", revision=0)
    with pytest.raises(ConflictError, match="stands at revision 1, not at 0") as caught:
        project.annotations.save("1", "anna", marks=[], state="open", revision=0)
    assert caught.value.revision == 1
    assert project.annotations.save("1", "ben", marks=[], state="open", revision=0).revision == 1


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (Mark(0, len(TEXT) + 1, "Disease"), "ends past the text"),
        (Mark(0, 6, "Asthma and eczema."), "has a label the project lacks"),
    ],
)
def test_what_does_not_fit_is_refused_without_its_text(project: Project, mark: Mark, said: str):
    with pytest.raises(AnnotationError, match=said) as caught:
        project.annotations.save("1", "anna", marks=[mark], state="done", revision=0)
    assert "Asthma" not in str(caught.value)
    assert project.annotations.get("1", "anna").revision == 0


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_who_annotates_has_a_name(project: Project, name: str):
    with pytest.raises(UsageError, match="annotator: give a name"):
        project.annotations.get("1", name)


def test_a_mention_that_stands_twice_counts_once(project: Project):
    marks = [Mark(11, 17, "Disease"), Mark(0, 6, "Disease", 0.5), Mark(0, 6, "Disease")]
    saved = project.annotations.save("1", "anna", marks=marks, state="done", revision=0)
    assert saved.entities == (Mark(0, 6, "Disease"), Mark(11, 17, "Disease"))


def test_what_is_done_is_by_whom_or_what_came_last(project: Project):
    annotations = project.annotations
    annotations.save("1", "anna", marks=[Mark(0, 6, "Disease")], state="done", revision=0)
    annotations.save("1", "ben", marks=[Mark(0, 3, "Disease")], state="done", revision=0)
    annotations.save("2", "ben", marks=[], state="open", revision=0)
    assert annotations.done("anna") == {1: (Mark(0, 6, "Disease"),)}
    assert annotations.done() == {1: (Mark(0, 3, "Disease"),)}
    annotations.undo("1", "anna")
    annotations.redo("1", "anna")  # is no new saving
    assert annotations.done() == {1: (Mark(0, 3, "Disease"),)}
    assert annotations.done("nobody") == {}
    assert [(a.name, a.done, a.skipped) for a in annotations.annotators()] == [("anna", 1, 0), ("ben", 1, 0)]

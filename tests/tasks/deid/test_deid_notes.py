"""Synthetic notes: every label, exact offsets, and nothing of the tests in training."""

from __future__ import annotations

import pytest

from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.notes import NoteWriter, templates
from medspan.tasks.deid.notes_insert import half_of, inserted, is_clean
from medspan.tasks.deid.notes_names import Names, is_of, own_names
from medspan.types import Document

PARTS = ("train", "test")


def words_of(names: Names) -> set[str]:
    fields = (names.female, names.male, names.surname, names.city, names.street, names.facility)
    return {name for field in fields for name in field}


def test_names_and_templates_are_split():
    train, test = (words_of(own_names(part)) for part in PARTS)
    assert train
    assert test
    assert not train & test
    assert all(is_of("test", name) for name in test)
    one, two = (templates(part).groups for part in PARTS)
    assert not {text for group in one.values() for text in group} & {
        text for group in two.values() for text in group
    }
    assert not set(templates("train").lists["known_facility"]) & set(
        templates("test").lists["known_facility"]
    )


@pytest.mark.parametrize("part", PARTS)
def test_notes_have_every_label_and_the_same_seed_the_same_notes(part: str):
    names = own_names(part)  # type: ignore[arg-type]
    documents = list(NoteWriter(part, names, seed=3).documents(300))  # type: ignore[arg-type]
    assert {entity.label for document in documents for entity in document.entities} == set(LABELS)
    assert documents == list(NoteWriter(part, names, seed=3).documents(300))  # type: ignore[arg-type]
    assert not any("{" in document.text or "|" in document.text[:0] for document in documents)
    for document in documents:
        for entity in document.entities:
            assert document.text_of(entity) == document.text_of(entity).strip()


@pytest.mark.parametrize("part", PARTS)
def test_every_template_can_be_filled(part: str):
    writer = NoteWriter(part, own_names(part))  # type: ignore[arg-type]
    for group in templates(part).groups.values():  # type: ignore[arg-type]
        for template in group:
            document = writer.filled("a", [template], own_names(part), separator="")  # type: ignore[arg-type]
            assert document.text


def test_identifiers_are_put_between_paragraphs_that_have_none():
    kept = "The patient was taken to the operating room. The patient tolerated it well."
    note = Document(
        "n", "\n".join([kept, "Seen by Dr. Smith.", "Call 555-123-4567.", "Susan came too."] + [kept] * 12)
    )
    found = list(inserted(note, NoteWriter("train", own_names("train"))))
    assert len(found) == 3
    assert any(document.entities for document in found)
    text = "\n".join(document.text for document in found)
    assert "Dr. Smith" not in text
    assert "555-123-4567" not in text
    assert "Susan came too" not in text
    assert found == list(inserted(note, NoteWriter("train", own_names("train"))))
    assert half_of(note) in PARTS


@pytest.mark.parametrize(
    ("paragraph", "clean"),
    [
        ("No acute distress.", True),
        ("Seen on 03/04/2021.", False),
        ("ABC Hospital", False),
        ("Allen test negative.", True),
    ],
)
def test_paragraphs_that_may_hold_something(paragraph: str, clean: bool):  # noqa: FBT001 - a column of the table
    assert is_clean(paragraph) is clean

"""Invented discharge notes: the same seed gives the same, and test shares no template with train."""

from __future__ import annotations

import re

import pytest

from medspan.corpora.discharge import _material, discharge_notes
from medspan.errors import UsageError
from medspan.formats.i2b2_entries import FIELDS, MEDICATION, entries_of


def test_a_seed_and_a_number_make_a_note():
    few, more = list(discharge_notes("train", 2, seed=7)), list(discharge_notes("train", 4, seed=7))
    assert more[:2] == few
    assert len({note.text for note in more}) == 4
    assert next(discharge_notes("train", 1, seed=8)).text != few[0].text
    assert next(discharge_notes("dev", 1, seed=7)).text != few[0].text


def test_every_field_passage_and_shape_occurs():
    notes = list(discharge_notes("train", 60))
    entries = [entry for note in notes for entry in entries_of(note)]
    assert {label for entry in entries for label in entry.fields} == set(FIELDS.values())
    assert {entry.passage for entry in entries} == {"list", "narrative"}
    entities = [entity for note in notes for entity in note.entities]
    assert any(entity.is_discontinuous for entity in entities)
    places = [(note.id, e.label, e.spans) for note in notes for e in note.entities if e.label == MEDICATION]
    assert len(set(places)) < len(places)  # a taper: two entries of one mention
    shared = [
        relation.tail for note in notes[:60] for relation in note.relations if relation.label == "Reason"
    ]
    assert len(shared) > len(set(shared))
    assert any("\n" in note.text[e.start : e.end] for note in notes for e in note.entities)


def test_what_is_not_taken_has_no_entry():
    names = {name for group in _material()["classes"] for name in group["names"]}
    for note in discharge_notes("train", 30):
        flat = " ".join(note.text.split())
        inside = {note.text[e.start : e.end].lower() for e in note.entities if e.label == MEDICATION}
        assert {" ".join(name.split()) for name in inside} <= {name.lower() for name in names}
        for sentence in re.findall(r"She is allergic to [^.]*\.", flat):
            start = note.text.find(sentence)
            assert start < 0 or not any(start <= e.start < start + len(sentence) for e in note.entities)


def test_test_notes_have_templates_and_names_of_their_own():
    material = _material()
    for kind, templates in material["templates"]["train"].items():
        assert set(templates).isdisjoint(material["templates"]["test"][kind])
    held_out = {
        name for group in material["classes"] for name in group["names"][-(len(group["names"]) // 3) :]
    }
    train = " ".join(note.text.lower() for note in discharge_notes("train", 100))
    test = " ".join(note.text.lower() for note in discharge_notes("test", 100))
    words = {name.lower() for name in held_out}
    own = {name for name in words if re.search(rf"\b{re.escape(name)}\b", train)}
    assert own <= {
        name
        for name in words
        if any(name in other.lower() for other in material_names(material) if other not in held_out)
    }
    assert sum(name in test for name in words) > len(words) / 2


def material_names(material: dict) -> set[str]:
    return {name for group in material["classes"] for name in group["names"]}


def test_an_unknown_split():
    with pytest.raises(UsageError, match="did you mean train"):
        list(discharge_notes("trian", 1))

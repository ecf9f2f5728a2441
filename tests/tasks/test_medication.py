"""The rules that tie fields to medications."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import medspan
from medspan.corpora.discharge import discharge_notes
from medspan.formats.i2b2_entries import FIELDS, MEDICATION, entries_of
from medspan.metrics.medication import HORIZONTAL, score_medications
from medspan.tasks.medication import MedicationLinker
from medspan.types import Document, Entity, Relation, Span
from strategies import documents


def page(marked: str) -> Document:
    """A document from text with mentions as ``[m aspirin]``."""
    text, entities = "", []
    for place, chunk in enumerate(marked.replace("]", "[").split("[")):
        if place % 2:
            key, _, mention = chunk.partition(" ")
            label = FIELDS[key]
            entities.append(
                Entity(f"T{len(entities) + 1}", label, (Span(len(text), len(text) + len(mention)),))
            )
        text += mention if place % 2 else chunk
    return Document("note", text, tuple(entities))


def linked(document: Document) -> list[list[str]]:
    (found,) = MedicationLinker().annotate([document])
    return [[found.text_of(e) for e in entry.fields.values()] for entry in entries_of(found)]


@pytest.mark.parametrize(
    ("marked", "entries"),
    [
        ("[m aspirin] [do 81 mg] [f daily]", [["aspirin", "81 mg", "daily"]]),
        (
            "He takes [m aspirin] [do 81 mg] [f daily] and [m ibuprofen] [do 400 mg] [f qid].",
            [["aspirin", "81 mg", "daily"], ["ibuprofen", "400 mg", "qid"]],
        ),
        ("She got [do 40 mg] of [mo IV] [m furosemide].", [["furosemide", "40 mg", "IV"]]),
        (
            "[m Prednisone] was tapered from [do 40 mg] [f daily] to [do 20 mg] [f daily].",
            [["Prednisone", "40 mg", "daily"], ["Prednisone", "20 mg", "daily"]],
        ),
        ("[m Senna] [do 1 tab]\n[m Colace] [do 100 mg]\n", [["Senna", "1 tab"], ["Colace", "100 mg"]]),
        ("It was [do 5 mg]. He took [m aspirin].", [["aspirin"]]),
        ("[do 5 mg] [f daily]", []),
        ("nothing", []),
    ],
)
def test_fields_go_to_the_nearest_medication(marked: str, entries: list[list[str]]):
    assert linked(page(marked)) == entries


@pytest.mark.parametrize(
    ("marked", "passage"),
    [
        ("1. [m aspirin] [do 81 mg]", "list"),
        ("- [m aspirin] as directed by him and her", "list"),
        ("[m aspirin] [do 81 mg] as directed", "list"),
        ("[m Aspirin] was given for two more days.", "narrative"),
        ("2. He was given [m aspirin].", "narrative"),
        ("He took [m aspirin].", "narrative"),
    ],
)
def test_kind_of_passage(marked: str, passage: str):
    (found,) = MedicationLinker().annotate([page(marked)])
    assert entries_of(found)[0].passage == passage


def test_labels_of_other_corpora_are_named():
    entities = (Entity("a", "Drug", (Span(0, 7),)), Entity("b", "Route", (Span(8, 10),), 0.5))
    document = Document("x", "aspirin po", entities, (Relation("old", "x", "a", "b"),))
    (found,) = MedicationLinker({"Drug": MEDICATION, "Route": "Mode"}).annotate([document])
    assert found.relations == (Relation("R1", "Route", "a", "b"),)
    assert [e.label for e in found.entities] == ["Drug", "Route"]
    assert document.relations[0].id == "old"
    (none,) = MedicationLinker().annotate([document])
    assert none.relations == ()


def test_in_a_pipeline_it_needs_entities():
    with pytest.raises(medspan.UsageError, match="needs entities"):
        medspan.Pipeline([MedicationLinker()])
    pipeline = medspan.Pipeline([MedicationLinker()], given={"entities"})
    (found,) = pipeline.annotate([page("[m aspirin] [do 81 mg]")])
    assert len(found.relations) == 1


@given(found=st.lists(documents(), max_size=3))
def test_nothing_but_relations_changes_and_batches_do_not_matter(found: list[Document]):
    labels = {"Disease": MEDICATION, "Chemical": "Dosage", "Cell-line": "Reason"}
    linker = MedicationLinker(labels)
    together = list(linker.annotate(found))
    assert together == [next(linker.annotate([document])) for document in found]
    for before, after in zip(found, together, strict=True):
        assert after.text == before.text
        assert {e.id for e in before.entities} <= {e.id for e in after.entities}
        assert {(e.label, e.spans) for e in after.entities} == {(e.label, e.spans) for e in before.entities}
        heads = {e.id for e in after.entities if e.label == "Disease"}
        assert all(relation.head in heads for relation in after.relations)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_invented_notes_of_the_training_templates(seed: int):
    """Far from all rules could be wrong without this falling: the fields of lists and plain sentences."""
    (gold,) = discharge_notes("train", 1, seed=seed)
    once = {(e.label, e.spans): msgspec.structs.replace(e, attributes=()) for e in reversed(gold.entities)}
    bare = gold.replace(entities=tuple(once.values()), relations=())
    report = score_medications([gold], list(MedicationLinker().annotate([bare])))
    assert report.exact[HORIZONTAL].system.f1 > 0.8

"""What follows the entities, by name and by what each stage is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import invented
from medspan.errors import UsageError
from medspan.pipeline import Pipeline
from medspan.tasks.assertion import Assertion
from medspan.tasks.medication import MedicationLinker
from medspan.tasks.resolution.build import IndexBuilder
from medspan.tasks.resolution.resolver import Resolver
from medspan.tasks.resolution.terms import Kind, Name
from medspan.tasks.sections import Sections
from medspan.tasks.stages import STAGES, check_stages, stages_of
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Plan: no grey fever; zelvorin 5 mg twice, then 10 mg by mouth."


def document() -> Document:
    found = [("Problem", "grey fever"), ("Medication", "zelvorin"), ("Dosage", "5 mg")]
    found += [("Dosage", "10 mg"), ("Route", "by mouth")]
    entities = [
        Entity(f"T{i}", label, (Span(TEXT.index(text), TEXT.index(text) + len(text)),), 0.9)
        for i, (label, text) in enumerate(found)
    ]
    return Document("n", TEXT, tuple(entities))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages") / "index"
    invented.make_index(folder)
    return folder


def test_all_run_in_their_own_order(index: Path):
    stages = stages_of([f"codes.Problem={index}", "relations", "assertion", "sections"])
    assert [type(stage) for stage in stages] == [Sections, Assertion, MedicationLinker, Resolver]
    (done,) = Pipeline(stages, given={"entities"}).annotate([document()])
    assert [section.label for section in done.sections] == ["plan"]
    problem, drug, *_ = done.entities
    assert {item.name: item.value for item in problem.attributes}["assertion"] == "absent"
    assert problem.concepts[0].id == "X:1"
    assert not drug.concepts
    assert {(r.label, r.head, r.tail) for r in done.relations} == {
        ("Dosage", "T1", "T2"),
        ("Dosage", "T1", "T3"),
        ("Route", "T1", "T4"),
    }
    assert len(done.entities) == len(document().entities)


def test_one_index_for_every_label(index: Path):
    (resolver,) = stages_of([f" codes = {index} "])
    (done,) = resolver.annotate([document()])
    assert [bool(entity.concepts) for entity in done.entities[:2]] == [True, True]


def test_indexes_know_their_labels(tmp_path: Path, index: Path):
    builder = IndexBuilder()
    builder.add_all([Name("D:1", "zelvorin", Kind.PREFERRED)])
    builder.write(tmp_path / "drugs", [], labels=("Medication",))
    (resolver,) = stages_of([f"codes={tmp_path / 'drugs'}", f"codes={index}"])
    (done,) = resolver.annotate([document()])
    assert [entity.concepts[0].id for entity in done.entities[:2]] == ["X:1", "D:1"]


def test_a_table_of_ones_own(tmp_path: Path):
    table = tmp_path / "headings.toml"
    table.write_text('[sections]\nwhat_next = ["Plan"]\n', encoding="utf-8")
    (sections,) = stages_of([f"sections={table}"])
    (done,) = sections.annotate([document()])
    assert [section.label for section in done.sections] == ["what_next"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (["assertions"], r"stage 'assertions': unknown; did you mean assertion\?"),
        (["codes"], r"stage 'codes': needs an index \(of medspan terminology build\); write codes=PATH"),
        (["codes.Problem"], r"needs an index .*; write codes.Problem=PATH"),
        (
            ["codes=nowhere"],
            r"stage 'codes': nowhere is not there; give an index \(of medspan terminology build\)",
        ),
        (["relations=nowhere"], "give a relation model"),
        (["sections.Problem=x"], r"sections is for all labels; leave \.Problem out"),
        (["sections", "assertion=a.toml", "assertion=b.toml"], "'assertion=b.toml': given twice"),
        (["codes.A=a", "codes.A=b"], "'codes.A=b': given twice"),
        ([""], "stage '': unknown"),
    ],
)
def test_what_cannot_be_is_refused(wanted: list[str], said: str):
    with pytest.raises(UsageError, match=said):
        check_stages(wanted)


def test_none_is_none():
    assert stages_of([]) == []
    assert list(STAGES) == ["sections", "assertion", "relations", "codes"]


def test_the_head_stands_back_before_cues_of_ones_own(tmp_path: Path):
    table = tmp_path / "cues.toml"
    table.write_text("", encoding="utf-8")
    assert Assertion()._method == "both"
    assert Assertion(tables=[table])._method == "rules"
    assert Assertion(languages=("sv",))._method == "rules"

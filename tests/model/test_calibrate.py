"""Scores of a finished model are fitted to documents, and nothing else of it changes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from medspan.model.calibrate import calibrate
from medspan.model.golden import GOLDEN, replay
from medspan.model.store import open_model, save_model
from medspan.model.tagger import load_tagger
from medspan.shipped import shipped_models
from medspan.types import Document

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = (
    "Asthma and gout were treated with lithium and aspirin.",
    "Hepatitis after paracetamol; fever, cough and migraine.",
    "Psoriasis, anaemia and sepsis in mice given cisplatin.",
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model."""
    shutil.copytree(shipped_models()["default"], tmp_path / "model")
    return tmp_path / "model"


def found_by(model: Path) -> list[Document]:
    documents = [Document(str(number), text) for number, text in enumerate(TEXTS)]
    return load_tagger(model, device="cpu", threads=1).annotate(documents)


def mentions(documents: list[Document]) -> list[list[tuple[int, int, str]]]:
    return [[(e.start, e.end, e.label) for e in document.entities] for document in documents]


def mean_score(documents: list[Document]) -> float:
    scores = [entity.score or 0.0 for document in documents for entity in document.entities]
    return sum(scores) / len(scores)


@pytest.mark.parametrize("is_right", [True, False])
def test_scores_become_higher_where_it_is_right_and_lower_where_not(model: Path, *, is_right: bool) -> None:
    before = found_by(model)
    gold = before if is_right else [document.replace(entities=()) for document in before]
    files = open_model(model).spec.files
    assert calibrate(model, gold)
    after = found_by(model)
    assert mentions(after) == mentions(before)
    assert (mean_score(after) > mean_score(before)) is is_right
    assert replay(model) == []
    changed = open_model(model).spec.files
    assert {name for name in files if files[name] != changed[name]} == {GOLDEN}
    assert set(files) == set(changed)


def test_a_head_that_found_nothing_is_as_sure_as_its_emissions_say(model: Path) -> None:
    assert calibrate(model, [Document("0", "It rained.")])
    assert {head.temperature for head in open_model(model).spec.heads} == {1.0}


@pytest.mark.parametrize("led", ["overlap", "threshold"])
def test_where_scores_decide_nothing_is_done(model: Path, led: str) -> None:
    stored = open_model(model)
    spec = stored.spec.replace(overlap="best")
    if led == "threshold":
        heads = tuple(msgspec.structs.replace(head, threshold=0.5) for head in stored.spec.heads)
        spec = stored.spec.replace(heads=heads)
    save_model(model, spec, {name: stored.read(name) for name in spec.files})
    before = (model / "config.json").read_bytes()
    assert not calibrate(model, found_by(model))
    assert (model / "config.json").read_bytes() == before

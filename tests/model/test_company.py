"""A model that goes beside another adds its entities to those of the other."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from medspan.errors import ModelError, UsageError
from medspan.model.company import check_labels, company, config_digest, labels_of
from medspan.model.store import CONFIG, open_model
from medspan.pipeline import find_model, load
from trained import TEXTS, model_folder

if TYPE_CHECKING:
    from pathlib import Path

TEXT = f"{TEXTS[0]} Lithium toxicity in a patient with breast cancer."


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A trained model that goes beside the shipped one."""
    return named(tmp_path / "beside", "default")


def named(folder: Path, other: str) -> Path:
    shutil.copytree(model_folder(), folder)
    spec = open_model(folder).spec.replace(beside=other)
    (folder / CONFIG).write_bytes(spec.to_json())
    return folder


def test_a_model_alone_is_its_own_company() -> None:
    models = company(model_folder())
    assert [model.path for model in models] == [model_folder()]
    assert config_digest(models) == hashlib.sha256((model_folder() / CONFIG).read_bytes()).hexdigest()


def test_both_find_what_each_finds_alone(beside: Path) -> None:
    together = load(beside, threads=1)
    shipped, own = load("default", threads=1), load(model_folder(), threads=1)
    assert together.labels == (*shipped.labels, *(x for x in own.labels if x not in shipped.labels))
    found = {(e.start, e.end, e.label, e.score) for e in together(TEXT).entities}
    alone = [{(e.start, e.end, e.label, e.score) for e in nlp(TEXT).entities} for nlp in (shipped, own)]
    assert alone[0] - alone[1]
    assert alone[1] - alone[0]
    assert found <= alone[0] | alone[1]
    both = [each for each in alone[0] | alone[1] if each[2] != "Disease"]  # the one label that both have
    assert found >= set(both)
    diseases = sorted(each for each in found if each[2] == "Disease")
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(diseases))
    assert len(diseases) > 1
    entities = together(TEXT).entities
    assert [e.id for e in entities] == [f"T{i}" for i in range(1, len(entities) + 1)]
    assert [e.start for e in entities] == sorted(e.start for e in entities)


def test_a_label_of_one_asks_that_one_alone(beside: Path) -> None:
    drugs = load(beside, threads=1, labels=["Drug"])
    assert drugs.labels == ("Drug",)
    assert {e.label for e in drugs(TEXT).entities} == {"Drug"}
    genes = load(beside, threads=1, labels=["Gene"])
    assert genes(TEXT).entities == load("default", threads=1, labels=["Gene"])(TEXT).entities


def test_ratings_are_of_both(beside: Path) -> None:
    rated = next(load(beside, threads=1).rate([TEXT]))
    shipped, own = (next(load(m, threads=1).rate([TEXT])) for m in ("default", model_folder()))
    assert rated.log_probability == pytest.approx(shipped.log_probability + own.log_probability)
    assert rated.words == shipped.words == own.words


def test_labels_and_digests_are_of_both(beside: Path) -> None:
    models = company(beside)
    assert [model.path for model in models] == [find_model("default"), beside]
    check_labels(models, ["Gene", "Drug"])
    with pytest.raises(UsageError, match=r"finds no 'Drugs'.*Drug"):
        check_labels(models, ["Drugs"])
    assert "Gene" in labels_of(models)
    assert config_digest(models) != config_digest(models[1:])


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="goes beside the model 'nothing', which is not installed"):
        company(named(tmp_path / "lonely", "nothing"))


def test_no_chains(beside: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("medspan.model.company.named_model", lambda _: beside)
    with pytest.raises(ModelError, match="goes beside another model itself"):
        company(named(tmp_path / "third", "second"))

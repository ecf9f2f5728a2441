"""The benchmark of relations: its trials are recipes, and its page says what is not there."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from medspan.toml import recipe_toml
from medspan.train.relations.settings import load_relation_recipe, parse_relation_recipe

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def relations(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("relations", "facts"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("relations")


def test_trials_learn_from_train_and_are_scored_on_dev(relations: ModuleType):
    recipe = load_relation_recipe(ROOT / "recipes" / "chemprot.toml")
    for name in relations.TRIALS:
        tried = relations.trial(recipe, name)
        assert parse_relation_recipe(tomllib.loads(recipe_toml(tried)), name) == tried
        assert [(c.train, c.dev) for c in tried.corpora.values()] == [("train", "dev")]
        assert tried.relations.folds == 0


def test_every_part_has_a_recipe_and_a_title(relations: ModuleType):
    for name, part in relations.PARTS.items():
        assert (ROOT / "recipes" / f"{part.recipe}.toml").exists()
        assert name in relations.TITLES
    random = relations.from_random(load_relation_recipe(ROOT / "recipes" / "phee-relations.toml"))
    assert random.transfer is None


def test_the_page_says_what_is_missing(relations: ModuleType):
    row = {"split": "test", "f1": 0.5, "low": None, "high": None, "gold": 3, "labels": {}}
    tables = relations.page_figures(
        {"results": {"ade": row}, "trials": {"t": {"what": "x", "dev_f1": 0.1, "epochs": 2}}}
    )
    assert "| ADE, entities given | test | 0.5000 | none | 3 |" in tables
    assert tables.count("not measured yet") == len(relations.TITLES) - 1
    assert "| x | 0.1000 | 2 |" in tables

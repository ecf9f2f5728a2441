"""The studies of dictionary labels and of active learning: what they compute without training."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import medspan
from medspan import formats
from medspan.config import parse_recipe
from medspan.types import Document, Entity, Span
from trained import model_folder

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("active_learning", "dictionary_swedish")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Imports a module of the benchmarks folder, and forgets them all afterwards."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in (*SCRIPTS, "facts", "recipes"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--help"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert f"benchmarks/{name}.py" in done.stdout


def recipe(source: str = "corpus"):
    raw = {
        "name": "tiny",
        "encoder": {"kind": "window"},
        "corpora": {"own": {"source": source}},
        "heads": {"own": {"labels": ["Disease"], "corpora": ["own"]}},
        "train": {"epochs": 30, "patience": 8},
    }
    return parse_recipe(raw, "tiny.toml")


def test_small_sets_get_more_epochs(script) -> None:
    study = script("active_learning")
    for share, epochs in ((1.0, 30), (0.25, 60), (0.01, 120)):
        changed = study.subset_recipe(recipe(), "part.jsonl", share, 7, ROOT)
        assert (changed.train.epochs, changed.train.seed) == (epochs, 7)
        assert changed.corpora["own"].train == "part.jsonl"


def test_sentences_needed_between_the_points(script) -> None:
    needed = script("active_learning").amount_needed
    curve = [(100, 0.5), (200, 0.7), (300, 0.7), (400, 0.8)]
    assert needed(curve, 0.4) == 100
    assert needed(curve, 0.6) == pytest.approx(150)
    assert needed(curve, 0.75) == pytest.approx(350)
    assert needed(curve, 0.9) is None
    assert needed([], 0.1) is None


def active_run(seed: int, strategy: str, number: int, f1: float) -> dict[str, object]:
    count = number + 1
    row = {"seed": seed, "strategy": strategy, "round": number, "sentences": 100 * count}
    return {**row, "words": count * (4000 if strategy == "suggest" else 2000), "test": {"f1": f1}}


def test_summary_holds_complete_rounds(script) -> None:
    study = script("active_learning")
    runs = {}
    for number, (ours, theirs) in enumerate(((0.5, 0.5), (0.7, 0.6), (0.8, 0.7))):
        for strategy, f1 in (("suggest", ours), ("random", theirs)):
            runs[study.key_of(13, strategy, number)] = active_run(13, strategy, number, f1)
    found = study.summary(runs)
    assert [row["suggest"]["share_of_sentences"] for row in found["rounds"]] == [1.0, 0.75, 0.667]
    assert [row["suggest"]["share_of_words"] for row in found["rounds"]] == [1.0, 1.25, 1.333]
    del runs["13-random-2"]
    assert len(study.summary(runs)["rounds"]) == 2
    assert study.summary({})["rounds"] == []


def test_a_simulated_round(script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both strategies, with a model that is there already in the place of training."""
    pytest.importorskip("torch")
    from tiny_training import tiny_document  # noqa: PLC0415 - needs torch

    study = script("active_learning")
    (tmp_path / "corpus").mkdir()
    for split, numbers in (("train", range(20)), ("dev", range(30, 34)), ("test", range(40, 44))):
        formats.write(map(tiny_document, numbers), tmp_path / "corpus" / f"{split}.jsonl")
    monkeypatch.setattr(
        study, "train", lambda _recipe, folder, _start: shutil.copytree(model_folder(), folder)
    )
    source = str(tmp_path / "corpus")
    plan = study.Plan(recipe(source), None, tmp_path, tmp_path / "result.json", 12, 6, 2)
    pool = study.pool_of(source)
    assert len({document.id for document in pool}) == len(pool) > 50
    for strategy in study.STRATEGIES:
        rows = [study.run(plan, pool, 13, strategy, number) for number in range(3)]
        assert [row["sentences"] for row in rows] == [12, 18, 24]
        assert all(row["test"]["f1"] > 0.5 for row in rows)
        before = list(medspan.read(tmp_path / "13-start-0.jsonl"))
        after = list(medspan.read(tmp_path / f"13-{strategy}-2.jsonl"))
        assert [document.id for document in after[:12]] == [document.id for document in before]
        assert len({document.id for document in after}) == 24
        gold = {document.id: document.entities for document in pool}
        assert all(document.entities == gold[document.id] for document in after)
    chosen = [(tmp_path / f"13-{strategy}-1.jsonl").read_bytes() for strategy in study.STRATEGIES]
    assert chosen[0] != chosen[1]


def test_characters_are_scored_by_type(script) -> None:
    study = script("dictionary_swedish")
    drug = Entity("T1", "Pharmaceutical_Drug", (Span(0, 4),))
    right = [Document("a", "abcdefgh", (drug,)), Document("b", "abcd", ())]
    guess = [
        Document("a", "abcdefgh", (Entity("T1", "Pharmaceutical_Drug", (Span(2, 6),)),)),
        Document("b", "abcd", ()),
    ]
    assert study.character_scores(right, guess)["f1"] == 0.5
    other = [Document("a", "abcdefgh", (Entity("T1", "Body_Structure", (Span(0, 4),)),)), guess[1]]
    assert study.character_scores(right, other)["f1"] == 0.0


def test_gains_are_against_the_better_dictionary(script) -> None:
    study = script("dictionary_swedish")
    scores = dict(zip(study.DICTIONARIES, (0.2, 0.25, 0.5, 0.4), strict=True))
    runs = {name: {"all": {"f1": f1}, "test": {"f1": f1}} for name, f1 in scores.items()}
    for seed, f1 in ((13, 0.6), (14, 0.4)):
        runs[f"char-blstm-{seed}"] = {"seed": seed, "all": {"f1": f1}, "test": {"f1": f1}}
    found = study.gains(runs)["char-blstm"]
    assert found["seeds"] == [13, 14]
    assert found["all, the better of two"] == {
        "baseline": "dictionary-inflected",
        "baseline_f1": 0.25,
        "f1": 0.5,
        "absolute": 0.25,
        "relative": 1.0,
    }
    assert found["test, the better of four"]["baseline"] == "dictionary-inside"
    assert found["test, the better of four"]["absolute"] == 0.0


@pytest.mark.corpora
def test_the_dictionary_of_the_study(script, corpora_dir: Path) -> None:  # noqa: ARG001 - must be there
    study = script("dictionary_swedish")
    sets = {"test": study.gold_sets()["test"]}
    found = {name: study.score(study.dictionary(name), sets)["test"]["f1"] for name in study.DICTIONARIES}
    assert found["dictionary"] < 0.3 < found["dictionary-inside"]
    assert found["dictionary"] < found["dictionary-inflected"]

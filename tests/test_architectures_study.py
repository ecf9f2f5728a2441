"""The study of architectures: what it plans and computes, without training."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from made_up_studies import scores
from medspan import formats
from medspan.config import load_recipe, parse_recipe
from medspan.toml import recipe_toml
from medspan.types import Document, Entity, Span

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes" / "phee.toml"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("architectures")
    for name in ("architectures", "transfer", "facts", "recipes", "subsets"):
        sys.modules.pop(name, None)


def test_help() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "benchmarks" / "architectures.py"), "--help"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    for option in ("--seeds", "--out", "--vectors", "--charlm", "--summary", "--output"):
        assert option in done.stdout


def test_starts_without_a_folder_are_left_out(study) -> None:
    def keys(**starts: Path | None) -> list[str]:
        wanted = {"vectors": None, "charlm": None, **starts}
        return [run.key for run in study.planned(study.ENCODERS, study.HEADS, [13], wanted)]

    assert len(keys()) == 8
    assert len(keys(vectors=Path("v"))) == 14
    assert len(keys(vectors=Path("v"), charlm=Path("c"))) == 16
    assert {key for key in keys(vectors=Path("v")) if key.startswith("char")} == {
        "char_blstm-crf-random-13",
        "char_blstm-softmax-random-13",
    }
    two = study.planned(["window"], ["crf"], [13, 14], {"vectors": Path("v"), "charlm": None})
    assert [run.seed for run in two] == [13, 13, 14, 14]


def test_only_encoder_and_head_differ(study) -> None:
    base = load_recipe(RECIPE)
    for run in study.planned(study.ENCODERS, study.HEADS, [14], {"vectors": None, "charlm": None}):
        recipe = study.recipe_of(base, run)
        kind = type(recipe.encoder).__struct_config__.tag
        assert (kind, recipe.heads["medication"].kind, recipe.train.seed) == (run.encoder, run.head, 14)
        assert getattr(recipe.encoder, "word_width", 100) == 100
        assert (recipe.corpora, recipe.train.epochs) == (base.corpora, base.train.epochs)
        assert parse_recipe(tomllib_of(recipe), "again") == recipe


def tomllib_of(recipe):
    import tomllib  # noqa: PLC0415 - here alone

    return tomllib.loads(recipe_toml(recipe))


def test_of_overlapping_chunks_the_longest_stays(study) -> None:
    chunks = [(0, 1, "Drug"), (0, 4, "Disorder"), (3, 5, "Route"), (6, 7, "Drug"), (6, 7, "Dosage")]
    assert study.without_overlap(chunks) == [(0, 4, "Disorder"), (6, 7, "Dosage")]
    assert study.without_overlap([]) == []


def test_what_tags_can_hold(study, tmp_path: Path) -> None:
    """Ten mentions: one in another, one in two pieces, one within a word; seven can be found."""
    text = "oral zelvorin 5 mg daily for grey fever; zelvorin twice, brastol for cough and dry lung."

    def entity(number: int, surface: str, label: str, shift: int = 0) -> Entity:
        start = text.index(surface, shift)
        return Entity(f"T{number}", label, (Span(start, start + len(surface)),))

    pieces = (
        Span(text.index("dry"), text.index("dry") + 3),
        Span(text.index("fever"), text.index("fever") + 5),
    )
    entities = (
        entity(1, "zelvorin", "Drug"),
        entity(2, "oral zelvorin", "Route"),
        entity(3, "5 mg", "Dosage"),
        entity(4, "daily", "Freq"),
        entity(5, "grey fever", "Disorder"),
        entity(6, "zelvorin", "Drug", 30),
        entity(7, "twice", "Freq"),
        entity(8, "rastol", "Drug"),
        entity(9, "cough", "Disorder"),
        Entity("T10", "Disorder", tuple(sorted(pieces))),
        entity(11, "cough", "Disorder"),  # the same again is one mention
        entity(12, "mg", "Unit"),  # not asked for
    )
    for split in ("train", "dev", "test"):
        formats.write([Document("1", text, entities=entities)], tmp_path / f"{split}.jsonl")
    labels = ["Drug", "Route", "Dosage", "Freq", "Disorder"]
    recipe = parse_recipe(
        {
            "name": "tiny",
            "encoder": {"kind": "window"},
            "corpora": {"own": {"source": str(tmp_path), "labels": {label: label for label in labels}}},
            "heads": {"own": {"labels": labels, "corpora": ["own"]}},
            "train": {"max_misaligned": 0.5},
        },
        "tiny.toml",
    )
    found = study.held(recipe)
    assert found["test"] == {
        "documents": 1,
        "mentions": 10,
        "by_label": {"Drug": 3, "Route": 1, "Dosage": 1, "Freq": 2, "Disorder": 3},
        "discontinuous": 1,
        "nested_or_off_words": 2,
        "best_f1": round(14 / 17, 4),
    }
    assert found["train"]["left_out"] == 0


def row(encoder: str, head: str, start: str, seed: int, f1: float) -> dict[str, object]:
    test = {**scores(f1), "by_label": {"Drug": scores(f1)}}
    kind = {"encoder": encoder, "head": head, "start": start, "seed": seed}
    return {**kind, "dev": f1, "test": test, "minutes": 2.0}


def test_summary_keeps_the_gain_where_counts_are_gone(study, tmp_path: Path) -> None:
    runs = {}
    for start, seed, f1 in (("random", 13, 0.5), ("random", 14, 0.6), ("vectors", 13, 0.7)):
        run = study.Run("cnn", "crf", start, seed)
        runs[run.key] = row(*run[:3], seed, f1)
        right = round(100 * f1)
        counts = [[right, 100 - right, 100 - right]] * 5
        (tmp_path / f"{run.key}.counts.json").write_text(json.dumps({"test": counts}), encoding="utf-8")
    found = study.summary(runs, tmp_path, {})["cnn-crf"]
    assert found["f1"]["random"]["mean"] == 0.55
    assert found["f1"]["random"]["std"] == 0.0707
    assert found["f1"]["vectors"]["std"] is None
    assert found["gain"] == {"mean": 0.2, "low": 0.2, "high": 0.2, "start": "vectors", "seeds": [13]}
    again = study.summary(runs, None, {"cnn-crf": found})["cnn-crf"]
    assert again["gain"] == found["gain"]
    assert study.summary(runs, None, {})["cnn-crf"]["gain"] is None


def test_a_run_is_scored_and_not_repeated(study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model that is there already in the place of training."""
    from tiny_training import tiny_document  # noqa: PLC0415 - needs torch
    from trained import model_folder  # noqa: PLC0415 - needs torch

    (tmp_path / "corpus").mkdir()
    for split, numbers in (("train", range(9)), ("dev", range(30, 34)), ("test", range(40, 44))):
        formats.write(map(tiny_document, numbers), tmp_path / "corpus" / f"{split}.jsonl")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'name = "tiny"\n[encoder]\nkind = "window"\n'
        f"[corpora.own]\nsource = '{tmp_path / 'corpus'}'\n"
        '[heads.own]\nlabels = ["Disease"]\ncorpora = ["own"]\n',
        encoding="utf-8",
    )
    trained = []

    def train(_recipe: object, folder: Path, start: Path | None) -> None:
        trained.append((folder.name, start))
        shutil.copytree(model_folder(), folder)
        log = folder.with_name(f"{folder.name}.run") / "metrics.jsonl"
        log.parent.mkdir()
        log.write_text('{"dev_mean": 0.5}\n{"dev_mean": 0.75}\n', encoding="utf-8")

    monkeypatch.setattr(study, "train", train)
    paths = ["--recipe", recipe, "-o", tmp_path / "out", "--output", tmp_path / "result.json"]
    kinds = ["--encoders", "window", "--heads", "crf", "--vectors", tmp_path]
    monkeypatch.setattr(sys, "argv", ["architectures.py", *map(str, [*paths, *kinds])])
    for _ in range(2):
        assert study.main() == 0
    assert trained == [("window-crf-random-13", None), ("window-crf-vectors-13", tmp_path)]
    results = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert set(results) == {"corpus", "summary", "runs"}
    run = results["runs"]["window-crf-vectors-13"]
    assert (run["dev"], run["epochs"]) == (0.75, 2)
    assert run["test"]["f1"] > 0.5
    assert run["test"]["by_label"]["Disease"]["f1"] == run["test"]["f1"]
    assert results["summary"]["window-crf"]["gain"]["mean"] == 0.0

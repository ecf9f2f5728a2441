"""The verb ``export``: an earlier run, written anew with other settings of the export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch
from safetensors.torch import load_file

from medspan.cli.main import main
from medspan.model.store import open_model
from medspan.train.checkpoint import State, load_checkpoint, save_checkpoint
from trained import write_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = write_recipe(tmp_path, epochs=2, size=20)
    assert main(["train", str(path), "-o", str(tmp_path / "model"), "--device", "cpu"]) == 0
    return path


def changed(recipe: Path, old: str, new: str) -> Path:
    text = recipe.read_text(encoding="utf-8")
    assert old in text or not old
    path = recipe.with_name("changed.toml")
    path.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")
    return path


def test_only_the_export_part_may_change(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, model = str(tmp_path / "model.run"), tmp_path / "model"
    again = tmp_path / "again"
    assert main(["export", str(recipe), "-o", str(again), "--run", run]) == 0
    assert (again / "model.onnx").read_bytes() == (model / "model.onnx").read_bytes()
    narrow = changed(recipe, "", "\n[export]\ninput_rank = 8\nhalf = false\n")
    assert main(["export", str(narrow), "-o", str(again), "--run", run]) == 0
    forms = open_model(again).spec.forms
    assert forms is not None
    assert forms.width == 8
    compression = json.loads((again / "metrics.json").read_bytes())["compression"]
    assert compression["input_rank"] == 8
    assert 0 <= compression["dev_f1_before"]["invented"] <= 1
    in_bytes = changed(recipe, "", "\n[export]\nword_bits = 8\n")
    assert main(["export", str(in_bytes), "-o", str(again), "--run", run]) == 0
    assert (again / "forms.onnx").stat().st_size < (model / "forms.onnx").stat().st_size
    capsys.readouterr()
    other = changed(recipe, "hidden_width = 16", "hidden_width = 8")
    assert main(["export", str(other), "-o", str(again), "--run", run]) == 1
    assert "has in encoder; only [export] may change" in capsys.readouterr().err
    assert main(["export", str(recipe), "-o", str(tmp_path / "no")]) == 1
    assert "has no checkpoint.safetensors" in capsys.readouterr().err


def test_weights_between_the_best_and_the_last_epoch(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "model.run"
    state, parts = load_checkpoint(run, State)
    shift = {name: tensor + tensor.is_floating_point() for name, tensor in parts["best"].items()}
    save_checkpoint(run, state, {**parts, "average": {}, "model": shift})  # as if epochs had gone on

    def written(share: str) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        again = tmp_path / share
        command = ["export", str(recipe), "-o", str(again), "--run", str(run), "--towards-last", share]
        assert main(command) == 0
        assert json.loads((again / "metrics.json").read_bytes())["towards_last"] == float(share)
        return load_file(again / "model.safetensors"), json.loads((again / "config.json").read_bytes())

    best, said = written("0")
    assert said["provenance"]["command"].endswith("-o 0")  # type: ignore[index]
    half, said = written("0.5")
    assert said["provenance"]["command"].endswith("-o 0.5, then medspan export --towards-last 0.5")  # type: ignore[index]
    for name, tensor in best.items():
        if tensor.is_floating_point():
            assert torch.allclose(half[name].float(), tensor.float() + 0.5, atol=2e-3), name

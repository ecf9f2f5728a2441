"""The verb ``train``: what it refuses before it starts, and what a run leaves behind."""

from __future__ import annotations

import importlib.util
import io
import json
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")


from rich.console import Console  # noqa: E402 - behind the skip
from rich.progress import Progress  # noqa: E402

from medspan.cli.main import main  # noqa: E402
from medspan.cli.train import _Bar  # noqa: E402
from medspan.train.checkpoint import EpochRow, State  # noqa: E402
from medspan.train.curve import curve_svg  # noqa: E402
from trained import model_folder, write_recipe  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path, epochs=1, size=8)


def train(recipe: Path, *words: str, output: Path | None = None) -> int:
    return main(["train", str(recipe), "-o", str(output or recipe.parent / "model"), *words])


@pytest.mark.parametrize("package", ["torch", "onnx"])
def test_a_missing_extra_is_named(
    package: str, recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest)
    )
    assert train(recipe) == 2
    assert capsys.readouterr().err == (
        f'medspan: training needs {package}; install it with: pip install "medspan[train]"\n'
    )
    assert not (recipe.parent / "model.run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")
def test_cuda_where_there_is_none_is_an_error(recipe: Path, capsys: pytest.CaptureFixture[str]):
    assert train(recipe, "--device", "cuda") == 2
    said = capsys.readouterr().err
    assert "device cuda: torch finds no CUDA GPU" in said
    assert "--device cpu" in said
    assert not (recipe.parent / "model.run").exists()


def test_an_unknown_device_is_an_error(recipe: Path, capsys: pytest.CaptureFixture[str]):
    assert train(recipe, "--device", "tpu") == 2
    assert "unknown device 'tpu'; known: auto, cpu, cuda" in capsys.readouterr().err


def test_a_wrong_recipe_is_an_error(recipe: Path, capsys: pytest.CaptureFixture[str]):
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("epochs", "epohcs"), encoding="utf-8")
    assert train(recipe) == 2
    assert f"{recipe}: train.epohcs: unknown key; did you mean epochs?" in capsys.readouterr().err


def test_an_absent_recipe_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert train(tmp_path / "none.toml") == 2
    assert "no such recipe" in capsys.readouterr().err


def test_an_output_that_cannot_be_replaced_is_refused_before_training(
    recipe: Path, capsys: pytest.CaptureFixture[str]
):
    assert train(recipe, output=recipe.parent / "corpus") == 2
    assert "corpus" in capsys.readouterr().err
    assert not (recipe.parent / "corpus.run").exists()


def test_a_run_that_stands_there_is_not_overwritten(recipe: Path, capsys: pytest.CaptureFixture[str]):
    run = recipe.parent / "model.run"
    run.mkdir()
    (run / "checkpoint.safetensors").write_bytes(b"x")
    assert train(recipe) == 2
    assert "holds an earlier run; go on with --resume, or remove the folder" in capsys.readouterr().err


def test_nothing_to_resume(recipe: Path, capsys: pytest.CaptureFixture[str]):
    assert train(recipe, "--resume") == 1
    assert "start the run without --resume" in capsys.readouterr().err


def test_another_recipe_cannot_go_on_and_the_resolved_one_stays(
    recipe: Path, capsys: pytest.CaptureFixture[str]
):
    assert train(recipe) == 0
    resolved = (recipe.parent / "model.run" / "resolved.toml").read_bytes()
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace("epochs = 1", "epochs = 2"), encoding="utf-8"
    )
    assert train(recipe, "--resume") == 1
    assert "belongs to another recipe; compare resolved.toml" in capsys.readouterr().err
    assert (recipe.parent / "model.run" / "resolved.toml").read_bytes() == resolved


def test_a_run_leaves_a_log_a_curve_and_the_resolved_recipe():
    run = model_folder().with_name("model.run")
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["epoch"] for row in rows] == list(range(8))
    assert all(set(row["dev"]) == {"invented"} and row["words_per_second"] > 0 for row in rows)
    assert max(row["dev_mean"] for row in rows) > 0.9
    assert (run / "curve.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert 'kind = "blstm_cnn"' in (run / "resolved.toml").read_text(encoding="utf-8")
    assert (model_folder() / "recipe.toml").read_bytes() == (run / "resolved.toml").read_bytes()
    assert not list(run.glob("*.tmp"))


def test_the_model_card_says_what_and_how():
    card = (model_folder() / "README.md").read_text(encoding="utf-8")
    assert "# invented" in card
    assert "Disease, Drug" in card
    assert "medspan train" in card or "`medspan" in card


def test_a_line_an_epoch_and_a_mark_on_the_best():
    console = Console(file=io.StringIO(), width=200)
    with Progress(console=console, disable=True) as progress:
        bar = _Bar(console, progress)
        bar.on_step(State("r", step=3), 10, 1.0)
        row = EpochRow(0, 3, 1.25, {"a": 0.5, "b": 0.25}, 0.375, 0.001, 1234.0, 2.0)
        bar.on_epoch(row, is_best=True)
        bar.on_epoch(row, is_best=False)
    lines = console.file.getvalue().splitlines()
    assert lines[0].rstrip() == "epoch 1: loss 1.250, dev F1 a 0.5000, b 0.2500, 1,234 words/s, 2.0 min *"
    assert not lines[1].rstrip().endswith("*")


@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_a_curve_of_any_length(epochs: int):
    rows = [
        EpochRow(i, i, 0.0 if epochs == 1 else 1.0 / (i + 1), {}, i / 10, 0.1, 1.0, 1.0)
        for i in range(epochs)
    ]
    svg = curve_svg(rows, "a<b&c")
    assert svg.count("<polyline") == 2
    assert "a&lt;b&amp;c" in svg
    assert "nan" not in svg

"""Stage 2: a head goes on by itself, and the best on dev of what was, what is now and a run alone is kept."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from safetensors.numpy import load_file

import medspan
from medspan.cli.main import main
from medspan.config import parse_recipe
from medspan.errors import ModelError, UsageError
from medspan.train import finetune as stage
from medspan.train.finetune import Choice, Job, finetune
from tiny_training import Silent
from trained import model_folder, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

RUN = "runs/disease-fine-tuned"


def job(folder: Path, **settings: object) -> tuple[Job, list[str]]:
    """A stage 2 over the invented corpus, with short runs."""
    recipe = write_recipe(folder, epochs=2, size=20)
    lines = ["[finetune]", "epochs = 2", "single_epochs = 1"]
    lines += [f"{key} = {value}" for key, value in settings.items()]
    recipe.write_text(recipe.read_text(encoding="utf-8") + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return Job(recipe, model_folder(), folder / "fine"), []


def run(work: Job, said: list[str], *heads: str, resume: bool = False) -> dict[str, Choice]:
    return finetune(work, heads, watcher=Silent(), tell=said.append, resume=resume)


def test_each_head_gets_a_model_of_its_own(tmp_path: Path):
    work, said = job(tmp_path)
    choices = run(work, said)
    assert set(choices) == {"disease", "drug"}
    for name, label in (("disease", "Disease"), ("drug", "Drug")):
        model = medspan.load(tmp_path / "fine" / name)
        assert {e.label for e in model("No sign of grey fever after zelvorin.").entities} == {label}
        assert set(choices[name].dev) == {"multi-task", "fine-tuned", "single"}
    assert (
        json.loads((tmp_path / "fine" / "choices.json").read_text())["drug"]["kept"] == choices["drug"].kept
    )
    # An epoch alone learns less than eight together have.
    assert choices["disease"].kept != "single"
    assert choices["disease"].dev["single"] < choices["disease"].dev["multi-task"]
    assert any("kept: " in line for line in said)


def test_the_start_is_the_model_itself_and_is_kept_where_nothing_is_better(tmp_path: Path):
    work, said = job(tmp_path, learning_rate=1e-9)
    work = work._replace(with_single=False)
    choice = run(work, said, "disease")["disease"]
    assert choice.kept == "multi-task"
    assert choice.dev["multi-task"] == choice.dev["fine-tuned"]
    metrics = json.loads((tmp_path / "fine" / "disease" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["best_epoch"] == 0
    given = load_file(model_folder() / "model.safetensors")
    kept = load_file(tmp_path / "fine" / "disease" / "model.safetensors")
    assert (kept["heads.disease.emit.weight"] == given["heads.disease.emit.weight"]).all()
    assert not any(name.startswith("heads.drug") for name in kept)


def test_a_single_run_that_is_better_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    work, said = job(tmp_path, learning_rate=1e-9)
    real = stage._f1

    def better(scores: object) -> float:
        return 2.0 if not scores.start_dev_f1 else real(scores)

    monkeypatch.setattr(stage, "_f1", better)
    choice = run(work, said, "drug")["drug"]
    assert choice.kept == "single"
    assert 0 < choice.error < choice.dev["single"] - choice.dev["fine-tuned"]
    assert any(f"standard error of its lead {choice.error:.4f}" in line for line in said)
    kept = (tmp_path / "fine" / "drug" / "config.json").read_bytes()
    assert kept == (tmp_path / "fine" / "runs" / "drug-single" / "config.json").read_bytes()


@pytest.mark.parametrize(("margin", "kept"), [(1.0, "multi-task"), (0.0, "single")])
def test_a_lead_that_chance_may_give_is_none(
    margin: float, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    work, said = job(tmp_path, learning_rate=1e-9, margin=margin)
    monkeypatch.setattr(stage, "_f1", lambda scores: 0.5 if scores.start_dev_f1 else 0.501)
    assert run(work, said, "drug")["drug"].kept == kept


def test_finished_runs_stay_and_the_bytes_are_those_of_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    work, said = job(tmp_path)
    run(work, said, "disease")
    whole = (tmp_path / "fine" / "disease" / "model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "fine")

    class Stopped(Exception):  # noqa: N818 - stands for a kill
        pass

    class Killer(Silent):
        def on_epoch(self, *_: object, **__: object) -> None:
            raise Stopped

    with pytest.raises(Stopped):
        finetune(work, ["disease"], watcher=Killer(), tell=said.append)
    with pytest.raises(UsageError, match="--resume"):
        run(work, said, "disease")
    run(work, said, "disease", resume=True)
    assert (tmp_path / "fine" / "disease" / "model.safetensors").read_bytes() == whole
    monkeypatch.setattr(stage, "train", None)  # would be called for a run that is not finished
    run(work, said, "disease", resume=True)


def test_a_single_run_may_come_later_and_then_counts(tmp_path: Path):
    work, said = job(tmp_path)
    alone = work._replace(with_single=False)
    assert "single" not in run(alone, said, "drug")["drug"].dev
    later = run(work, said, "drug", resume=True)["drug"]
    assert set(later.dev) == {"multi-task", "fine-tuned", "single"}
    assert run(alone, said, "drug", resume=True)["drug"] == later


def test_others_of_the_group_may_help_and_choose_nothing(tmp_path: Path):
    recipe = parse_recipe(
        {
            "name": "r",
            "encoder": {"kind": "window"},
            "corpora": {name: {"source": name, "weight": 0.5} for name in "abc"},
            "groups": {"ill": {}},
            "heads": {
                "one": {"labels": ["X"], "corpora": ["a"], "group": "ill"},
                "two": {"labels": ["X"], "corpora": ["a", "b"], "group": "ill"},
                "far": {"labels": ["Y"], "corpora": ["c"]},
            },
            "finetune": {"helpers": 0.5},
        },
        "r",
    )
    tuned = stage._tuned(recipe, "one", tmp_path)
    assert {name: corpus.weight for name, corpus in tuned.corpora.items()} == {"a": 1.0, "b": 0.25}
    assert {name: head.ships for name, head in tuned.heads.items()} == {"one": True, "two": False}
    assert set(stage._tuned(recipe, "far", tmp_path).heads) == {"far"}
    assert set(stage._single(recipe, "one").corpora) == {"a"}


def test_an_unknown_head_is_refused(tmp_path: Path):
    work, said = job(tmp_path)
    with pytest.raises(UsageError, match="no head 'diseas'; did you mean disease"):
        run(work, said, "diseas")


def test_through_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    work, _ = job(tmp_path)
    words = ["finetune", str(work.path), "--from", str(work.start), "-o", str(work.output), "--head", "drug"]
    assert main([*words, "--no-single"]) == 0
    assert "drug: dev F1 multi-task" in " ".join(capsys.readouterr().err.split())
    assert main(words) == 2
    assert "go on with --resume" in " ".join(capsys.readouterr().err.split())


def test_a_mistyped_start_leaves_nothing_behind(tmp_path: Path):
    work, said = job(tmp_path)
    with pytest.raises(ModelError, match="nothing to start from"):
        run(work._replace(start=tmp_path / "nowhere"), said, "drug")
    assert not work.output.exists()

"""The verb ``distil``: from text and teachers to a model that says who taught it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from medspan import formats
from medspan.cli.main import main
from medspan.model.spec import CorpusSpec, Provenance, TeacherSpec
from medspan.model.store import open_model
from medspan.train.card import model_card
from tiny_training import PROVENANCE, tiny_document, tiny_recipe
from trained import model_folder, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

SMALL = "\n[distil]\nepochs = 2\ngold_epochs = 1\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = write_recipe(tmp_path, epochs=1, size=12)
    path.write_text(path.read_text(encoding="utf-8") + SMALL, encoding="utf-8")
    formats.write(map(tiny_document, range(5000, 5030)), tmp_path / "text.jsonl")
    return path


def distil(recipe: Path, *words: str, output: str = "student", teacher: str | None = None) -> int:
    folder = recipe.parent
    named = ["--teacher", teacher or str(model_folder()), "--student", str(recipe)]
    text = ["--text", str(folder / "text.jsonl")] if "--text" not in words else []
    return main(["distil", *named, *text, "-o", str(folder / output), "--device", "cpu", *words])


def test_a_student_is_made_and_says_who_taught_it(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert distil(recipe) == 0, capsys.readouterr().err
    said = capsys.readouterr().err
    assert "unlabelled text: " in said
    assert "epoch 3:" in said
    assert "epoch 4:" not in said
    teacher, model = open_model(model_folder()), open_model(tmp_path / "student")
    assert not model.problems()
    (found,) = model.spec.provenance.teachers
    assert (found.name, found.model, found.weight) == (teacher.spec.name, teacher.digest, 1.0)
    assert found.licence == teacher.spec.licence
    assert [corpus.name for corpus in found.corpora] == ["corpus"]
    (text,) = model.spec.provenance.unlabelled
    assert text.name == "text.jsonl"
    assert text.licence == "not in the catalogue: the user's own"
    card = model.read("README.md").decode()
    assert f"| invented | 1 | `{teacher.digest[:12]}` | {teacher.spec.licence} |" in card
    assert "| text.jsonl, unlabelled | not in the catalogue: the user's own |" in card
    assert str(tmp_path) not in card
    assert b"[distil]" in model.read("recipe.toml")
    assert main(["annotate", "--model", str(tmp_path / "student"), str(tmp_path / "text.jsonl")]) == 0


def test_labels_serve_several_runs(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    labels = ["--labels", str(tmp_path / "labels")]
    assert distil(recipe, *labels, "--only-labels", output="none") == 0
    assert "\nlabelled " in f"\n{capsys.readouterr().err}"
    assert not (tmp_path / "none").exists()
    assert distil(recipe, *labels) == 0
    assert "\nlabelled " not in capsys.readouterr().err
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("[train]", "[train]\nseed = 14"), encoding="utf-8")
    assert distil(recipe, *labels, "--keep-empty", "0.5", "--gold-weight", "2", output="other") == 0
    assert "\nlabelled " not in capsys.readouterr().err
    resolved = (tmp_path / "other.run" / "resolved.toml").read_text(encoding="utf-8")
    assert "keep_empty = 0.5" in resolved
    assert "gold_weight = 2.0" in resolved
    again = str(tmp_path / "again")
    assert main(["export", str(recipe), "--run", str(tmp_path / "other.run"), "-o", again]) == 0
    specs = [open_model(tmp_path / name).spec for name in ("other", "again")]
    assert specs[0].provenance.teachers == specs[1].provenance.teachers != ()
    assert specs[0].files["model.onnx"] == specs[1].files["model.onnx"]


def test_two_teachers_count_as_told(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    twice = ["--teacher", str(model_folder())]
    assert distil(recipe, *twice, "--weight", "2") == 2
    assert "1 weights for 2 teachers; give a --weight for each --teacher" in capsys.readouterr().err
    assert distil(recipe, *twice, "--weight", "2", "--weight", "0") == 2
    assert "a weight is a number above 0" in capsys.readouterr().err
    assert not (tmp_path / "student.run").exists()
    assert distil(recipe, *twice, "--weight", "2", "--weight", "1") == 0
    weights = [each.weight for each in open_model(tmp_path / "student").spec.provenance.teachers]
    assert weights == [2.0, 1.0]


def test_an_earlier_run_is_gone_on_with_only_when_told(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert distil(recipe, "--resume", "--max-minutes", "0.01") == 0  # nothing to go on with yet
    before = open_model(tmp_path / "student").spec.files["model.onnx"]
    assert distil(recipe) == 2
    assert "holds an earlier run; go on with --resume" in capsys.readouterr().err
    assert distil(recipe, "--resume") == 0
    metrics = json.loads(open_model(tmp_path / "student").read("metrics.json"))
    assert metrics["epochs"] == 3
    assert before
    assert main(["train", str(recipe), "-o", str(tmp_path / "student"), "--resume", "--device", "cpu"]) == 1
    assert "its checkpoint belongs to another recipe" in capsys.readouterr().err
    (tmp_path / "more.jsonl").write_bytes((tmp_path / "text.jsonl").read_bytes() + b"\n")
    assert distil(recipe, "--resume", "--text", str(tmp_path / "more.jsonl")) == 2
    assert "holds a run with other teachers, texts, or heads of the student" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "teacher", "said"),
    [
        (["--text", "none.txt"], None, "none.txt"),
        (["--from", "nothing"], None, "nothing"),
        ([], "no-such-model", "no model 'no-such-model'"),
        (["--keep-empty", "1.5"], None, "keep-empty"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_done(
    recipe: Path, words: list[str], teacher: str | None, said: str, capsys: pytest.CaptureFixture[str]
):
    assert distil(recipe, *words, teacher=teacher) in {1, 2}
    assert said in capsys.readouterr().err
    assert not (recipe.parent / "student.run" / "checkpoint.safetensors").exists()


def test_plain_training_leaves_the_table_aside(recipe: Path, tmp_path: Path):
    assert main(["train", str(recipe), "-o", str(tmp_path / "alone"), "--device", "cpu"]) == 0
    model = open_model(tmp_path / "alone")
    assert b"[distil]" not in model.read("recipe.toml")
    assert model.spec.provenance.teachers == ()
    assert "Teachers" not in model.read("README.md").decode()


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("CC-BY-SA-4.0", "is share-alike: pass these weights on under the same one"),
        ("CC BY-SA 4.0", "is share-alike"),
        ("GPL-3.0", "is share-alike"),
        ("not stated by its makers", "is not stated: ask those who made it"),
        ("", "is not stated"),
        ("Apache-2.0", None),
        ("MIT (basal)", None),
    ],
)
def test_the_card_says_what_a_teachers_licence_asks(licence: str, said: str | None):
    teacher = TeacherSpec("big", licence, "ab" * 32, 2.0, (CorpusSpec("ner/X", "CC0"),))
    values = {name: getattr(PROVENANCE, name) for name in PROVENANCE.__struct_fields__}
    taught = Provenance(**{**values, "teachers": (teacher,), "unlabelled": (CorpusSpec("notes", "own"),)})
    card = model_card(tiny_recipe("window"), taught, {}, {})
    assert f"| big | 2 | `abababababab` | {licence} |" in card
    assert "| notes, unlabelled | own |\n| ner/X, by the teachers | CC0 |" in card
    assert ("The licence of big" in card) == (said is not None)
    assert said is None or said in card

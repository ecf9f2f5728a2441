"""The verb ``study transfer``: counting, a toy study that goes on, refusals, and no text where none should be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from medspan import formats
from medspan.cli.main import main
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = """\
name = "two"
[encoder]
kind = "window"
word_width = 8
char_width = 4
char_filters = 4
case_width = 2
hidden_width = 8
layers = 1
[corpora.one]
source = "one"
[corpora.two]
source = "two"
[heads.one]
labels = ["Species"]
corpora = ["one"]
[heads.two]
labels = ["Species"]
corpora = ["two"]
[train]
epochs = 2
batch_words = 200
keep_leaks = true
"""


def write_corpus(folder: Path, mention: str) -> None:
    """Sentences with mice, secrets and patients, of which one is labelled."""
    folder.mkdir()
    for split in ("train", "dev"):
        documents = []
        for number in range(8):
            text = f"Sentence {number} has mice, secretina and patients."
            start = text.index(mention)
            entity = Entity("T1", "Species", (Span(start, start + len(mention)),))
            documents.append(Document(f"{split}-{number}", text, (entity,)))
        formats.write(documents, folder / f"{split}.jsonl", "jsonl")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "one", "secretina")
    write_corpus(tmp_path / "two", "patients")
    path = tmp_path / "two.toml"
    path.write_text(RECIPE)
    return path


def study(recipe: Path, *words: str) -> int:
    return main(["study", "transfer", str(recipe), "-o", str(recipe.parent / "out"), *words])


def test_counting_shows_no_text_of_ones_own_unless_asked(recipe: Path, capsys: pytest.CaptureFixture[str]):
    assert study(recipe, "--no-train") == 0
    said = capsys.readouterr()
    out = recipe.parent / "out"
    files = [(out / f"transfer.{ending}").read_text(encoding="utf-8") for ending in ("json", "md", "html")]
    assert all("secretina" not in text for text in (said.out, said.err, *files))
    assert "two for one: labels 100.0 places too many" in said.out
    assert not (out / "runs").exists()
    assert study(recipe, "--no-train", "--show-text") == 0
    said = capsys.readouterr()
    assert "secretina" in said.out
    assert "secretina" not in said.err
    assert "secretina" in (out / "transfer.md").read_text(encoding="utf-8")


def test_json_and_dev(recipe: Path, capsys: pytest.CaptureFixture[str]):
    assert study(recipe, "--no-train", "--json", "--dev", "--type", "species", "--at-least", "9") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["split"] == "train and dev"
    (species,) = found["types"]
    assert species["corpora"][0]["mentions"] == 16
    assert [pair["clashing"] for pair in species["pairs"]] == [1, 1]
    assert (found["gains"], found["conflicts"]) == ([], {})


def test_a_toy_study_goes_on(recipe: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    options = ["--epochs", "1", "--sentences", "6", "--device", "cpu"]
    assert study(recipe, *options, "--minutes", "0") == 0
    assert "3 runs are left" in capsys.readouterr().err
    assert study(recipe, *options, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(gain["target"], gain["helpers"]) for gain in found["gains"]] == [
        ("one", ["two"]),
        ("two", ["one"]),
    ]
    run = json.loads((recipe.parent / "out" / "runs" / "one+two-13.json").read_text())
    assert run["sentences"] == {"one": 6, "two": 6}
    assert len(run["scores"]["one"]["counts"]) == 8
    assert study(recipe, *options) == 0
    said = capsys.readouterr()
    assert "run 1" not in said.err
    assert "1 epoch, at most 6 training sentences" in said.out
    assert study(recipe, "--no-train") == 0
    assert "1 epoch, at most 6 training sentences" in capsys.readouterr().out
    assert study(recipe, "--epochs", "2") == 2
    assert "holds runs of another recipe" in capsys.readouterr().err


def test_conflicts_of_a_run(recipe: Path, capsys: pytest.CaptureFixture[str]):
    run = recipe.parent / "model.run"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"conflict": {"one|two": -0.5}}\n')
    assert study(recipe, "--no-train", "--conflict", str(run)) == 0
    shown = capsys.readouterr().out
    assert "CONFLICT OF GRADIENTS IN MODEL.RUN" in shown
    assert "-0.500" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--type", "Gene"], "--type Gene: no head of the recipe has it"),
        (["--pairs", "one:three"], "no corpus 'three' in the recipe; known: one, two"),
        (["--pairs", "one"], "write HELPER:TARGET"),
        (["--conflict", "nowhere"], "has no metrics.jsonl"),
        (["--at-least", "0"], "--at-least"),
    ],
)
def test_refusals(recipe: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert study(recipe, "--no-train", *words) == 2
    assert message in capsys.readouterr().err
    assert not (recipe.parent / "out").exists()


def test_a_folder_of_something_else_is_refused(recipe: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["study", "transfer", str(recipe), "-o", str(recipe.parent / "one"), "--no-train"]) == 2
    assert "is not empty and holds no study" in capsys.readouterr().err


def test_one_corpus_is_nothing_to_compare(recipe: Path, capsys: pytest.CaptureFixture[str]):
    text = RECIPE.replace('[heads.two]\nlabels = ["Species"]', '[heads.two]\nlabels = ["Organism"]')
    recipe.write_text(text)
    assert study(recipe, "--no-train") == 2
    assert "map their labels to the same names" in capsys.readouterr().err

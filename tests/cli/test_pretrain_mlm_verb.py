"""The verb ``pretrain mlm``: recipes, texts without one, and options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from medspan import formats
from medspan.cli.main import main
from medspan.types import Document
from tiny_mlm import mlm_recipe, tiny_hub
from tiny_training import tiny_document

if TYPE_CHECKING:
    from pathlib import Path

NEW = ["--new", "xlnet", "--layers", "1", "--width", "16", "--heads", "2", "--vocabulary", "120"]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "4000")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with notes in two formats."""
    documents = [Document(f"d{i}", tiny_document(i).text * 3) for i in range(150)]
    formats.write(documents[:140], tmp_path / "notes.jsonl")
    (tmp_path / "texts").mkdir()
    for document in documents[140:]:
        (tmp_path / "texts" / f"{document.id}.txt").write_text(document.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spec_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode((folder / "medspan.json").read_bytes())
    return found


def test_texts_teach_a_new_network_which_then_learns_on(here: Path, capsys: pytest.CaptureFixture[str]):
    command = ["pretrain", "mlm", "notes.jsonl", "texts", "-o", "small", "--objective", "permutation"]
    assert main([*command, *NEW, "--pieces", "64", "--max-words", "800", "--text", "t"]) == 0
    said = capsys.readouterr().err
    assert re.search(
        r"step 0: held-out loss \d\.\d{3} nats a piece \(pseudo-perplexity [\d.]+\), 0 pieces/s", said
    )
    assert re.search(r"step \d+: loss \d\.\d{3}, held-out loss .*, [\d,]+ pieces/s, 0\.\d min", said)
    assert "transformer written to small" in said
    spec = spec_of(here / "small")
    assert [text["name"] for text in spec["texts"]] == ["notes.jsonl", "texts"]  # type: ignore[attr-defined, index]
    assert spec["command"] == (
        "medspan pretrain mlm notes.jsonl texts -o small --new xlnet --layers 1 --width 16 --heads 2 "
        "--vocabulary 120 --objective permutation --pieces 64 --max-words 800"
    )
    card = (here / "small" / "README.md").read_text(encoding="utf-8")
    assert "started from: random weights" in card
    assert str(here) not in card
    assert (here / "t" / "text.json").exists()
    again = [
        "pretrain",
        "mlm",
        "notes.jsonl",
        "-o",
        "more",
        "--from",
        str(here / "small"),
        "--max-words",
        "90",
    ]
    assert main(again) == 0
    assert "; 0 start at random" in capsys.readouterr().err
    more = spec_of(here / "more")
    assert more["objective"] == "mlm"
    assert more["start"]["name"] == "small"  # type: ignore[index]
    assert str(here) not in (here / "more" / "README.md").read_text(encoding="utf-8")
    assert str(here) not in (here / "more" / "recipe.toml").read_text(encoding="utf-8")


def test_options_take_the_place_of_what_a_recipe_says(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "recipes").mkdir()
    path = mlm_recipe(here / "recipes", mlm={"words": 100_000})
    tiny_hub(here / "start", "bert")
    command = ["pretrain", "mlm", str(path), "-o", str(here / "out"), "--from", str(here / "start")]
    assert main([*command, "--objective", "mlm", "--max-words", "200"]) == 0
    recipe = (here / "out" / "recipe.toml").read_text(encoding="utf-8")
    assert 'from = "../start"' in recipe
    assert "[new]" not in recipe
    assert "words = 200" in recipe
    assert spec_of(here / "out")["command"] == (
        "medspan pretrain mlm recipes/mlm.toml -o out --from start --objective mlm --max-words 200"
    )
    capsys.readouterr()
    assert main([*command, "--objective", "mlm", "--max-words", "200"]) == 2
    assert "go on with --resume" in capsys.readouterr().err
    assert main([*command, "--objective", "mlm", "--max-words", "300", "--resume"]) == 1
    assert "another recipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give one thing to start from"),
        (["--from", "small", "--new", "xlnet"], "give one thing to start from"),
        (["--new", "xlnet", "--objective", "lm"], "mlm.objective: 'lm' is not allowed; did you mean mlm"),
        (["--new", "gpt"], "new.family: 'gpt' is not allowed; known: bert, xlnet"),
        (["--new", "bert", "--objective", "permutation"], "'permutation' is learnt by xlnet only"),
        (["--new", "xlnet", "--width", "15", "--heads", "2"], "new.width: 15 is no even multiple"),
        (["--new", "xlnet", "--pieces", "4"], "--pieces"),
        (["more.toml", "--new", "xlnet"], "give one recipe (.toml), or texts without a recipe"),
        (["nowhere", "--new", "xlnet"], "nowhere"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_does_not_fit_is_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["pretrain", "mlm", "notes.jsonl", "-o", "out", *options]) in {1, 2}
    assert message in capsys.readouterr().err


def test_help_names_what_there_is(capsys: pytest.CaptureFixture[str]):
    assert main(["pretrain", "mlm", "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("--objective", "--new", "--from", "--pieces", "--max-words", "--resume", "--vocabulary"):
        assert option in said

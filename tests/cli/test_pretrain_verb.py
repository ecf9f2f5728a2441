"""The verbs ``pretrain``, and ``train --from`` what they wrote, where the encoders are not the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from medspan import formats
from medspan.cli.main import main
from medspan.model.store import open_model
from tiny_pretraining import recipe_file, toml
from tiny_training import SIZES, tiny_document

if TYPE_CHECKING:
    from pathlib import Path


def tagger(folder: Path, kind: str, **encoder: object) -> Path:
    """A recipe of a tagger that learns an epoch from a few invented documents."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for split, numbers in (("train", range(8)), ("dev", range(1000, 1003))):
        formats.write(map(tiny_document, numbers), corpus / f"{split}.jsonl", "jsonl")
    table = {
        "name": "tiny",
        "encoder": {"kind": kind, **SIZES[kind], **encoder},
        "corpora.invented": {"source": "corpus"},
        "heads.disease": {"labels": ["Disease"], "corpora": ["invented"]},
        "train": {"epochs": 1, "batch_words": 120},
        "export": {"keep_weights": True},
    }
    path = folder / "tagger.toml"
    path.write_text(toml(table), encoding="utf-8")
    return path


def report(said: str) -> dict[str, int]:
    """The counts of the line on the transfer."""
    line = re.search(r"transfer from \w+: (.*)", said)
    assert line is not None
    return {name: int(number) for number, name in re.findall(r"(\d+) ([a-z -]+)", line[1])}


def start(folder: Path, recipe: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What training says that starts from the folder ``start``; lines are not broken."""
    capsys.readouterr()
    assert main(["train", str(recipe), "-o", str(folder / "model"), "--from", str(folder / "start")]) == 0
    assert open_model(folder / "model").spec.provenance.start is not None
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "4000")


@pytest.mark.parametrize("kind", ["window", "cnn"])
def test_vectors_start_an_encoder_of_another_kind(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("gensim")
    recipe = recipe_file(tmp_path, "vectors", vectors={"epochs": 2})
    assert main(["pretrain", "vectors", str(recipe), "-o", str(tmp_path / "start")]) == 0
    said = capsys.readouterr().err
    assert re.search(r"epoch 2: held-out loss \d+\.\d+ nats a pair, [\d,]+ words/s", said)
    metrics = msgspec.json.decode((tmp_path / "start" / "metrics.json").read_bytes())
    assert f"{metrics['held_out_loss']:.4f}" in said
    counts = report(start(tmp_path, tagger(tmp_path, kind), capsys))
    assert counts["loaded"] == 1
    assert counts["new"] > 0
    assert counts["left over"] == counts["mis-shaped"] == 0


def test_vectors_that_are_done_resume_to_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("gensim")
    recipe = recipe_file(tmp_path, "vectors", vectors={"epochs": 2})
    command = ["pretrain", "vectors", str(recipe), "-o", str(tmp_path / "start")]
    assert main([*command, "--resume"]) == 1
    assert "start the run without --resume" in capsys.readouterr().err
    assert main(command) == 0
    before = (tmp_path / "start" / "encoder.safetensors").read_bytes()
    assert main(command) == 2
    assert "go on with --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert (tmp_path / "start" / "encoder.safetensors").read_bytes() == before


def test_a_language_model_starts_what_fits_of_a_tagger_of_another_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    recipe = recipe_file(tmp_path, "bilm", pretrain={"words": 300})
    assert main(["pretrain", "bilm", str(recipe), "-o", str(tmp_path / "start")]) == 0
    config = tmp_path / "start" / "config.json"
    config.write_bytes(config.read_bytes().replace(b'"licence": "Apache-2.0"', b'"licence": "CC-BY-SA-4.0"'))
    said = start(tmp_path, tagger(tmp_path, "blstm_cnn", hidden_width=20), capsys)
    assert "licence of the model: CC-BY-SA-4.0, as its start has it, and not Apache-2.0" in said
    spec = open_model(tmp_path / "model").spec
    assert spec.licence == "CC-BY-SA-4.0"
    assert spec.provenance.command == "medspan train tagger.toml -o model --from start"
    assert "- licence of the weights: CC-BY-SA-4.0" in (tmp_path / "model" / "README.md").read_text()
    counts = report(said)
    assert counts["new"] == counts["left over"] == 0
    assert counts["mis-shaped"] == 2 * 2 * 4  # four tensors a layer and direction
    names = re.search(r"mis-shaped: (.*)", said.partition("left over")[2])
    assert names is not None
    assert all(name.startswith("encoder.directions.") for name in names[1].split(", "))
    assert counts["loaded"] == 9  # words, characters, case, and three filters with their biases


def test_a_character_model_starts_a_tagger_and_vectors_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    recipe = recipe_file(tmp_path, "charlm", pretrain={"words": 300})
    assert main(["pretrain", "charlm", str(recipe), "-o", str(tmp_path / "start")]) == 0
    path = tagger(tmp_path, "char_blstm")
    counts = report(start(tmp_path, path, capsys))
    assert counts == {"loaded": 1 + 2 * 2 * 4, "new": 0, "left over": 0, "mis-shaped": 0}
    pytest.importorskip("gensim")
    vectors = recipe_file(tmp_path, "vectors", vectors={"epochs": 1})
    assert main(["pretrain", "vectors", str(vectors), "-o", str(tmp_path / "vec")]) == 0
    capsys.readouterr()
    assert main(["train", str(path), "-o", str(tmp_path / "m"), "--from", str(tmp_path / "vec")]) == 1
    assert "no tensor of tiny fits this encoder" in capsys.readouterr().err

"""A model trained on invented documents in seconds, once a test run: ``from trained import model_folder``."""

from __future__ import annotations

from contextlib import redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_FOLDERS: list[TemporaryDirectory[str]] = []
RECIPE = """\
name = "invented"

[encoder]
kind = "blstm_cnn"
word_width = 16
char_width = 8
char_filters = 8
case_width = 4
hidden_width = 16
max_chars = 8
min_count = 1
dropout = 0.1

[corpora.invented]
source = "corpus"

[heads.disease]
labels = ["Disease"]
corpora = ["invented"]

[heads.drug]
labels = ["Drug"]
corpora = ["invented"]
kind = "softmax"

[train]
epochs = {epochs}
batch_words = 120
learning_rate = 0.02
head_dropout = 0.1
checkpoint_steps = 3

[window]
words = 30
overlap = 8
"""
TEXTS = (
    "No sign of grey fever after zelvorin, as expected.",
    "amoxitane was given for nodular ankylia . We saw dry lung in 12 of 40 patients.",
    "The weather stayed mild all week.",
    "",
    " \n\t ",
    "zelvorin\x00was given\x00 for grey fever .",
    "患者 was given ferrulin for dry lung \U0001f9ec. Levels of bromatin (5 mg/day) were low\r\n" * 3,
    "and then grey fever of unknown origin " * 40,
)


def write_recipe(folder: Path, *, epochs: int = 8, size: int = 60) -> Path:
    """A recipe and its invented corpus as JSONL; returns the recipe's path."""
    from medspan import formats  # noqa: PLC0415 - as late as torch
    from tiny_training import tiny_document  # noqa: PLC0415 - needs torch

    corpus = folder / "corpus"
    corpus.mkdir()
    for split, numbers in (("train", range(size)), ("dev", range(1000, 1012)), ("test", range(2000, 2012))):
        formats.write(map(tiny_document, numbers), corpus / f"{split}.jsonl", "jsonl")
    path = folder / "tiny.toml"
    path.write_text(RECIPE.format(epochs=epochs), encoding="utf-8")
    return path


@cache
def model_folder() -> Path:
    """The trained model; skips where torch or onnx is not installed."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from medspan.cli.main import main  # noqa: PLC0415 - needs torch

    _FOLDERS.append(TemporaryDirectory())
    folder = Path(_FOLDERS[-1].name)
    recipe = write_recipe(folder)
    with redirect_stderr(StringIO()) as said:
        code = main(["train", str(recipe), "-o", str(folder / "model"), "--device", "cpu"])
    assert code == 0, said.getvalue()
    return folder / "model"

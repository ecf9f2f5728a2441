"""Runs of language models and vectors on tiny text, for tests of pretraining."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from medspan import formats
from medspan.train.pretrain.run import pretrain_lm, pretrain_vectors
from medspan.types import Document
from tiny_training import SIZES, tiny_document

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.pretrain.lm import LmRow, LmState
    from medspan.train.pretrain.vectors import VectorRow

ENCODERS = {"bilm": "blstm_cnn", "charlm": "char_blstm"}


class KilledError(Exception):
    """Stands for a kill."""


class Watcher:
    """Keeps the rows; stops after a step."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.rows: list[LmRow] = []
        self._stop_at = stop_at

    def on_step(self, state: LmState, total_words: int, loss: float) -> None:  # noqa: ARG002 - a watcher's signature
        if state.step == self._stop_at:
            raise KilledError

    def on_row(self, row: LmRow) -> None:
        self.rows.append(row)


def toml(table: dict[str, Any]) -> str:
    lines = [f"{k} = {msgspec.json.encode(v).decode()}" for k, v in table.items() if not isinstance(v, dict)]
    for name, part in table.items():
        if isinstance(part, dict):
            lines.append(f"[{name}]")
            lines += [f"{k} = {msgspec.json.encode(v).decode()}" for k, v in part.items()]
    return "\n".join(lines)


def recipe_file(folder: Path, verb: str, **parts: dict[str, Any]) -> Path:
    documents = [Document(f"d{i}", tiny_document(i).text) for i in range(60)]
    formats.write(documents, folder / "notes.jsonl")
    table: dict[str, Any] = {
        "name": "tiny",
        "text.notes": {"source": "notes.jsonl"},
        "reading": {"held_out": 0.2, "min_count": 2, "min_char_count": 1},
    }
    if verb == "vectors":
        table["threads"] = 1
        table["vectors"] = {"width": 12, "epochs": 4, "buckets": 200, "sample": 0.0}
    else:
        table["encoder"] = {"kind": ENCODERS[verb], "dropout": 0.1, **SIZES[ENCODERS[verb]]}
        table["pretrain"] = {
            "epochs": 6,
            "batch_words": 150 if verb == "bilm" else 600,
            "negatives": 20,
            "learning_rate": 0.02,
            "checkpoint_steps": 4,
            "evaluate_words": 1500,
        }
    for name, part in parts.items():
        table[name] = {**table.get(name, {}), **part}
    path = folder / f"{verb}.toml"
    path.write_text(toml(table))
    return path


def learn(path: Path, output: Path, verb: str, watcher: Watcher | None = None, **options: Any) -> list[LmRow]:
    watcher = watcher or Watcher()
    options.setdefault("tell", lambda _: None)
    options.setdefault("device", "cpu")
    pretrain_lm(path, output, verb, watcher=watcher, **options)  # type: ignore[arg-type]
    return watcher.rows


class VectorWatcher:
    """Keeps the rows; stops after an epoch, or after so many words."""

    def __init__(self, stop_at: int | None = None, stop_words: int | None = None) -> None:
        self.rows: list[VectorRow] = []
        self._stop_at, self._stop_words = stop_at, stop_words

    def on_words(self, words: int, total_words: int) -> None:
        assert words <= total_words
        if self._stop_words is not None and words > self._stop_words:
            raise KilledError

    def on_epoch(self, row: VectorRow) -> None:
        self.rows.append(row)
        if row.epoch == self._stop_at:
            raise KilledError


def learn_vectors(
    path: Path, output: Path, watcher: VectorWatcher | None = None, **options: Any
) -> list[VectorRow]:
    watcher = watcher or VectorWatcher()
    pretrain_vectors(path, output, watcher=watcher, tell=lambda _: None, **options)
    return watcher.rows

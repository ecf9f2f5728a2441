"""A training that is only scored: best epoch by corpus, draws, and going on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

pytest.importorskip("torch")

from medspan.config import load_recipe
from medspan.train.data import Counts, Example, TrainingCorpus
from medspan.train.probe import drawn, probe
from tiny_training import Silent
from trained import write_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.train.checkpoint import EpochRow


class Stopped(Exception):  # noqa: N818 - stands for a power cut
    pass


class StopsAfter(Silent):
    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:  # noqa: ARG002 - a Watcher's signature
        self.left -= 1
        if not self.left:
            raise Stopped


def test_the_best_epoch_and_its_counts(tmp_path: Path):
    path = write_recipe(tmp_path, epochs=4, size=40)
    recipe = load_recipe(path)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    done = probe(recipe, tmp_path, whole, watcher=Silent(), device="cpu")
    assert 40 < done.sentences["invented"] <= 120
    best = done.best["invented"]
    tp, fp, fn = (sum(column) for column in zip(*best.counts, strict=True))
    assert len(best.counts) == 12
    assert best.f1 == pytest.approx(2 * tp / (2 * tp + fp + fn))
    rows = [msgspec.json.decode(line) for line in (whole / "metrics.jsonl").read_bytes().splitlines()]
    assert best.f1 == max(row["dev"]["invented"] for row in rows) == rows[best.epoch - 1]["dev"]["invented"]
    with pytest.raises(Stopped):
        probe(recipe, tmp_path, stopped, watcher=StopsAfter(2), device="cpu")
    again = probe(recipe, tmp_path, stopped, watcher=Silent(), device="cpu")
    assert again.best == done.best
    assert probe(recipe, tmp_path, stopped, watcher=Silent(), device="cpu").best == done.best  # nothing left


def test_draws_do_not_depend_on_what_else_is_trained():
    examples = [Example([str(i)], {}) for i in range(50)]
    corpus = TrainingCorpus("a", (), frozenset(), examples, [], Counts())
    once = drawn(corpus, 10, 13).examples
    assert once == drawn(corpus, 10, 13).examples
    assert len({example.forms[0] for example in once}) == 10
    assert once != drawn(corpus, 10, 14).examples
    assert once != drawn(msgspec.structs.replace(corpus, name="b"), 10, 13).examples
    assert drawn(corpus, 50, 13) is corpus

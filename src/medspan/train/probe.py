"""A training that is only scored: no model folder, and of each corpus the dev counts at its own best epoch.

For studies that compare runs: a joint run would else be scored at the epoch best for the mean of its corpora.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import torch

from medspan.metrics.counts import Score
from medspan.train.checkpoint import NAME
from medspan.train.data import read_corpora
from medspan.train.loop import Trainer, document_scores, spread
from medspan.train.scorer import pick_device
from medspan.train.transfer import find_donor

if TYPE_CHECKING:
    from pathlib import Path

    from medspan.config import Recipe
    from medspan.model.session import Device
    from medspan.train.data import TrainingCorpus
    from medspan.train.epochs import Watcher

_COUNTS = "counts-{}.json"


class Best(NamedTuple):
    """The best epoch of a corpus, from 1: strict micro F1, and each dev document's hits, wrong and missed."""

    f1: float
    epoch: int
    counts: tuple[tuple[int, int, int], ...]


class Probed(NamedTuple):
    """A finished run: minutes of training, training sentences and best epoch by corpus."""

    minutes: float
    sentences: dict[str, int]
    best: dict[str, Best]


class _Counting(Trainer):
    """A trainer that keeps the counts of each document, epoch by epoch, beside its checkpoint."""

    def dev_score(self, corpus: TrainingCorpus, share: float = 1.0) -> Score:
        dev = spread(corpus.dev, share)
        scores = document_scores(dev, self.tagger(corpus.heads).annotate(dev), corpus.labels)
        path = self.folder / _COUNTS.format(self.state.epoch)
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        kept[corpus.name] = [(score.tp, score.fp, score.fn) for score in scores]
        path.write_text(json.dumps(kept), encoding="utf-8")
        return sum(scores, Score.of(0, 0, 0))


def probe(
    recipe: Recipe,
    base: Path,
    folder: Path,
    *,
    watcher: Watcher,
    sentences: int | None = None,
    device: Device = "auto",
) -> Probed:
    """Train a recipe and score it on dev; goes on where the folder has a checkpoint.

    Args:
        recipe: what to train.
        base: the folder that relative paths in it start from.
        folder: of the run.
        watcher: hears of every step and epoch.
        sentences: of each corpus at most so many to learn from, drawn with the seed.
        device: where to compute.

    Raises:
        UsageError: if the device is not there.
        ConfigError, DataError, TrainingError, ModelError: as the parts do.
    """
    recipe, donor = find_donor(recipe, base, None)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    corpora = read_corpora(recipe, base)
    if sentences is not None:
        corpora = [drawn(corpus, sentences, recipe.train.seed) for corpus in corpora]
    trainer = _Counting(recipe, corpora, folder, pick_device(device), donor=donor)
    if (folder / NAME).exists():
        trainer.resume()
    trainer.run(watcher)
    best = {corpus.name: _best(trainer, corpus.name) for corpus in corpora}
    return Probed(trainer.state.minutes, {corpus.name: len(corpus.examples) for corpus in corpora}, best)


def drawn(corpus: TrainingCorpus, sentences: int, seed: int) -> TrainingCorpus:
    """A corpus with some of its examples: the same ones for the same seed, whatever else is trained."""
    if len(corpus.examples) <= sentences:
        return corpus
    rng = np.random.default_rng([seed, zlib.crc32(corpus.name.encode())])
    chosen = sorted(rng.choice(len(corpus.examples), sentences, replace=False).tolist())
    return msgspec.structs.replace(corpus, examples=[corpus.examples[i] for i in chosen])


def _best(trainer: Trainer, name: str) -> Best:
    row = max(trainer.state.history, key=lambda row: row.dev[name])
    counts = json.loads((trainer.folder / _COUNTS.format(row.epoch)).read_bytes())[name]
    return Best(row.dev[name], row.epoch + 1, tuple((tp, fp, fn) for tp, fp, fn in counts))

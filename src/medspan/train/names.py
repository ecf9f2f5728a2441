"""Learns embeddings of names: names of one concept come close, those of others apart.

The encoder is a table of vectors of hashed features (words and character n-grams) that are added up; names of
the same concept attract one another under an in-batch contrastive loss (InfoNCE, van den Oord et al. 2018, as
SapBERT of Liu et al. 2021 uses it for synonyms). Every other epoch, batches are made of names that lie close
to one another, so that the hard cases meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import torch

from medspan.errors import TrainingError
from medspan.features.name_vectors import ENCODER_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CENTRES: Final = 256


class NameSettings(msgspec.Struct, frozen=True):
    """How an encoder of names is learnt.

    ``width``: numbers of an embedding. ``epochs``: times each name with a synonym is seen. ``batch``: names a
    step. ``rate``: learning rate at the begin; it falls to nothing. ``temperature``: of the softmax.
    ``dropout``: share of features hidden while learning. ``seed``: of every draw.
    """

    width: int = 96
    epochs: int = 12
    batch: int = 1024
    rate: float = 0.003
    temperature: float = 0.07
    dropout: float = 0.2
    seed: int = 13


class Names:
    """Features of names, and the concept of each.

    Args:
        features: int (features,), of all names one after another.
        starts: int64 (names + 1,).
        concepts: int (names,).
    """

    def __init__(
        self, features: NDArray[np.int32], starts: NDArray[np.int64], concepts: NDArray[np.int32]
    ) -> None:
        self.features = torch.from_numpy((features & (ENCODER_BUCKETS - 1)).astype(np.int64))
        self.starts = starts
        self.concepts = concepts
        self._order = np.argsort(concepts, kind="stable")
        self._place = np.empty(len(concepts), dtype=np.int64)
        self._place[self._order] = np.arange(len(concepts))
        _, first, group, size = np.unique(
            concepts, return_index=True, return_inverse=True, return_counts=True
        )
        begins = np.concatenate(([0], np.cumsum(size)[:-1]))
        self._begin, self._size = begins[group], size[group]
        self.learnable = np.flatnonzero(self._size > 1)
        del first

    def partners(self, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """For each name another of the same concept."""
        size = self._size[rows]
        step = 1 + (random.random(len(rows)) * (size - 1)).astype(np.int64)
        own = self._place[rows] - self._begin[rows]
        return self._order[self._begin[rows] + (own + step) % size]

    def bags(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of some names, and where each name's begin, as an EmbeddingBag takes them."""
        firsts, lasts = self.starts[rows], self.starts[rows + 1]
        sizes = lasts - firsts
        offsets = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        places = np.arange(int(sizes.sum())) + np.repeat(firsts - offsets, sizes)
        return self.features[torch.from_numpy(places)], torch.from_numpy(offsets)


def learn_encoder(
    names: Names, settings: NameSettings, tell: Callable[[str], None] = lambda _: None
) -> NDArray[np.float16]:
    """The table of an encoder: float16 (buckets, width).

    Args:
        names: those of the terminology, and of annotated mentions.
        settings: how.
        tell: told of each epoch.

    Raises:
        TrainingError: if no concept has two names.
    """
    if not len(names.learnable):
        raise TrainingError("no concept has two names, so there is nothing to learn from; add synonyms")
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    bag = _start(names, settings.width)
    optimizer = torch.optim.SparseAdam(bag.parameters(), lr=settings.rate)
    steps = settings.epochs * -(-len(names.learnable) // settings.batch)
    done = 0
    for epoch in range(settings.epochs):
        rows = random.permutation(names.learnable)
        if epoch % 2:
            rows = _beside_alike(bag, names, rows, random)
        losses = []
        for first in random.permutation(np.arange(0, len(rows), settings.batch)):
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * (1 - done / steps)
            losses.append(
                _step(bag, optimizer, names, rows[first : first + settings.batch], settings, random)
            )
            done += 1
        tell(f"epoch {epoch + 1} of {settings.epochs}: loss {np.mean(losses):.4f}")
    return bag.weight.detach().numpy().astype(np.float16)


def _start(names: Names, width: int) -> torch.nn.EmbeddingBag:
    """Random vectors as long as their feature is rare: at first, closeness is tf-idf similarity."""
    frequency = np.bincount(names.features.numpy(), minlength=ENCODER_BUCKETS)
    weight = np.log(1.0 + len(names.concepts) / np.maximum(frequency, 1)) / np.sqrt(width) / 10
    bag = torch.nn.EmbeddingBag(ENCODER_BUCKETS, width, mode="sum", sparse=True)
    with torch.no_grad():
        bag.weight.normal_()
        bag.weight.mul_(torch.from_numpy(weight.astype(np.float32))[:, None])
    return bag


def _embed(
    bag: torch.nn.EmbeddingBag, names: Names, rows: NDArray[np.int64], dropout: float = 0.0
) -> torch.Tensor:
    """Embeddings of some names; float32 (rows, width), each of length one."""
    features, offsets = names.bags(rows)
    kept = None
    if dropout:
        kept = (torch.rand(len(features)) >= dropout).float()
    return torch.nn.functional.normalize(bag(features, offsets, per_sample_weights=kept), dim=1)


def _step(
    bag: torch.nn.EmbeddingBag,
    optimizer: torch.optim.Optimizer,
    names: Names,
    rows: NDArray[np.int64],
    settings: NameSettings,
    random: np.random.Generator,
) -> float:
    """One step on a batch; its loss."""
    left = _embed(bag, names, rows, settings.dropout)
    right = _embed(bag, names, names.partners(rows, random), settings.dropout)
    logits = left @ right.T / settings.temperature  # (batch, batch)
    concepts = torch.from_numpy(names.concepts[rows].astype(np.int64))
    same = concepts[:, None] == concepts[None, :]
    same.fill_diagonal_(False)
    logits = logits.masked_fill(same, -1e4)
    target = torch.arange(len(rows))
    loss = torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.cross_entropy(
        logits.T, target
    )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach()) / 2


def _beside_alike(
    bag: torch.nn.EmbeddingBag, names: Names, rows: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """The names in an order in which those that are close come together: by the nearest of some drawn names."""
    with torch.no_grad():
        centres = _embed(bag, names, random.choice(rows, size=min(_CENTRES, len(rows)), replace=False))
        nearest = [
            (_embed(bag, names, rows[first : first + 8192]) @ centres.T).argmax(dim=1).numpy()
            for first in range(0, len(rows), 8192)
        ]
    return rows[np.argsort(np.concatenate(nearest), kind="stable")]

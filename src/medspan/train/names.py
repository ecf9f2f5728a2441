"""Learns embeddings of names: names of one concept come close, those of others apart.

The encoder is a table of vectors of hashed features (words and character n-grams) that are added up; names of
the same concept attract one another under an in-batch contrastive loss (InfoNCE, van den Oord et al. 2018, as
SapBERT of Liu et al. 2021 uses it for synonyms). Every other epoch, batches are made of names that lie close
to one another, so that the hard cases meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
import torch

from medspan.errors import TrainingError
from medspan.features.name_vectors import ENCODER_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CENTRES: Final = 256
_ROWS: Final = 8192
_BETAS: Final = (0.9, 0.999)


class NameSettings(msgspec.Struct, frozen=True):
    """How an encoder of names is learnt.

    ``width``: numbers of an embedding. ``epochs``: times each name with a synonym is seen. ``batch``: names a
    step. ``rate``: learning rate at the begin; it falls to nothing. ``temperature``: of the softmax.
    ``dropout``: share of features hidden while learning. ``most_names``: drawn for an epoch at most.
    ``seed``: of every draw.
    """

    width: int = 96
    epochs: int = 6
    batch: int = 1024
    rate: float = 0.003
    temperature: float = 0.07
    dropout: float = 0.2
    most_names: int = 150_000
    seed: int = 13


class Bags(NamedTuple):
    """Features of some names one after another, int64 (features,), and where each begins, int64 (names,)."""

    features: torch.Tensor
    offsets: torch.Tensor


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
        _, group, size = np.unique(concepts, return_inverse=True, return_counts=True)
        begins = np.concatenate(([0], np.cumsum(size)[:-1]))
        self._begin, self._size = begins[group], size[group]
        self.learnable = np.flatnonzero(self._size > 1)

    def partners(self, rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """For each name, int64 (n,), another of the same concept, int64 (n,)."""
        size = self._size[rows]
        step = 1 + (random.random(len(rows)) * (size - 1)).astype(np.int64)
        own = self._place[rows] - self._begin[rows]
        found: NDArray[np.int64] = self._order[self._begin[rows] + (own + step) % size]
        return found

    def bags(self, rows: NDArray[np.int64]) -> Bags:
        """Features of some names, int64 (n,)."""
        firsts, lasts = self.starts[rows], self.starts[rows + 1]
        sizes = lasts - firsts
        offsets = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        places = np.arange(int(sizes.sum())) + np.repeat(firsts - offsets, sizes)
        return Bags(self.features[torch.from_numpy(places)], torch.from_numpy(offsets))


class Table:
    """Vectors of features, and Adam (Kingma & Ba 2015) that moves only those a batch uses.

    Args:
        weight: float32 (buckets, width), the vectors to begin with.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight
        self._mean, self._square = torch.zeros_like(weight), torch.zeros_like(weight)
        self._steps = 0

    def embed(self, bags: Bags, vectors: torch.Tensor | None = None, dropout: float = 0.0) -> torch.Tensor:
        """Embeddings of some names, each of length one; float32 (names, width).

        Args:
            bags: features of the names.
            vectors: instead of the whole table, those its features are numbers of.
            dropout: share of features that are hidden.
        """
        kept = (torch.rand(len(bags.features)) >= dropout).float() if dropout else None
        table = self.weight if vectors is None else vectors
        summed = torch.nn.functional.embedding_bag(
            bags.features, table, bags.offsets, mode="sum", per_sample_weights=kept
        )
        return torch.nn.functional.normalize(summed, dim=1)

    def move(self, used: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """One step of the vectors of some features; ``gradient`` float32 (used, width)."""
        self._steps += 1
        mean = self._mean[used].lerp_(gradient, 1 - _BETAS[0])
        square = self._square[used].lerp_(gradient.square(), 1 - _BETAS[1])
        self._mean[used], self._square[used] = mean, square
        length = (square / (1 - _BETAS[1] ** self._steps)).sqrt_().add_(1e-8)
        self.weight[used] -= (rate / (1 - _BETAS[0] ** self._steps)) * mean / length


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
    table = Table(_start(names, settings.width))
    size = min(len(names.learnable), settings.most_names)
    steps, done = settings.epochs * -(-size // settings.batch), 0
    for epoch in range(settings.epochs):
        rows = random.permutation(names.learnable)[:size]
        if epoch % 2:
            rows = _beside_alike(table, names, rows, random)
        losses = []
        for first in random.permutation(np.arange(0, size, settings.batch)):
            batch = rows[first : first + settings.batch]
            rate = settings.rate * (1 - done / steps)
            losses.append(_step(table, names, (batch, names.partners(batch, random)), settings, rate))
            done += 1
        tell(f"epoch {epoch + 1} of {settings.epochs}: loss {np.mean(losses):.4f}")
    return table.weight.numpy().astype(np.float16)


def _start(names: Names, width: int) -> torch.Tensor:
    """Random vectors as long as their feature is rare: at first, closeness is tf-idf similarity."""
    frequency = np.bincount(names.features.numpy(), minlength=ENCODER_BUCKETS)
    weight = np.log(1.0 + len(names.concepts) / np.maximum(frequency, 1)) / np.sqrt(width) / 10
    return torch.randn(ENCODER_BUCKETS, width) * torch.from_numpy(weight.astype(np.float32))[:, None]


def _step(
    table: Table,
    names: Names,
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    settings: NameSettings,
    rate: float,
) -> float:
    """One step on a batch of pairs of names of the same concept; its loss."""
    left, right = (names.bags(rows) for rows in pairs)
    used, places = torch.unique(torch.cat((left.features, right.features)), return_inverse=True)
    vectors = table.weight[used].requires_grad_()
    near, far = places.split((len(left.features), len(right.features)))
    one = table.embed(Bags(near, left.offsets), vectors, settings.dropout)
    other = table.embed(Bags(far, right.offsets), vectors, settings.dropout)
    concepts = torch.from_numpy(names.concepts[pairs[0]].astype(np.int64))
    loss = _contrast(one @ other.T / settings.temperature, concepts)
    loss.backward()  # type: ignore[no-untyped-call]
    if vectors.grad is not None:
        table.move(used, vectors.grad, rate)
    return float(loss.detach()) / 2


def _contrast(logits: torch.Tensor, concepts: torch.Tensor) -> torch.Tensor:
    """The loss of both directions; of (batch, batch) logits other pairs of one concept do not count."""
    same = concepts[:, None] == concepts[None, :]
    logits = logits.masked_fill(same & ~torch.eye(len(concepts), dtype=torch.bool), -1e4)
    target = torch.arange(len(concepts))
    entropy = torch.nn.functional.cross_entropy
    return entropy(logits, target) + entropy(logits.T, target)


def _beside_alike(
    table: Table, names: Names, rows: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """The names in an order in which close ones come together: by the nearest of some drawn names."""
    drawn = random.choice(rows, size=min(_CENTRES, len(rows)), replace=False)
    centres = table.embed(names.bags(drawn))
    nearest = [
        (table.embed(names.bags(rows[first : first + _ROWS])) @ centres.T).argmax(dim=1).numpy()
        for first in range(0, len(rows), _ROWS)
    ]
    return rows[np.argsort(np.concatenate(nearest), kind="stable")]

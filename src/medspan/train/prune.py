"""Makes a trained network smaller: only words whose vectors are worth their bytes stay known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from medspan.features.vocab import Vocab

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.train.network import Network


def prune_words(network: Network, vocab: Vocab, forms: Iterable[str], *, most: int) -> Vocab:
    """Shorten the table of words in place.

    Words of the training text stay, for their vectors were trained with the task; others by how often they
    stand in the text the vectors were learnt from. A word that goes still has its characters and its case.

    Args:
        network: its table of words is replaced; an encoder without one stays as it is.
        vocab: the vocabulary of that table.
        forms: words of the training text.
        most: words kept at most, where the training text does not have more.

    Returns:
        The vocabulary of the shorter table.
    """
    features = network.features
    if features is None or most >= len(vocab.words):
        return vocab
    needed = {vocab.word_id(form) for form in set(forms)}
    order = np.argsort(-np.array(vocab.counts, np.int64), kind="stable") + 2
    ranked = sorted(order.tolist(), key=lambda row: row not in needed)  # a stable sort
    n_needed = sum(row in needed for row in ranked)
    kept = sorted(ranked[: max(most, n_needed)])
    old = features.words
    features.words = nn.Embedding(len(kept) + 2, old.embedding_dim, padding_idx=0, sparse=True)
    with torch.no_grad():
        features.words.weight.copy_(old.weight[torch.tensor([0, 1, *kept])])
    features.words.train(old.training)
    return Vocab(
        tuple(vocab.words[row - 2] for row in kept),
        tuple(vocab.counts[row - 2] for row in kept),
        vocab.characters,
    )

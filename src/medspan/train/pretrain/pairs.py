"""The loss of word vectors on held-out text: pairs of words are drawn once, so epochs can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]


class Pairs(NamedTuple):
    """Words and what each should predict, all as rows of the trainer's tables.

    ``centres`` int64 (pairs,), ``targets`` int64 (pairs,), ``negatives`` int64 (pairs, negatives): drawn
    words, which do not count where they are the target.
    """

    centres: Ints
    targets: Ints
    negatives: Ints

    def loss(self, centres: Floats, contexts: Floats) -> float | None:
        """Mean negative-sampling loss in nats a pair (Mikolov et al. 2013); None where there is no pair.

        Args:
            centres: vectors of words that predict, (words, width).
            contexts: vectors of words that are predicted, (words, width).
        """
        if not len(self.centres):
            return None
        states = centres[self.centres]
        right = np.einsum("pw,pw->p", states, contexts[self.targets])
        wrong = np.einsum("pw,pnw->pn", states, contexts[self.negatives])
        cost = np.logaddexp(0, wrong) * (self.negatives != self.targets[:, None])
        return float((np.logaddexp(0, -right) + cost.sum(1)).mean(dtype=np.float64))


def draw_pairs(
    sentences: Iterable[Ints],
    *,
    kept: NDArray[np.float64],
    drawn: NDArray[np.float64],
    reach: int,
    negatives: int,
    seed: int,
) -> Pairs:
    """Draw pairs as training does: frequent words skipped, windows of random reach; a function of the seed.

    Args:
        sentences: rows of the words of each sentence, unknown ones left out.
        kept: chance that a word is not skipped, (words,).
        drawn: chance that a word is drawn as a negative, summed up along the words, (words,).
        reach: words to either side at most.
        negatives: words drawn a pair.
        seed: seed of the run.
    """
    rng = np.random.default_rng([seed, 5])
    found = [np.zeros((0, 2), np.int64)]
    for sentence in sentences:
        rows = sentence[rng.random(len(sentence)) < kept[sentence]]
        places = np.arange(len(rows))
        distance = np.abs(places - places[:, None])
        near = (distance > 0) & (distance <= rng.integers(1, reach + 1, len(rows))[:, None])
        centre, target = near.nonzero()
        found.append(np.stack([rows[centre], rows[target]], 1))
    pairs = np.concatenate(found)
    others = np.searchsorted(drawn, rng.random((len(pairs), negatives)), side="right")
    return Pairs(pairs[:, 0], pairs[:, 1], np.minimum(others, len(drawn) - 1))

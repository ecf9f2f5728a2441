"""Which examples stand in which batch: a function of seed and epoch, so a resumed run draws the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medspan.features.vocab import FIRST_CHARACTER, UNKNOWN_WORD, unknown_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medspan.features.batch import Featurizer
    from medspan.features.vocab import Vocab
    from medspan.train.data import Encoded

_LENGTH_NOISE = 2.0


class Batch(NamedTuple):
    """Arrays of features/batch.py, and by head the tags, 0 where padded.

    Tags are ids, int64 (batch, words), or a teacher's marginals, float (batch, words, tags).
    """

    arrays: dict[str, NDArray[np.int64]]
    targets: dict[str, NDArray[Any]]


def epoch_groups(
    lengths: Sequence[Sequence[int]], weights: Sequence[float], *, budget: int, seed: int, epoch: int
) -> list[tuple[int, list[int]]]:
    """The batches of an epoch as (corpus, examples), shuffled; each holds one corpus and similar lengths.

    Args:
        lengths: words of every example of every corpus.
        weights: how often a corpus' examples are seen in an epoch; a fraction draws that share of them.
        budget: padded words a batch holds at most.
        seed: seed of the run.
        epoch: number of the epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    groups: list[tuple[int, list[int]]] = []
    for corpus, sizes in enumerate(lengths):
        drawn = _draw(len(sizes), weights[corpus], rng)
        noisy = np.array([sizes[i] for i in drawn]) + rng.uniform(0, _LENGTH_NOISE, len(drawn))
        ordered = [drawn[i] for i in np.argsort(noisy, kind="stable")]
        groups.extend((corpus, group) for group in _within(ordered, sizes, budget))
    order = rng.permutation(len(groups))
    return [groups[i] for i in order]


def _draw(count: int, weight: float, rng: np.random.Generator) -> list[int]:
    whole = [i for _ in range(int(weight)) for i in range(count)]
    rest = round((weight - int(weight)) * count)
    return whole + sorted(rng.choice(count, rest, replace=False).tolist()) if rest else whole


def _within(ordered: list[int], sizes: Sequence[int], budget: int) -> list[list[int]]:
    groups: list[list[int]] = [[]]
    longest = 0
    for i in ordered:
        longest = max(longest, sizes[i])
        if groups[-1] and (len(groups[-1]) + 1) * longest > budget:
            groups.append([])
            longest = sizes[i]
        groups[-1].append(i)
    return [group for group in groups if group]


class Feeder:
    """Builds batches and hides some words and characters, so that unknown ones are learnt.

    Args:
        featurizer: the table the examples were encoded with.
        vocab: gives the words and characters.
        word_dropout: a word seen n times is hidden with probability w / (w + n).
        char_dropout: share of characters replaced by their unknown class.
        counts: how often each word of the vocabulary was seen, where not as its counts say.
    """

    def __init__(
        self,
        featurizer: Featurizer,
        vocab: Vocab,
        word_dropout: float,
        char_dropout: float,
        *,
        counts: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> None:
        self._featurizer = featurizer
        seen = np.array([0, 0, *(vocab.counts if counts is None else counts)], np.float64)
        self._hidden = word_dropout / (word_dropout + seen) if word_dropout else np.zeros_like(seen)
        self._char_dropout = char_dropout
        classes = [unknown_class(character) for character in vocab.characters]
        self._char_class = np.array([*range(FIRST_CHARACTER), *classes], np.int64)

    def batch(self, examples: Sequence[Encoded], *, seed: int, step: int) -> Batch:
        """The batch of one step; what is hidden is a function of seed and step."""
        batch = self.plain(examples)
        self.hide(batch.arrays, seed=seed, step=step)
        return batch

    def plain(self, examples: Sequence[Encoded]) -> Batch:
        """A batch in which nothing is hidden."""
        arrays = self._featurizer.arrays([example.row for example in examples])
        return Batch(arrays, self._targets(examples, arrays["lengths"]))

    def hide(self, arrays: dict[str, NDArray[np.int64]], *, seed: int, step: int) -> None:
        """Replace the arrays of words and characters by those with some of them hidden.

        Args:
            arrays: of a batch; ``word_ids``, ``char_ids`` and ``text_ids``, of any shape, are replaced.
            seed: of the run.
            step: of the batch in the run; what is hidden is a function of both.
        """
        rng = np.random.default_rng([seed, step, 1])
        if "word_ids" in arrays:
            ids = arrays["word_ids"]
            arrays["word_ids"] = np.where(rng.random(ids.shape) < self._hidden[ids], UNKNOWN_WORD, ids)
        for name in ("char_ids", "text_ids"):
            if name in arrays and self._char_dropout:
                ids = arrays[name]
                arrays[name] = np.where(
                    rng.random(ids.shape) < self._char_dropout, self._char_class[ids], ids
                )

    @staticmethod
    def _targets(examples: Sequence[Encoded], lengths: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        targets = {}
        for head, first in examples[0].tags.items():
            tags = np.zeros((len(examples), int(lengths.max()), *first.shape[1:]), first.dtype)
            for i, example in enumerate(examples):
                tags[i, : len(example.row)] = example.tags[head]
            targets[head] = tags
        return targets

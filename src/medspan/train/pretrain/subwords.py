"""Vectors of words from the vectors of their character n-grams (Bojanowski et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_START, _PRIME = 2166136261, 16777619


class Subwords:
    """Vectors that n-grams share by hash.

    Args:
        buckets: float32 (buckets, width).
        lengths: shortest and longest n-gram, in characters; ``<`` and ``>`` mark the word's ends.
    """

    def __init__(self, buckets: NDArray[np.float32], lengths: tuple[int, int]) -> None:
        self.buckets, self.lengths = buckets, lengths

    def vectors(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Mean vectors of the words' n-grams, float32 (words, width), and which words have any, (words,)."""
        found = np.zeros((len(words), self.buckets.shape[1]), np.float32)
        has_some = np.zeros(len(words), np.bool_)
        for i, word in enumerate(words):
            places = [hash_of(gram) % len(self.buckets) for gram in n_grams(word, *self.lengths)]
            if places:
                found[i], has_some[i] = self.buckets[places].mean(0), True
        return found, has_some


def follow(subwords: Subwords, before: NDArray[np.float32], after: NDArray[np.float32]) -> Subwords:
    """Vectors of n-grams at the scale a table of words has now, which they came with.

    Training goes on with the words alone and stretches or shrinks their vectors; the factor is that of least
    squares between the two tables.

    Args:
        subwords: what has not moved.
        before: the words' vectors they came with, (words, width).
        after: the same words' vectors now.
    """
    square = float(np.square(before, dtype=np.float64).sum())
    if not square:
        return subwords
    scale = float(np.multiply(before, after, dtype=np.float64).sum()) / square
    return Subwords(subwords.buckets * np.float32(scale), subwords.lengths)


def n_grams(word: str, shortest: int, longest: int) -> Iterator[str]:
    """The n-grams of ``<word>``, in the order and choice of fastText: no n-gram is a border alone."""
    marked = f"<{word}>"
    for first in range(len(marked)):
        for size in range(shortest, longest + 1):
            if first + size > len(marked):
                break
            if not (size == 1 and first in (0, len(marked) - 1)):
                yield marked[first : first + size]


def hash_of(gram: str) -> int:
    """FNV-1a over UTF-8 with 32 bits, bytes read as signed, as fastText does."""
    value = _START
    for byte in gram.encode("utf-8", "surrogatepass"):
        value ^= byte if byte < 128 else byte | 0xFFFFFF00  # noqa: PLR2004 - sign extension of a byte
        value = value * _PRIME & 0xFFFFFFFF
    return value

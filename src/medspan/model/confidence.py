"""How sure a head is of the whole of a sentence: the probability of its best path.

The probability of a mention (`medspan.model.viterbi`) says nothing about mentions that are missing; that of
the path does. ``1 - p`` is the least-confidence measure of Culotta and McCallum (2005), and the logarithm a
word that of Shen et al. (2017).
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medspan.model.viterbi import TagDecoder
    from medspan.types import Document

    Floats = NDArray[np.float64]


class Rated(NamedTuple):
    """A document with the entities found, and how sure the model is of all of it.

    ``log_probability`` is that of the best tags of every word under every head, at most 0; ``words`` is how
    many there are. A document without words has 0 and 0.
    """

    document: Document
    log_probability: float
    words: int


def path_log_probabilities(
    decoder: TagDecoder, emissions: NDArray[np.float32], lengths: NDArray[np.int64]
) -> Floats:
    """The log-probability of the best legal path of each row, under the decoder's temperature.

    Viterbi and the forward algorithm in one pass: the best score less the log-partition. Rows meet in
    elementwise operations and in sums over the leading axis only, so a row's result has the same bits
    whatever its neighbours and padding are.

    Args:
        decoder: the decoder of a head.
        emissions: float32 (batch, words, tags), finite where a row has words.
        lengths: int64 (batch,).

    Returns:
        float64 (batch,), at most 0; 0 for a row without words.
    """
    if not len(lengths) or not emissions.shape[1]:
        return np.zeros(len(lengths))
    scaled, steps, start, end = scaled_parts(decoder, emissions, lengths)
    best = scaled[0] + start  # (tags, batch)
    total = best.copy()
    for word in range(1, int(lengths.max())):
        is_on = lengths > word
        best = np.where(is_on, (best[:, None] + steps).max(axis=0) + scaled[word], best)
        total = np.where(is_on, log_sum(total[:, None] + steps) + scaled[word], total)
    surplus = (best + end).max(axis=0) - log_sum(total + end)
    found: Floats = np.where(lengths > 0, np.minimum(surplus, 0.0), 0.0)
    return found


def scaled_parts(
    decoder: TagDecoder, emissions: NDArray[np.float32], lengths: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats, Floats]:
    """The scores of paths under the decoder's temperature, the batch last.

    Returns:
        Emissions (words, tags, batch), 0 behind a row's length; transitions (tags, tags, 1); start and end
        (tags, 1).
    """
    is_word = np.arange(emissions.shape[1]) < lengths[:, None]  # (batch, words)
    masked = np.where(is_word[..., None], emissions.astype(np.float64), 0.0)
    scaled = np.ascontiguousarray(masked.transpose(1, 2, 0)) / decoder.temperature
    steps, start, end = (
        part[..., None] / decoder.temperature for part in (decoder.transitions, decoder.start, decoder.end)
    )
    return scaled, steps, start, end


def log_sum(values: Floats) -> Floats:
    """``log(sum(exp(values)))`` over the leading axis, of which one value at least is finite."""
    top = values.max(axis=0)
    # Added one by one: `sum` would add in pairs where the batch has one row.
    sums: Floats = top + np.log(reduce(np.add, np.exp(values - top)))
    return sums

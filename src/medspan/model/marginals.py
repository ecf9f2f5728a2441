"""How likely each tag is at each word, whatever the others are: forward-backward over the legal paths.

Rabiner 1989. `medspan.model.viterbi` gives probabilities of what was found only; a student is taught by those
of all tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medspan.model.confidence import log_sum, scaled_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from medspan.model.viterbi import TagDecoder

    Floats = NDArray[np.float64]


def tag_marginals(
    decoder: TagDecoder, emissions: NDArray[np.float32], lengths: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The probability of each tag at each word, under the decoder's temperature; 0 for an illegal one.

    Args:
        decoder: the decoder of a head, CRF or softmax.
        emissions: float32 (batch, words, tags), finite where a row has words.
        lengths: int64 (batch,).

    Returns:
        float32 (batch, words, tags); the tags of a word sum to 1, behind a row's length all are 0.
    """
    words = int(lengths.max(initial=0))
    if not words:
        return np.zeros(emissions.shape, np.float32)
    scaled, steps, start, end = scaled_parts(decoder, emissions, lengths)
    forward = np.empty((words, *scaled.shape[1:]))  # (words, tags, batch), with the word's own emission
    forward[0] = scaled[0] + start
    for word in range(1, words):
        ways = log_sum(forward[word - 1][:, None] + steps)
        forward[word] = np.where(lengths > word, ways + scaled[word], forward[word - 1])
    backward = np.empty_like(forward)  # without it
    backward[-1] = end
    turned = steps.transpose(1, 0, 2)
    for word in range(words - 2, -1, -1):
        ways = log_sum((backward[word + 1] + scaled[word + 1])[:, None] + turned)
        backward[word] = np.where(lengths > word + 1, ways, end)
    sums = forward + backward
    share = np.exp(sums - log_sum(sums.transpose(1, 0, 2))[:, None])
    found = np.zeros(emissions.shape, np.float32)
    inside = np.arange(words)[:, None] < lengths  # (words, batch)
    found[:, :words] = np.where(inside[:, None], share, 0.0).transpose(2, 0, 1)
    return found

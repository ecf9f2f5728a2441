"""Language model head: the forward states predict the next word, the backward states the word before.

The border of a sentence is a word too (id 0, the padding of the vocabulary): the last forward state and the
first backward state predict it. Both directions share one output table, as in ELMo (Peters et al.
2018).

Training compares a target with some words only: those drawn from the unigram distribution to the power 3/4,
and all targets of the batch, which cost nothing more. Each logit is corrected by the logarithm of the chance
that its word is among them (Jean et al. 2015; Jozefowicz et al. 2016). Perplexity is of the full softmax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from medspan.train.dropout import Dropout

if TYPE_CHECKING:
    from collections.abc import Sequence

BORDER = 0
_POWER = 0.75
_STATES_AT_ONCE = 512


class Predictions(NamedTuple):
    """States that predict, float (predictions, width of a direction), and the ids they should predict."""

    states: Tensor
    targets: Tensor


def directions(level: Tensor, ids: Tensor, lengths: Tensor) -> tuple[Predictions, Predictions]:
    """What each direction predicts at every place inside the rows.

    Args:
        level: float (batch, places, 2 x hidden), the forward half first.
        ids: int64 (batch, places) of what stands at each place, 0 where padded.
        lengths: int64 (batch,) places of each row.
    """
    border = torch.full_like(ids[:, :1], BORDER)
    ahead = torch.cat([ids[:, 1:], border], 1)
    behind = torch.cat([border, ids[:, :-1]], 1)
    inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
    forward, backward = level[inside].chunk(2, 1)
    return Predictions(forward, ahead[inside]), Predictions(backward, behind[inside])


class LmHead(nn.Module):
    """Sampled softmax over words or characters.

    Args:
        width: width of one direction of the encoder.
        counts: how often each id is a target, (ids,); zeros count as one.
        negatives: words drawn for a batch; 0, or as many as there are ids, for the full softmax.
        dropout: share of states dropped in training.
    """

    log_missed: Tensor
    cumulative: Tensor

    def __init__(self, width: int, counts: Sequence[int], *, negatives: int, dropout: float) -> None:
        super().__init__()
        self.negatives = negatives if negatives < len(counts) else 0
        is_sparse = bool(self.negatives)
        self.output = nn.Embedding(len(counts), width, sparse=is_sparse)
        self.bias = nn.Embedding(len(counts), 1, sparse=is_sparse)
        self.dropout = Dropout(dropout)
        often = np.maximum(np.asarray(counts, np.float64), 1.0)
        share, drawn = often / often.sum(), often**_POWER / (often**_POWER).sum()
        missed = np.stack([np.log1p(-share), np.log1p(-drawn)])
        self.register_buffer("log_missed", torch.from_numpy(missed), persistent=False)
        self.register_buffer("cumulative", torch.from_numpy(np.cumsum(drawn)), persistent=False)
        nn.init.normal_(self.output.weight, 0.0, width**-0.5)
        with torch.no_grad():
            self.bias.weight[:, 0] = torch.from_numpy(np.log(share)).float()  # states need not say it

    def loss(self, level: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Mean cross-entropy of both directions, in nats; shapes as in `directions`."""
        forward, backward = directions(level, ids, lengths)
        states = self.dropout(torch.cat([forward.states, backward.states]))
        targets = torch.cat([forward.targets, backward.targets])
        if not self.negatives:
            return nn.functional.cross_entropy(self.logits(states), targets)
        words, labels = self._candidates(targets)
        correction = self._log_chance(words, len(forward.targets))
        products = states @ self.output(words).to(states.dtype).t()  # where half precision saves most
        logits = products.float().add_(self.bias(words)[:, 0] - correction)
        return nn.functional.cross_entropy(logits, labels)

    def logits(self, states: Tensor) -> Tensor:
        """Over all ids: float (predictions, ids)."""
        return torch.addmm(self.bias.weight[:, 0], states.float(), self.output.weight.t())

    def cost(self, level: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Sums of the full softmax' cross-entropy, in nats: float64 (2,), forward and backward."""
        sums = []
        for states, targets in directions(level, ids, lengths):
            parts = zip(
                torch.split(states, _STATES_AT_ONCE), torch.split(targets, _STATES_AT_ONCE), strict=True
            )
            costs = [nn.functional.cross_entropy(self.logits(s), t, reduction="sum") for s, t in parts]
            sums.append(torch.stack(costs).double().sum())
        return torch.stack(sums)

    def _candidates(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Ids to tell apart, ascending, and where each target stands among them."""
        draws = torch.rand(self.negatives, dtype=torch.float64).to(targets.device)
        drawn = torch.searchsorted(self.cumulative, draws).clamp(max=len(self.cumulative) - 1)
        words, places = torch.unique(torch.cat([targets, drawn]), return_inverse=True)
        return words, places[: len(targets)]

    def _log_chance(self, words: Tensor, targets: int) -> Tensor:
        """Logarithm of the chance that a word is among the candidates.

        The two directions predict nearly the same words, so a batch counts as one draw of its words.
        """
        missed = self.log_missed[0, words] * targets + self.log_missed[1, words] * self.negatives
        return torch.log(-torch.expm1(missed)).float()

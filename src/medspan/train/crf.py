"""Linear-chain CRF: the log-partition and its gradient, nothing else; decoding is model/viterbi.py.

Lafferty, McCallum & Pereira 2001. The recursion runs over words in Python but over batch and tags at once,
and its gradient is the forward-backward posterior (no autograd graph per word), which is what makes it cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from medspan.tags import may_end, may_follow, may_start

if TYPE_CHECKING:
    from collections.abc import Sequence

ILLEGAL = -1e4
_WIDEST = 80.0
"""Beyond this spread of scores, powers of e underflow in float32 and the only legal path may be lost."""


class _LogPartition(torch.autograd.Function):
    """Log-partition of each row, (batch,).

    Takes emissions (words, batch, tags), transitions (tags, tags), start, end (tags,), mask (words, batch).
    Several heads run as one with their axis in front: emissions (words, heads, batch, tags), transitions
    (heads, tags, tags), start, end (heads, 1, tags), and the result (heads, batch).
    """

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:  # noqa: ANN401 - torch's context
        emissions, transitions, start, end, mask = inputs
        ctx.is_wide = _is_wide(emissions, transitions)
        onward = _exact if ctx.is_wide else _quick
        alphas = [start + emissions[0]]
        step = transitions if ctx.is_wide else transitions.exp()
        for t in range(1, len(emissions)):
            after = onward(alphas[-1], step) + emissions[t]
            alphas.append(torch.where(mask[t, :, None], after, alphas[-1]))
        alpha = torch.stack(alphas)
        log_z = torch.logsumexp(alpha[-1] + end, -1)
        ctx.save_for_backward(*inputs, alpha, log_z)
        return log_z

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's context
        emissions, transitions, start, end, mask, alpha, log_z = ctx.saved_tensors
        beta = _betas(emissions, transitions, end, mask, is_wide=ctx.is_wide)
        scale = grads[0][None, ..., None]
        inside = mask.view(len(mask), *[1] * (log_z.ndim - 1), -1, 1)
        posterior = torch.where(inside, (alpha + beta - log_z[None, ..., None]).exp(), 0.0) * scale
        joint = None
        if ctx.needs_input_grad[1]:
            # The joint posterior of neighbours, for all pairs of words: (words - 1, batch, tags, tags).
            right = (emissions[1:] + beta[1:] - log_z[None, ..., None])[..., None, :]
            pairs = (alpha[:-1, ..., None] + transitions.unsqueeze(-3) + right).exp()
            pairs = torch.where(inside[1:, ..., None], pairs, 0.0) * scale[..., None]
            joint = pairs.sum((0, -3))
        last = inside & ~torch.cat([inside[1:], torch.zeros_like(inside[:1])])
        ends = (posterior * last).sum(0).sum(-2, keepdim=end.ndim > 1)
        return posterior, joint, posterior[0].sum(-2, keepdim=start.ndim > 1), ends, None


def _betas(emissions: Tensor, transitions: Tensor, end: Tensor, mask: Tensor, *, is_wide: bool) -> Tensor:
    """Backward scores (words, batch, tags); at a row's last word and behind it they equal ``end``."""
    onward = _exact if is_wide else _quick
    step = transitions.mT if is_wide else transitions.mT.exp()
    betas = [end.expand_as(emissions[0])]
    for t in range(len(emissions) - 1, 0, -1):
        before = onward(emissions[t] + betas[-1], step)
        betas.append(torch.where(mask[t, :, None], before, betas[-1]))
    return torch.stack(betas[::-1])


def _is_wide(emissions: Tensor, transitions: Tensor) -> bool:
    """Whether a legal path may score so far below the best prefix that `_quick` loses it."""
    legal = transitions[transitions > ILLEGAL / 2]
    spread = emissions.amax() - emissions.amin() + legal.amax() - legal.amin()
    return not float(spread) < _WIDEST


def _quick(scores: Tensor, step: Tensor) -> Tensor:
    """Log-sum over one tag of scores (batch, tags) and a step given as powers of e, (tags, tags)."""
    top = scores.amax(-1, keepdim=True)
    return torch.log((scores - top).exp() @ step) + top


def _exact(scores: Tensor, step: Tensor) -> Tensor:
    """The same for a step given as it is; slower, safe for scores of any size."""
    return torch.logsumexp(scores[..., None] + step.unsqueeze(-3), -2)


class Crf(nn.Module):
    """Transition scores of IOBES tags; illegal ones are held at -10,000 and never learnt.

    Args:
        tags: the tags, ``O`` first.
    """

    legal: Tensor
    legal_start: Tensor
    legal_end: Tensor

    def __init__(self, tags: tuple[str, ...]) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(len(tags), len(tags)))
        self.start = nn.Parameter(torch.zeros(len(tags)))
        self.end = nn.Parameter(torch.zeros(len(tags)))
        self.register_buffer(
            "legal", torch.tensor([[may_follow(a, b) for b in tags] for a in tags]), persistent=False
        )
        self.register_buffer("legal_start", torch.tensor([may_start(tag) for tag in tags]), persistent=False)
        self.register_buffer("legal_end", torch.tensor([may_end(tag) for tag in tags]), persistent=False)

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions (tags, tags), start and end (tags,), with the illegal ones masked."""
        return (
            torch.where(self.legal, self.transitions, ILLEGAL),
            torch.where(self.legal_start, self.start, ILLEGAL),
            torch.where(self.legal_end, self.end, ILLEGAL),
        )

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood, summed over rows.

        Args:
            emissions: float (batch, words, tags).
            tags: int64 (batch, words); anything where padded.
            lengths: int64 (batch,).
        """
        mask = torch.arange(tags.shape[1], device=tags.device) < lengths[:, None]
        transitions, start, end = self.scores()
        by_word = emissions.float().transpose(0, 1).contiguous()
        log_z: Tensor = _LogPartition.apply(  # type: ignore[no-untyped-call]
            by_word, transitions, start, end, mask.t().contiguous()
        )
        gold = _path_score(emissions.float(), tags, mask, (transitions, start, end))
        return (log_z - gold).sum()


def _path_score(
    emissions: Tensor, tags: Tensor, mask: Tensor, scores: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """Score of the given tags, (batch,)."""
    transitions, start, end = scores
    places = torch.where(mask, tags, 0)
    picked = emissions.gather(2, places[:, :, None])[:, :, 0].masked_fill(~mask, 0.0).sum(1)
    moves = transitions[places[:, :-1], places[:, 1:]].masked_fill(~mask[:, 1:], 0.0).sum(1)
    last = places.gather(1, mask.sum(1, keepdim=True) - 1)[:, 0]
    return picked + moves + start[places[:, 0]] + end[last]


def soft_losses(
    crfs: Sequence[Crf], emissions: Sequence[Tensor], marginals: Sequence[Tensor], lengths: Tensor
) -> Tensor:
    """How far heads with equally many tags are from a teacher's marginals, summed over heads and rows.

    The log-partition less the score the teacher expects, word by word. Its gradient by the emissions is the
    student's marginals less the teacher's, and is zero where they are equal; so it is the cross-entropy of
    Wang et al. (2021, structural knowledge distillation) with one thing held: the transitions, which would
    need the marginals of pairs of tags and learn from gold alone. Up to a constant it is the Kullback-Leibler
    divergence to the student from the CRF with the student's transitions and the teacher's marginals, and it
    costs no more than the likelihood of gold tags.

    Args:
        crfs: one a head.
        emissions: of each head, float (batch, words, tags).
        marginals: of each head, float (batch, words, tags); 0 where padded.
        lengths: int64 (batch,).
    """
    scores = [crf.scores() for crf in crfs]
    transitions = torch.stack([part[0].detach() for part in scores])
    start, end = (torch.stack([part[i] for part in scores])[:, None] for i in (1, 2))
    by_word = torch.stack(
        [each.float().transpose(0, 1) for each in emissions], 1
    )  # (words, heads, batch, tags)
    wanted = torch.stack([each.float().transpose(0, 1) for each in marginals], 1)
    mask = torch.arange(len(by_word), device=lengths.device)[:, None] < lengths
    log_z: Tensor = _LogPartition.apply(by_word, transitions, start, end, mask)  # type: ignore[no-untyped-call]
    last = wanted[lengths - 1, :, torch.arange(len(lengths), device=lengths.device)]  # (batch, heads, tags)
    # An illegal start or end has no share under any teacher, and its score is no number to multiply with.
    ends = (wanted[0] * start.clamp(min=-_WIDEST)).sum() + (last * end[:, 0].clamp(min=-_WIDEST)).sum()
    return log_z.sum() - (by_word * wanted).sum() - ends

"""The CRF's value and gradient at scores of any size, against autograd through exact log-sums."""

from __future__ import annotations

import pytest
import torch

from medspan.tags import iobes_tags
from medspan.train.crf import Crf, _LogPartition, _path_score

TAGS = tuple(iobes_tags(("Drug", "Disease")))


def exact_loss(crf: Crf, emissions: torch.Tensor, tags: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    transitions, start, end = crf.scores()
    total = emissions.new_zeros(())
    for row, length in enumerate(lengths.tolist()):
        alpha = start + emissions[row, 0]
        for t in range(1, length):
            alpha = torch.logsumexp(alpha[:, None] + transitions, 0) + emissions[row, t]
        total = total + torch.logsumexp(alpha + end, 0)
    mask = torch.arange(tags.shape[1]) < lengths[:, None]
    return total - _path_score(emissions, tags, mask, (transitions, start, end)).sum()


@pytest.mark.parametrize("size", [0.0, 1.0, 10.0, 25.0, 100.0, 1000.0])
def test_loss_and_gradient_equal_exact_log_sums(size: float) -> None:
    torch.manual_seed(4)
    crf = Crf(TAGS)
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    lengths = torch.tensor([9, 1, 4, 2])
    tags = torch.zeros(4, 9, dtype=torch.int64)
    found, wanted = [], []
    emissions = (torch.randn(4, 9, len(TAGS)) * size).requires_grad_()
    for loss, into in ((crf.loss, found), (lambda *a: exact_loss(crf, *a), wanted)):
        value = loss(emissions, tags, lengths)
        into.append(value)
        into.extend(torch.autograd.grad(value, [emissions, *crf.parameters()]))
    for mine, theirs in zip(found, wanted, strict=True):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=2e-3)


def test_a_prefix_that_may_not_end_does_not_hide_the_legal_path() -> None:
    """The last word is surely a beginning, which may not end a sentence: the loss stays a number."""
    crf = Crf(TAGS)
    emissions = torch.zeros(1, 3, len(TAGS))
    emissions[0, 2, 1] = 500.0
    scores = crf.scores()
    mask = torch.ones(3, 1, dtype=torch.bool)
    log_z = _LogPartition.apply(emissions.transpose(0, 1), *scores, mask).detach()
    assert 0 < float(log_z) < 20

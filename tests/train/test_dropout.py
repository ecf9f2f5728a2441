"""Dropout: the stated share, the mean, determinism, and nothing outside training."""

from __future__ import annotations

import pytest
import torch

from medspan.train.dropout import Dropout


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.3, 0.5, 0.9])
def test_share_dropped_and_mean_kept(rate):
    torch.manual_seed(1)
    states = torch.ones(400, 501)
    dropped = Dropout(rate)(states)
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)


def test_every_eighth_element_is_like_the_others():
    torch.manual_seed(2)
    kept = (Dropout(0.5)(torch.ones(80_000)) != 0).float().view(-1, 8).mean(0)
    assert torch.allclose(kept, torch.full((8,), 0.5), atol=0.02)


def test_same_seed_same_mask_and_nothing_in_evaluation():
    layer = Dropout(0.5)
    states = torch.ones(3, 7)
    torch.manual_seed(3)
    first = layer(states)
    torch.manual_seed(3)
    assert torch.equal(first, layer(states))
    assert torch.equal(layer.eval()(states), states)


def test_gradient_is_the_mask():
    states = torch.ones(50, requires_grad=True)
    torch.manual_seed(4)
    dropped = Dropout(0.5)(states)
    dropped.sum().backward()
    assert torch.equal(states.grad, dropped.detach())

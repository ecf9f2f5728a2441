"""Optimisers, learning rate, the running average."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from medspan.config import TrainConfig
from medspan.train.optim import Average, Optimizer, learning_rate


class Small(nn.Module):
    """A sparse and a dense table, a matrix and a bias."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.words = nn.Embedding(20, 4, sparse=True)
        self.chars = nn.Embedding(6, 4)
        self.out = nn.Linear(4, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.words(ids) + self.chars(ids % 6))


def learn(network: Small, optimizer: Optimizer, steps: range) -> list[float]:
    norms = []
    for step in steps:
        ids = torch.randint(0, 20, (5,), generator=torch.Generator().manual_seed(step))
        network(ids).square().sum().backward()
        norms.append(optimizer.step(0.05 / (1 + step)))
    return norms


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_saved_state_gives_the_same_next_steps(decay: float):
    config = TrainConfig(weight_decay=decay)
    network = Small()
    optimizer = Optimizer(network, config)
    learn(network, optimizer, range(4))
    saved = {name: tensor.clone() for name, tensor in optimizer.tensors().items()}
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learn(network, optimizer, range(4, 9))

    other = Small()
    other.load_state_dict(weights)
    resumed = Optimizer(other, config)
    resumed.load(saved)
    learn(other, resumed, range(4, 9))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    again = resumed.tensors()
    for name, tensor in optimizer.tensors().items():
        assert torch.equal(tensor, again[name]), name


def test_state_has_a_name_for_every_part():
    network = Small()
    optimizer = Optimizer(network, TrainConfig())
    assert optimizer.tensors() == {}
    learn(network, optimizer, range(1))
    parts = {name.partition("/")[0] for name in optimizer.tensors()}
    assert parts == {"words.weight", "chars.weight", "out.weight", "out.bias"}


def test_only_rows_of_a_sparse_table_that_were_used_move():
    network = Small()
    before = network.words.weight.detach().clone()
    optimizer = Optimizer(network, TrainConfig(weight_decay=0.5))
    for _ in range(2):  # in the second step the first rows have momentum and no gradient
        network(torch.tensor([3, 7])).sum().backward()
        optimizer.step(0.1)
    moved = (network.words.weight != before).any(1).nonzero()[:, 0].tolist()
    assert moved == [3, 7]


def test_tables_and_biases_do_not_decay():
    network = Small()
    optimizer = Optimizer(network, TrainConfig(weight_decay=0.5))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    (0.0 * network(torch.tensor([1])).sum()).backward()
    optimizer.step(0.1)
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"out.weight"}


def test_clipping_scales_to_the_largest_norm():
    network = Small()
    optimizer = Optimizer(network, TrainConfig(clip=1e-3))
    (1000 * network(torch.tensor([1, 1, 2])).square().sum()).backward()
    norm = optimizer._clip()
    assert norm > 1.0
    dense = [p.grad for n, p in network.named_parameters() if n != "words.weight"]
    flat = torch.cat(
        [*(grad.flatten() for grad in dense), network.words.weight.grad.coalesce().values().flatten()]
    )
    assert flat.norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_small_gradients_stay():
    network = Small()
    optimizer = Optimizer(network, TrainConfig(clip=1e6))
    network(torch.tensor([1])).sum().backward()
    before = network.out.weight.grad.clone()
    optimizer._clip()
    assert torch.equal(network.out.weight.grad, before)


@pytest.mark.parametrize(
    ("step", "total", "warmup", "expected"),
    [
        (0, 100, 0.1, 0.1),
        (4, 100, 0.1, 0.5),
        (9, 100, 0.1, 1.0),
        (10, 100, 0.1, 1.0),
        (55, 100, 0.1, 0.1 + 0.9 / 2),
        (100, 100, 0.1, 0.1),
        (500, 100, 0.1, 0.1),
        (0, 100, 0.0, 1.0),
        (0, 1, 0.5, 1.0),
        (0, 0, 0.5, 1.0),
    ],
)
def test_learning_rate(step: int, total: int, warmup: float, expected: float):
    config = TrainConfig(learning_rate=2.0, warmup=warmup, final_rate=0.1)
    assert learning_rate(config, step, total) == pytest.approx(2.0 * expected)


def test_learning_rate_never_rises_after_the_warm_up():
    rates = [learning_rate(TrainConfig(), step, 200) for step in range(10, 220)]
    assert all(a >= b > 0 for a, b in itertools.pairwise(rates))
    assert math.isclose(rates[-1], TrainConfig().learning_rate * TrainConfig().final_rate)


def test_two_swaps_change_nothing():
    network = Small()
    average = Average(network, 0.9)
    learn(network, Optimizer(network, TrainConfig()), range(3))
    average.update(9)
    live = {name: p.detach().clone() for name, p in network.named_parameters()}
    kept = {name: tensor.clone() for name, tensor in average.weights.items()}
    average.swap()
    assert all(torch.equal(p, kept[name]) for name, p in network.named_parameters())
    assert any(not torch.equal(p, live[name]) for name, p in network.named_parameters())
    average.swap()
    assert all(torch.equal(p, live[name]) for name, p in network.named_parameters())
    assert all(torch.equal(average.weights[name], kept[name]) for name in kept)


def test_the_average_moves_every_ten_steps_towards_the_weights():
    network = Small()
    average = Average(network, 0.5)
    start = average.weights["out.weight"].clone()
    with torch.no_grad():
        network.out.weight += 1.0
    for step in range(9):
        average.update(step)
    assert torch.equal(average.weights["out.weight"], start)
    average.update(9)
    gap = network.out.weight.detach() - average.weights["out.weight"]
    torch.testing.assert_close(gap, torch.full_like(gap, 0.5**10), rtol=1e-2, atol=1e-5)


def test_without_decay_there_is_no_average():
    network = Small()
    average = Average(network, 0.0)
    live = network.out.weight.detach().clone()
    average.update(9)
    average.swap()
    assert average.weights == {}
    assert torch.equal(network.out.weight, live)

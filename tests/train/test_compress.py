"""Narrowing the first layer: the best factors, as long as the words are those of the training text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from msgspec.structs import replace

from medspan.errors import ConfigError
from medspan.train.compress import factorize, second_moment
from medspan.train.loop import Trainer
from tiny_training import Silent, lively_network, tiny_corpus, tiny_recipe

if TYPE_CHECKING:
    from pathlib import Path


def draws(width: int, rows: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = (
        torch.randn(width, width, generator=generator, dtype=torch.float64)
        * torch.logspace(0, -3, width)[:, None]
    )
    return torch.randn(rows, width, generator=generator, dtype=torch.float64) @ mix


def loss(weights: torch.Tensor, product: torch.Tensor, inputs: torch.Tensor) -> float:
    return float(((weights - product) @ inputs.T).square().sum() / (weights @ inputs.T).square().sum())


@pytest.mark.parametrize("rank", [1, 3, 7])
def test_no_other_factors_of_the_rank_lose_less(rank: int) -> None:
    inputs = draws(12, 400, seed=1)
    weights = torch.randn(30, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    first, second, lost = factorize(weights, inputs.T @ inputs / len(inputs), rank)
    assert first.shape == (rank, 12)
    assert second.shape == (30, rank)
    best = loss(weights, second @ first, inputs)
    assert best == pytest.approx(lost, rel=1e-2)
    sizes = torch.linalg.svdvals(weights @ inputs.T)
    power = sizes.square()
    assert best == pytest.approx(float(power[rank:].sum() / power.sum()), rel=1e-2, abs=1e-9)
    plain = torch.linalg.svd(weights)
    assert best <= loss(weights, plain.U[:, :rank] * plain.S[:rank] @ plain.Vh[:rank], inputs) + 1e-9


def test_full_rank_loses_nothing() -> None:
    inputs = draws(8, 100, seed=3)
    weights = torch.randn(20, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    first, second, lost = factorize(weights, inputs.T @ inputs, 8)
    assert lost == 0
    torch.testing.assert_close(second @ first, weights, atol=1e-6, rtol=1e-6)


def test_the_moment_counts_every_word_of_the_text() -> None:
    recipe = tiny_recipe("blstm_cnn")
    network, featurizer = lively_network(recipe, tiny_corpus(recipe, size=20))
    assert network.features is not None
    sentences = [["grey", "fever", "grey"], ["x"]]
    found = second_moment(network.features, featurizer.vocab, sentences, recipe.encoder.max_chars)
    arrays = featurizer.arrays([featurizer.encode(["grey", "fever", "grey", "x"])])
    with torch.inference_mode():
        states = network.features({k: torch.from_numpy(v) for k, v in arrays.items()})[0].double()
    torch.testing.assert_close(found, states.T @ states / 4)


def test_narrowed_before_training_it_learns_in_its_new_shape(tmp_path: Path) -> None:
    recipe = tiny_recipe("blstm_cnn")
    recipe = replace(
        recipe,
        train=replace(recipe.train, narrow_first=True),
        export=replace(recipe.export, input_rank=4),
    )
    corpora = [tiny_corpus(recipe, size=20)]
    trainer = Trainer(recipe, corpora, tmp_path, torch.device("cpu"))
    features = trainer.network.features
    assert features is not None
    assert features.width == 4
    before = features.project.weight.clone() if features.project else torch.empty(0)
    trainer.run(Silent())
    assert features.project is not None
    assert not torch.equal(features.project.weight, before)
    without = replace(recipe, export=replace(recipe.export, input_rank=0))
    with pytest.raises(ConfigError, match="input_rank"):
        Trainer(without, corpora, tmp_path, torch.device("cpu"))

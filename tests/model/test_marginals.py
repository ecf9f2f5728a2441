"""The marginals of tags against every path counted by hand, and their independence of neighbours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from medspan.model.marginals import tag_marginals
from medspan.model.viterbi import TagDecoder
from medspan.tags import iobes_tags


def decoder(labels: tuple[str, ...] = ("A",), *, temperature: float = 1.0) -> TagDecoder:
    tags = iobes_tags(labels)
    draw = np.random.default_rng(3)
    shapes = ((len(tags), len(tags)), len(tags), len(tags))
    transitions, start, end = (draw.normal(size=shape) for shape in shapes)
    return TagDecoder(tags, transitions, start, end=end, temperature=temperature)


def by_hand(one: TagDecoder, emissions: np.ndarray) -> np.ndarray:
    """(words, tags): the summed probability of the paths through each tag, each path scored by itself."""
    found = np.zeros(emissions.shape)
    for path in itertools.product(range(len(one.tags)), repeat=len(emissions)):
        score = one.start[path[0]] + one.end[path[-1]] + sum(emissions[i, tag] for i, tag in enumerate(path))
        score += sum(one.transitions[a, b] for a, b in itertools.pairwise(path))
        found[np.arange(len(path)), list(path)] += np.exp(score / one.temperature)
    return found / found.sum(1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("words", [1, 2, 4])
@pytest.mark.parametrize("is_joint", [True, False])
def test_equals_the_count_of_all_paths(temperature: float, words: int, is_joint: bool):  # noqa: FBT001 - a table
    one = decoder(temperature=temperature)
    if not is_joint:
        one = TagDecoder(one.tags, temperature=temperature)
    emissions = np.random.default_rng(words).normal(size=(1, words, len(one.tags))).astype(np.float32)
    found = tag_marginals(one, emissions, np.array([words]))
    np.testing.assert_allclose(found[0], by_hand(one, emissions[0].astype(np.float64)), atol=1e-6)


def test_neighbours_and_padding_do_not_matter():
    one = decoder(("A", "B", "C"))
    lengths = np.array([7, 0, 1, 30, 4])
    emissions = np.random.default_rng(1).normal(size=(5, 30, len(one.tags))).astype(np.float32)
    together = tag_marginals(one, emissions, lengths)
    emissions[0, 7:] = np.nan  # behind the length
    for row, length in enumerate(lengths):
        alone = tag_marginals(one, emissions[row : row + 1, : max(length, 1)], lengths[row : row + 1])
        assert (alone[0, :length] == together[row, :length]).all()
        assert not together[row, length:].any()
        np.testing.assert_allclose(together[row, :length].sum(1), 1, atol=1e-6)


def test_far_apart_emissions_stay_finite():
    one = decoder()
    emissions = np.zeros((1, 3, len(one.tags)), np.float32)
    emissions[0, :, 2] = 1e5  # I, which may neither start nor end
    found = tag_marginals(one, emissions, np.array([3]))
    np.testing.assert_allclose(found[0], [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 0, 5), (0, 3, 5), (2, 0, 5)])
def test_nothing_gives_nothing(shape: tuple[int, int, int]):
    found = tag_marginals(decoder(), np.zeros(shape, np.float32), np.zeros(shape[0], np.int64))
    assert found.shape == shape

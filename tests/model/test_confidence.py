"""The probability of the best path against every path counted by hand, and its independence of neighbours."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from medspan.model.confidence import path_log_probabilities
from medspan.model.viterbi import TagDecoder
from medspan.tags import iobes_tags
from trained import model_folder


def decoder(labels: tuple[str, ...] = ("A",), *, temperature: float = 1.0) -> TagDecoder:
    tags = iobes_tags(labels)
    draw = np.random.default_rng(3)
    return TagDecoder(
        tags,
        draw.normal(size=(len(tags), len(tags))),
        draw.normal(size=len(tags)),
        end=draw.normal(size=len(tags)),
        temperature=temperature,
    )


def by_hand(one: TagDecoder, emissions: np.ndarray) -> float:
    """Log-probability of the best of all paths, each scored by itself."""
    scores = []
    for path in itertools.product(range(len(one.tags)), repeat=len(emissions)):
        score = one.start[path[0]] + one.end[path[-1]] + sum(emissions[i, tag] for i, tag in enumerate(path))
        score += sum(one.transitions[a, b] for a, b in itertools.pairwise(path))
        scores.append(score / one.temperature)
    return max(scores) - math.log(sum(math.exp(score) for score in scores))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("words", [1, 2, 4])
def test_equals_the_count_of_all_paths(temperature: float, words: int):
    one = decoder(temperature=temperature)
    emissions = np.random.default_rng(words).normal(size=(1, words, len(one.tags))).astype(np.float32)
    found = path_log_probabilities(one, emissions, np.array([words]))
    assert found[0] == pytest.approx(by_hand(one, emissions[0].astype(np.float64)), abs=1e-9)


def test_neighbours_and_padding_do_not_matter():
    one = decoder(("A", "B", "C"))
    lengths = np.array([7, 0, 1, 30, 4])
    emissions = np.random.default_rng(1).normal(size=(5, 30, len(one.tags))).astype(np.float32)
    together = path_log_probabilities(one, emissions, lengths)
    emissions[0, 7:] = np.nan  # behind the length
    for row, length in enumerate(lengths):
        alone = path_log_probabilities(
            one, emissions[row : row + 1, : max(length, 1)], lengths[row : row + 1]
        )
        assert alone[0] == together[row]
    assert together[1] == 0
    assert (together <= 0).all()


def test_no_rows_and_no_words():
    one = decoder()
    assert path_log_probabilities(one, np.zeros((0, 3, 5), np.float32), np.zeros(0, np.int64)).shape == (0,)
    assert path_log_probabilities(one, np.zeros((2, 0, 5), np.float32), np.zeros(2, np.int64)).tolist() == [
        0,
        0,
    ]


def test_a_model_rates_as_it_annotates():
    import medspan  # noqa: PLC0415 - after the model is there

    folder = model_folder()
    nlp = medspan.load(folder, device="cpu", threads=1)
    texts = [
        "No sign of grey fever after zelvorin, as expected.",
        "",
        "dry lung " * 60,
        "lung zelvorin grey no",
    ]
    rated = list(nlp.rate(texts))
    assert [each.document for each in rated] == list(nlp.annotate(texts))
    assert [each.words for each in rated] == [11, 0, 120, 4]
    assert rated[1].log_probability == 0
    assert all(each.log_probability <= 0 for each in rated)
    assert rated[0].log_probability == next(iter(nlp.rate(texts[:1]))).log_probability
    assert rated[0].log_probability / 11 > rated[3].log_probability / 4  # a sentence as in training is surer

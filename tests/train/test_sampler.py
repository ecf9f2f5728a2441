"""Which examples stand in which batch, and what is hidden in it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.features.batch import TEXT_INPUTS, WORD_INPUTS, Featurizer
from medspan.features.vocab import UNKNOWN_DIGIT, UNKNOWN_LOWER, UNKNOWN_WORD, build_vocab
from medspan.train.data import Encoded
from medspan.train.sampler import Batch, Feeder, epoch_groups

LENGTHS = [[3, 9, 4, 4, 30, 1, 7, 7], [5] * 11]
SENTENCE = ["often"] * 4 + ["seldom", "1999"]


def drawn(weights: list[float], epoch: int = 0, seed: int = 13) -> Counter[tuple[int, int]]:
    groups = epoch_groups(LENGTHS, weights, budget=20, seed=seed, epoch=epoch)
    return Counter((corpus, member) for corpus, members in groups for member in members)


def test_same_seed_and_epoch_same_batches():
    first = epoch_groups(LENGTHS, [1, 1], budget=20, seed=3, epoch=2)
    assert first == epoch_groups(LENGTHS, [1, 1], budget=20, seed=3, epoch=2)
    assert first != epoch_groups(LENGTHS, [1, 1], budget=20, seed=3, epoch=3)
    assert first != epoch_groups(LENGTHS, [1, 1], budget=20, seed=4, epoch=2)


def test_every_example_once_an_epoch():
    found = drawn([1.0, 1.0])
    assert found == Counter({(c, i): 1 for c, sizes in enumerate(LENGTHS) for i in range(len(sizes))})


@pytest.mark.parametrize(("weight", "count"), [(2.0, 16), (0.5, 4), (1.25, 10), (0.01, 0)])
def test_weights_say_how_often(weight: float, count: int):
    found = drawn([weight, 1.0])
    mine = [n for (corpus, _), n in found.items() if corpus == 0]
    assert sum(mine) == count
    assert not mine or max(mine) - min(mine) <= 1
    assert sum(n for (corpus, _), n in found.items() if corpus == 1) == 11


def test_a_share_is_another_one_each_epoch():
    assert len({frozenset(drawn([0.5, 1.0], epoch)) for epoch in range(6)}) > 1


@given(
    lengths=st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=20), min_size=1, max_size=3),
    budget=st.integers(1, 90),
    epoch=st.integers(0, 50),
)
def test_batches_stay_within_the_budget(lengths: list[list[int]], budget: int, epoch: int):
    groups = epoch_groups(lengths, [1.0] * len(lengths), budget=budget, seed=1, epoch=epoch)
    for corpus, members in groups:
        assert len(members) == 1 or len(members) * max(lengths[corpus][i] for i in members) <= budget
    assert sum(len(members) for _, members in groups) == sum(map(len, lengths))


def fed(word_dropout: float, char_dropout: float, *, seed: int = 1, step: int = 0) -> Batch:
    vocab = build_vocab([SENTENCE], min_char_count=1)
    featurizer = Featurizer(vocab, (*WORD_INPUTS, *TEXT_INPUTS), max_chars=8)
    rows = [featurizer.encode(SENTENCE), featurizer.encode(SENTENCE[:2])]
    examples = [Encoded(row, {"h": np.arange(1, len(row) + 1)}) for row in rows]
    return Feeder(featurizer, vocab, word_dropout, char_dropout).batch(examples, seed=seed, step=step)


def test_targets_are_padded_with_zero():
    assert fed(0, 0).targets["h"].tolist() == [[1, 2, 3, 4, 5, 6], [1, 2, 0, 0, 0, 0]]


def test_without_dropout_nothing_is_hidden():
    arrays = fed(0.0, 0.0).arrays
    assert UNKNOWN_WORD not in arrays["word_ids"]
    assert (arrays["char_ids"][arrays["char_ids"] > 0] >= 6).all()


def test_what_is_hidden_is_a_function_of_seed_and_step():
    def key(seed: int, step: int) -> tuple[bytes, ...]:
        arrays = fed(0.5, 0.3, seed=seed, step=step).arrays
        return tuple(arrays[name].tobytes() for name in ("word_ids", "char_ids", "text_ids"))

    assert key(1, 5) == key(1, 5)
    assert len({key(seed, step) for seed in range(3) for step in range(3)}) == 9


def test_frequent_words_are_hidden_less_often():
    hidden = np.mean([fed(1.0, 0.0, step=step).arrays["word_ids"] == UNKNOWN_WORD for step in range(300)], 0)
    often, seldom = hidden[0], hidden[1]  # forms stand in the order they were first seen
    assert often == pytest.approx(1 / 6, abs=0.08)
    assert seldom == pytest.approx(1 / 2, abs=0.1)


def test_hidden_characters_become_their_class_and_padding_stays():
    plain, arrays = fed(0.0, 0.0).arrays["char_ids"], fed(0.0, 0.999).arrays["char_ids"]
    assert ((arrays == 0) == (plain == 0)).all()
    changed = arrays[arrays != plain]
    assert set(changed.tolist()) == {UNKNOWN_LOWER, UNKNOWN_DIGIT}

"""Blocks hold whole sentences; what is hidden is whole words; a permutation shows no target to itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.train.pretrain.mlm_masks import (
    Batch,
    Layout,
    choose_targets,
    choose_words,
    cut_blocks,
    join_blocks,
    masked_task,
    permutation_task,
)
from medspan.train.pretrain.mlm_pieces import SpecialPieces

BERT = SpecialPieces(lead=(2,), trail=(3,), mask=4, padding=0, unknown=1, plain=np.arange(5, 60))
XLNET = SpecialPieces(lead=(), trail=(4, 3), mask=6, padding=5, unknown=0, plain=np.arange(7, 60))
LAYOUTS = {
    "bert": Layout(BERT, pads_left=False, types=None),
    "xlnet": Layout(XLNET, pads_left=True, types=(0, 2, 3)),
}

sentences_of_pieces = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=12), min_size=1, max_size=12)


def a_batch(family: str, blocks: int = 6, words: int = 30, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(blocks):
        numbers = np.repeat(np.arange(words - 3 * i), rng.integers(1, 4, words - 3 * i))
        found.append((rng.integers(10, 60, len(numbers)), numbers))
    return join_blocks(found, LAYOUTS[family])


def generators(count: int, seed: int = 1) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, i]) for i in range(count)]


@given(sentences_of_pieces, st.integers(5, 30))
def test_blocks_tile_the_words_and_hold_whole_sentences(sentences: list[list[int]], room: int):
    pieces = np.array([size for sentence in sentences for size in sentence])
    lengths = np.array([len(sentence) for sentence in sentences])
    blocks = cut_blocks(pieces, lengths, room)
    assert blocks[0, 0] == 0
    assert blocks[-1, 1] == len(pieces)
    assert (blocks[1:, 0] == blocks[:-1, 1]).all()
    assert all(0 < pieces[first:stop].sum() <= room for first, stop in blocks)
    edges = {0, *np.cumsum(lengths).tolist()}
    longest = [range(a, b) for a, b in zip(sorted(edges), sorted(edges)[1:], strict=False)]
    for first, _ in blocks.tolist():
        inside = [run for run in longest if first in run]
        assert first in edges or pieces[list(inside[0])].sum() > room


def test_blocks_of_nothing_are_none():
    assert cut_blocks(np.zeros(0, np.int64), np.zeros(0, np.int64), 10).shape == (0, 2)


def test_rows_are_laid_out_as_the_family_wants():
    blocks = [(np.array([7, 8, 9]), np.array([0, 0, 1])), (np.array([10]), np.array([0]))]
    plain = join_blocks(blocks, LAYOUTS["bert"])
    assert plain.ids.tolist() == [[2, 7, 8, 9, 3], [2, 10, 3, 0, 0]]
    assert plain.attention.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert plain.words.tolist() == [[-1, 0, 0, 1, -1], [-1, 0, -1, -1, -1]]
    assert plain.types is None
    left = join_blocks(blocks, LAYOUTS["xlnet"])
    assert left.ids.tolist() == [[7, 8, 9, 4, 3], [5, 5, 10, 4, 3]]
    assert left.attention.tolist() == [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]
    assert left.words.tolist() == [[0, 0, 1, -1, -1], [-1, -1, 0, -1, -1]]
    assert left.types is not None
    assert left.types.tolist() == [[0, 0, 0, 0, 2], [3, 3, 0, 0, 2]]


@given(st.integers(1, 80), st.floats(0.01, 0.5), st.integers(1, 7), st.integers(0, 999))
def test_so_many_words_are_chosen_and_one_at_least(count: int, share: float, longest: int, seed: int):
    chosen = choose_words(count, share, longest, np.random.default_rng(seed))
    assert chosen.sum() == max(1, round(share * count))


def test_runs_of_words_are_chosen_where_they_may_be():
    def neighbours(longest: int) -> int:
        found = [choose_words(200, 0.1, longest, rng) for rng in generators(50)]
        return sum(int((chosen[1:] & chosen[:-1]).sum()) for chosen in found)

    assert neighbours(5) > 3 * neighbours(1)


@pytest.mark.parametrize("family", ["bert", "xlnet"])
@given(seed=st.integers(0, 10_000))
def test_targets_are_whole_words(family: str, seed: int):
    batch = a_batch(family, seed=seed)
    targets = choose_targets(batch, 0.15, 1, generators(6, seed))
    assert not targets[batch.words < 0].any()
    for numbers, flags in zip(batch.words, targets, strict=True):
        hit = set(numbers[flags].tolist())
        assert hit.isdisjoint(numbers[~flags].tolist())
        assert len(hit) == max(1, round(0.15 * (numbers.max() + 1)))


def test_a_word_is_masked_or_replaced_or_stays_as_a_whole():
    counts = {"masked": 0, "replaced": 0, "stays": 0}
    for seed in range(60):
        batch = a_batch("bert", words=60, seed=seed)
        rngs = generators(6, seed)
        targets = choose_targets(batch, 0.3, 1, rngs)
        task = masked_task(batch, targets, BERT, rngs)
        ids = task.inputs["input_ids"]
        assert (ids[~targets] == batch.ids[~targets]).all()
        assert (task.wanted == batch.ids[targets]).all()
        assert (batch.ids[task.rows, task.columns] == task.wanted).all()
        assert set(task.inputs) == {"input_ids", "attention_mask"}
        for row, numbers in enumerate(batch.words):
            for word in set(numbers[targets[row]].tolist()):
                at = numbers == word
                now, before = ids[row, at], batch.ids[row, at]
                if (now == BERT.mask).all():
                    counts["masked"] += 1
                else:
                    assert np.isin(now, BERT.plain).all()
                    counts["stays" if (now == before).all() else "replaced"] += 1
    total = sum(counts.values())
    assert counts["masked"] / total == pytest.approx(0.8, abs=0.03)
    assert counts["stays"] / total == pytest.approx(0.1, abs=0.03)


def test_held_out_words_are_all_masked():
    batch = a_batch("bert")
    targets = choose_targets(batch, 0.15, 1, generators(6))
    ids = masked_task(batch, targets, BERT, None).inputs["input_ids"]
    assert (ids[targets] == BERT.mask).all()
    assert (ids[~targets] == batch.ids[~targets]).all()


@pytest.mark.parametrize("objective", ["mlm", "permutation"])
def test_what_is_drawn_for_a_block_does_not_depend_on_those_beside_it(objective: str):
    rng = np.random.default_rng(0)
    blocks = [(rng.integers(10, 60, size), np.arange(size) // 2) for size in (40, 12, 24)]

    def task_of(chosen: slice) -> list[list[int]]:
        batch = join_blocks(blocks[chosen], LAYOUTS["xlnet"])
        rngs = generators(3)[chosen]
        targets = choose_targets(batch, 0.3, 3, rngs)
        if objective == "mlm":
            ids = masked_task(batch, targets, XLNET, rngs).inputs["input_ids"]
            return [row[inside > 0].tolist() for row, inside in zip(ids, batch.attention, strict=True)]
        hidden = permutation_task(batch, targets, rngs).inputs["perm_mask"]
        inside = batch.attention > 0
        return [mask[np.ix_(here, here)].tolist() for mask, here in zip(hidden, inside, strict=True)]

    assert task_of(slice(0, 3)) == task_of(slice(0, 1)) + task_of(slice(1, 3))


def test_a_permutation_is_an_order_of_the_targets_that_others_do_not_see():
    batch = a_batch("xlnet")
    rngs = generators(6)
    targets = choose_targets(batch, 0.2, 5, rngs)
    task = permutation_task(batch, targets, rngs)
    hidden, mapping = task.inputs["perm_mask"], task.inputs["target_mapping"]
    for row, flags in enumerate(targets):
        among = hidden[row][np.ix_(flags, flags)]
        count = int(flags.sum())
        assert sorted(among.sum(1).tolist()) == list(
            range(1, count + 1)
        )  # one sees all others, one sees none
        assert (among + among.T == 1 + np.eye(count)).all()  # of two, one sees the other
        assert hidden[row][~flags][:, flags].all()
        assert not hidden[row][:, ~flags].any()
        assert mapping[row].sum() == count
        assert (mapping[row, :count].argmax(1) == np.flatnonzero(flags)).all()
    assert (task.wanted == batch.ids[targets]).all()
    assert (task.inputs["input_ids"] == batch.ids).all()


def test_a_permutation_masks_as_transformers_does():
    """The rule of its collator: i does not see j where order[i] <= order[j] and j is a target."""
    batch = a_batch("xlnet", blocks=1)
    targets = choose_targets(batch, 0.3, 1, generators(1, 4))
    order = np.full(batch.ids.shape[1], -1)
    order[targets[0]] = np.random.default_rng(9).permutation(int(targets.sum()))
    expected = (order.reshape(-1, 1) <= order.reshape(1, -1)) & targets[0]
    task = permutation_task(batch, targets, [np.random.default_rng(9)])
    assert (task.inputs["perm_mask"][0] == expected).all()

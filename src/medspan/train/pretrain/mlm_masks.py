"""Blocks of sentences, which of their words are to be predicted, and what the network sees instead.

Everything is an array of numbers and drawn from the generator that is given: a function of seed and step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medspan.train.pretrain.mlm_pieces import SpecialPieces

    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Words = tuple[Ints, Ints]

_MASKED, _RANDOM = 0.8, 0.1
"""Shares of the words to predict that are masked, and replaced; the rest stays (Devlin et al. 2019)."""


class Layout(NamedTuple):
    """Where a family puts special pieces and padding; ``types`` are those of text, last piece and padding."""

    special: SpecialPieces
    pads_left: bool
    types: tuple[int, int, int] | None


class Batch(NamedTuple):
    """Blocks side by side, int64 (blocks, places) each.

    ``attention`` is 0 where padded. ``words`` is the number of the word in its block, -1 where no word is.
    """

    ids: Ints
    attention: Ints
    types: Ints | None
    words: Ints


class Task(NamedTuple):
    """What a network is asked.

    ``inputs`` are the arguments of the encoder by name; of its states, (blocks, places, width), those at
    ``rows`` and ``columns``, int64 (targets,) both, are to predict the pieces ``wanted``, int64 (targets,).
    """

    inputs: dict[str, NDArray[np.int64] | NDArray[np.float32]]
    rows: Ints
    columns: Ints
    wanted: Ints


def cut_blocks(pieces: Ints, sentences: NDArray[np.int32] | Ints, room: int) -> Ints:
    """Runs of words that fit a block: whole sentences, as many as fit; a longer one is cut between words.

    Args:
        pieces: of each word, (words,), at most ``room`` of one.
        sentences: words of each sentence, (sentences,).
        room: pieces of a block.

    Returns:
        First word and the word behind the last, int64 (blocks, 2); they tile the words.
    """
    ends = np.concatenate([[0], np.cumsum(pieces)])
    blocks: list[tuple[int, int]] = []
    first = stop = 0
    for length in sentences.tolist():
        end = stop + length
        if ends[end] - ends[first] > room and stop > first:
            blocks.append((first, stop))
            first = stop
        while ends[end] - ends[first] > room:
            middle = int(np.searchsorted(ends, ends[first] + room, side="right")) - 1
            blocks.append((first, middle))
            first = middle
        stop = end
    if stop > first:
        blocks.append((first, stop))
    return np.array(blocks, np.int64).reshape(-1, 2)


def join_blocks(blocks: Sequence[Words], layout: Layout) -> Batch:
    """Blocks with their special pieces, padded to the longest; each is pieces and their words' numbers."""
    special = layout.special
    lead, trail = len(special.lead), len(special.trail)
    longest = lead + trail + max(len(ids) for ids, _ in blocks)
    ids = np.full((len(blocks), longest), special.padding, np.int64)
    attention, words = np.zeros_like(ids), np.full_like(ids, -1)
    types = None if layout.types is None else np.full_like(ids, layout.types[2])
    for row, (pieces, numbers) in enumerate(blocks):
        size = lead + len(pieces) + trail
        start = longest - size if layout.pads_left else 0
        text = slice(start + lead, start + lead + len(pieces))
        ids[row, start : start + size] = [*special.lead, *pieces.tolist(), *special.trail]
        attention[row, start : start + size] = 1
        words[row, text] = numbers
        if types is not None and layout.types is not None:
            types[row, start : start + size] = layout.types[0]
            types[row, start + size - 1] = layout.types[1]
    return Batch(ids, attention, types, words)


def choose_words(count: int, share: float, longest_run: int, rng: np.random.Generator) -> Flags:
    """Which words of a block are to be predicted: the share of them, one at least; bool (words,).

    Args:
        count: words of the block.
        share: of them.
        longest_run: words chosen side by side at most at a time; a run of n words is n times rarer than a
            single word (Yang et al. 2019 draw up to 5).
        rng: what it is drawn from.
    """
    chosen = np.zeros(count, np.bool_)
    left = max(1, round(share * count))
    if longest_run == 1:
        chosen[rng.permutation(count)[:left]] = True
        return chosen
    weights = 1 / np.arange(1, longest_run + 1)
    while left:
        length = min(left, 1 + int(rng.choice(longest_run, p=weights / weights.sum())))
        start = int(rng.integers(count - length + 1))
        left -= int(np.count_nonzero(~chosen[start : start + length]))
        chosen[start : start + length] = True
    return chosen


def choose_targets(
    batch: Batch, share: float, longest_run: int, rngs: Sequence[np.random.Generator]
) -> Flags:
    """Which pieces are to be predicted: all those of the chosen words; bool (blocks, places).

    Args:
        batch: the blocks.
        share: as `choose_words`.
        longest_run: as `choose_words`.
        rngs: one a block, so that nothing depends on which blocks are computed together.
    """
    found = np.zeros(batch.ids.shape, np.bool_)
    for row, (numbers, rng) in enumerate(zip(batch.words, rngs, strict=True)):
        chosen = choose_words(int(numbers.max()) + 1, share, longest_run, rng)
        found[row] = (numbers >= 0) & chosen[numbers]
    return found


def masked_task(
    batch: Batch, targets: Flags, special: SpecialPieces, rngs: Sequence[np.random.Generator] | None
) -> Task:
    """Masked words: all pieces of a word are masked, or replaced by others at random, or stay.

    Args:
        batch: the blocks.
        targets: which pieces are to be predicted.
        special: the mask, and the pieces that are drawn from.
        rngs: one a block, deciding what happens to each word; where None, all are masked.
    """
    ids = np.where(targets, special.mask, batch.ids)
    for row, rng in enumerate(rngs or ()):
        (columns,) = np.nonzero(targets[row])
        numbers = batch.words[row]
        draws = rng.random(int(numbers.max()) + 1)[numbers[columns]]
        others = special.plain[rng.integers(len(special.plain), size=len(columns))]
        changed = np.where(draws < _MASKED + _RANDOM, others, batch.ids[row, columns])
        ids[row, columns] = np.where(draws < _MASKED, special.mask, changed)
    rows, places = np.nonzero(targets)
    return Task(_inputs(batch, ids), rows, places, batch.ids[rows, places])


def permutation_task(batch: Batch, targets: Flags, rngs: Sequence[np.random.Generator]) -> Task:
    """The permutation language model: each target from what is none, and from targets before it in an order.

    What is no target sees no target, so nothing tells of them by a detour. ``perm_mask`` is float32
    (blocks, places, places), 1 where the first must not see the second; ``target_mapping`` float32
    (blocks, most targets, places) says which place each state predicts.
    """
    rows, places = np.nonzero(targets)
    counts = np.bincount(rows, minlength=len(targets))
    order = np.full(targets.shape, -1)
    order[rows, places] = np.concatenate(
        [rng.permutation(count) for rng, count in zip(rngs, counts.tolist(), strict=True)]
    )
    hidden = (order[:, :, None] <= order[:, None, :]) & targets[:, None, :]
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    mapping = np.zeros((len(targets), int(counts.max()), targets.shape[1]), np.float32)
    mapping[rows, columns, places] = 1
    inputs = {**_inputs(batch, batch.ids), "perm_mask": hidden.astype(np.float32), "target_mapping": mapping}
    return Task(inputs, rows, columns, batch.ids[rows, places])


def _inputs(batch: Batch, ids: Ints) -> dict[str, NDArray[np.int64] | NDArray[np.float32]]:
    inputs: dict[str, NDArray[np.int64] | NDArray[np.float32]] = {
        "input_ids": ids,
        "attention_mask": batch.attention,
    }
    return inputs if batch.types is None else {**inputs, "token_type_ids": batch.types}

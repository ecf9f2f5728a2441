"""Pairs of mentions → arrays, the same in training and inference.

The arrays of some pairs, by name, all int64; ``batch`` and ``words`` are those of the sentences the pairs
stand in (`medspan.features.batch`), and each pair sees some ``places`` of its sentence:

    pair_words     (pairs, places)  where a word stands in the sentences, laid end to end; 0 where padded
    pair_lengths   (pairs,)         places of each pair
    segments       (pairs, places)  0 padded, else a number of `SEGMENTS`
    mention_labels (pairs, places)  1 + the label of the mention a word belongs to, 0 where it is in none
    head_place     (pairs, places)  0 to 2 x reach: words from the head mention, reach where inside
    tail_place     (pairs, places)  the same of the tail mention

Where a model reads all pairs of a head at once (``pointers``), a row is a head: it sees the whole sentence,
tail_place is left out, and there are also

    mention_first  (heads, mentions)  first place of each mention that may be its tail; 0 where padded
    mention_last   (heads, mentions)  its last place
    mention_kinds  (heads, mentions)  1 + its label; 0 where padded
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from medspan.features.views import Mention, Pair, View, ViewSpec

    Ints = NDArray[np.int64]

SEGMENTS = ("padding", "before", "head", "between", "tail", "after")
"""Parts of what a pair sees; ``between`` is between head and tail, whichever comes first."""
PADDED, BEFORE, HEAD, BETWEEN, TAIL, AFTER = range(len(SEGMENTS))
PAIR_INPUTS = ("pair_words", "pair_lengths", "segments", "mention_labels", "head_place", "tail_place")
HEAD_INPUTS = (
    *("pair_words", "pair_lengths", "segments", "mention_labels", "head_place"),
    *("mention_first", "mention_last", "mention_kinds"),
)


class Row(NamedTuple):
    """What one pair, or one head, sees: int64 (places,) each; words are places of its sentence."""

    words: Ints
    segments: Ints
    labels: Ints
    head_place: Ints
    tail_place: Ints


def pair_row(view: View, pair: Pair, spec: ViewSpec) -> Row:
    """The words around and between two mentions."""
    head, tail = view.mentions[pair.head], view.mentions[pair.tail]
    low = min(head.words[0], tail.words[0])
    high = max(head.words[-1], tail.words[-1])
    first = max(0, low - spec.context)
    words = np.arange(first, min(len(view.forms), high + 1 + spec.context))
    segments = np.full(len(words), BETWEEN)
    segments[words < low] = BEFORE
    segments[words > high] = AFTER
    segments[np.array(tail.words) - first] = TAIL
    segments[np.array(head.words) - first] = HEAD
    labels = _labels(view)
    for mention in (
        tail,
        head,
    ):  # two mentions can have the same words; a pair sees the labels of its own ends
        labels[list(mention.words)] = mention.label + 1
    places = (_places(words, mention, spec.reach) for mention in (head, tail))
    return Row(words, segments, labels[words], *places)


def head_row(view: View, head: int, spec: ViewSpec) -> Row:
    """A whole sentence, seen from one of its mentions."""
    mention = view.mentions[head]
    words = np.arange(len(view.forms))
    segments = np.where(words < mention.words[0], BEFORE, AFTER)
    segments[list(mention.words)] = HEAD
    place = _places(words, mention, spec.reach)
    return Row(words, segments, _labels(view), place, place)


def _labels(view: View) -> Ints:
    labels = np.zeros(len(view.forms), np.int64)
    for mention in sorted(view.mentions, key=lambda m: -len(m.words)):  # the inner of nested ones shows
        labels[list(mention.words)] = mention.label + 1
    return labels


def _places(words: Ints, mention: Mention, reach: int) -> Ints:
    """Signed distance to a mention, 0 from its first to its last word, moved to 0 ... 2 x reach."""
    before = np.minimum(words - mention.words[0], 0)
    behind = np.maximum(words - mention.words[-1], 0)
    places: Ints = np.clip(before + behind, -reach, reach) + reach
    return places


def row_arrays(rows: Sequence[Row], sentence: Sequence[int], width: int) -> dict[str, Ints]:
    """The arrays of some rows.

    Args:
        rows: pairs or heads.
        sentence: which row of the batch each stands in.
        width: padded words of the batch.
    """
    lengths = np.array([len(row.words) for row in rows], np.int64)
    inside = np.arange(int(lengths.max())) < lengths[:, None]

    def padded(parts: list[Ints]) -> Ints:
        array = np.zeros(inside.shape, np.int64)
        array[inside] = np.concatenate(parts)
        return array

    starts = [number * width for number in sentence]
    return {
        "pair_words": padded([row.words + start for row, start in zip(rows, starts, strict=True)]),
        "pair_lengths": lengths,
        "segments": padded([row.segments for row in rows]),
        "mention_labels": padded([row.labels for row in rows]),
        "head_place": padded([row.head_place for row in rows]),
        "tail_place": padded([row.tail_place for row in rows]),
    }


def mention_arrays(tails: Sequence[Sequence[Mention]]) -> dict[str, Ints]:
    """The mentions that may be the tails of each head."""
    size = max(map(len, tails))
    first, last, kinds = (np.zeros((len(tails), size), np.int64) for _ in range(3))
    for row, mentions in enumerate(tails):
        for column, mention in enumerate(mentions):
            first[row, column], last[row, column] = mention.words[0], mention.words[-1]
            kinds[row, column] = mention.label + 1
    return {"mention_first": first, "mention_last": last, "mention_kinds": kinds}

"""Word-level views of mentions: which words a mention covers, IOB2 tags, and the token-micro counts.

Words are ``(start, end)`` offsets as ``medspan.text.tokenize`` gives them, sorted and disjoint.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from medspan.metrics.counts import Score
from medspan.tags import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.metrics.matching import Mention
    from medspan.types import Span


def covered(spans: Iterable[Span], words: Sequence[tuple[int, int]]) -> list[int]:
    """Positions of the words that share a character with a span, ascending, each once."""
    found: list[int] = []
    for span in spans:
        first = bisect_right(words, span.start, key=lambda word: word[1])
        stop = bisect_left(words, span.end, key=lambda word: word[0])
        found.extend(position for position in range(first, stop) if not found or position > found[-1])
    return found


def word_tags(mentions: Iterable[Mention], words: Sequence[tuple[int, int]]) -> list[str]:
    """One IOB2 tag a word: B- on the first word of a mention, I- on its others, of every part.

    A sequence of tags cannot hold overlapping mentions: the one that starts first, and then the longest,
    keeps its words; a mention that finds one of its words taken is left out.
    """
    tags = [OUTSIDE] * len(words)
    for mention in sorted(mentions, key=lambda mention: (mention.start, -mention.end, mention)):
        positions = covered(mention.spans, words)
        if any(tags[position] != OUTSIDE for position in positions):
            continue
        for position in positions:
            tags[position] = f"I-{mention.label}" if position != positions[0] else f"B-{mention.label}"
    return tags


def tag_counts(gold: Sequence[str], predicted: Sequence[str]) -> Score:
    """Word by word, without O: the protocol behind "micro-F1 (excl. O)".

    A hit is a word with the same tag, B- and I- told apart, on both sides. A word with another tag is a
    false positive if the predicted tag is not O and a false negative if the gold tag is not O. Long mentions
    weigh more, and half-found ones score: such a figure is several points above strict F1 and must not be
    compared with it.
    """
    tp = fp = fn = 0
    for right, guess in zip(gold, predicted, strict=True):
        if right == guess:
            tp += right != OUTSIDE
        else:
            fp += guess != OUTSIDE
            fn += right != OUTSIDE
    return Score.of(tp, fp, fn)

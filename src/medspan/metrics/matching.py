"""Pairs gold with predicted mentions of one document, and the counts that follow.

Pairing is one to one and in stages: what agrees best is paired first, and within a stage as many as possible
are paired (a maximum matching), so the counts depend neither on order nor on which side is called gold.
The scores ``exact``, ``partial`` and ``type`` follow SemEval-2013 task 9.1 (Segura-Bedmar et al. 2013), which
leaves open what happens when one mention overlaps several; the stages are our reading of it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from medspan.metrics.counts import MatchScore, Score
from medspan.types import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


class Mention(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """What makes two entities the same under the strict score: all spans and the label."""

    spans: tuple[Span, ...]
    label: str

    @property
    def start(self) -> int:
        """First character of the first span."""
        return self.spans[0].start

    @property
    def end(self) -> int:
        """One past the last character of the last span."""
        return self.spans[-1].end

    def shared(self, other: Mention) -> int:
        """The number of characters that both cover."""
        return sum(max(0, min(a.end, b.end) - max(a.start, b.start)) for a in self.spans for b in other.spans)


class Pair(msgspec.Struct, frozen=True):
    """A gold mention and the predicted one it is held against; None where there is no partner."""

    gold: Mention | None
    predicted: Mention | None


def same_spans(gold: Mention, predicted: Mention) -> bool:
    """Same spans, any label."""
    return gold.spans == predicted.spans


def same_label(gold: Mention, predicted: Mention) -> bool:
    """Same label; asked only of mentions that overlap."""
    return gold.label == predicted.label


def overlapping(gold: Mention, predicted: Mention) -> bool:  # noqa: ARG001 - a stage's test; it is asked only of mentions that overlap
    """Any overlap."""
    return True


def strict_counts(gold: Collection[Mention], predicted: Collection[Mention]) -> Score:
    """Hits have the same label and the same spans, all parts of a discontinuous mention included."""
    hits = len(set(gold) & set(predicted))
    return Score.of(hits, len(set(predicted)) - hits, len(set(gold)) - hits)


def exact_score(gold: Collection[Mention], predicted: Collection[Mention]) -> MatchScore:
    """Same spans, any label; an overlapping pair with other borders is incorrect."""
    return _score(pair_mentions(gold, predicted, (same_spans, overlapping)), same_spans)


def partial_score(gold: Collection[Mention], predicted: Collection[Mention]) -> MatchScore:
    """Same spans count 1 and any other overlap 0.5, whatever the labels."""
    pairs = pair_mentions(gold, predicted, (same_spans, overlapping))
    score = _score(pairs, same_spans)
    return MatchScore.of(score.correct, 0, score.incorrect, missing=score.missing, spurious=score.spurious)


def type_score(gold: Collection[Mention], predicted: Collection[Mention]) -> MatchScore:
    """Same label and some overlap; an overlapping pair with another label is incorrect."""
    return _score(pair_mentions(gold, predicted, (same_label, overlapping)), same_label)


def _score(pairs: Sequence[Pair], is_correct: Callable[[Mention, Mention], bool]) -> MatchScore:
    correct = incorrect = missing = spurious = 0
    for pair in pairs:
        if pair.predicted is None:
            missing += 1
        elif pair.gold is None:
            spurious += 1
        elif is_correct(pair.gold, pair.predicted):
            correct += 1
        else:
            incorrect += 1
    return MatchScore.of(correct, incorrect, 0, missing=missing, spurious=spurious)


def pair_mentions(
    gold: Collection[Mention],
    predicted: Collection[Mention],
    stages: Sequence[Callable[[Mention, Mention], bool]] = (same_spans, same_label, overlapping),
) -> list[Pair]:
    """Pair overlapping mentions one to one, equal ones first, then stage by stage; the rest stand alone.

    Args:
        gold: mentions of a document; a mention given twice counts once.
        predicted: mentions of the same document; a mention given twice counts once.
        stages: tests of an overlapping pair, best first; each stage pairs as many as it can of what the
            stages before have left.

    Returns:
        Every gold and every predicted mention once: the equal ones, the other gold ones, then the predicted
        ones that are left; each part in the order of the text.
    """
    hits = set(gold) & set(predicted)
    golds, guesses = sorted(set(gold) - hits), sorted(set(predicted) - hits)
    edges = _overlaps(golds, guesses)
    partner: dict[int, int] = {}  # gold position → predicted position
    for stage in stages:
        taken = set(partner.values())
        open_edges: dict[int, list[int]] = {
            i: fitting
            for i, candidates in edges.items()
            if i not in partner
            and (fitting := [j for j in candidates if j not in taken and stage(golds[i], guesses[j])])
        }
        partner |= _maximum_matching(open_edges)
    paired = set(partner.values())
    pairs = [Pair(mention, mention) for mention in sorted(hits)]
    pairs += [Pair(mention, guesses[partner[i]] if i in partner else None) for i, mention in enumerate(golds)]
    return pairs + [Pair(None, mention) for j, mention in enumerate(guesses) if j not in paired]


def _overlaps(golds: Sequence[Mention], guesses: Sequence[Mention]) -> dict[int, list[int]]:
    """Positions of the predicted mentions that overlap each gold one, those sharing most characters first."""
    edges: dict[int, list[int]] = {}
    active: list[int] = []
    arriving = 0
    for i, mention in enumerate(golds):  # both sides are sorted by start, so a predicted one leaves once
        while arriving < len(guesses) and guesses[arriving].start < mention.end:
            active.append(arriving)
            arriving += 1
        active = [j for j in active if guesses[j].end > mention.start]
        shared = [(mention.shared(guesses[j]), j) for j in active]
        near = [j for count, j in sorted(shared, key=lambda item: (-item[0], item[1])) if count]
        if near:
            edges[i] = near
    return edges


def _maximum_matching(edges: dict[int, list[int]]) -> dict[int, int]:
    """As many pairs as possible of a bipartite graph (augmenting paths, breadth first)."""
    partner: dict[int, int] = {}
    owner: dict[int, int] = {}
    for root in edges:
        _augment(root, edges, partner, owner)
    return partner


def _augment(root: int, edges: dict[int, list[int]], partner: dict[int, int], owner: dict[int, int]) -> None:
    """Pair ``root`` where that is possible, moving earlier pairs along the shortest path."""
    reached_from: dict[int, int] = {}
    queue = deque([root])
    while queue:
        left = queue.popleft()
        for right in edges[left]:
            if right in reached_from:
                continue
            reached_from[right] = left
            if right in owner:
                queue.append(owner[right])
                continue
            _flip(right, root, reached_from, partner, owner)
            return


def _flip(
    right: int, root: int, reached_from: dict[int, int], partner: dict[int, int], owner: dict[int, int]
) -> None:
    while True:
        left = reached_from[right]
        before = partner.get(left)
        partner[left], owner[right] = right, left
        if left == root or before is None:
            return
        right = before

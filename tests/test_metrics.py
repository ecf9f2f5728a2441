"""Counts, pairing, word tags, intervals and calibration, against tables worked out by hand."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import DataError
from medspan.metrics import (
    Interval,
    MatchScore,
    Mention,
    Score,
    bootstrap,
    calibrate,
    covered,
    exact_score,
    macro,
    pair_mentions,
    partial_score,
    strict_counts,
    tag_counts,
    type_score,
    word_tags,
)
from medspan.metrics.matching import _maximum_matching
from medspan.types import Span


def mention(label: str, *borders: int) -> Mention:
    """``mention("A", 0, 5, 8, 9)`` covers 0 to 5 and 8 to 9."""
    return Mention(tuple(map(Span, borders[::2], borders[1::2])), label)


# gold, predicted, then correct, incorrect, partial, missing, spurious of exact, partial and type
TABLE = {
    "nothing": ([], [], (0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
    "no prediction": ([mention("A", 0, 5)], [], (0, 0, 0, 1, 0), (0, 0, 0, 1, 0), (0, 0, 0, 1, 0)),
    "no gold": ([], [mention("A", 0, 5)], (0, 0, 0, 0, 1), (0, 0, 0, 0, 1), (0, 0, 0, 0, 1)),
    "hit": ([mention("A", 0, 5)], [mention("A", 0, 5)], (1, 0, 0, 0, 0), (1, 0, 0, 0, 0), (1, 0, 0, 0, 0)),
    "other label": (
        [mention("A", 0, 5)],
        [mention("B", 0, 5)],
        (1, 0, 0, 0, 0),
        (1, 0, 0, 0, 0),
        (0, 1, 0, 0, 0),
    ),
    "short": ([mention("A", 0, 5)], [mention("A", 0, 4)], (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (1, 0, 0, 0, 0)),
    "short, other label": (
        [mention("A", 0, 5)],
        [mention("B", 0, 4)],
        (0, 1, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (0, 1, 0, 0, 0),
    ),
    "only touching": (
        [mention("A", 0, 5)],
        [mention("A", 5, 9)],
        (0, 0, 0, 1, 1),
        (0, 0, 0, 1, 1),
        (0, 0, 0, 1, 1),
    ),
    "one gold split in two": (
        [mention("A", 0, 9)],
        [mention("A", 0, 4), mention("A", 5, 9)],
        (0, 1, 0, 0, 1),
        (0, 0, 1, 0, 1),
        (1, 0, 0, 0, 1),
    ),
    "two gold swallowed by one": (
        [mention("A", 0, 4), mention("A", 5, 9)],
        [mention("A", 0, 9)],
        (0, 1, 0, 1, 0),
        (0, 0, 1, 1, 0),
        (1, 0, 0, 1, 0),
    ),
    "a chain is paired as far as it goes": (  # pairing the largest overlap first would leave two alone
        [mention("A", 0, 10), mention("A", 12, 20)],
        [mention("A", 0, 2), mention("A", 3, 13)],
        (0, 2, 0, 0, 0),
        (0, 0, 2, 0, 0),
        (2, 0, 0, 0, 0),
    ),
    "same span twice with two labels, one right": (
        [mention("A", 0, 5), mention("B", 0, 5)],
        [mention("A", 0, 5), mention("C", 0, 5)],
        (2, 0, 0, 0, 0),
        (2, 0, 0, 0, 0),
        (1, 1, 0, 0, 0),
    ),
    "label decides the partner of type, span that of exact": (
        [mention("A", 0, 5)],
        [mention("A", 0, 4), mention("B", 0, 5)],
        (1, 0, 0, 0, 1),
        (1, 0, 0, 0, 1),
        (1, 0, 0, 0, 1),
    ),
    "discontinuous, one part missing": (
        [mention("A", 0, 4, 9, 12)],
        [mention("A", 0, 4)],
        (0, 1, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (1, 0, 0, 0, 0),
    ),
    "in the gap of a discontinuous one": (
        [mention("A", 0, 4, 9, 12)],
        [mention("A", 5, 8)],
        (0, 0, 0, 1, 1),
        (0, 0, 0, 1, 1),
        (0, 0, 0, 1, 1),
    ),
}


def five(score: MatchScore) -> tuple[int, ...]:
    return (score.correct, score.incorrect, score.partial, score.missing, score.spurious)


@pytest.mark.parametrize("name", TABLE)
def test_semeval_counts(name: str):
    gold, predicted, exact, partial, type_ = TABLE[name]
    for order in permutations(gold):
        assert five(exact_score(order, predicted)) == exact
        assert five(partial_score(order, predicted[::-1])) == partial
        assert five(type_score(order, predicted)) == type_


def test_semeval_scores_by_hand():
    score = MatchScore.of(4, 2, 3, missing=1, spurious=2)
    assert score.precision == 5.5 / 11
    assert score.recall == 5.5 / 10
    assert score.f1 == pytest.approx(2 * 5.5 / 21)
    assert five(score + MatchScore.of(1, 0, 0)) == (5, 2, 3, 1, 2)


def test_scores_by_hand():
    score = Score.of(6, 2, 4)
    assert (score.precision, score.recall, score.support, score.predicted) == (0.75, 0.6, 10, 8)
    assert score.f1 == pytest.approx(12 / 18)
    assert Score.of(1, 0, 0) + Score.of(0, 2, 3) == Score.of(1, 2, 3)
    assert Score.of(0, 0, 0) == Score(0.0, 0.0, 0.0, 0, 0, 0, 0)


def test_strict_counts_need_every_part_and_the_label():
    gold = [mention("A", 0, 4, 9, 12), mention("A", 20, 25)]
    predicted = [mention("A", 0, 4, 9, 12), mention("A", 0, 4), mention("B", 20, 25), mention("B", 20, 25)]
    assert strict_counts(gold, predicted) == Score.of(1, 2, 1)


def test_macro_leaves_out_labels_that_stand_nowhere():
    scores = [Score.of(1, 0, 0), Score.of(0, 1, 0), Score.of(0, 0, 0)]
    found = macro(scores)
    assert (found.precision, found.recall, found.f1, found.labels) == (0.5, 0.5, 0.5, 2)
    assert macro([]).f1 == 0


@st.composite
def mentions(draw: st.DrawFn) -> list[Mention]:
    parts = st.tuples(st.integers(0, 12), st.integers(1, 6), st.booleans(), st.sampled_from("AB"))
    drawn = draw(st.lists(parts, max_size=6))
    return [
        mention(label, start, start + size, *((start + size + 2, start + size + 4) if is_split else ()))
        for start, size, is_split, label in drawn
    ]


@given(mentions(), mentions())
def test_pairing_is_one_to_one_and_leaves_nobody_out(gold: list[Mention], predicted: list[Mention]):
    pairs = pair_mentions(gold, predicted)
    assert sorted(pair.gold for pair in pairs if pair.gold) == sorted(set(gold))
    assert sorted(pair.predicted for pair in pairs if pair.predicted) == sorted(set(predicted))
    assert all(pair.gold.shared(pair.predicted) for pair in pairs if pair.gold and pair.predicted)


@given(mentions(), mentions())
def test_swapping_sides_swaps_precision_and_recall(gold: list[Mention], predicted: list[Mention]):
    for scorer in (exact_score, partial_score, type_score):
        there, back = scorer(gold, predicted), scorer(predicted, gold)
        assert (there.precision, there.recall, there.f1) == (
            back.recall,
            back.precision,
            pytest.approx(there.f1),
        )


@given(mentions(), mentions())
def test_scores_stand_in_order(gold: list[Mention], predicted: list[Mention]):
    strict = strict_counts(gold, predicted)
    exact, partial = exact_score(gold, predicted), partial_score(gold, predicted)
    assert strict.f1 <= exact.f1 + 1e-12 <= partial.f1 + 2e-12
    assert strict.f1 <= type_score(gold, predicted).f1 + 1e-12


@given(st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 5), unique=True), max_size=6))
def test_matching_is_as_large_as_can_be(edges: dict[int, list[int]]):
    found = _maximum_matching(edges)
    assert len(set(found.values())) == len(found)
    assert all(right in edges[left] for left, right in found.items())
    assert len(found) == largest(sorted(edges), edges, frozenset())


def largest(lefts: list[int], edges: dict[int, list[int]], taken: frozenset[int]) -> int:
    """The size of a maximum matching, by trying everything."""
    if not lefts:
        return 0
    first, *rest = lefts
    with_first = [1 + largest(rest, edges, taken | {right}) for right in edges[first] if right not in taken]
    return max([largest(rest, edges, taken), *with_first])


WORDS = [(0, 4), (5, 6), (6, 9), (10, 14), (15, 16)]  # "left , ear pain ."


@pytest.mark.parametrize(
    ("spans", "positions"),
    [
        ([(0, 4)], [0]),
        ([(0, 9)], [0, 1, 2]),
        ([(3, 7)], [0, 1, 2]),  # words that are cut count whole
        ([(4, 5)], []),  # the blank between
        ([(0, 4), (10, 14)], [0, 3]),
        ([(6, 8), (8, 9)], [2]),  # two parts in one word
        ([(15, 99)], [4]),
    ],
)
def test_covered_words(spans, positions):
    assert covered([Span(*span) for span in spans], WORDS) == positions


def test_word_tags():
    found = [mention("A", 0, 4, 10, 14), mention("B", 6, 9), mention("B", 15, 16)]
    assert word_tags(found, WORDS) == ["B-A", "O", "B-B", "I-A", "B-B"]
    assert word_tags([], WORDS) == ["O"] * 5
    assert word_tags([], []) == []


def test_word_tags_of_overlapping_mentions_keep_the_first_and_longest():
    found = [mention("A", 5, 9), mention("B", 0, 9), mention("C", 0, 4), mention("D", 10, 14)]
    assert word_tags(found, WORDS) == ["B-B", "I-B", "I-B", "B-D", "O"]


def test_tag_counts_by_hand():
    gold = ["B-A", "I-A", "O", "O", "B-B", "B-B", "O"]
    predicted = ["B-A", "O", "B-A", "O", "I-B", "B-A", "O"]
    # hit, missed, invented, O, wrong prefix (both), wrong label (both), O
    assert tag_counts(gold, predicted) == Score.of(1, 3, 3)
    with pytest.raises(ValueError, match="shorter"):
        tag_counts(["O"], [])


def test_intervals_of_nothing():
    assert bootstrap([], seed=1, resamples=10).f1 is None
    assert bootstrap([[(1, 0, 0)]], seed=1, resamples=0).label_f1 == (None,)
    assert bootstrap([[]], seed=1, resamples=10).label_f1 == ()
    assert bootstrap([[(1, 1, 1)]], seed=1, resamples=10).f1 is None
    nowhere = bootstrap([[(0, 0, 0), (1, 0, 0)]] * 3, seed=1, resamples=10)
    assert nowhere.label_f1 == (None, Interval(1.0, 1.0))
    assert nowhere.macro_f1 == Interval(1.0, 1.0)
    invented = bootstrap([[(0, 2, 0)]] * 2, seed=1, resamples=10)
    assert (invented.recall, invented.precision, invented.f1) == (
        None,
        Interval(0.0, 0.0),
        Interval(0.0, 0.0),
    )


def test_intervals_follow_the_seed_only():
    counts = [[(i % 3, i % 2, (i * 7) % 4)] for i in range(50)]
    assert bootstrap(counts, seed=4, resamples=200) == bootstrap(counts, seed=4, resamples=200)
    assert bootstrap(counts, seed=4, resamples=200) != bootstrap(counts, seed=5, resamples=200)


def test_blocks_of_draws_do_not_show(monkeypatch: pytest.MonkeyPatch):
    counts = [[(i % 3, i % 2, (i * 7) % 4)] for i in range(50)]
    whole = bootstrap(counts, seed=4, resamples=99)
    monkeypatch.setattr("medspan.metrics.intervals._BLOCK", 500)
    assert bootstrap(counts, seed=4, resamples=99) == whole


def test_intervals_cover_the_true_recall_about_as_often_as_they_say():
    truth, trials = 0.8, 150
    random_state = random.Random(7)  # noqa: S311 - a simulation
    covering = 0
    for trial in range(trials):
        found = [[sum(random_state.random() < truth for _ in range(4)) for _ in range(60)]]
        counts = [[(hits, 0, 4 - hits)] for hits in found[0]]
        interval = bootstrap(counts, seed=trial, resamples=200).recall
        assert interval is not None
        covering += interval.low <= truth <= interval.high
    assert 0.89 <= covering / trials <= 0.99


def test_calibration_by_hand():
    scores = [0.95, 0.95, 1.0, 0.15, 0.1, None]
    correct = [True, False, True, False, True, True]
    found = calibrate(scores, correct)
    assert found is not None
    assert (found.scored, found.unscored) == (5, 1)
    low, high = found.bins[1], found.bins[9]
    assert (low.count, low.mean_score, low.precision) == (2, pytest.approx(0.125), 0.5)
    assert (high.count, high.mean_score, high.precision) == (3, pytest.approx(2.9 / 3), pytest.approx(2 / 3))
    assert found.expected_error == pytest.approx((2 * 0.375 + 3 * 0.3) / 5)
    assert found.brier == pytest.approx((0.0025 + 0.9025 + 0 + 0.0225 + 0.81) / 5)
    assert sum(row.count for row in found.bins) == 5


def test_calibration_of_a_truthful_and_of_a_boasting_predictor():
    truthful = calibrate([0.75] * 4, [True, True, True, False])
    boasting = calibrate([1.0] * 4, [True, False, False, False])
    assert truthful is not None
    assert boasting is not None
    assert truthful.expected_error == 0
    assert boasting.expected_error == 0.75


def test_calibration_without_scores():
    assert calibrate([], []) is None
    assert calibrate([None], [True]) is None


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_calibration_refuses_what_is_no_probability(score: float):
    with pytest.raises(DataError, match=r"1 of 2 scores .* outside 0\.\.1"):
        calibrate([score, 0.5], [True, True])

"""Strict scores equal those of conlleval, on invalid tag sequences too.

``conlleval_recorded.json`` holds random tag sequences and what conlleval.pl (version 2004-01-26, Erik Tjong
Kim Sang; run without its LaTeX and raw-tag branches) printed for them. ``conlleval`` below states its counting rules anew, is held to the recordings, and
then serves as the reference for as many random sequences as hypothesis cares to draw.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.evaluation import evaluate
from tagged import documents_of

RECORDED = json.loads(Path(__file__).with_name("conlleval_recorded.json").read_text(encoding="utf-8"))
TAGS = ["O", "B-A", "I-A", "B-B-C", "I-B-C", "B-D", "I-D"]


class Counts(NamedTuple):
    gold: Counter[str]
    found: Counter[str]
    correct: Counter[str]


def conlleval(sentences: list[tuple[list[str], list[str]]]) -> Counts:
    """Walk over both columns at once and count a chunk as correct if it starts and ends on both together."""
    counts = Counts(Counter(), Counter(), Counter())
    column = [("O", "O")]
    for gold, found in sentences:
        column += [*zip(gold, found, strict=True), ("O", "O")]
    running = False  # a chunk that began on both sides with the same type, and agrees so far
    for (gold_before, found_before), (gold, found) in pairwise(column):
        gold_ends, found_ends = ends(gold_before, gold), ends(found_before, found)
        if running and gold_ends and found_ends:
            counts.correct[kind(gold_before)] += 1
            running = False
        elif running and (gold_ends != found_ends or kind(gold) != kind(found)):
            running = False
        gold_starts, found_starts = starts(gold_before, gold), starts(found_before, found)
        running = running or (gold_starts and found_starts and kind(gold) == kind(found))
        counts.gold[kind(gold)] += gold_starts
        counts.found[kind(found)] += found_starts
    return counts


def kind(tag: str) -> str:
    return tag.partition("-")[2]


def ends(before: str, tag: str) -> bool:
    return before != "O" and (tag[0] in "BO" or kind(before) != kind(tag))


def starts(before: str, tag: str) -> bool:
    return tag != "O" and (tag[0] == "B" or before == "O" or kind(before) != kind(tag))


def shares(correct: int, found: int, gold: int) -> str:
    """Precision, recall and F1 as conlleval prints them."""
    precision = 100 * correct / found if found else 0.0
    recall = 100 * correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return f"precision: {precision:6.2f}%; recall: {recall:6.2f}%; FB1: {f1:6.2f}"


def printed(counts: Counts) -> list[str]:
    """The lines conlleval prints, without accuracy and the number of words."""
    correct, found, gold = (column.total() for column in (counts.correct, counts.found, counts.gold))
    lines = [f"{gold} phrases; found: {found} phrases; correct: {correct}.", shares(correct, found, gold)]
    for label in sorted(label for label in counts.gold | counts.found if label):
        numbers = shares(counts.correct[label], counts.found[label], counts.gold[label])
        lines.append(f"{label}: {numbers}  {counts.found[label]}")
    return lines


def of_report(sentences: list[tuple[list[str], list[str]]]) -> Counts:
    gold, predicted = (documents_of([pair[side] for pair in sentences]) for side in (0, 1))
    report = evaluate(gold, predicted, resamples=0)
    scores = {item.label: item.score for item in report.labels}
    counts = Counts(
        Counter({label: score.support for label, score in scores.items()}),
        Counter({label: score.predicted for label, score in scores.items()}),
        Counter({label: score.tp for label, score in scores.items()}),
    )
    assert report.micro.f1 == pytest.approx(
        2 * counts.correct.total() / ((counts.gold + counts.found).total() or 1)
    )
    return counts


@pytest.mark.parametrize("case", RECORDED, ids=range(len(RECORDED)))
def test_recorded_output(case):
    sentences = [(gold.split(), found.split()) for gold, found in case["sentences"]]
    first, second, *labels = case["output"]
    expected = [re.sub(r".*tokens with ", "", first), re.sub(r".*?(?=precision)", "", second, count=1)]
    expected += [line.strip() for line in labels]
    assert printed(conlleval(sentences)) == expected
    assert printed(of_report(sentences)) == expected


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=12), max_size=5
    )
)
def test_counts_are_equal_on_any_tags(columns):
    sentences = [([gold for gold, _ in words], [found for _, found in words]) for words in columns]
    expected = conlleval(sentences)
    assert [+column for column in of_report(sentences)] == [
        Counter({label: count for label, count in column.items() if label and count}) for column in expected
    ]

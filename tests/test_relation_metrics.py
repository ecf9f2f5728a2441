"""Strict scores of relations."""

from __future__ import annotations

import pytest

from medspan.errors import UsageError
from medspan.metrics.relations import evaluate_relations
from medspan.types import Document, Entity, Relation, Span

LABELS = ("effect", "int")


def pair(*relations: tuple[str, str, str], label: str = "drug", end: int = 4, prefix: str = "") -> Document:
    """Two drugs and some relations of (label, head, tail)."""
    entities = (
        Entity(f"{prefix}a", "drug", (Span(0, 2),)),
        Entity(f"{prefix}b", label, (Span(3, end),)),
    )
    found = tuple(
        Relation(f"R{i}", r[0], f"{prefix}{r[1]}", f"{prefix}{r[2]}") for i, r in enumerate(relations)
    )
    return Document("d", "xx yyyy", entities=entities, relations=found)


@pytest.mark.parametrize(
    ("found", "tp", "fp", "fn"),
    [
        (pair(("effect", "a", "b")), 1, 0, 0),
        (pair(("effect", "a", "b"), prefix="other"), 1, 0, 0),
        (pair(("effect", "b", "a")), 0, 1, 1),
        (pair(("int", "a", "b")), 0, 1, 1),
        (pair(("effect", "a", "b"), label="brand"), 0, 1, 1),
        (pair(("effect", "a", "b"), end=5), 0, 1, 1),
        (pair(("effect", "a", "b"), ("effect", "a", "b")), 1, 0, 0),
        (pair(), 0, 0, 1),
        (pair(("effect", "a", "b"), ("advise", "a", "b")), 1, 0, 0),
    ],
)
def test_both_ends_and_the_label_must_agree(found: Document, tp: int, fp: int, fn: int):
    score = evaluate_relations([pair(("effect", "a", "b"))], [found], LABELS).micro
    assert (score.tp, score.fp, score.fn) == (tp, fp, fn)


def test_ends_without_order_may_be_turned():
    gold, found = [pair(("effect", "a", "b"))], [pair(("effect", "b", "a"))]
    assert evaluate_relations(gold, found, LABELS, symmetric=True).micro.f1 == 1


def test_labels_and_intervals_stand_apart():
    gold = [pair(("effect", "a", "b")), pair(("int", "a", "b")), pair()]
    found = [pair(("effect", "a", "b")), pair(), pair(("int", "a", "b"))]
    report = evaluate_relations(gold, found, LABELS)
    assert report.labels["effect"].f1 == 1
    assert report.labels["int"].f1 == 0
    assert report.micro.f1 == pytest.approx(0.5)
    assert report.intervals.f1 is not None
    assert report.intervals.f1.low <= 0.5 <= report.intervals.f1.high


def test_other_documents_are_refused():
    with pytest.raises(UsageError, match="different documents"):
        evaluate_relations([pair()], [], LABELS)

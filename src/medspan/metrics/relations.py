"""Strict scores of relations: the label, and of both ends every border and the label."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from medspan.errors import UsageError
from medspan.metrics.counts import Score
from medspan.metrics.intervals import StrictIntervals, bootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.types import Document, Span

RESAMPLES = 1000


class End(NamedTuple):
    """One end of a relation."""

    spans: tuple[Span, ...]
    label: str


class RelationKey(NamedTuple):
    """What two relations must share to be the same."""

    label: str
    head: End
    tail: End


class RelationReport(msgspec.Struct, frozen=True):
    """Micro score over all labels, the score of each, and 95 % intervals over documents."""

    micro: Score
    labels: dict[str, Score]
    intervals: StrictIntervals
    counts: tuple[tuple[tuple[int, int, int], ...], ...]
    """By document and label, in the order of ``labels``: true positives, false positives, false negatives."""


def relation_keys(document: Document, *, symmetric: bool = False) -> set[RelationKey]:
    """The relations of a document as values; ends without order are put in that of the text."""
    ends = {entity.id: End(entity.spans, entity.label) for entity in document.entities}
    keys = set()
    for relation in document.relations:
        head, tail = ends[relation.head], ends[relation.tail]
        if symmetric and tail < head:
            head, tail = tail, head
        keys.add(RelationKey(relation.label, head, tail))
    return keys


def relation_counts(
    gold: Document, predicted: Document, labels: Sequence[str], *, symmetric: bool = False
) -> tuple[tuple[int, int, int], ...]:
    """True positives, false positives and false negatives of each of some labels in one document."""
    wanted, found = (relation_keys(document, symmetric=symmetric) for document in (gold, predicted))
    hits, wrong, missed = (
        Counter(key.label for key in keys) for keys in (wanted & found, found - wanted, wanted - found)
    )
    return tuple((hits[label], wrong[label], missed[label]) for label in labels)


def evaluate_relations(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    labels: Sequence[str],
    *,
    symmetric: bool = False,
    seed: int = 13,
) -> RelationReport:
    """Compare relations, strictly at both ends.

    Args:
        gold: documents with the relations there are.
        predicted: the same documents, in the same order, with the relations that were found.
        labels: which labels of relations count.
        symmetric: whether the ends of a relation have no order.
        seed: of the bootstrap.

    Raises:
        UsageError: if the documents are not the same ones.
    """
    if [document.text for document in gold] != [document.text for document in predicted]:
        raise UsageError("relations of different documents cannot be compared; give the same ones in order")
    rows = tuple(
        relation_counts(a, b, labels, symmetric=symmetric) for a, b in zip(gold, predicted, strict=True)
    )
    by_label = {
        label: sum((Score.of(*row[place]) for row in rows), Score.of(0, 0, 0))
        for place, label in enumerate(labels)
    }
    micro = sum(by_label.values(), Score.of(0, 0, 0))
    return RelationReport(micro, by_label, bootstrap(rows, seed=seed, resamples=RESAMPLES), rows)

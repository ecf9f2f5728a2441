"""Golden documents: the relations that were found are found again, in whatever company."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from medspan.errors import ModelError
from medspan.features.views import ViewSpec
from medspan.model.relation_golden import (
    compare_relations,
    golden_documents,
    make_relation_golden,
    read_relation_golden,
)
from medspan.types import Document, Relation

if TYPE_CHECKING:
    from collections.abc import Sequence

SPEC = ViewSpec(pairs=(("Drug", "Dosage"), ("Drug", "Effect")))


class Neighbours:
    """Relates each entity to the next."""

    def annotate(self, documents: Sequence[Document]) -> list[Document]:
        return [self.one(d, place, len(documents)) for place, d in enumerate(documents)]

    def one(self, document: Document, place: int, total: int) -> Document:  # noqa: ARG002 - subclasses look at them
        ends = zip(document.entities, document.entities[1:], strict=False)
        found = (Relation(f"R{i}", "Next", a.id, b.id, self.score(total)) for i, (a, b) in enumerate(ends))
        return document.replace(relations=tuple(found))

    def score(self, total: int) -> float:  # noqa: ARG002 - subclasses look at it
        return 0.75


class LeaksBatch(Neighbours):
    def score(self, total: int) -> float:
        return 0.75 + 0.01 * (total == 1)


class LeaksOrder(Neighbours):
    def one(self, document: Document, place: int, total: int) -> Document:
        moved = place * 2 >= total > 1 and document.id == "golden-0"
        return document.replace(relations=()) if moved else super().one(document, place, total)


class Deaf(Neighbours):
    def one(self, document: Document, place: int, total: int) -> Document:  # noqa: ARG002 - as above
        return document.replace(relations=())


def test_documents_have_every_label_and_odd_ones_among_them():
    documents = golden_documents(SPEC)
    assert {e.label for d in documents for e in d.entities} == {"Drug", "Dosage", "Effect"}
    assert any(not d.text for d in documents)
    assert any(d.text and not d.entities for d in documents)
    assert any(len(d.text.split()) > 60 for d in documents)
    assert len({d.id for d in documents}) == len(documents)


def test_many_pairs_make_no_more_documents():
    labels = [f"L{i}" for i in range(40)]
    many = ViewSpec(pairs=tuple((a, b) for a in labels for b in labels))
    assert len(golden_documents(many)) < 70


def test_what_was_saved_is_found_again():
    golden = read_relation_golden(make_relation_golden(Neighbours(), golden_documents(SPEC)))
    assert sum(len(item.relations) for item in golden) > 10
    assert compare_relations(Neighbours(), golden) == []


@pytest.mark.parametrize(
    ("relater", "said"),
    [
        (LeaksBatch(), "alone differs from the same document in a batch"),
        (LeaksOrder(), "depends on the order of the documents"),
        (Deaf(), r"differs from when the model was saved: Next \(E0, E1\) is missing"),
    ],
)
def test_what_differs_is_said(relater: Neighbours, said: str):
    golden = read_relation_golden(make_relation_golden(Neighbours(), golden_documents(SPEC)))
    assert any(re.search(said, problem) for problem in compare_relations(relater, golden))


def test_nothing_proves_nothing():
    assert "proved" in compare_relations(Neighbours(), [])[0]
    with pytest.raises(ModelError, match="damaged"):
        read_relation_golden(b"{}")

"""Where parts end, and what is digested."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import FormatError
from medspan.jobs.parts import Limits, Part, cut
from medspan.types import Document
from strategies import documents as any_document


def texts(*lengths: int) -> list[Document]:
    return [Document(str(number), "x" * length) for number, length in enumerate(lengths)]


ERROR = FormatError("a.jsonl", 3, "not JSON", "write JSON")


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([5], [1]),
        ([0, 0, 0, 0], [3, 1]),
        ([1, 1, 1], [3]),
        ([4, 4, 4], [2, 1]),
        ([10, 1], [1, 1]),
        ([99, 1, 1], [1, 2]),  # a document above the limit is a part by itself
        ([1, 99, 1], [1, 1, 1]),
    ],
)
def test_parts_end_by_documents_and_characters(lengths: list[int], expected: list[int]):
    parts = list(cut(texts(*lengths), Limits(documents=3, characters=10)))
    assert [len(part) for part in parts] == expected
    assert [part.number for part in parts] == list(range(len(expected)))


def test_rejected_units_count_and_keep_their_place():
    units = [ERROR, *texts(1, 1), ERROR, ERROR]
    first, second = cut(units, Limits(documents=3))
    assert [(row.place, row.part) for row in (*first.errors, *second.errors)] == [(0, 0), (3, 1), (4, 1)]
    assert first.places == [1, 2]
    row = first.errors[0]
    assert (row.path, row.line, row.id, row.reason) == ("a.jsonl", 3, None, "not JSON; write JSON")


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 6), st.integers(1, 40))
def test_nothing_is_lost_and_limits_hold(lengths: list[int], documents: int, characters: int):
    parts = list(cut(texts(*lengths), Limits(documents=documents, characters=characters)))
    packed = [raw for part in parts for raw in part.documents]
    assert [msgspec.msgpack.decode(raw, type=Document).id for raw in packed] == [
        str(i) for i in range(len(lengths))
    ]
    assert [place for part in parts for place in part.places] == list(range(len(lengths)))
    for part in parts:
        assert 1 <= len(part) <= documents
        assert part.characters <= characters or len(part) == 1


@given(any_document())
def test_a_document_comes_through_whole(document: Document):
    part = Part(0, 0)
    part.add(document)
    (raw,) = part.documents
    assert msgspec.msgpack.decode(raw, type=Document) == document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (Document("odd", "half \ud800 pair"), "surrogate"),
        (Document("odd", "x", meta={"big": 1 << 70}), "64 bits"),
        (Document("odd", "x", meta={"what": object()}), "TypeError"),
    ],
)
def test_what_cannot_be_sent_becomes_an_error_row(document: Document, said: str):
    (part,) = cut([*texts(1), document])
    assert part.places == [0]
    (row,) = part.errors
    assert (row.id, row.place) == ("odd", 1)
    assert said in row.reason


def test_the_digest_tells_inputs_apart():
    inputs = [
        [Document("a", "x")],
        [Document("b", "x")],
        [Document("a", "x"), Document("a", "x")],
        [Document("a", "x"), ERROR],
        [ERROR, Document("a", "x")],
        [ERROR],
    ]
    digests = [next(cut(units)).digest() for units in inputs]
    assert len(set(digests)) == len(inputs)
    assert digests == [next(cut(units)).digest() for units in inputs]

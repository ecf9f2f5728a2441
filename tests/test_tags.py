"""Tags ↔ chunks, and which tag may follow which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.tags import decode, encode, iobes_tags, may_end, may_follow, may_start, split_tag

LABELS = ("A", "B-C", "O")  # a label may hold a hyphen, or be called O
SCHEMES = ("IOB1", "IOB2", "IOBES")


@st.composite
def chunked(draw: st.DrawFn) -> tuple[list[tuple[int, int, str]], int]:
    """Disjoint chunks, often adjacent and of the same label, and the number of words."""
    chunks, position = [], 0
    for gap, size, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(LABELS)), max_size=8)
    ):
        chunks.append((position + gap, position + gap + size, label))
        position += gap + size
    return chunks, position + draw(st.integers(0, 2))


@given(chunked(), st.sampled_from(SCHEMES))
def test_decode_reads_what_encode_wrote(case, scheme: str):
    chunks, length = case
    tags = encode(chunks, length, scheme)
    assert len(tags) == length
    assert decode(tags) == chunks


@given(chunked())
def test_written_iobes_is_a_legal_path(case):
    tags = encode(*case)
    if tags:
        assert may_start(tags[0])
        assert may_end(tags[-1])
    assert all(map(may_follow, tags, tags[1:]))


@given(st.lists(st.sampled_from(iobes_tags(["A", "B"])), max_size=7))
def test_legal_paths_are_those_that_come_back_unchanged(tags: list[str]):
    is_legal = not tags or (may_start(tags[0]) and may_end(tags[-1]) and all(map(may_follow, tags, tags[1:])))
    assert is_legal == (encode(decode(tags), len(tags)) == tags)


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B", "E-B", "S-B"]), max_size=12))
def test_chunks_of_any_sequence_are_sorted_disjoint_and_cover_every_tag_but_o(tags: list[str]):
    chunks = decode(tags)
    assert chunks == sorted(chunks)
    assert encode(chunks, len(tags)).count("O") == tags.count("O")


@pytest.mark.parametrize(
    ("tags", "chunks"),
    [
        ("", []),
        ("O O", []),
        ("B-A I-A", [(0, 2, "A")]),
        ("B-A B-A", [(0, 1, "A"), (1, 2, "A")]),
        ("I-A I-A B-A", [(0, 2, "A"), (2, 3, "A")]),  # IOB1
        ("I-A I-B", [(0, 1, "A"), (1, 2, "B")]),
        ("B-A I-B", [(0, 1, "A"), (1, 2, "B")]),  # invalid in IOB2
        ("O I-A", [(1, 2, "A")]),  # invalid in IOB2
        ("S-A S-A", [(0, 1, "A"), (1, 2, "A")]),
        ("B-A E-A I-A", [(0, 2, "A"), (2, 3, "A")]),  # invalid in IOBES
        ("E-A E-A", [(0, 1, "A"), (1, 2, "A")]),
        ("S-A I-A", [(0, 1, "A"), (1, 2, "A")]),
        ("B-A S-A", [(0, 1, "A"), (1, 2, "A")]),
        ("B-B-C I-B-C", [(0, 2, "B-C")]),  # a hyphen in the label
        ("B-O I-O O", [(0, 2, "O")]),  # a label called O
    ],
)
def test_decode(tags: str, chunks: list[tuple[int, int, str]]):
    assert decode(tags.split()) == chunks


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", "I-A I-A B-A I-B O I-A"),
        ("IOB2", "B-A I-A B-A B-B O B-A"),
        ("IOBES", "B-A E-A S-A S-B O S-A"),
    ],
)
def test_encode_sorts_and_marks_adjacent_chunks(scheme: str, tags: str):
    chunks = [(5, 6, "A"), (0, 2, "A"), (3, 4, "B"), (2, 3, "A")]
    assert encode(chunks, 6, scheme) == tags.split()


def test_encode_writes_the_inside_of_a_long_chunk():
    assert encode([(1, 5, "A")], 6) == ["O", "B-A", "I-A", "I-A", "E-A", "O"]


@pytest.mark.parametrize("chunk", [(-1, 1, "A"), (0, 0, "A"), (2, 1, "A"), (1, 4, "A"), (1, 2, "A")])
def test_encode_refuses_what_overlaps_or_lies_outside(chunk: tuple[int, int, str]):
    with pytest.raises(ValueError, match="overlaps another or lies outside 3 words"):
        encode([(1, 3, "B"), chunk], 3)


def test_encode_refuses_an_unknown_scheme():
    with pytest.raises(ValueError, match="known: IOB1, IOB2, IOBES"):
        encode([], 1, "BILOU")


def test_tag_inventory():
    assert iobes_tags([]) == ["O"]
    assert iobes_tags(["A", "B"]) == ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B", "E-B", "S-B"]
    assert len(set(iobes_tags(["A", "B"]))) == 9


@pytest.mark.parametrize(
    ("tag", "parts"), [("O", ("O", "")), ("B-A", ("B", "A")), ("I-A-B", ("I", "A-B")), ("E-", ("E", ""))]
)
def test_split_tag(tag: str, parts: tuple[str, str]):
    assert split_tag(tag) == parts

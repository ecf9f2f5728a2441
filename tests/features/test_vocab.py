"""Words and characters ↔ ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medspan.errors import ModelError
from medspan.features.vocab import (
    FIRST_CHARACTER,
    PAD,
    UNKNOWN_DIGIT,
    UNKNOWN_LOWER,
    UNKNOWN_MARK,
    UNKNOWN_OTHER,
    UNKNOWN_UPPER,
    UNKNOWN_WORD,
    build_vocab,
    read_vocab,
)
from medspan.text.normalize import normalize
from strategies import texts

SENTENCES = [["Grey", "fever", "and", "fever"], ["fever", "12", "mg", "Zelvorin"], ["grey", "35", "mg"]]


def test_most_frequent_first_ties_by_spelling():
    vocab = build_vocab(SENTENCES, min_char_count=1)
    assert vocab.words == ("fever", "00", "grey", "mg", "and", "zelvorin")
    assert vocab.counts == (3, 2, 2, 2, 1, 1)
    assert vocab.n_words == 8
    assert vocab.n_characters == len(vocab.characters) + FIRST_CHARACTER
    assert [vocab.word_id(form) for form in ("FEVER", "99", "Grey", "nothing")] == [2, 3, 4, UNKNOWN_WORD]


def test_rare_words_and_characters_are_left_out():
    vocab = build_vocab(SENTENCES, min_count=2, min_char_count=6)
    assert vocab.words == ("fever", "00", "grey", "mg")
    assert vocab.characters == ("e", "r")


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("Q", UNKNOWN_UPPER),
        ("q", UNKNOWN_LOWER),
        ("患", UNKNOWN_LOWER),
        ("7", UNKNOWN_DIGIT),
        ("Ⅷ", UNKNOWN_DIGIT),
        ("%", UNKNOWN_MARK),
        ("±", UNKNOWN_MARK),
        ("\x00", UNKNOWN_OTHER),
        ("\u0301", UNKNOWN_OTHER),
        ("\ud800", UNKNOWN_OTHER),
        ("\U0010ffff", UNKNOWN_OTHER),
    ],
)
def test_unknown_characters_have_a_class(character: str, expected: int):
    vocab = build_vocab([["e"]], min_char_count=1)
    assert vocab.char_id(character) == expected
    assert vocab.char_id(character) == expected


def test_an_unknown_character_falls_back_to_its_base_letter():
    vocab = build_vocab([["e", "f"]], min_char_count=1)
    assert vocab.char_id("é") == vocab.char_id("e") >= FIRST_CHARACTER
    assert vocab.char_id("ﬁ") == vocab.char_id("f")
    assert PAD not in {vocab.char_id(c) for c in "eéfﬁ?"}


@given(first=texts(max_size=12), second=texts(max_size=12))
def test_ids_do_not_depend_on_what_was_seen_before(first: str, second: str):
    used, fresh = build_vocab(SENTENCES), build_vocab(SENTENCES)
    for character in first:
        used.char_id(character)
    assert [used.char_id(c) for c in second] == [fresh.char_id(c) for c in second]
    assert all(0 < used.char_id(c) < used.n_characters for c in first + second)


@given(st.lists(st.lists(texts(max_size=3), max_size=4), max_size=4))
def test_json_round_trip_and_determinism(sentences: list[list[str]]):
    vocab = build_vocab(sentences, min_char_count=1)
    again = read_vocab(vocab.to_json())
    assert again == vocab
    assert build_vocab(reversed(sentences), min_char_count=1) == vocab
    for form in {form for sentence in sentences for form in sentence}:
        assert again.word_id(form) == vocab.word_id(form) == 2 + vocab.words.index(normalize(form))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"words": []}', b'{"words": [1], "counts": [1], "characters": []}']
)
def test_damaged_files_are_refused(data: bytes):
    with pytest.raises(ModelError, match=r"vocab\.json: .*damaged"):
        read_vocab(data)

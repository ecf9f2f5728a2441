"""Properties of words, sentences, windows and keys over arbitrary Unicode."""

# ruff: noqa: RUF001 - letters and marks that look alike are the point

from __future__ import annotations

import unicodedata
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from medspan.text.normalize import SHAPE_CLASSES, normalize, word_shape_class
from medspan.text.sentences import split_sentences
from medspan.text.tokenize import is_blank, tokenize
from medspan.text.windows import windows
from strategies import texts as strange_texts

ODD_PIECES = st.sampled_from(
    ["\r\n", "\n", "\n\n", "\t", " ", "\u00a0", "\u200b", "\ufeff", "\u200d", "\u0301", "\u200f", "\x00", "\x1c", "\x85",
     "\u2028", ".", ". ", "。", "? ", ".) ", "e.g. ", "b.i.d.", "Dr. ", "1. ", "- ", "PLAN:", "Fig. 2", "aB", "A", "p53",
     "mRNA", "(", ")", "[1]", "...", "0.5", "שלום", "مرحبا", "हिन्दी", "👩\u200d⚕️", "𝒳", "e\u0301", "é", "\ud800", "|",
     "word", "Word", "and", "٣", "²", "ǅ", "\u00ad", "\U000e0061"]
)  # fmt: skip
texts = st.one_of(
    strange_texts(),
    st.text(st.characters(codec=None, exclude_categories=())),
    st.lists(ODD_PIECES, max_size=30).map("".join),
    st.lists(st.one_of(ODD_PIECES, st.text(max_size=5)), max_size=20).map("".join),
)


def _covers_what_is_not_blank(text: str, ranges: list[tuple[int, int]]) -> None:
    end_before = 0
    for start, end in ranges:
        assert end_before <= start < end <= len(text)
        assert all(is_blank(character) for character in text[end_before:start])
        assert not is_blank(text[start])
        assert not is_blank(text[end - 1])
        end_before = end
    assert all(is_blank(character) for character in text[end_before:])


@given(texts)
def test_words_cover_the_text(text: str) -> None:
    words = tokenize(text)
    _covers_what_is_not_blank(text, words)
    assert not any(is_blank(character) for start, end in words for character in text[start:end])


@given(texts)
def test_separating_all_words_by_blanks_keeps_them(text: str) -> None:
    words = [text[start:end] for start, end in tokenize(text)]
    spaced = " ".join(words)
    assert [spaced[start:end] for start, end in tokenize(spaced)] == words


@given(texts)
def test_decomposing_keeps_the_words(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    decomposed = unicodedata.normalize("NFD", text)
    words = [unicodedata.normalize("NFC", decomposed[start:end]) for start, end in tokenize(decomposed)]
    assert words == [unicodedata.normalize("NFC", composed[start:end]) for start, end in tokenize(composed)]


@given(texts)
@example("end.\u0301 Next")
@example("end。\u0301Next")
def test_sentences_cover_the_text_and_cut_no_word(text: str) -> None:
    found = split_sentences(text)
    _covers_what_is_not_blank(text, found)
    inside = [(start + a, start + b) for start, end in found for a, b in tokenize(text[start:end])]
    assert inside == tokenize(text)


@given(st.integers(0, 500), st.integers(1, 60), st.data())
def test_owned_ranges_tile_the_sequence(n_words: int, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    found = windows(n_words, size=size, overlap=overlap)
    owned = [word for window in found for word in range(window.owned_first, window.owned_stop)]
    assert owned == list(range(n_words))
    for window in found:
        assert 0 <= window.first <= window.owned_first < window.owned_stop <= window.stop <= n_words
        assert window.stop - window.first <= size
    for left, right in pairwise(found):
        assert left.stop - right.first == overlap


@given(texts)
def test_keys_are_fixed_points_and_never_blank(word: str) -> None:
    for start, end in tokenize(word):
        key = normalize(word[start:end])
        assert normalize(key) == key
        assert key == normalize(unicodedata.normalize("NFD", word[start:end]))
        assert not any(is_blank(character) for character in key)
        assert 0 <= word_shape_class(word[start:end]) < len(SHAPE_CLASSES)

"""Words of odd and ordinary texts."""

# ruff: noqa: RUF001 - letters and marks that look alike are the point

from __future__ import annotations

import gzip
import json
import unicodedata

import pytest

from medspan.text.tokenize import TOKENIZER_ID, is_blank, tokenize

TABLE = [
    ("", []),
    (" \t\r\n\u00a0\u3000", []),
    ("\ufeff\u200b\u200e\u2066", []),
    ("aspirin", ["aspirin"]),
    ("5 mg/day.", ["5", "mg", "/", "day", "."]),
    ("0.5%", ["0", ".", "5", "%"]),
    ("0 . 5 %", ["0", ".", "5", "%"]),
    ("IL-2 IL2 HbA1c", ["IL", "-", "2", "IL2", "HbA1c"]),
    ("a_b", ["a", "_", "b"]),
    ("5µg α-tocopherol", ["5µg", "α", "-", "tocopherol"]),
    ("10² Ⅳ ½", ["10²", "Ⅳ", "½"]),
    ("Sjo\u0308gren Sj\u00f6gren", ["Sjo\u0308gren", "Sj\u00f6gren"]),
    ("हिन्दी में", ["हिन्दी", "में"]),
    ("ไข้สูง", ["ไข้สูง"]),
    ("می\u200cشود", ["می\u200cشود"]),  # a zero-width non-joiner stands inside the word
    ("hyper\u00adtension", ["hyper\u00adtension"]),
    ("=\u0338 ≠", ["=\u0338", "≠"]),
    ("\u0301a", ["\u0301", "a"]),
    ("👩\u200d⚕️!", ["👩\u200d", "⚕️", "!"]),
    ("𝒳𝒴 𐍈", ["𝒳𝒴", "𐍈"]),
    ("a\x00b\x01", ["a", "\x00", "b", "\x01"]),
    ("a\ud800b", ["a", "\ud800", "b"]),
    ("a\u200bb \ufeffc", ["a", "b", "c"]),
    ("患者は", ["患者は"]),
    ("שָׁלוֹם", ["שָׁלוֹם"]),
    ("b.i.d.\r\nq.6h", ["b", ".", "i", ".", "d", ".", "q", ".", "6h"]),
]


@pytest.mark.parametrize(("text", "words"), TABLE)
def test_words(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in tokenize(text)] == words


def test_tokenizer_id_is_stable() -> None:
    assert TOKENIZER_ID == "medspan-words-1"


def test_blanks_are_what_words_leave_out() -> None:
    for code_point in range(0x110000):
        character = chr(code_point)
        assert bool(tokenize(character)) is not is_blank(character), hex(code_point)


def test_composed_and_decomposed_text_have_the_same_words_for_every_character() -> None:
    for code_point in range(0x110000):
        character = chr(code_point)
        decomposed = unicodedata.normalize("NFD", character)
        if decomposed != character:
            composed = unicodedata.normalize("NFC", decomposed)
            assert len(tokenize(f"x {decomposed} y")) == len(tokenize(f"x {composed} y")), hex(code_point)


@pytest.mark.parametrize("unit", ["a", "7", "@", ".", "\n", " ", "a\u0301", "\u0301", "a.", "_", "\u200d"])
def test_a_megabyte_of_one_unit(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    words = tokenize(text)
    assert sum(end - start for start, end in words) == (0 if unit.isspace() else len(text))


@pytest.mark.corpora
@pytest.mark.parametrize(("name", "share"), [("ncbi-disease", 0.001), ("bc5cdr", 0.001), ("bc2gm", 0.0)])
def test_gold_spans_fall_on_word_borders(corpora_dir, name: str, share: float) -> None:
    total = off = 0
    for split in ("train", "devel"):
        path = corpora_dir / "standoff" / name / f"{split}.jsonl.gz"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for record in map(json.loads, lines):
                words = tokenize(record["text"])
                starts, ends = {start for start, _ in words}, {end for _, end in words}
                for entity in record["entities"]:
                    for start, end in entity.get("parts") or [(entity["start"], entity["end"])]:
                        total += 1
                        off += start not in starts or end not in ends
    assert total > 5_000
    assert off <= share * total

"""Dictionary keys and casing classes of words.

A key is looked up in a vocabulary and never shown; offsets always come from the unchanged text. Both
functions are pure and cached, because most words of a text are repeated.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from medspan.text.marks import JOINERS

_CACHED_WORDS: Final = 1 << 13
_LONGEST_KEY: Final = 100  # characters: longer words are no vocabulary entries, and keys stay bounded
_MOST_ROUNDS: Final = 4

_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u02d7\ufe58\ufe63\uff0d"
_SINGLE_QUOTES: Final = "\u2018\u2019\u201a\u201b\u2032\u02b9\u02bb\u02bc\u00b4`"
_DOUBLE_QUOTES: Final = "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"
_UNIFIED: Final = str.maketrans(
    dict.fromkeys(_DASHES, "-")
    | dict.fromkeys(_SINGLE_QUOTES, "'")
    | dict.fromkeys(_DOUBLE_QUOTES, '"')
    | dict.fromkeys(JOINERS, "")
    | {" ": "", "\u2044": "/"}
)
_DIGIT: Final = re.compile(r"\d")
_REPEAT: Final = re.compile(r"([^\d])\1{3,}")

SHAPE_CLASSES: Final[tuple[str, ...]] = (
    "lower",  # protein
    "title",  # Protein
    "upper",  # DNA
    "single_upper",  # E
    "mixed",  # mRNA
    "digits",  # 12
    "lower_digits",  # p53
    "upper_digits",  # IL2
    "mixed_digits",  # HbA1c
    "uncased",  # a letter script without case
    "greek",  # alpha, Delta, and words of Greek letters
    "punctuation",  # - ( %
    "other",  # everything else: control characters, symbols with letters, the empty word
)
"""Casing classes; a model stores the index, so the order never changes under one tokeniser id."""

_CLASS_ID: Final = {name: index for index, name in enumerate(SHAPE_CLASSES)}


@lru_cache(maxsize=_CACHED_WORDS)
def normalize(word: str) -> str:
    """The dictionary key of a word.

    Compatibility forms are unified (NFKC), case is folded, every decimal digit becomes ``0``, variants of
    dash and quote become ASCII and joiners vanish. A character other than a digit that stands four times or
    more in a row stands three times, and a key ends after 100 characters.

    Returns:
        The key; ``normalize(key) == key``. It is empty only for words made of joiners.
    """
    key = _fold(word[: 4 * _LONGEST_KEY])
    for _ in range(_MOST_ROUNDS):  # a few sequences of marks need a second round to reach the fixed point
        again = _fold(key)
        if again == key:
            break
        key = again
    return key


def _fold(word: str) -> str:
    plain = word.translate(_UNIFIED)  # before NFKC too, which turns an acute accent into blank and mark
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())
    unified = composed.translate(_UNIFIED)
    return _REPEAT.sub(r"\1\1\1", _DIGIT.sub("0", unified))[:_LONGEST_KEY]


@lru_cache(maxsize=_CACHED_WORDS)
def word_shape_class(word: str) -> int:
    """The casing class of a word, as an index into ``SHAPE_CLASSES``."""
    return _CLASS_ID[_shape_name(word)]


def _shape_name(word: str) -> str:
    letters = [character for character in word if character.isalpha()]
    has_digit = any(character.isnumeric() for character in word)
    if not letters:
        return "digits" if has_digit else _mark_name(word)
    if all("\u0370" <= letter <= "\u03ff" or "\u1f00" <= letter <= "\u1fff" for letter in letters):
        return "greek"
    case = _case_name(letters)
    if not has_digit:
        return case
    return {"lower": "lower_digits", "upper": "upper_digits", "single_upper": "upper_digits"}.get(
        case, "mixed_digits"
    )


def _case_name(letters: list[str]) -> str:
    uppers = [letter.isupper() or letter.istitle() for letter in letters]
    if not any(uppers):
        return "lower" if any(letter.islower() for letter in letters) else "uncased"
    if all(uppers):
        return "upper" if len(letters) > 1 else "single_upper"
    return "title" if uppers[0] and not any(uppers[1:]) else "mixed"


def _mark_name(word: str) -> str:
    return "punctuation" if word and unicodedata.category(word[0])[0] in "PS" else "other"

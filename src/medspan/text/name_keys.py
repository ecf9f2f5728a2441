"""Keys of names: what is left of a name when case, marks, number, word order and spelling do not count.

``plain_key`` forgives case, marks and script; ``bag_key`` also number, spelling, word order and small words.
A key is compared and never shown.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_CACHED: Final = 1 << 16
_GREEK: Final = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu "
    "nu xi omicron pi rho sigma tau upsilon phi chi psi omega"
)
_GREEK_TABLE: Final = str.maketrans(
    {unicodedata.lookup(f"GREEK SMALL LETTER {name}"): f" {name} " for name in _GREEK.split()}
    | {"\u03bb": " lambda ", "\u03c2": " sigma "}
)
_POSSESSIVE: Final = re.compile(r"['\u2019`\u00b4\u02bc\u2032]s\b")
_WORD: Final = re.compile(r"[^\W_]+")
_PIECE: Final = re.compile(r"\d+|[^\W\d_]+")
_ROMAN: Final = {
    "ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "xi": "11", "xii": "12",
}  # fmt: skip
_ROMAN_AFTER: Final = {"i": "1", "v": "5", "x": "10"}
_NUMBERED: Final = frozenset(("type", "class", "group", "stage", "grade", "factor", "form", "phase"))
_SMALL: Final = frozenset(
    ("of", "the", "a", "an", "in", "to", "by", "for", "on", "at", "and", "with", "due", "from", "as", "nos")
)
_SPELLINGS: Final = (
    (re.compile(r"oe(?=[a-z])"), "e"),
    (re.compile(r"ae(?=[a-z])"), "e"),
    (re.compile(r"tumour"), "tumor"),
    (re.compile(r"colour"), "color"),
    (re.compile(r"fibre"), "fiber"),
    (re.compile(r"sulph"), "sulf"),
    (re.compile(r"leuc(?=[aeo])"), "leuk"),
    (re.compile(r"isation"), "ization"),
    (re.compile(r"aluminium"), "aluminum"),
)
_SHORTEST_PLURAL: Final = 4


@lru_cache(maxsize=_CACHED)
def plain_key(name: str) -> str:
    """A name without case, marks, accents, possessive endings; Greek letters spelt out.

    Returns:
        Words and numbers with one blank between; empty where a name holds neither. A key's key is itself.
    """
    return " ".join(_WORD.findall(_folded(name)))


@lru_cache(maxsize=_CACHED)
def key_words(name: str) -> tuple[str, ...]:
    """The words of a name in their order: singular, in American spelling, numbers in digits and apart."""
    words: list[str] = []
    for word in _PIECE.findall(plain_key(name)):
        if word in _ROMAN_AFTER and words and words[-1] in _NUMBERED:
            words.append(_ROMAN_AFTER[word])
        else:
            words.append(base_word(word))
    return tuple(words)


@lru_cache(maxsize=_CACHED)
def bag_key(name: str) -> str:
    """The words of a name, sorted, each once, without small ones such as *of* and *the*."""
    words = key_words(name)
    return " ".join(sorted({word for word in words if word not in _SMALL} or set(words)))


def _folded(name: str) -> str:
    if name.isascii():
        return _POSSESSIVE.sub("", name.lower())
    text = unicodedata.normalize("NFKC", name).casefold().translate(_GREEK_TABLE)
    apart = unicodedata.normalize("NFKD", text)
    text = "".join(character for character in apart if not unicodedata.combining(character))
    return _POSSESSIVE.sub("", text.translate(_GREEK_TABLE))


@lru_cache(maxsize=_CACHED)
def base_word(word: str) -> str:
    """A folded word as keys hold it: singular, in American spelling, Roman numbers in digits."""
    if word in _ROMAN:
        return _ROMAN[word]
    if word.isdigit():
        return word.lstrip("0") or "0"
    word = _singular(word)
    for pattern, plain in _SPELLINGS:
        word = pattern.sub(plain, word)
    return word


def _singular(word: str) -> str:
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1]

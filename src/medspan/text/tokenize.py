r"""Cuts text into words, as offsets into the unchanged string.

The rules, complete:

1. A word is a run of letters and digits with the marks and joiners that follow them
   (``medspan.text.marks``), so composed and decomposed text give the same words. ``IL2`` and ``HbA1c`` are
   one word each.
2. Every other character that is not blank is a word by itself, with the marks that follow it: hyphen, dot,
   slash, ``%``, underscore, emoji, and also control characters such as ``\x00`` and lone surrogates, which
   are odd but are the user's text.
3. Blank is ``str.isspace``, and what only guides a renderer: zero-width space, byte order mark and the
   bidirectional controls (``INVISIBLE_BLANKS``). Blanks separate words and belong to none.

So ``0.5`` is the three words ``0 . 5``: corpora whose words are separated by blanks and raw text give the
same words, and a prediction cannot depend on how a corpus separated its punctuation. Every cut is between two
characters and depends on nothing but the characters beside it, so time is linear.
"""

from __future__ import annotations

import re

from medspan.text.marks import extending_class

TOKENIZER_ID = "medspan-words-1"
"""Names these rules in a model folder; a change of any rule is a new id."""

INVISIBLE_BLANKS = "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
"""Characters that are blank here though ``str.isspace`` is false for them."""

_EXTENDING = extending_class()
_RUN = rf"[^\W_]++(?:[{_EXTENDING}]++[^\W_]*+)*+"  # letters and digits with their marks
_OTHER = rf"[^\s{INVISIBLE_BLANKS}][{_EXTENDING}]*+"  # any one other character with its marks
_WORD = re.compile(rf"{_RUN}|{_OTHER}")
# The first branch is the second one where it is plain: most words, at twice the speed.
_PIECE = re.compile(rf"[a-zA-Z0-9]++(?=[ -~])|{_RUN}| |[\s{INVISIBLE_BLANKS}]++|{_OTHER}")


def tokenize(text: str) -> list[tuple[int, int]]:
    """The words of a text.

    Args:
        text: any string; it is not repaired, stripped or normalised.

    Returns:
        Half-open code point offsets, ascending and disjoint; together they cover every character that is
        not blank.
    """
    return [match.span() for match in _WORD.finditer(text)]


def pieces(text: str, first: int, stop: int) -> list[str]:
    """The words of a part of a text and the blanks between them, as strings.

    The same cuts as `tokenize`, for those who look words up and need no object for each offset: lengths of
    pieces add up to offsets. Blanks come in pieces of any length.

    Args:
        text: any string.
        first: where the part begins; no word may stand across it.
        stop: where the part ends; the same holds.

    Returns:
        Pieces that, joined, are the part.
    """
    return _PIECE.findall(text, first, stop)


def is_blank(character: str) -> bool:
    """Whether a character separates words and belongs to none."""
    return character.isspace() or character in INVISIBLE_BLANKS

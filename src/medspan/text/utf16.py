"""Offsets in UTF-16 code units, which browsers and the JVM count by, to and from code points."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LAST_OF_ONE_UNIT = "\uffff"


def to_utf16(text: str) -> Callable[[int], int]:
    """From an offset in code points of a text to the same place in UTF-16 code units."""
    wide = _wide(text)
    if not wide:
        return _same
    return lambda offset: offset + bisect_left(wide, offset)


def from_utf16(text: str) -> Callable[[int], int]:
    """From an offset in UTF-16 code units of a text to the same place in code points.

    One in the middle of a surrogate pair becomes that behind its character.
    """
    wide = _wide(text)
    if not wide:
        return _same
    after = [place + number + 1 for number, place in enumerate(wide)]  # the unit inside the pair
    return lambda offset: offset - bisect_left(after, offset)


def utf16_length(text: str) -> int:
    """How many UTF-16 code units a text has."""
    return len(text) + len(_wide(text))


def _wide(text: str) -> list[int]:
    """Where the characters of two code units stand, ascending."""
    if text.isascii() or max(text) <= _LAST_OF_ONE_UNIT:
        return []
    return [place for place, character in enumerate(text) if character > _LAST_OF_ONE_UNIT]


def _same(offset: int) -> int:
    return offset

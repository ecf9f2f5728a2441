"""Coordinated mentions taken apart: *breast and ovarian cancer* is *breast cancer* and *ovarian cancer*."""

from __future__ import annotations

import re
from typing import Final

_JOINED: Final = re.compile(r"\s*,\s*(?:(?:and/or|and|or)\s+)?|\s+(?:and/or|and|or|as well as)\s+|\s*/\s*")
_OF: Final = re.compile(r"\s+(?:of|in)\s+(?:the\s+)?")
_MOST_PARTS: Final = 6
_MOST_CHARACTERS: Final = 200
_HEADS: Final = (1, 2)  # words of a head that the parts may share
_LEAST: Final = 2


def ways_apart(mention: str) -> list[tuple[str, ...]]:
    """Every way to take a mention apart, each a tuple of parts; empty where nothing is coordinated.

    The parts may be complete as they stand, share the last words (*breast and ovarian cancer*), share the
    first (*renal cysts and tumors*), or what stands before *of* (*tumors of the breast and the ovary*).
    """
    parts = [part.strip() for part in _JOINED.split(mention[:_MOST_CHARACTERS])]
    if not _LEAST <= len(parts) <= _MOST_PARTS or not all(parts):
        return []
    first, last = parts[0].split(), parts[-1].split()
    ways = [tuple(parts)]
    for size in _HEADS:
        if len(last) > size:
            head = " ".join(last[-size:])
            ways.append((*(f"{part} {head}" for part in parts[:-1]), parts[-1]))
    if len(first) > 1:
        modifier = " ".join(first[:-1])
        ways.append((parts[0], *(f"{modifier} {part}" for part in parts[1:])))
    if of := _OF.search(parts[0]):
        ways.append((parts[0], *(parts[0][: of.end()] + part for part in parts[1:])))
    return list(dict.fromkeys(ways))

"""What stands beside a place and belongs to it: house numbers, flats, towns, postal codes, *clinic* after."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.tasks.deid.patterns import Candidate

_PLACES = frozenset({"LOCATION", "FACILITY"})
_HOUSE = re.compile(
    r"(?:^|[\n:,(>]|\b(?:at|to|is|in|of|on|and|with|from))\s{0,4}(\d{2,6}(?: \d{1,5})?)[ ,]{1,2}$",
    re.IGNORECASE,
)
_CORNER = re.compile(r"\b((?:the )?corner of (?:[^\n.]{1,40} and )?)$", re.IGNORECASE)
_FLAT = re.compile(
    r"[\s,]{1,6}(?:apt|apartment|suite|ste|unit|flat|room)\b\.? ?#?\d{1,5}[a-z]?(?!\w)", re.IGNORECASE
)
# Four digits or more, or the end of a line: "in Canada 2 weeks ago" has neither.
_NUMBER = re.compile(
    r"\.?[ ,]{1,2}\d{4,6}(?:-\d{3,4})?(?![\w.,]\d)"
    r"|\.? \d{1,4}[a-z]?(?=\.?\s*(?:[\n,;>]|$)|\.? (?:apt|suite))",
    re.IGNORECASE,
)
_CODE = re.compile(r"\s?,[ \n]{1,3}[A-Z]{2,3}(?=\s|$)|[ ,]{1,2}[A-Z]{2} \d{4,6}(?!\w)")
# What is left between two parts of an address: lines with a town, a code of a region.
_GAP = re.compile(
    r"\s*(?P<lines>[^\W\d_a-z][^\n\d:;]{1,30}(?:\n[\s,]{0,8}[A-Z]{1,3})?)\s*\n\s*"
    r"|\s*,? ?(?P<code>[A-Z]{1,3})\s*\n\s*"
)
_GAP_WORDS = 4
_AFTER = re.compile(r" (?:clinic|office|hospital|campus|branch|practice|ER|ED)(?!\w)")
_STATE = re.compile(
    r",? (?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|"
    r"UT|V[AT]|W[AIVY])(?!\w)"
)
_OF_ADDRESSES = (_FLAT, _NUMBER, _CODE)
_REACH = 64
_MOST_PARTS = 4


def find_beside(text: str, found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Wider candidates of the same rank, which win over the given ones by their length."""
    for candidate in found:
        if candidate.label in _PLACES:
            start, end = _start(text, candidate), _end(text, candidate)
            if (start, end) != (candidate.start, candidate.end):
                yield candidate._replace(start=start, end=end)


def find_between(text: str, found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Lines between two parts of an address: a town between street and country."""
    parts = sorted(each for each in found if each.label in {"LOCATION", "ZIP"})
    for left, right in pairwise(parts):
        gap = text[left.end : right.start]
        match = _GAP.fullmatch(gap) if "\n" in gap and len(gap) < _REACH else None
        if match and len(gap.split()) <= _GAP_WORDS:
            start, end = match.span("lines" if match["lines"] else "code")
            yield left._replace(start=left.end + start, end=left.end + end, label="LOCATION")


def _start(text: str, candidate: Candidate) -> int:
    low = max(candidate.start - _REACH, 0)
    before = text[low : candidate.start]
    for pattern in (_HOUSE, _CORNER):
        if match := pattern.search(before):
            return low + match.start(1)
    return candidate.start


def _end(text: str, candidate: Candidate) -> int:
    """Where the place ends with all that follows and belongs to it."""
    end = candidate.end
    patterns = (_STATE, _AFTER, *(_OF_ADDRESSES if candidate.label == "LOCATION" else ()))
    for _ in range(_MOST_PARTS):
        match = next(filter(None, (pattern.match(text, end) for pattern in patterns)), None)
        if match is None:
            break
        end = match.end()
    return end

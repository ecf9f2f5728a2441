"""What stands beside a place and belongs to it: a house number before, *clinic* or *office* after."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.tasks.deid.patterns import Candidate

_PLACES = frozenset({"LOCATION", "FACILITY"})
_HOUSE = re.compile(r"(?:^|[\n:,(>]|\b(?:at|to|is|in|of))\s{0,4}(\d{2,6})[ ,]{1,2}$", re.IGNORECASE)
_AFTER = re.compile(r" (?:clinic|office|hospital|campus|branch|practice|ER|ED)(?!\w)")
_STATE = re.compile(
    r",? (?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|"
    r"UT|V[AT]|W[AIVY])(?!\w)"
)
_REACH = 16


def find_beside(text: str, found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Wider candidates of the same rank, which win over the given ones by their length."""
    for candidate in found:
        if candidate.label not in _PLACES:
            continue
        house = _HOUSE.search(text[max(candidate.start - _REACH, 0) : candidate.start])
        if house:
            length = min(candidate.start, _REACH) - house.start(1)
            yield candidate._replace(start=candidate.start - length)
        for pattern in (_STATE, _AFTER):
            if after := pattern.match(text, candidate.end):
                yield candidate._replace(end=after.end())

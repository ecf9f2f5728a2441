"""What several finders found → disjoint entities.

The policy: every letter and digit that any finder marks stays marked, for a miss costs more than a word
too many. Where candidates overlap, the label of the higher rank wins (a check digit over a cue or the model,
those over a bare form), of the same rank that of the longer one, then of the earlier; what the loser has
beyond the winner stays under the loser's label. Pieces of one label with nothing but blanks between them
stay apart.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from medspan.tasks.deid.patterns import Candidate


_start = attrgetter("start")


def merge(text: str, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Disjoint candidates, ascending, that cover every letter and digit the given ones cover."""
    taken: list[Candidate] = []  # disjoint and ascending all the time
    ordered = sorted(candidates, key=lambda c: (-c.rank, c.start - c.end, c.start, c.label))
    for candidate in ordered:
        for part in _free(candidate, taken):
            if piece := trimmed(text, part):
                insort(taken, piece)
    return taken


def _free(candidate: Candidate, taken: list[Candidate]) -> list[Candidate]:
    """The parts of a candidate that nothing taken covers."""
    place = bisect_left(taken, candidate.start, key=_start)
    if place and taken[place - 1].end > candidate.start:
        place -= 1
    parts, start = [], candidate.start
    while place < len(taken) and taken[place].start < candidate.end:
        parts.append(candidate._replace(start=start, end=taken[place].start))
        start = taken[place].end
        place += 1
    parts.append(candidate._replace(start=start))
    return [part for part in parts if part.start < part.end]


def trimmed(text: str, candidate: Candidate) -> Candidate | None:
    """A candidate without blanks at its ends; None where no letter or digit is left."""
    start, end = candidate.start, candidate.end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if not any(map(str.isalnum, text[start:end])):
        return None
    return candidate._replace(start=start, end=end)

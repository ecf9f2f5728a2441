"""The rules of ConText: which cues of a sentence reach an entity, and what they say of it.

A cue reaches an entity on its side of the sentence, as far as its number of words, unless a phrase between
the two ends its scope. Cues that share a character with the entity say nothing of it: "chest is nontender".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from medspan.tasks.assertion.cues import SENTENCE_END, WORD, CueFinder, Found, Status, words_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ORDER: tuple[Status, ...] = (
    "absent",
    "associated_with_someone_else",
    "hypothetical",
    "conditional",
    "possible",
)
"""Of several statuses the first one counts; what nobody says is present."""


class Hit(NamedTuple):
    """A cue that reaches an entity.

    Attributes:
        status: what it says.
        found: the cue.
        distance: words between the two; negative where the cue stands behind the entity.
    """

    status: Status
    found: Found
    distance: int


class Context:
    """The words and cues of one sentence, or of what else is looked at together.

    Args:
        text: the document's text.
        start: where the sentence begins.
        end: where it ends, exclusive.
        finder: the cues.
    """

    def __init__(self, text: str, start: int, end: int, finder: CueFinder) -> None:
        self._finder = finder
        self._text, self._start, self._end = text, start, end
        self._offsets: tuple[list[int], list[int]] | None = None
        self.words = [*words_of(text[start:end]), SENTENCE_END]
        self.found = finder.find(self.words)

    @property
    def says_something(self) -> bool:
        """Whether a cue here could say something; a phrase that says nothing may hide one."""
        return any(found.cue.reaches or not found.cue.ends for found in self.found)

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The words of a range of characters: the first and one past the last that share some with it."""
        if self._offsets is None:  # most sentences are done with before their offsets are asked for
            spans = [match.span() for match in WORD.finditer(self._text, self._start, self._end)]
            self._offsets = [first for first, _ in spans], [stop for _, stop in spans]
        starts, ends = self._offsets
        return bisect_right(ends, start), bisect_left(starts, end)

    def hits(self, start: int, end: int) -> list[Hit]:
        """The cues that reach the entity at a range of characters, in order of the text."""
        first, stop = self.place(start, end)
        before = behind = self.found
        if any(found.first < stop and found.stop > first for found in before):
            # A phrase of the entity's own words may have hidden a cue: "no [change in vision]".
            before = self._finder.find(self.words[:first])
            behind = [
                found._replace(first=found.first + stop, stop=found.stop + stop)
                for found in self._finder.find(self.words[stop:])
            ]
        return [*_hits_before(before, first), *_hits_behind(behind, stop)]


def _hits_before(cues: Iterable[Found], first: int) -> Iterable[Hit]:
    """What cues before a word say of it; a stop ends the scopes of those farther off."""
    ended: set[Status] = set()
    hits: list[Hit] = []
    for found in reversed(list(cues)):
        if found.stop > first:
            continue
        distance = first - found.stop
        for reach in found.cue.reaches:
            if distance < reach.forward:
                hits += [Hit(status, found, distance) for status in reach.says if status not in ended]
        ended |= found.cue.ends
    return reversed(hits)


def _hits_behind(cues: Iterable[Found], stop: int) -> Iterable[Hit]:
    """What cues from a word on say of those before it."""
    ended: set[Status] = set()
    for found in cues:
        if found.first < stop:
            continue
        distance = found.first - stop
        for reach in found.cue.reaches:
            if distance < reach.backward:
                yield from (Hit(s, found, -1 - distance) for s in reach.says if s not in ended)
        ended |= found.cue.ends


def assertion_of(statuses: Collection[Status]) -> str:
    """The one assertion of what is said of an entity."""
    if not statuses:
        return "present"
    return next((status for status in ORDER if status in statuses), "present")


def temporality_of(statuses: Collection[Status]) -> str:
    """``historical`` where that is said, else ``current``."""
    return "historical" if "historical" in statuses else "current"

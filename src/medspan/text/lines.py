"""Groups the lines of a text into blocks that no sentence crosses.

A line break ends a block unless the next line goes on with the same sentence, as in hard-wrapped notes. Blank
lines, headings, list items and rows of tables always end one. Only the first and last characters of each line
are read, so time is linear.
"""

# ruff: noqa: RUF001 - bullets, dashes and stops of many scripts are meant

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from medspan.text.tokenize import INVISIBLE_BLANKS

if TYPE_CHECKING:
    from collections.abc import Sequence

_EDGE: Final = 80  # characters read at each end of a line
_NARROWEST_WRAP: Final = 40
_WIDEST_WRAP: Final = 200
_WRAPPED_SHARE: Final = 0.15  # of long lines that go on in lower case, from which a text counts as wrapped
_LONGEST_TITLE: Final = 60

_BLANKS: Final = "".join(chr(c) for c in range(0x3001) if chr(c).isspace()) + INVISIBLE_BLANKS
_ITEM: Final = re.compile(
    r"(?:[-*+•·▪◦●○■□►–—~#>]|\(?\d{1,2}[.)]|\(?[a-zA-Z]\)|\([ivx]{1,5}\)|[IVX]{2,5}\.)\s"
    r"|[A-Z]\.\s+[A-Z]|[•▪◦●■►]|,?\d{1,2}\.\s*[A-Z]"
)
_HEADING: Final = re.compile(r"[A-Z][\w/&'()., -]{0,50}?\s?:(?!\d)")
_ROW: Final = re.compile(r"\t|\S(?: {3,}\S.*?){2}|\|.*\|")
_OPEN_END: Final = re.compile(
    r"(?:[,(\[/&+=<>-]|\b(?:and|or|of|the|a|an|with|in|on|to|for|by|at|from|is|was|were|are|be|as|that|which|who|"
    r"has|have|had|his|her|no|not|Dr\.|Mr\.|Mrs\.|Ms\.|vs\.?))\Z"
)
_STOPPED: Final = re.compile(r"[.!?。！？]['\")\]”’]*\Z")


class _Line(msgspec.Struct, frozen=True, gc=False):
    """A line that is not blank, without the blanks around it."""

    start: int
    end: int
    head: str
    tail: str
    after_gap: bool

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def is_title(self) -> bool:
        """Short, and all its letters are capitals."""
        return self.length <= _LONGEST_TITLE and self.head.isupper() and not _STOPPED.search(self.tail)

    @property
    def is_row(self) -> bool:
        return bool(_ROW.search(self.head))


def blocks(text: str) -> list[tuple[int, int]]:
    """Ranges of the text that no sentence crosses.

    Returns:
        Half-open code point offsets, ascending, disjoint, without blanks at their ends; they cover every
        character that is not blank.
    """
    lines = _lines(text)
    if not lines:
        return []
    width = _wrap_width(lines)
    starts = [lines[0].start]
    ends = []
    for above, below in pairwise(lines):
        if not _goes_on(above, below, width):
            ends.append(above.end)
            starts.append(below.start)
    ends.append(lines[-1].end)
    return list(zip(starts, ends, strict=True))


def _lines(text: str) -> list[_Line]:
    lines = []
    position, after_gap = 0, False
    for line in text.splitlines(keepends=True):
        start = position + len(line) - len(line.lstrip(_BLANKS))
        end = position + len(line.rstrip(_BLANKS))
        position += len(line)
        if start >= end:
            after_gap = True
            continue
        head, tail = text[start : min(end, start + _EDGE)], text[max(start, end - _EDGE) : end]
        lines.append(_Line(start, end, head, tail, after_gap))
        after_gap = False
    return lines


def _wrap_width(lines: Sequence[_Line]) -> int:
    """Length of the longest line that was wrapped, 0 where the text is not hard-wrapped."""
    long_lines, wrapped = 0, []
    for above, below in pairwise(lines):
        if below.after_gap or not _NARROWEST_WRAP <= above.length <= _WIDEST_WRAP:
            continue
        long_lines += 1
        if below.head[0].islower() and not _STOPPED.search(above.tail) and not _ITEM.match(below.head):
            wrapped.append(above.length)
    return max(wrapped) if len(wrapped) > _WRAPPED_SHARE * long_lines else 0


def _goes_on(above: _Line, below: _Line, width: int) -> bool:
    """Whether the sentence at the end of one line may go on in the next."""
    if below.after_gap or above.tail[-1] == ":" or _ITEM.match(below.head) or _HEADING.match(below.head):
        return False
    if above.is_row or below.is_row or (above.is_title and not below.is_title):
        return False
    if _OPEN_END.search(above.tail):
        return above.length >= _NARROWEST_WRAP // 2 or not width
    first_word = len(below.head.split(maxsplit=1)[0])
    was_full = above.length + 1 + first_word > width
    if below.head[0].islower():
        return above.length >= _NARROWEST_WRAP or (width > 0 and was_full)
    return width > 0 and was_full and above.length <= _WIDEST_WRAP

r"""How a CoNLL file laid out a document, kept in ``Document.meta["conll"]``.

With it, a document writes back to the same bytes, and whoever wants the corpus' own words finds them.
Spacing follows the columns of CoNLL-U: ``SpaceAfter=No`` for no blank behind a word, ``SpacesAfter=\s\s``
(UDPipe) for anything but the default.
"""

from __future__ import annotations

import re
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from medspan.types import Document

Range = tuple[int, int]
DOCSTART = "-DOCSTART-"
_ESCAPES = {" ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r", "|": r"\p", "\\": r"\\"}
_UNESCAPES = {escape: character for character, escape in _ESCAPES.items()}
_ESCAPE = re.compile(r"\\[stnrp\\]")
_SPACES = re.compile(r"(?:^|[\t |])(?:SpaceAfter=(No)|SpacesAfter=([^\t\n\r |]*))(?=$|[\t\n\r |])")


class Layout(msgspec.Struct, omit_defaults=True):
    r"""The lines of a document: ``word + middle + tag + tail`` each; ``head`` before, ``breaks`` between.

    Attributes:
        words: length of each word, in code points.
        sentences: number of words of each sentence.
        gaps: text after each word; None: a blank, a line end after a sentence, nothing at the end.
        lead: text before the first word.
        head: raw lines before the first word, e.g. ``"-DOCSTART-\tO\n\n"``.
        middle: what stands between word and tag, for all words or for each.
        tail: what stands behind the tag, for all words or for each.
        breaks: raw lines after each sentence, for all or for each.
        scheme: IOB1, IOB2 or IOBES.
        tags: the tags as read, where none of the schemes gives them again.
    """

    words: list[int]
    sentences: list[int]
    gaps: list[str] | None = None
    lead: str = ""
    head: str = ""
    middle: str | list[str] = "\t"
    tail: str | list[str] = "\n"
    breaks: str | list[str] = "\n"
    scheme: str = "IOB2"
    tags: list[str] | None = None

    def all_gaps(self) -> list[str]:
        """The text after each word."""
        if self.gaps is not None:
            return self.gaps
        gaps = [" "] * len(self.words)
        for stop in accumulate(self.sentences):
            gaps[stop - 1] = "\n"
        if gaps:
            gaps[-1] = ""
        return gaps

    def ranges(self) -> list[Range]:
        """``(start, end)`` of each word in the text."""
        ranges, start = [], len(self.lead)
        for length, gap in zip(self.words, self.all_gaps(), strict=True):
            ranges.append((start, start + length))
            start += length + len(gap)
        return ranges

    def to_meta(self) -> dict[str, Any]:
        """As JSON values, defaults left out."""
        return {
            name: value
            for name, value, default in zip(
                self.__struct_fields__, msgspec.structs.astuple(self), _DEFAULTS, strict=True
            )
            if value != default
        }


_DEFAULTS = (msgspec.NODEFAULT, msgspec.NODEFAULT, *Layout.__struct_defaults__)


def shared(values: list[str], default: str) -> str | list[str]:
    """The one value all have, the default where there are none, or the list where they differ."""
    if not values:
        return default
    return values[0] if values.count(values[0]) == len(values) else values


def each(value: str | list[str], count: int) -> list[str]:
    """The opposite of ``shared``."""
    return [value] * count if isinstance(value, str) else value


def recorded(document: Document) -> Layout | None:
    """The recorded layout, or None where there is none or it does not fit the text (any more)."""
    if "conll" not in document.meta:
        return None
    try:
        layout = msgspec.convert(document.meta["conll"], Layout)
    except msgspec.ValidationError:
        return None
    return layout if _fits(layout, document.text) else None


def _fits(layout: Layout, text: str) -> bool:
    """Whether words and gaps make up the text, and every list has its length."""
    count, sentences = len(layout.words), len(layout.sentences)
    per_word = [layout.gaps, layout.middle, layout.tail, layout.tags]
    if any(isinstance(value, list) and len(value) != count for value in per_word):
        return False
    if isinstance(layout.breaks, list) and len(layout.breaks) != sentences:
        return False
    if sum(layout.sentences) != count or min(chain(layout.words, layout.sentences), default=1) < 1:
        return False
    return _rebuilds(layout, text)


def _rebuilds(layout: Layout, text: str) -> bool:
    pieces = [layout.lead]
    for (start, end), gap in zip(layout.ranges(), layout.all_gaps(), strict=True):
        word = text[start:end]
        if "\n" in word or "\t" in word:
            return False
        pieces += (word, gap)
    # Equal lengths too: a slice past the end would hide a text that was cut.
    return "".join(pieces) == text and len(text) == len(layout.lead) + sum(layout.words) + sum(
        map(len, layout.all_gaps())
    )


def words_of(document: Document) -> list[list[Range]] | None:
    """The words of a document read from CoNLL, by sentence; None where none are recorded."""
    layout = recorded(document)
    if layout is None:
        return None
    ranges = layout.ranges()
    stops = list(accumulate(layout.sentences))
    return [ranges[stop - count : stop] for stop, count in zip(stops, layout.sentences, strict=True)]


def gap_from(columns: str, default: str) -> str:
    """The text after a word, as its columns say it, else the default."""
    if "Space" not in columns:
        return default
    found = _SPACES.search(columns)
    if not found:
        return default
    if found.group(1):
        return ""
    return _ESCAPE.sub(lambda escape: _UNESCAPES[escape.group()], found.group(2))


def gap_column(gap: str, default: str) -> str:
    """The column that records the text after a word; ``_`` for the default."""
    if gap == default:
        return "_"
    if not gap:
        return "SpaceAfter=No"
    return "SpacesAfter=" + "".join(_ESCAPES.get(character, character) for character in gap)

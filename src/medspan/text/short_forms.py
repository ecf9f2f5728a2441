"""Short forms and the long forms that a text itself gives them.

The algorithm of Schwartz & Hearst (2003, A simple algorithm for identifying abbreviation definitions in
biomedical text, PSB 8:451-462): of ``long form (SF)`` or ``SF (long form)`` the letters of the short form
must stand in the long form in their order, the first of them at the begin of a word. Where each letter begins
a word, those words are the long form, though a shorter one would do (the first strategy of Sohn et al. 2008,
Ab3P, BMC Bioinformatics 9:402): *attenuated adenomatous polyposis coli (AAPC)*.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from medspan.types import Span

_SHORTEST_SHORT: Final = 2  # characters of a short form, as in the paper
_LONGEST_SHORT: Final = 10
_MOST_WORDS: Final = 2
_LONGEST_SHORT_INSIDE: Final = 40  # of what stands in brackets and may still be a short form and more
_LONGEST_LONG: Final = 160  # characters before or in the brackets that are looked at
_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]{1,200})[)\]]")
_WORD: Final = re.compile(r"\S+")
_PART: Final = re.compile(r"[^\W_]+")
_LEAST_INITIALS: Final = 3
_SMALL: Final = frozenset(("of", "the", "and", "in", "for", "to", "with", "by", "a", "or", "on"))
_SENTENCE_END: Final = re.compile(r"[.;:!?]\s+(?=[^a-z])")
_STOP_INSIDE: Final = re.compile(r"[;,]")


class Definition(NamedTuple):
    """A short form and its long form, as places of the text."""

    short: Span
    long: Span


def definitions(text: str) -> list[Definition]:
    """Every definition of a short form in a text, in text order.

    Returns:
        Spans of the unchanged text, code points; short and long form are on either side of a bracket.
    """
    return [found for match in _BRACKETS.finditer(text) if (found := _definition(text, match)) is not None]


def long_forms(text: str) -> dict[str, str]:
    """Each short form of a text → its long form; the first definition of a short form holds."""
    found: dict[str, str] = {}
    for short, long in definitions(text):
        found.setdefault(text[short.start : short.end], text[long.start : long.end])
    return found


def _definition(text: str, match: re.Match[str]) -> Definition | None:
    """What one pair of brackets defines."""
    inside = _trimmed(text, match.start(1), _end_inside(text, match))
    before_end = len(text[: match.start()].rstrip())
    if inside is None or before_end == 0:
        return None
    content = text[inside.start : inside.end]
    if is_short_form(content):
        long = _long_before(text, content, before_end)
        return Definition(inside, long) if long else None
    return _reversed(text, inside, before_end)


def _end_inside(text: str, match: re.Match[str]) -> int:
    """Where the first part of the brackets ends: ``(SF, 12 patients)``, ``(SF; n = 3)``."""
    stop = _STOP_INSIDE.search(text, match.start(1), match.end(1))
    return stop.start() if stop and stop.start() - match.start(1) <= _LONGEST_SHORT_INSIDE else match.end(1)


def _trimmed(text: str, start: int, end: int) -> Span | None:
    while start < end and (text[start].isspace() or text[start] in "\"'"):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in "\"'"):
        end -= 1
    return Span(start, end) if start < end else None


def is_short_form(text: str) -> bool:
    """Whether a string may be a short form: 2 to 10 characters, one or two words, a letter among them."""
    return (
        _SHORTEST_SHORT <= len(text) <= _LONGEST_SHORT
        and len(text.split()) <= _MOST_WORDS
        and text[0].isalnum()
        and any(character.isalpha() for character in text)
    )


def _long_before(text: str, short: str, end: int) -> Span | None:
    """The long form that ends at ``end``, where one is there."""
    start = max(0, end - _LONGEST_LONG)
    for stop in _SENTENCE_END.finditer(text, start, end):
        start = stop.end()
    most_words = min(len(short) + 5, 2 * len(short))
    words = [match.start() for match in _WORD.finditer(text, start, end)][-most_words:]
    if not words:
        return None
    found = _initials(short, text, words[0], end) or _match(short, text, words[0], end)
    return found if found is not None and _is_longer(text[found.start : found.end], short) else None


def _reversed(text: str, inside: Span, before_end: int) -> Definition | None:
    """``SF (long form)``: the word before the brackets is the short form."""
    start = before_end
    while start > 0 and not text[start - 1].isspace() and before_end - start <= _LONGEST_SHORT:
        start -= 1
    short = text[start:before_end].lstrip("(['\"")
    start = before_end - len(short)
    capitals = sum(character.isupper() or character.isdigit() for character in short)
    if not is_short_form(short) or 2 * capitals < len(short) or inside.end - inside.start > _LONGEST_LONG:
        return None
    long = _match(short, text, inside.start, inside.end)
    if long is None or long.start != inside.start or not _is_longer(text[long.start : long.end], short):
        return None
    return Definition(Span(start, before_end), long)


def _initials(short: str, text: str, start: int, end: int) -> Span | None:
    """The words that end at ``end`` and begin with the short form's letters, small words left out."""
    if not short.isalpha() or len(short) < _LEAST_INITIALS:
        return None
    place = len(short) - 1
    for word in reversed(list(_PART.finditer(text, start, end))):
        if word[0][0].lower() == short[place].lower():
            place -= 1
            if place < 0:
                return Span(word.start(), end)
        elif word[0].lower() not in _SMALL:
            return None
    return None


def _match(short: str, text: str, start: int, end: int) -> Span | None:
    """The shortest stretch that ends at ``end`` and holds the short form's letters in order."""
    place = end
    for at in range(len(short) - 1, -1, -1):
        wanted = short[at].lower()
        if not wanted.isalnum():
            continue
        place -= 1
        while place >= start and not _fits(text, place, wanted, is_first=at == 0, start=start):
            place -= 1
        if place < start:
            return None
    while place > start and not text[place - 1].isspace() and text[place - 1] not in "([":
        place -= 1
    return Span(place, end) if place < end else None


def _fits(text: str, place: int, wanted: str, *, is_first: bool, start: int) -> bool:
    if text[place].lower() != wanted:
        return False
    return not is_first or place == start or not text[place - 1].isalnum()


def _is_longer(long: str, short: str) -> bool:
    """Whether a long form is one: longer than the short form, which is none of its words."""
    return len(long) > len(short) and short not in long.split() and long.count("(") == long.count(")")

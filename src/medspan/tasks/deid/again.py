"""The second pass: every further occurrence in a document of what was found in it once.

A whole mention is followed wherever it stands between word borders, numbers also without their hyphens and
blanks. A name is followed by its parts too: parts of three letters or more, written with a capital; a part
that is a word as well (Will, May, Brown) only where a title stands before it or another part of the name
beside it. A name before *disease*, *syndrome*, *catheter* ... is an eponym and stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.patterns import Candidate
from medspan.tasks.deid.terms import terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

AGAIN_RANK = 1
_NOT_FOLLOWED = {"AGE"}
_SHORTEST = {"NAME": 3, "LOCATION": 4, "FACILITY": 3}
_SHORTEST_OTHER = 5
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_TITLE = re.compile(
    r"(?<!\w)(?:dr|mr|mrs|ms|mx|miss|prof|sr|sra|doctor|nurse|herr|fru)\.?\s{1,2}$", re.IGNORECASE
)
_POSSESSIVE = re.compile(r"(?:['\u2019]s)?[ -]{1,2}([^\W\d_]+)")
_PARTICLES = {
    "van",
    "von",
    "der",
    "den",
    "del",
    "los",
    "las",
    "the",
    "and",
    "for",
    "bin",
    "ibn",
    "dos",
    "das",
    "san",
    "mac",
}
_REACH = 12  # characters before a match that are looked at for a title


class _Wanted(NamedTuple):
    """A string to follow; ``is_word`` where it is a word too and needs company."""

    text: str
    label: str
    is_word: bool


def find_again(text: str, found: Iterable[Candidate]) -> list[Candidate]:
    """Further occurrences of what was found; they may overlap what was found and one another."""
    found = list(found)
    wanted = {(each.text, each.label): each for candidate in found for each in _strings(text, candidate)}
    names = {
        part
        for candidate in found
        if candidate.label == "NAME"
        for part in _WORD.findall(text[candidate.start : candidate.end])
    }
    by_text: dict[str, _Wanted] = {each.text: each for each in wanted.values()}
    if not by_text:
        return []
    ordered = sorted(by_text, key=len, reverse=True)
    # Names of people and places keep their case (or are all capitals); a code is the same in any.
    choices = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)")
    return [
        Candidate(match.start(), match.end(), by_text[match[0]].label, AGAIN_RANK)
        for match in choices.finditer(text)
        if _is_followed(by_text[match[0]], match, text, names)
    ]


def _strings(text: str, candidate: Candidate) -> Iterator[_Wanted]:
    label = candidate.label
    mention = text[candidate.start : candidate.end]
    if label in _NOT_FOLLOWED or label not in LABELS:
        return
    if label == "NAME":
        yield from _name_strings(mention)
        return
    if label in {"LOCATION", "FACILITY", "DATE"}:
        if len(mention) >= _SHORTEST.get(label, _SHORTEST_OTHER) and mention.lower() not in terms().generic:
            yield _Wanted(
                mention, label, is_word=mention.lower() in terms().words or not mention[0].isupper()
            )
        return
    if len(mention) >= _SHORTEST_OTHER:
        for form in {mention, mention.lower(), mention.upper(), re.sub(r"[\s-]", "", mention)}:
            yield _Wanted(form, label, is_word=False)


def _name_strings(mention: str) -> Iterator[_Wanted]:
    parts = [
        part
        for part in _WORD.findall(mention)
        if len(part) >= _SHORTEST["NAME"] and part.lower() not in _PARTICLES
    ]
    for part in [mention, *parts] if parts else []:
        is_word = part.lower() in terms().words or part[:1].islower()
        for form in {part, part.upper(), part.title() if part.isupper() else part}:
            yield _Wanted(form, "NAME", is_word)


def _is_followed(wanted: _Wanted, match: re.Match[str], text: str, names: set[str]) -> bool:
    if wanted.label == "NAME":
        after = _POSSESSIVE.match(text, match.end())
        if after and after[1].lower() in terms().eponyms:
            return False
    if not wanted.is_word:
        return True
    if wanted.label != "NAME":
        return False
    before = text[max(match.start() - _REACH, 0) : match.start()]
    if _TITLE.search(before):
        return True
    beside = [*_WORD.findall(before)[-1:], *_WORD.findall(text[match.end() : match.end() + 2 * _REACH])[:1]]
    return any(word in names and word[:1].isupper() and word != match[0] for word in beside)

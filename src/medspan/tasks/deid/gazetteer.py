"""Names by lists, found where nothing around them tells of one: people, states and countries.

A name (data/given_names.txt, data/family_names.txt) counts where it is written with a capital, is no part of
a hyphenated term, and neither a disease nor a device follows it (Marie-Tooth, Allen test). To a first name
belong an initial and one more capitalised word, unless that word is one that names places of care. States and
countries (data/terms.toml) count where each of their words is written with a capital, and where none of these
follows. In a text all in small letters, or all in capitals, a name of a person needs none.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from medspan.tasks.deid.patterns import Candidate
from medspan.tasks.deid.terms import as_written, data_text, terms

if TYPE_CHECKING:
    from collections.abc import Iterator

GAZETTEER_RANK = 1
_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+)*(?![\w-]|['\u2019](?!s\b))")
_MORE = re.compile(
    r"(?: [A-Z]\b\.?)?(?: (?!(?:The|In|On|And|She|He)\b)([^\W\d_a-z][^\W\d_]*[a-z][\w'\u2019-]*))?"
)
_FOLLOWING = re.compile(r"(?:['\u2019]s)?[ -]([^\W\d_]+)")


class NameLists(NamedTuple):
    """First and family names."""

    given: frozenset[str]
    family: frozenset[str]


def find_names(text: str, names: NameLists | None = None) -> Iterator[Candidate]:
    """People whose name is in a list, those of the package where none is given."""
    given, family = names or known_names()
    recased = _recased(text)
    for match in _WORD.finditer(text):
        start, end = match.span()
        word = match[0].title() if recased else match[0]
        if word in given and not _is_eponym(text, end):
            more = _MORE.match(text, end)
            end = more.end() if more and (more[1] or "").lower() not in terms().generic else end
            yield Candidate(start, end, "NAME", GAZETTEER_RANK)
        elif word in family and not _is_eponym(text, end):
            yield Candidate(start, end, "NAME", GAZETTEER_RANK)


def _recased(text: str) -> bool:
    """Whether no name in a text is told by its capital: all its letters are small, or all are capitals."""
    return text.islower() or text.isupper()


def find_regions(text: str) -> Iterator[Candidate]:
    """States and countries."""
    for match in _regions().finditer(text):
        if not _is_eponym(text, match.end()):
            yield Candidate(match.start(), match.end(), "LOCATION", GAZETTEER_RANK)


@cache
def _regions() -> re.Pattern[str]:
    forms = {each for name in terms().regions for each in (as_written(name), name.upper())}
    ordered = sorted(forms, key=lambda each: (-len(each), each))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, ordered))})(?![\w-])")


def _is_eponym(text: str, end: int) -> bool:
    after = _FOLLOWING.match(text, end)
    return bool(after and after[1].lower() in terms().eponyms)


@cache
def known_names() -> NameLists:
    """The lists of the package."""
    given, family = (frozenset(data_text(f"{kind}_names.txt").split()) for kind in ("given", "family"))
    return NameLists(given, family)

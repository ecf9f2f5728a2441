"""First names by a list (data/given_names.txt): they find people where nothing around a name tells of one.

A name of the list counts where it is written with a capital, is no part of a hyphenated term, and neither a
disease nor a device follows it (Marie-Tooth, Allen test). An initial and one more capitalised word belong to
it, unless that word is one that names places of care.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from medspan.tasks.deid.patterns import Candidate
from medspan.tasks.deid.terms import data_text, terms

if TYPE_CHECKING:
    from collections.abc import Iterator

GAZETTEER_RANK = 1
_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+)*(?![\w-]|['\u2019](?!s\b))")
_MORE = re.compile(
    r"(?: [A-Z]\b\.?)?(?: (?!(?:The|In|On|And|She|He)\b)([^\W\d_a-z][^\W\d_]*[a-z][\w'\u2019-]*))?"
)
_FOLLOWING = re.compile(r"(?:['\u2019]s)?[ -]([^\W\d_]+)")


def find_given_names(text: str) -> Iterator[Candidate]:
    """People whose first name is in the list."""
    names = given_names()
    for match in _WORD.finditer(text):
        if match[0] not in names or _is_eponym(text, match.end()):
            continue
        more = _MORE.match(text, match.end())
        end = more.end() if more and (more[1] or "").lower() not in terms().generic else match.end()
        yield Candidate(match.start(), end, "NAME", GAZETTEER_RANK)


def _is_eponym(text: str, end: int) -> bool:
    after = _FOLLOWING.match(text, end)
    return bool(after and after[1].lower() in terms().eponyms)


@cache
def given_names() -> frozenset[str]:
    """The names of the list."""
    return frozenset(data_text("given_names.txt").split())

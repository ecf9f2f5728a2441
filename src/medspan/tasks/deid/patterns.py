"""Validated patterns and cues of data/patterns.toml → candidates of de-identification."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from medspan.errors import ConfigError, did_you_mean
from medspan.tasks.deid.checks import CHECKS
from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.terms import data_text, terms

if TYPE_CHECKING:
    from collections.abc import Iterator

CUE_RANK = 2
_GROUP = "phi"

# After a cue: what names the number, signs, and an identifier, whose form `_is_identifier` looks at.
_GLUE = (
    r"(?P<glue>(?:\s{0,2}(?:(?:number|numbers|num|nbr|no|nr|id|code|identifier)(?!\w)\.?|#|№)){0,3}"
    r"\s{0,2}(?:(?:is|was|of|as|are)\s{1,2}|[:=#([;-]\s{0,2}){0,3})"
)
_IDENTIFIER = (
    r"(?P<phi>\d{2,8}(?: \d{2,8}){1,4}(?!\w)|[A-Z]{1,3} \d{3,4}(?![\w-])"
    r"|[A-Za-z0-9]{1,24}(?:[-/.][A-Za-z0-9]{1,24}){0,5}(?![\w%]))"
)
_QUANTITY = re.compile(
    r"\s?(?:mg|mcg|µg|ug|g|kg|ml|cc|l|units?|iu|mm|cm|m|bpm|hours?|hrs?|days?|weeks?|months?|years?|yrs?|"
    r"minutes?|mins?|times|percent|kcal|calories|mmhg|meq|patients|people|french|%)(?!\w)",
    re.IGNORECASE,
)
_STRONG = re.compile(r"[#:=№]|number|num|nbr|\bn[or]\b|\bid\b|code|identifier", re.IGNORECASE)
_DAY_LIKE = re.compile(r"\d{1,2}[/.-]\d{1,2}(?:[/.-]\d{2,4})?|(?:19|20)\d{2}(?:[/.-]\d{1,2}){0,2}")
_DOSE = re.compile(
    r"\d+(?:[./-]\d+)*(?:mg|mcg|ml|cc|g|kg|mm|cm|l|h|hr|hrs|d|x|wk|yo|y|st|nd|rd|th|s)", re.IGNORECASE
)
_SURE_DIGITS, _FEW_CHARACTERS, _SOME_CHARACTERS = 3, 4, 6


class Candidate(NamedTuple):
    """What a finder holds to identify someone.

    ``rank`` says whose label wins where candidates overlap: 3 validated, 2 by a cue or a trained model, 1 by
    its form, 0 by a form that other things have too.
    """

    start: int
    end: int
    label: str
    rank: int
    score: float = 1.0


class _Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    label: str
    regex: str
    rank: int = 1
    check: str | None = None
    case: bool = False


class _Cue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    words: tuple[str, ...]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pattern: tuple[_Pattern, ...]
    cue: tuple[_Cue, ...]


class _Rule(NamedTuple):
    regex: re.Pattern[str]
    label: str
    rank: int
    check: str | None
    is_cue: bool


class Patterns:
    """Finds what has a form.

    Args:
        table: TOML like data/patterns.toml.

    Raises:
        ConfigError: if the table is wrong.
    """

    def __init__(self, table: str) -> None:
        try:
            found = msgspec.convert(tomllib.loads(table), _Table)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ConfigError(f"patterns: {error}") from None
        self._rules = [_compiled(each) for each in found.pattern]
        self._rules += [_of_cue(each) for each in found.cue]

    def find(self, text: str) -> list[Candidate]:
        """Everything a pattern matches and its check confirms; they may overlap."""
        return list(chain.from_iterable(_matches(rule, text) for rule in self._rules))


@cache
def shipped_patterns() -> Patterns:
    """The patterns of the package."""
    return Patterns(data_text("patterns.toml"))


def _matches(rule: _Rule, text: str) -> Iterator[Candidate]:
    place = 0
    while match := rule.regex.search(text, place):
        group: str | int = _GROUP if _GROUP in rule.regex.groupindex else 0
        start, end = match.span(group)
        holds = _is_identifier(match, text) if rule.is_cue else _holds(rule, match[group])
        if holds and end > start:
            yield Candidate(start, end, rule.label, rule.rank)
        # What a match that failed covers may hold another that does not fail.
        place = max(end, place + 1) if holds else match.start() + 1


def _holds(rule: _Rule, found: str) -> bool:
    return rule.check is None or CHECKS[rule.check](found)


def _is_identifier(match: re.Match[str], text: str) -> bool:
    """Whether what stands after a cue is an identifier, and no dose, day or count."""
    found = match[_GROUP]
    digits = sum(map(str.isdigit, found))
    characters = sum(map(str.isalnum, found))
    if not digits or not match["glue"] or _DOSE.fullmatch(found) or _QUANTITY.match(text, match.end()):
        return False
    if _STRONG.search(match["glue"]):
        is_day = (
            _DAY_LIKE.fullmatch(found) and "number" not in match["glue"].lower() and "#" not in match["glue"]
        )
        return characters >= _FEW_CHARACTERS and digits > 1 and not is_day
    return characters >= _SOME_CHARACTERS and digits >= _SURE_DIGITS and not _DAY_LIKE.fullmatch(found)


def _compiled(pattern: _Pattern) -> _Rule:
    _check_label(pattern.name, pattern.label)
    if pattern.check is not None and pattern.check not in CHECKS:
        raise ConfigError(
            f"patterns.{pattern.name}: no check {pattern.check!r}; {did_you_mean(pattern.check, CHECKS)}"
        )
    text = pattern.regex.replace("MONTH", _months())
    return _Rule(
        _regex(pattern.name, text, 0 if pattern.case else re.IGNORECASE),
        pattern.label,
        pattern.rank,
        pattern.check,
        is_cue=False,
    )


def _of_cue(cue: _Cue) -> _Rule:
    _check_label("cue", cue.label)
    words = "|".join(
        re.escape(word).replace(r"\ ", r"\s{1,2}") for word in sorted(cue.words, key=len, reverse=True)
    )
    text = rf"(?<![\w-])(?i:{words})(?!\w|')\.?{_GLUE}{_IDENTIFIER}"
    return _Rule(_regex(f"cue.{cue.label}", text, re.IGNORECASE), cue.label, CUE_RANK, None, is_cue=True)


def _check_label(name: str, label: str) -> None:
    if label not in LABELS:
        raise ConfigError(f"patterns.{name}: no label {label!r}; {did_you_mean(label, LABELS)}")


def _regex(name: str, text: str, flags: int) -> re.Pattern[str]:
    try:
        return re.compile(text, flags)
    except re.error as error:
        raise ConfigError(f"patterns.{name}: {error}") from None


def _months() -> str:
    names = sorted(set(chain.from_iterable(terms().months.values())), key=len, reverse=True)
    return f"(?:{'|'.join(names)})"

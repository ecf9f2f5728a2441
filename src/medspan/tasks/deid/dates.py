"""A date as written → the same form on another day.

Numbers keep their width and signs, months their language, length and case, English days their endings. What
has no year is moved within one; what has no day is moved from the 15th. Two dates with day, month and year
keep the days between them exactly.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, NamedTuple

from medspan.tasks.deid.terms import terms

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"(?P<word>[^\W\d_]+)|(?P<number>\d+)")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")
_PADDED = re.compile(r"\d{4}\D\d\d\D\d\d|\d\d/\d{4}")  # ISO, and a month of a year
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?!\w)", re.IGNORECASE)
_COMPACT, _FULL_YEAR = 8, 4
_CENTURY_TURNS = 30  # two digits below are of this century
_MIDDLE = 15
_NO_YEAR = 2001
_TEENS = range(11, 14)


class _Part(NamedTuple):
    """A number or month in a written date: where, and what it says."""

    start: int
    end: int
    kind: str


def shift_date(text: str, days: int, *, order: str = "mdy") -> str | None:
    """The date moved by some days; None where it cannot be read.

    Args:
        text: a date as written.
        days: how far.
        order: ``mdy`` or ``dmy``, of three numbers with the year last.
    """
    parts = _parts(text, order)
    day = _day_of(text, parts) if parts else None
    if day is None:
        return None
    try:
        moved = day + dt.timedelta(days=days)
    except OverflowError:
        return None
    return _written(text, parts, moved)


def read_date(text: str, *, order: str = "mdy") -> dt.date | None:
    """The day a date with day, month and year speaks of; None where one is missing or it cannot be read."""
    parts = _parts(text, order)
    if {part.kind for part in parts} != {"day", "month", "year"}:
        return None
    return _day_of(text, parts)


def year_of(text: str) -> str | None:
    """The year as four digits, where it is written so; None otherwise."""
    found = _YEAR.search(text)
    if found is None and len(text) == _COMPACT and text.isdigit():
        return text[:4]
    return found[0] if found else None


def _parts(text: str, order: str) -> list[_Part]:
    """Which tokens are day, month and year; empty where it cannot be told."""
    tokens = [match for match in _TOKEN.finditer(text) if not _is_filler(match)]
    months = [match for match in tokens if match["word"]]
    numbers = [match for match in tokens if match["number"]]
    if months:
        return _named(months, numbers)
    if len(numbers) == 1 and len(numbers[0][0]) == _COMPACT:
        start = numbers[0].start()
        ends = ((0, 4, "year"), (4, 6, "month"), (6, 8, "day"))
        return [_Part(start + first, start + end, kind) for first, end, kind in ends]
    kinds = _kinds([match[0] for match in numbers], order)
    return [_Part(*match.span(), kind) for match, kind in zip(numbers, kinds, strict=False)] if kinds else []


def _is_filler(match: re.Match[str]) -> bool:
    """Endings of days and words between, such as *of*: words that name no month."""
    return bool(match["word"]) and _month_of(match["word"]) is None


def _named(months: list[re.Match[str]], numbers: list[re.Match[str]]) -> list[_Part]:
    if len(months) > 1 or len(numbers) > 2:  # noqa: PLR2004 - day and year
        return []
    parts = [_Part(*months[0].span(), "month")]
    for number in numbers:
        is_year = len(number[0]) == _FULL_YEAR or number.string[number.start() - 1 : number.start()] == "'"
        is_second = any(part.kind == "day" for part in parts)
        parts.append(_Part(*number.span(), "year" if is_year or is_second else "day"))
    return parts if len({part.kind for part in parts}) == len(parts) else []


def _kinds(numbers: list[str], order: str) -> tuple[str, ...]:
    if len(numbers) == 2:  # noqa: PLR2004 - two of day, month, year
        if len(numbers[1]) == _FULL_YEAR:
            return ("month", "year")
        pairs = (("month", "day"), ("day", "month"))
        return _first(numbers, pairs if order == "mdy" else pairs[::-1])
    if len(numbers) != 3:  # noqa: PLR2004 - day, month and year
        return ()
    if len(numbers[0]) == _FULL_YEAR:
        return _first(numbers, (("year", "month", "day"), ("year", "day", "month")))
    triples = (("month", "day", "year"), ("day", "month", "year"))
    return _first(numbers, (*(triples if order == "mdy" else triples[::-1]), ("year", "month", "day")))


def _first(numbers: list[str], choices: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The first reading that is a day of the calendar."""
    for kinds in choices:
        values = dict(zip(kinds, map(int, numbers), strict=True))
        year = _full_year(values["year"], len(numbers[kinds.index("year")])) if "year" in values else 2000
        if _date(year, values["month"], values["day"]):
            return kinds
    return ()


def _day_of(text: str, parts: list[_Part]) -> dt.date | None:
    said = {part.kind: text[part.start : part.end] for part in parts}
    month = _month_of(said["month"]) if said["month"].isalpha() else (0, int(said["month"]))
    year = _full_year(int(said["year"]), len(said["year"])) if "year" in said else _NO_YEAR
    if month is None:
        return None
    day = int(said.get("day", _MIDDLE))
    return _date(year, month[1], day) or ("year" not in said and _date(_NO_YEAR - 1, month[1], day)) or None


def _full_year(value: int, width: int) -> int:
    if width == _FULL_YEAR:
        return value
    return value + (2000 if value < _CENTURY_TURNS else 1900)


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _month_of(word: str) -> tuple[str | int, int] | None:
    return _month_names().get(word.lower())


def _month_names() -> Mapping[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for kind, names in terms().months.items():
        for number, name in enumerate(names, 1):
            found.setdefault(name.lower(), (kind, number))
    return found


def _written(text: str, parts: list[_Part], moved: dt.date) -> str:
    """The text with its parts rewritten, from the last to the first so that offsets hold."""
    for part in sorted(parts, reverse=True):
        old, after = text[part.start : part.end], text[part.end :]
        if part.kind == "month" and old.isalpha():
            new = _month_name(old, moved.month, is_short=after.startswith("."))
        else:
            number = {"day": moved.day, "month": moved.month, "year": moved.year}[part.kind]
            new = str(number % 100 if part.kind == "year" and len(old) < _FULL_YEAR else number)
            new = (
                new.zfill(len(old))
                if old.startswith("0") or part.kind == "year" or (len(old) > 1 and _is_padded(text, parts))
                else new
            )
        if part.kind == "day" and (ending := _ORDINAL.match(after)):
            after = _like(_ending(moved.day), ending[0]) + after[ending.end() :]
        text = text[: part.start] + new + after
    return text


def _is_padded(text: str, parts: list[_Part]) -> bool:
    """Whether numbers are written with leading zeros, as far as can be seen."""
    said = [text[part.start : part.end] for part in parts if part.kind != "year"]
    is_plain = text.isdigit() or bool(_PADDED.fullmatch(text))
    return is_plain or any(each.startswith("0") for each in said)


def _month_name(old: str, month: int, *, is_short: bool) -> str:
    kind, _ = _month_names()[old.lower()]
    if is_short and kind == "en_long":
        kind = "en_short"
    return _like(terms().months[kind][month - 1], old)


def _like(new: str, old: str) -> str:
    """A word in the case of another."""
    if old.isupper():
        return new.upper()
    return new.lower() if old.islower() else new[:1].upper() + new[1:].lower()


def _ending(day: int) -> str:
    return "th" if day in _TEENS else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")

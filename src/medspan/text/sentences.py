"""Splits a text into sentences, as offsets into the unchanged string.

Line breaks are judged first (``medspan.text.lines``), then every stop inside a block by the word before it
and the word after it. Rules and lists were tuned on the training and development splits of NCBI-disease and
BC5CDR; ``benchmarks/sentences.py`` measures them. Each stop reads a bounded number of characters on both
sides, so time is linear.
"""

# ruff: noqa: RUF001 - dashes, quotes and stops of many scripts are meant

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from medspan.text.abbreviations import (
    CAPITAL_TITLES,
    DOSE_WORDS,
    LETTERED,
    NEVER_FINAL,
    NUMBERED,
    OFTEN_FINAL,
    OPENERS,
    SELDOM_FINAL,
)
from medspan.text.lines import blocks
from medspan.text.marks import extending_class
from medspan.text.tokenize import INVISIBLE_BLANKS, is_blank

if TYPE_CHECKING:
    from collections.abc import Sequence

_REACH: Final = 40  # characters read on each side of a stop
_BRACKET_REACH: Final = 120

_CLOSERS: Final = "'\")\\]}”’»›"
_HEADINGS: Final = (
    "BACKGROUND|OBJECTIVES?|PURPOSE|AIMS?|INTRODUCTION|METHODS?|MATERIALS?|PATIENTS?|DESIGN|SETTING|RESULTS?|FINDINGS"
    "|CONCLUSIONS?|DISCUSSION|INTERVENTIONS?|MEASUREMENTS|SUBJECTIVE|ASSESSMENT|IMPRESSION|MEDICATIONS|ALLERGIES"
    "|PHYSICAL EXAM|REVIEW OF SYSTEMS|PAST|SOCIAL HISTORY|FAMILY HISTORY"
)
_BLANK: Final = rf"[\s{INVISIBLE_BLANKS}]"
# Every branch begins with a character, which lets the search skip what cannot begin one. The look-behinds let
# a run of stops be tried only at its first character: else a run would cost its square.
_STOP: Final = re.compile(
    rf"[.!?…](?<![.!?…][.!?…])[.!?…]*+[{_CLOSERS}]*+"  # a stop, quotes and brackets that close behind it,
    rf"(?:(?<=[a-z]{{3}}\.)(?:\d{{1,3}}(?:[,–-]\d{{1,3}}){{0,9}}|\[[\d,;\s–-]{{1,30}}\]))?"  # a citation,
    rf"(?:(?={_BLANK}|\Z)|(?<=[a-z]{{4}}\.)(?=[A-Z][a-z]{{2}}))"  # and a blank, or none as in "ends.Next"
    # the blank before a heading
    rf"|{_BLANK}(?<=[a-z0-9)\]]{_BLANK})(?={_BLANK}{{0,2}}(?:{_HEADINGS})(?: ?[A-Z/&]){{0,40}} ?:)"
    rf"|[।؟۔](?<![।؟۔][।؟۔])[।؟۔]*+[{_CLOSERS}]*+(?={_BLANK}|\Z)"
    rf"|[。！？｡](?<![。！？｡][。！？｡])[。！？｡]*+[{_CLOSERS}」』）]*+(?![{extending_class()}])"
)
_PLAIN: Final = re.compile(r"\.(?<=[a-z]{4}\.) (?=[A-Z][a-z])")
_SEPARATOR: Final = re.compile(r"[\s(\[{\"“,;:/]")
_LONGEST_NUMERAL: Final = 8
_ABBREVIATIONS: Final = NEVER_FINAL | NUMBERED | OFTEN_FINAL | SELDOM_FINAL
_SKIP: Final = re.compile(rf"{_BLANK}*")
_BEFORE: Final = re.compile(r"([^\s(\[{\"“,;:/]*?)\s?\Z")
_ENUMERATOR: Final = re.compile(r"[(\[,]?(?:\d{1,3}(?:\.\d{1,2}){0,3}|[A-Za-z]|[IVXivx]{1,5})[.)]*\Z")
_ABBREVIATED: Final = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]\Z")
_OPEN_NUMBER: Final = re.compile(r"(?:[<>=~≤≥±(–-]\s?|(?<![\w.])0|\d[pq]\d{1,2})\Z")
_END_OF_NUMBER: Final = re.compile(r"0\d|\d+(?:[-–]\d+)?(?:[)\]};%,]|\.\s?\d|\s?(?:%|percent|to \d))")
_NAME_PARTICLES: Final = frozenset(("von", "van"))
_WORD_AFTER: Final = re.compile(r"[(\[\"“'‘]*([^\W_]+(?:[-'][^\W_]+)*)?")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of a text.

    Args:
        text: any string; it is not repaired.

    Returns:
        Half-open code point offsets, ascending and disjoint, without blanks at their ends; they cover every
        character that is not blank, and no border lies inside a word of ``tokenize``.
    """
    sentences: list[tuple[int, int]] = []
    for start, end in blocks(text):
        _split_block(text, start, end, sentences)
    return sentences


def sentences_at(text: str, places: Sequence[int]) -> list[tuple[int, int]]:
    """The sentences of `split_sentences` near some places: only the blocks they stand in are split.

    Args:
        text: any string.
        places: code point offsets, ascending.

    Returns:
        A part of what `split_sentences` returns, with every sentence that holds one of the places.
    """
    sentences: list[tuple[int, int]] = []
    waiting = iter(places)
    place = next(waiting, None)
    for start, end in blocks(text):
        while place is not None and place < start:
            place = next(waiting, None)
        if place is None:
            break
        if place < end:
            _split_block(text, start, end, sentences)
    return sentences


def _split_block(text: str, start: int, end: int, sentences: list[tuple[int, int]]) -> None:
    """Append the sentences of one block."""
    first = start
    for stop in _STOP.finditer(text, start, end):
        last = stop.end()
        if last == end:
            break
        if _PLAIN.match(text, stop.start(), end) and _plainly_ends(text, first, stop.start(), end):
            sentences.append((first, last))
            first = last + 1
            continue
        skipped = _SKIP.match(text, last, end)
        after = skipped.end() if skipped else end
        if _ends_sentence(text, first, stop, after, end):
            sentences.append((first, stop.start() if is_blank(text[stop.start()]) else last))
            first = after
    sentences.append((first, end))


def _plainly_ends(text: str, first: int, place: int, end: int) -> bool:
    """Whether `_ends_sentence` is sure to say yes of a dot at ``place`` where `_PLAIN` matches.

    Most stops are of this kind, and asking less of them halves the time.
    """
    before = _SEPARATOR.split(text[max(first, place - _REACH) : place])[-1]
    if place - first <= _LONGEST_NUMERAL or before in _ABBREVIATIONS or before.lower() in _ABBREVIATIONS:
        return False
    return not _in_brackets(text, first, place, end)


def _ends_sentence(text: str, first: int, stop: re.Match[str], after: int, end: int) -> bool:
    """Whether the sentence that began at ``first`` ends at this stop."""
    mark = stop.group()[:1]
    if mark not in (".", "!", "?", "…"):  # of another script, or a heading follows
        return True
    head = text[after : min(end, after + _REACH)]
    tail = text[max(first, stop.start() - _REACH) : stop.start()]
    is_plain = stop.end() - stop.start() == 1
    if head[0] in ",;:)]}%" or (mark == "." and is_plain and _goes_on_by_number(tail, head)):
        return False
    if mark == "." and stop.start() - first < _REACH and _ENUMERATOR.match(tail):
        return False
    found = _WORD_AFTER.match(head)
    word = (found.group(1) if found else None) or ""
    if len(word) == 1 and word.isupper() and head[1:2] == ".":  # an initial, not the article
        word = ""
    if word[:1].islower() and not (mark == "." and is_plain and _is_mixed(word)):
        return False
    if not (word[:1].isupper() and word.lower() in OPENERS) and _in_brackets(text, first, stop.start(), end):
        return False
    return mark != "." or _dot_ends(tail, word, on_new_line=_has_line_break(text[stop.end() : after]))


def _in_brackets(text: str, first: int, place: int, end: int) -> bool:
    """Whether a bracket opened shortly before a place, in the same sentence, closes shortly after it."""
    low, high = max(first, place - _BRACKET_REACH), min(end, place + _BRACKET_REACH)
    for opening, closing in ("()", "[]"):
        opened, closes = text.rfind(opening, low, place), text.find(closing, place, high)
        is_open = opened >= 0 and text.rfind(closing, opened, place) < 0
        if is_open and closes >= 0 and text.find(opening, place, closes) < 0:
            return True
    return False


def _goes_on_by_number(tail: str, head: str) -> bool:
    """Whether the dot stands in a number that was pulled apart, as in ``(P = 0. 05)`` and ``19q13. 3``."""
    if not head[0].isdigit():
        return False
    return bool(_OPEN_NUMBER.search(tail)) or (tail[-1:].isdigit() and bool(_END_OF_NUMBER.match(head)))


def _dot_ends(tail: str, word: str, *, on_new_line: bool) -> bool:
    """Whether a dot between ``tail`` and a word that is not plain lower case ends a sentence."""
    found = _BEFORE.search(tail)
    before = found.group(1) if found else ""
    folded, opens = before.lower(), word.lower() in OPENERS and word[:1].isupper()
    if len(before) == 1 and before.isupper():
        lead = tail[: len(tail.rstrip()) - 1].split()
        return opens or (bool(word and lead) and lead[-1].lower() in LETTERED)
    if before.isupper() and "." not in before and folded not in CAPITAL_TITLES:
        return True  # an acronym such as CA or NO, not the abbreviation of the same letters
    if folded in NEVER_FINAL or before in NEVER_FINAL or (folded in NUMBERED and word[:1].isdigit()):
        return False
    if folded in OFTEN_FINAL:
        return word[:1].isupper() and word.lower() not in DOSE_WORDS
    if folded in SELDOM_FINAL or _ABBREVIATED.match(before):
        return opens or on_new_line
    return True


def _is_mixed(word: str) -> bool:
    """Whether a word in lower case may open a sentence: ``mRNA``, ``p53``, ``von Hippel``."""
    return word in _NAME_PARTICLES or any(letter.isupper() or letter.isdigit() for letter in word)


def _has_line_break(blanks: str) -> bool:
    """Whether a run of blanks holds the end of a line."""
    return blanks.splitlines() != [blanks] if blanks else False

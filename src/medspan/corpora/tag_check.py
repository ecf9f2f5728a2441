"""Counts tags of a CoNLL file that cannot stand where they are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from medspan.formats import files
from medspan.formats.layout import DOCSTART
from medspan.tags import OUTSIDE, may_end, may_follow, may_start, split_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Tagged = list[tuple[int, str]]  # (line, tag) of each word of a sentence


class TagCheck(msgspec.Struct, frozen=True):
    """The tag scheme most tags of a file speak of, and how many tags break it."""

    scheme: str
    tags: int
    invalid: int
    first_line: int | None = None


def check_tags(path: Path) -> TagCheck:
    """Count invalid tags of a CoNLL file, plain or packed."""
    return count_invalid(_tagged_sentences(files.read_lines(path)))


def count_invalid(sentences: Iterable[Tagged]) -> TagCheck:
    """Find the scheme of some sentences and the tags that break it.

    IOBES where E or S occurs; else IOB2 or IOB1, whichever fewer tags break.
    """
    sentences = list(sentences)
    bare: list[int] = []  # I where nothing of its label is open: wrong in IOB2
    plain: list[int] = []  # B where I would do: wrong in IOB1
    broken: list[int] = []  # wrong in IOBES
    is_iobes = any(tag[0] in "ES" for sentence in sentences for _, tag in sentence)
    for sentence in sentences:
        if is_iobes:
            broken += _broken_iobes(sentence)
            continue
        for (_, before), (line, tag) in pairwise([(0, OUTSIDE), *sentence]):
            prefix, label = split_tag(tag)
            goes_on = split_tag(before)[1] == label
            if prefix == "I" and not goes_on:
                bare.append(line)
            if prefix == "B" and not goes_on:
                plain.append(line)
    total = sum(map(len, sentences))
    if is_iobes:
        return TagCheck("IOBES", total, len(broken), min(broken, default=None))
    scheme, wrong = ("IOB2", bare) if len(bare) <= len(plain) else ("IOB1", plain)
    return TagCheck(scheme, total, len(wrong), min(wrong, default=None))


def _broken_iobes(sentence: Tagged) -> Iterator[int]:
    if not may_start(sentence[0][1]):
        yield sentence[0][0]
    for (_, before), (line, tag) in pairwise(sentence):
        if not may_follow(before, tag):
            yield line
    if not may_end(sentence[-1][1]):
        yield sentence[-1][0]


def _tagged_sentences(lines: Iterable[str]) -> Iterator[Tagged]:
    sentence: Tagged = []
    for number, line in enumerate(lines, 1):
        columns = line.split()
        if columns and not line.startswith(DOCSTART):
            sentence.append((number, columns[-1]))
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence

"""What every reader and writer of a format looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from medspan.errors import FormatError
from medspan.types import Document

Rejected = Callable[[FormatError, str], None]


class ReadOptions(msgspec.Struct, frozen=True):
    """How to read.

    ``rejected`` receives the error and the raw unit (a line, a document block, a file's text) of every
    malformed unit, and reading goes on; where it is None the error is raised instead.
    """

    rejected: Rejected | None = None


class WriteOptions(msgspec.Struct, frozen=True):
    """How to write; ``tag_scheme`` is for CoNLL: IOB1, IOB2 or IOBES."""

    tag_scheme: str = "IOB2"
    title: str = "medspan"


class Losses(msgspec.Struct):
    """What a writer could not express, counted by reason, e.g. ``{"discontinuous spans": 3}``."""

    counts: dict[str, int] = {}

    def add(self, reason: str, count: int = 1) -> None:
        """Count something the format cannot hold."""
        if count:
            self.counts[reason] = self.counts.get(reason, 0) + count


Reader = Callable[[Path, ReadOptions], Iterator[Document]]
Writer = Callable[[Iterable[Document], Path, WriteOptions], Losses]


def reject(options: ReadOptions, error: FormatError, unit: str) -> None:
    """Hand a malformed unit over, or raise its error where nobody asked to go on."""
    if options.rejected is None:
        raise error
    options.rejected(error, unit)

"""A name of a concept, as every reader of a terminology gives it, and the log of reading one."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import msgspec

from medspan.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

LEAST_LINES: Final = 1000
"""Fewer lines than this are judged as if they were so many: one bad line of ten stops nothing."""
SHOWN: Final = 5
MOST_BAD_SHARE: Final = 0.01


class Kind(IntEnum):
    """What a name is to its concept; the lower, the better it stands for it."""

    PREFERRED = 0
    SYNONYM = 1
    MENTION = 2


class Name(msgspec.Struct, frozen=True, gc=False):
    """One name of one concept.

    ``type`` is the kind of concept as the source calls it (a SNOMED semantic tag, an OMOP domain, an OBO
    namespace); ``count`` how often a mention of this name was annotated with this concept.
    """

    id: str
    name: str
    kind: Kind = Kind.SYNONYM
    type: str = ""
    count: int = 0


class ReadLog:
    """What was read of a source; it stops the reading where too many lines are bad.

    ``files`` are the files that were read, ``lines`` and ``bad`` count lines, ``shown`` names bad ones.

    Args:
        most_bad: the share of bad lines above which a file is refused.
    """

    def __init__(self, most_bad: float = MOST_BAD_SHARE) -> None:
        self.most_bad = most_bad
        self.files: list[Path] = []
        self.lines = 0
        self.bad = 0
        self.shown: list[str] = []

    def good(self) -> None:
        """Count a line that could be read."""
        self.lines += 1

    def add(self, path: Path, line: int, problem: str) -> None:
        """Count a line that could not be read.

        Args:
            path: of the file.
            line: 1-based number.
            problem: what is wrong, without the line's text.

        Raises:
            FormatError: if this is one too many.
        """
        self.lines += 1
        self.bad += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"{path}:{line}: {problem}")
        if self.bad > self.most_bad * max(self.lines, LEAST_LINES):
            raise FormatError(
                path,
                line,
                f"{problem} (bad line {self.bad} of {self.lines}, more than {self.most_bad:.1%})",
                "correct the file, say its format with --format, or allow more with --bad-lines",
            )

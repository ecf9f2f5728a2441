"""Malformed input of a verb: stop at it, or keep it in a side file and go on."""

from __future__ import annotations

from enum import StrEnum
from typing import IO, TYPE_CHECKING

import msgspec
import typer

from medspan.formats import files

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from medspan.errors import FormatError
    from medspan.formats.protocol import Losses


class OnError(StrEnum):
    """What to do about malformed input."""

    STOP = "stop"
    SKIP = "skip"


class RejectedFile:
    """Malformed units as JSON lines; the file is begun with the first of them."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self.count = 0
        self._stack = stack
        self._handle: IO[str] | None = None

    def add(self, error: FormatError, unit: str) -> None:
        """Keep a unit with what is wrong with it."""
        if self._handle is None:
            self._handle = self._stack.enter_context(files.writing(self.path))
        row = {
            "path": error.path,
            "line": error.line,
            "problem": error.problem,
            "remedy": error.remedy,
            "unit": unit,
        }
        self._handle.write(msgspec.json.encode(row).decode() + "\n")
        self.count += 1


def rejected_path(source: Path, target: Path) -> Path:
    """``OUT.rejected.jsonl``; for standard output, the input's name in the folder one is in."""
    name = files.stem_of(source) if target == files.STANDARD else target.name
    return target.with_name(f"{name}.rejected.jsonl")


def report(losses: Losses | None, rejected: RejectedFile) -> None:
    """Say on stderr what was lost; exit 1 where something was rejected."""
    for reason, count in sorted(losses.counts.items()) if losses else ():
        typer.echo(f"not held by the format: {reason}: {count:,}", err=True)
    if rejected.count:
        typer.echo(f"rejected: {rejected.count:,} malformed units, kept in {rejected.path}", err=True)
        raise typer.Exit(1)

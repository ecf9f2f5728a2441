"""The input of a job: documents one after another, and in their places what could not be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from medspan import formats
from medspan.errors import FormatError, UsageError
from medspan.formats import files
from medspan.formats.packing import packing_of
from medspan.formats.protocol import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.jobs.request import Request
    from medspan.types import Document

MOST_REJECTED_IN_A_ROW = 100_000


def read_units(request: Request) -> Iterator[Document | FormatError]:
    """Documents, and the error of each unit or file that could not be read, in the order of the input.

    Raises:
        UsageError: if there is nothing to read at a path, or its format is not known.
        FormatError: where ``request.stop_at_errors`` is set.
    """
    for path in map(Path, request.inputs):
        name = request.read_as or ("text" if path == files.STANDARD else None)
        yield from _read(path, name, request)


def _read(path: Path, name: str | None, request: Request) -> Iterator[Document | FormatError]:
    rejected: list[FormatError] = []
    in_a_row = 0

    def keep(error: FormatError, _unit: str) -> None:
        nonlocal in_a_row
        rejected.append(error)
        in_a_row += 1
        if in_a_row >= MOST_REJECTED_IN_A_ROW:  # they are held until the next document comes
            in_a_row = 0
            raise FormatError(
                error.path,
                error.line,
                f"{MOST_REJECTED_IN_A_ROW:,} malformed units in a row, the rest was not read",
                "name its format with --from",
            )

    options = ReadOptions(
        rejected=None if request.stop_at_errors else keep,
        text_column=request.text_column,
        id_column=request.id_column,
        max_chars=request.limits.document_characters,
    )
    documents = iter(formats.read(path, name, options))
    while True:
        document = None
        try:
            document = next(documents, None)
        except FormatError as error:
            if request.stop_at_errors:
                raise
            rejected.append(error)
        yield from rejected
        rejected.clear()
        in_a_row = 0
        if document is None:
            return
        yield document


def check_paths(paths: Sequence[str], output: Path) -> None:
    """Refuse input that is not there, or that the output would become part of, before anything is begun.

    Raises:
        UsageError: naming the path.
    """
    for path in map(Path, paths):
        if path == files.STANDARD:
            continue
        files.refuse_missing(path)
        if path.is_dir() and output.resolve().is_relative_to(path.resolve()):
            raise UsageError(
                f"{output}: lies in the input {path}, and its files would be read too; name a folder outside"
            )


def total_bytes(paths: Sequence[str]) -> int | None:
    """The size of the input; None where it cannot tell how much text there is (packed files, stdin)."""
    total = 0
    for path in map(Path, paths):
        if path == files.STANDARD:
            return None
        for name, size in _sizes(path):
            if packing_of(name) or name.lower().endswith(".parquet"):
                return None
            total += size
    return total


def _sizes(path: Path) -> Iterator[tuple[str, int]]:
    if not path.is_dir():
        yield path.name, path.stat().st_size
        return
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            yield name, file.stat().st_size if file.exists() else 0

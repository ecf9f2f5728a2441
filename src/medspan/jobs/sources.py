"""The input of a job: documents one after another, and in their places what could not be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medspan import formats
from medspan.errors import FormatError, UsageError
from medspan.formats import files, jsonl, text
from medspan.formats.protocol import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.types import Document

# Formats whose folders are their files, one after the other: a damaged file then costs that file only.
_FILE_BY_FILE = {"text": text.EXTENSIONS, "jsonl": jsonl.EXTENSIONS}
_MOST_IN_A_ROW = 100_000


def read_units(
    paths: Sequence[str], read_as: str | None = None, *, stop_at_errors: bool = False
) -> Iterator[Document | FormatError]:
    """Documents, and the error of each unit or file that could not be read, in the order of the input.

    Args:
        paths: files, folders or ``-``.
        read_as: their format, where names do not tell.
        stop_at_errors: raise the first error instead.

    Raises:
        UsageError: if a path is not there or its format is not known.
        FormatError: where ``stop_at_errors`` is set.
    """
    for path in map(Path, paths):
        name = read_as or ("text" if path == files.STANDARD else formats.guess_format(path))
        inside = _files_of(path, name)
        for file in inside:
            yield from _read(file, name, stop_at_errors=stop_at_errors, is_inside=file != path)


def total_bytes(paths: Sequence[str], read_as: str | None = None) -> int | None:
    """The size of the input; None where it cannot be known (standard input, packed files)."""
    total = 0
    for path in map(Path, paths):
        if path == files.STANDARD or not path.exists():
            return None
        name = read_as or formats.guess_format(path)
        inside = _files_of(path, name) if name in _FILE_BY_FILE else _all_files(path)
        if any(file.suffix.lower() in {".gz", ".xz", ".zst", ".parquet"} for file in inside):
            return None
        total += sum(file.stat().st_size for file in inside)
    return total


def check_paths(paths: Sequence[str]) -> None:
    """Refuse what is not there before anything is begun.

    Raises:
        UsageError: naming the path.
    """
    for path in map(Path, paths):
        if path != files.STANDARD and not path.exists():
            raise UsageError(f"{path}: no such file or folder")


def _files_of(path: Path, name: str) -> list[Path]:
    if path != files.STANDARD and path.is_dir() and name in _FILE_BY_FILE:
        return files.input_files(path, _FILE_BY_FILE[name])
    return [path]


def _all_files(path: Path) -> list[Path]:
    return [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]


def _read(
    path: Path, name: str, *, stop_at_errors: bool, is_inside: bool
) -> Iterator[Document | FormatError]:
    rejected: list[FormatError] = []

    def keep(error: FormatError, _unit: str) -> None:
        rejected.append(error)
        if len(rejected) >= _MOST_IN_A_ROW:
            raise FormatError(
                path,
                None,
                f"{_MOST_IN_A_ROW:,} malformed units in a row, the rest was not read",
                "name its format with --from",
            )

    documents = iter(formats.read(path, name, ReadOptions(rejected=None if stop_at_errors else keep)))
    while True:
        document = None
        try:
            document = next(documents, None)
        except FormatError as error:
            if stop_at_errors:
                raise
            rejected.append(error)
        except UsageError as error:
            if stop_at_errors or not is_inside:
                raise
            rejected.append(FormatError(path, None, str(error), "mend it and annotate it by itself"))
        yield from rejected
        rejected.clear()
        if document is None:
            return
        yield document

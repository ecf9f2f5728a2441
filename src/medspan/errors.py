"""Every error medspan raises on purpose.

    MedspanError
    ├── UsageError            the caller asked for something that cannot be done as asked
    │   ├── ConfigError       a recipe or setting is wrong; names file, key and remedy
    │   └── MissingExtraError an optional dependency is not installed; names the extra
    ├── DataError             an input document or corpus is wrong
    │   ├── FormatError       a file does not follow its format; names file and line
    │   └── AnnotationError   an annotation does not fit its text or its document
    ├── ModelError            a model folder is damaged, too new, or fails its proof
    └── TrainingError         a training run cannot start or go on

Messages name files, lines, ids and offsets; they never hold document text.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class MedspanError(Exception):
    """Base of every error medspan raises on purpose."""


class UsageError(MedspanError):
    """The caller asked for something that cannot be done as asked."""


class ConfigError(UsageError):
    """A recipe or a setting is wrong."""


class MissingExtraError(UsageError):
    """An optional dependency is not installed.

    Args:
        action: what the caller wanted to do, e.g. ``"training"``.
        package: the package that is missing, e.g. ``"torch"``.
        extra: the extra that brings it, e.g. ``"train"``.
    """

    def __init__(self, action: str, package: str, extra: str) -> None:
        super().__init__(f'{action} needs {package}; install it with: pip install "medspan[{extra}]"')
        self.package = package
        self.extra = extra


class DataError(MedspanError):
    """An input document or corpus is wrong."""


class FormatError(DataError):
    """A file does not follow its format.

    Args:
        path: the file, or ``"<stdin>"``.
        line: 1-based line number, or None where the format has no lines.
        problem: what is wrong, without document text.
        remedy: what to do about it.
    """

    def __init__(self, path: Path | str, line: int | None, problem: str, remedy: str) -> None:
        place = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{place}: {problem}; {remedy}")
        self.path = str(path)
        self.line = line
        self.problem = problem
        self.remedy = remedy


class AnnotationError(DataError):
    """An annotation does not fit its text or its document."""


class ModelError(MedspanError):
    """A model folder is damaged, too new, or fails its proof."""


class TrainingError(MedspanError):
    """A training run cannot start or go on."""


_MOST_NAMES = 20
_LONGEST_NAME = 100  # comparing takes time by the length, and what is longer is no slip of the keyboard


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A hint naming the nearest known name, or the first of them where none is near."""
    names = sorted(known)
    near = get_close_matches(wrong[:_LONGEST_NAME], names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"known: {', '.join(names[:_MOST_NAMES])}{more}"

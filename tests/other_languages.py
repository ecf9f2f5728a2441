"""Programs of other languages that tests of the examples start, and what is said where one is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LONGEST = 120
"""Seconds a program may take: far above what it needs, so that one that hangs is a failure."""


def program(name: str, how: str, *, is_optional: bool = False) -> str:
    """The path of a program; where it is missing the test is skipped.

    With MEDSPAN_REQUIRE_CLIENTS=1, as in CI, a missing one fails the test unless it is optional.
    """
    found = shutil.which(name)
    if found is None:
        missing(f"there is no {name} on this machine; {how}", is_optional=is_optional)
    return str(found)


def missing(reason: str, *, is_optional: bool = False) -> None:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("MEDSPAN_REQUIRE_CLIENTS") == "1" and not is_optional:
        pytest.fail(reason)
    pytest.skip(reason)


def run(
    words: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    given: str = "",
    environment: Mapping[str, str | None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program, with UTF-8 in and out; a variable of the environment that is None is not set."""
    changed = {**os.environ, "LC_ALL": "C.UTF-8", "NO_PROXY": "127.0.0.1", **(environment or {})}
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        input=given,
        env={name: value for name, value in changed.items() if value is not None},
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST,
        check=False,
    )


def output(words: Sequence[str | Path], **settings: object) -> str:
    """What a program that must succeed wrote to standard output."""
    done = run(words, **settings)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    return done.stdout

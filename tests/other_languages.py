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


CLIENTS, BROWSER = "MEDSPAN_REQUIRE_CLIENTS", "MEDSPAN_REQUIRE_BROWSER"
"""Variables that CI sets to 1: what they name must be there."""


def program(name: str, how: str, *, required: str | None = CLIENTS) -> str:
    """The path of a program; where it is missing the test is skipped, or fails (`missing`)."""
    found = shutil.which(name)
    if found is None:
        missing(f"there is no {name} on this machine; {how}", required=required)
    return str(found)


def missing(reason: str, *, required: str | None = CLIENTS) -> None:
    """Skip the test, or fail it where a variable says that what it needs must be there."""
    if required and os.environ.get(required) == "1":
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

"""A running service for tests: a child process on a free port of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SECONDS = 180  # of a machine that has other things to do
_SAID = re.compile(r"medspan serves (http://\S+)")


class Live(NamedTuple):
    """A service: where it is, its process, and the file of what it writes to standard error."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(self, **options: object) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=_SECONDS, trust_env=False, **options)  # type: ignore[arg-type]

    def said(self) -> str:
        """What it has written so far."""
        return self.log.read_text(encoding="utf-8")


@contextmanager
def serving(folder: Path, *words: str, environment: dict[str, str] | None = None) -> Iterator[Live]:
    """`medspan serve` with these words, until the end of the block."""
    log = folder / "service.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "medspan", "serve", "--port", "0", *words],
            stderr=said,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield Live(_url(process, log), process, log)
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends and process.poll() is None:
        if found := _SAID.search(log.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the service did not start:\n{log.read_text(encoding='utf-8')}")

"""Processes of a bulk job under test: how it is started, its workers, their memory (Linux)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
PROC = Path("/proc")


def start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start ``medspan`` with these words; what it says is added to a log."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with log.open("ab") as said:
        return subprocess.Popen([sys.executable, "-m", "medspan", *words], env=environment, stderr=said)


def children(parent: int) -> list[int]:
    """The living children of a process."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (state := _state(int(entry.name))) is not None:
            letter, owner = state
            if owner == parent and letter != "Z":
                found.append(int(entry.name))
    return found


def is_alive(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    state = _state(process)
    return state is not None and state[0] != "Z"


def memory(process: int) -> dict[str, int]:
    """``VmRSS`` (now) and ``VmHWM`` (the most so far) in kB; empty where the process is gone."""
    try:
        lines = (PROC / str(process) / "status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines)
    return {name: int(value.split()[0]) for name, value in pairs if name in {"VmRSS", "VmHWM"}}


def processor_seconds(process: int) -> float:
    """Seconds of processors that a process, its children and theirs have used."""
    try:
        text = (PROC / str(process) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    # utime, stime, and the same of children that have ended.
    ticks = sum(map(int, text.rpartition(")")[2].split()[11:15]))
    own = ticks / os.sysconf("SC_CLK_TCK")
    return own + sum(map(processor_seconds, children(process)))


def _state(process: int) -> tuple[str, int] | None:
    """State letter and parent of a process; None where it is gone."""
    try:
        text = (PROC / str(process) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    letter, parent = text.rpartition(")")[2].split()[:2]
    return letter, int(parent)

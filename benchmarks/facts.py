"""What every result file says: how it was made, on what, and the figures of an evaluation."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medspan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.metrics import Interval
    from medspan.report import Report
    from medspan.types import Document

PACKAGES = ("numpy", "onnxruntime", "torch")


def facts(seed: int | None = None, **more: object) -> dict[str, Any]:
    """Command, seed, date, hardware class and versions."""
    return {
        "command": command_line(sys.argv),
        "seed": seed,
        "date": time.strftime("%Y-%m-%d"),
        "hardware": {"cpu": cpu_name(), "cores": os.cpu_count(), "system": platform.system()},
        "versions": {
            "python": platform.python_version(),
            "medspan": medspan.__version__,
            **{name: _version(name) for name in PACKAGES},
        },
        **more,
    }


def command_line(argv: Sequence[str]) -> str:
    """The command from the project's root; of paths elsewhere only the name, for they say nothing there."""
    return shlex.join(["python", *(_tidy(part) for part in argv)])


def _tidy(part: str) -> str:
    root = Path(__file__).resolve().parents[1]
    path = Path(part)
    if not path.exists() and not path.is_absolute():
        return part
    if path.resolve().is_relative_to(root):
        return path.resolve().relative_to(root).as_posix()
    return path.name


def cpu_name() -> str:
    """The processor's name where the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def read_json(path: Path) -> dict[str, Any]:
    """The result file as it stands; empty where there is none."""
    if not path.exists():
        return {}
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a result file."""
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def merge_json(path: Path, key: str, value: object) -> dict[str, Any]:
    """Set one key of a result file, leave the others, and write it; the whole file's value."""
    merged = {**read_json(path), key: value}
    write_json(path, merged)
    return merged


def numbered(documents: Sequence[Document]) -> list[Document]:
    """Documents whose ids are their places, for ids that stand twice in a corpus."""
    return [document.replace(id=str(i)) for i, document in enumerate(documents)]


def bounds(interval: Interval | None) -> dict[str, float | None]:
    """The ends of a 95 % interval; None where nothing was to be found."""
    return {
        "low": round(interval.low, 4) if interval else None,
        "high": round(interval.high, 4) if interval else None,
    }


def label_figures(report: Report) -> dict[str, Any]:
    """By label F1 with its interval."""
    return {row.label: {"f1": round(row.score.f1, 4), **bounds(row.f1_interval)} for row in report.labels}


def figures(report: Report) -> dict[str, Any]:
    """Strict micro scores with the 95 % interval of F1, and token-micro beside them."""
    return {
        "f1": round(report.micro.f1, 4),
        **bounds(report.intervals.f1),
        "precision": round(report.micro.precision, 4),
        "recall": round(report.micro.recall, 4),
        "token_micro_f1": round(report.token_micro.f1, 4),
        "documents": report.counted.documents,
        "words": report.counted.words,
        "gold": report.counted.gold,
    }


def fill_page(page: Path, result: Path, text: str) -> None:
    """Put figures of a result file into a page, between the marks that name the file."""
    begin, end = page_marks(result)
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, behind = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page}: has no {begin.strip()} ... {end.strip()}")
    page.write_text(before + begin + text + end + behind, encoding="utf-8")


def page_marks(result: Path) -> tuple[str, str]:
    """What stands before and behind the figures of a result file in a page."""
    return f"<!-- figures of benchmarks/{result.name} -->\n", "<!-- end of figures -->\n"

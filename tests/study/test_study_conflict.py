"""Conflict rows of a training log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from medspan.errors import FormatError, UsageError
from medspan.study.conflict import read_conflicts
from medspan.study.structs import Conflict

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


ROWS = (
    {"epoch": 0, "dev": {"a": 0.1}},
    {"conflict": {"b|a": 0.5, "a|c": -1}},
    {"epoch": 1, "conflict": {"a|b": 0.1}},
)


def test_means_by_pair(tmp_path: Path):
    log = write(tmp_path / "model.run" / "metrics.jsonl", *ROWS)
    expected = (Conflict("a", "b", 0.3, 2), Conflict("a", "c", -1.0, 1))
    assert read_conflicts(log) == expected
    assert read_conflicts(log.parent) == expected
    assert read_conflicts(tmp_path / "model") == expected


def test_a_log_without_conflicts(tmp_path: Path):
    assert read_conflicts(write(tmp_path / "metrics.jsonl", {"epoch": 0}, {"conflict": None})) == ()


@pytest.mark.parametrize("row", [{"conflict": {"ab": 0.5}}, {"conflict": 3}, [1], {"conflict": {"a|b": "x"}}])
def test_rows_that_are_none(tmp_path: Path, row: object):
    with pytest.raises(FormatError, match=r"metrics\.jsonl:2: "):
        read_conflicts(write(tmp_path / "metrics.jsonl", {}, row))


def test_no_log(tmp_path: Path):
    with pytest.raises(UsageError, match="name the run folder of a training"):
        read_conflicts(tmp_path)

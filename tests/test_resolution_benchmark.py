"""What the benchmark of resolution counts as right."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from medspan.types import Concept, Entity, Span

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in ("resolution", "resolution_index", "facts"):
        sys.modules.pop(name, None)


def entity(*ids: str) -> Entity:
    return Entity("T1", "Disease", (Span(0, 1),), concepts=tuple(Concept(each) for each in ids))


@pytest.mark.parametrize(
    ("gold", "found", "wanted"),
    [
        (("A",), ("A", "B"), (True, True, True, True)),
        (("A",), ("B", "A"), (False, True, False, False)),
        (("A",), (), (False, False, False, False)),
        (("A", "B"), ("B", "C"), (True, True, True, False)),
        (("A", "B"), ("B", "A"), (True, True, True, True)),
        (("OMIM:1",), ("A",), (False, False, True, True)),
    ],
)
def test_what_is_right(script, gold, found, wanted) -> None:
    row = script("resolution").outcome(entity(*gold), entity(*found), "d", {"A"}, {"OMIM:1": "A"})
    assert (row.at_1, row.at_5, row.merged, row.whole) == wanted
    assert row.is_unseen == ("A" not in gold)


def test_shares_and_intervals(script) -> None:
    module = script("resolution")
    rows = [
        module.outcome(entity("A"), entity("A" if n % 4 else "B"), str(n % 10), (), {}) for n in range(40)
    ]
    found = module.share(rows, "at_1")
    assert found["accuracy"] == 0.75
    assert found["low"] < 0.75 < found["high"]
    assert found["mentions"] == 40


def test_a_letter_is_left_out(script) -> None:
    import random  # noqa: PLC0415

    damaged = script("resolution_index")._damaged("grey fever", random.Random(1))  # noqa: S311 - no secret
    assert len(damaged) == len("grey fever") - 1

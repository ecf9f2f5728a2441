"""benchmarks/relations.py: its page is that of its result file, and what it adds up."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from medspan.metrics.relations import evaluate_relations
from tiny_relations import LABELS, tiny_related

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def relations(monkeypatch: pytest.MonkeyPatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("relations")
    for name in ("relations", "facts"):
        sys.modules.pop(name, None)


def test_the_page_says_what_the_result_file_does(relations):
    text = (ROOT / "docs" / "relations.md").read_text(encoding="utf-8")
    shown = text.partition(relations.MARKS[0])[2].partition(relations.MARKS[1])[0]
    assert shown == relations.page_figures(relations.read_json(relations.OUTPUT))


def test_what_is_missing_is_said(relations):
    assert relations.page_figures({}).count("not measured yet") == len(relations.TITLES)


def test_a_gain_is_the_difference_of_two_reports(relations):
    gold = [tiny_related(i) for i in range(20)]
    half = [d.replace(relations=d.relations[:1]) for d in gold]
    after, before = (evaluate_relations(gold, found, LABELS) for found in (gold, half))
    gain = relations.gain(after, before)
    assert gain["f1"] == pytest.approx(1 - before.micro.f1, abs=1e-4)
    assert gain["low"] <= gain["f1"] <= gain["high"]
    row = relations.row_of(after, split="test")
    assert row["f1"] == 1
    assert row["gold"] == sum(len(d.relations) for d in gold)
    assert "| ADE, entities given | test | 1.0000 | 1.000 to 1.000 |" in relations.page_figures(
        {"results": {"ade": row}}
    )

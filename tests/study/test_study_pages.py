"""A study as Markdown, HTML and plain text."""

from __future__ import annotations

import msgspec
import pytest

from medspan.metrics import Interval, Score
from medspan.report.rows import NOTHING
from medspan.study.pages import to_html, to_markdown, to_text
from medspan.study.structs import (
    Borders,
    Cause,
    Clash,
    Conflict,
    CorpusFacts,
    Gain,
    Limits,
    Pair,
    Study,
    TypeStudy,
)


def facts(name: str) -> CorpusFacts:
    return CorpusFacts(name, name, ("X",), True, 3, 1234, 10, 4, 1.5, 0.5, 8.1, (("mi|ce", 7), ("<b>", 3)))  # noqa: FBT003 - a field


def pair(first: str, second: str, *clashes: Clash) -> Pair:
    causes = tuple(Cause(c.cause, 1, c.mentions, c.clashing, (c.string,)) for c in clashes)
    borders = Borders(5, 1, 0, 0, (("nude …", 1),))
    score = Score.of(3, 1, 2)
    return Pair(first, second, 4, len(clashes), 0.5, 6, 60.0, score, 0.9, 1, borders, causes, clashes)


CLASHES = (Clash("<b>|x", "rank", 5, 1.0, 6, 0, 6), Clash("mice", "longer", 3, 0.9, 3, 0, 3))
STUDY = Study(
    recipe="r.toml",
    split="train",
    limits=Limits(),
    types=(TypeStudy("Species", (facts("a"), facts("b")), (pair("a", "b", *CLASHES), pair("b", "a"))),),
    gains=(
        Gain("a", ("b",), 0.5, 0.4784, -0.0216, Interval(-0.03, -0.01), (13, 14)),
        Gain("a", ("b", "c"), 0.5, 0.51, 0.01, None, (13,)),
    ),
    budget="3 epochs",
    conflicts={"run": (Conflict("a", "b", -0.25, 4),), "empty": ()},
)


def test_markdown_holds_all_and_escapes():
    text = to_markdown(STUDY)
    assert "| a → b | 2 | 4 | 50.00 | 6 | 60.0 | 75.00 | 90.00 | 60.00 | 66.67 |" in text
    assert r"\<b\>\|x" in text
    assert "kinds and ranks above species" in text
    assert "measured gain" in text
    assert "-2.16" in text
    assert r"-3.00 to -1.00" in text
    assert f"| a | {NOTHING} | -0.250 |" in text
    assert "no conflict rows" in text
    assert "Longer ones add: nude … (1)." in text


def test_html_holds_all_and_escapes():
    page = to_html(STUDY)
    assert "&lt;b&gt;|x" in page
    assert "<b>|x" not in page
    assert "<script" not in page
    assert page.count("<table") == to_markdown(STUDY).count("| --- |")


def test_plain_text_is_short_and_aligned():
    text = to_text(STUDY)
    assert "WHICH CORPORA BELONG TOGETHER" in text
    assert "clashing strings" not in text
    assert f"\nab\na{NOTHING}" in text.replace(" ", "")
    assert "a for b: labels 60.0 places too many" in text
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("gains", [(), STUDY.gains])
def test_a_study_without_runs(gains: tuple[Gain, ...]):
    text = to_markdown(msgspec.structs.replace(STUDY, gains=gains, conflicts={}))
    assert ("Gain on dev" in text) == bool(gains)
    assert "Conflict" not in text


def test_json_is_read_again():
    assert msgspec.json.decode(STUDY.to_json(), type=Study) == STUDY

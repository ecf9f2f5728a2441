"""The small language of phrases in tables."""

from __future__ import annotations

import pytest

from medspan.errors import ConfigError
from medspan.tasks.phrases import expand, expand_all, packaged_table


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("no", ["no"]),
        ("no|without", ["no", "without"]),
        ("no [any]", ["no", "no any"]),
        ("[on exam|at rest] pain", ["pain", "on exam pain", "at rest pain"]),
        ("  a   b ", ["a b"]),
        ("#)", ["#)"]),
        ("a|a", ["a"]),
    ],
)
def test_what_a_phrase_stands_for(phrase: str, expected: list[str]):
    assert expand(phrase) == expected


@pytest.mark.parametrize(
    ("phrase", "problem"),
    [
        ("", "at least one word"),
        ("[maybe]", "at least one word"),
        ("no [any", "not opened or not closed"),
        ("no any]", "not opened or not closed"),
        ("a| b", "nothing stands beside"),
        (" ".join(["a|b|c|d"] * 8), "more than 2,000"),
    ],
)
def test_a_wrong_phrase_is_refused_by_name(phrase: str, problem: str):
    with pytest.raises(ConfigError, match=problem) as caught:
        expand_all([phrase], "mine.toml: cues")
    assert str(caught.value).startswith(f"mine.toml: cues: phrase {phrase!r}: ")


def test_a_language_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match=r"no cues in the language 'swe'; did you mean sv\?|known: en, sv"):
        packaged_table("cues", "swe")

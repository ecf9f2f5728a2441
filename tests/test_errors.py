"""Hints in errors: the nearest name, at a cost that does not grow with what was asked for."""

from __future__ import annotations

import time

from medspan.errors import did_you_mean


def test_the_nearest_name_or_the_first_of_them_is_named():
    assert did_you_mean("assertions", ["sections", "assertion"]) == "did you mean assertion?"
    assert did_you_mean("x", ["b", "a"]) == "known: a, b"
    assert did_you_mean("", [f"n{i:02}" for i in range(25)]).endswith("n19 and 5 more")


def test_a_name_of_megabytes_is_not_compared():
    """A request may name a label so; comparing all of it would stop the service for seconds."""
    began = time.process_time()
    assert did_you_mean("ab" * 10_000_000, ["Disease", "Drug"]) == "known: Disease, Drug"
    assert time.process_time() - began < 0.2

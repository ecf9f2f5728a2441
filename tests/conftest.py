"""Fixtures and hypothesis profiles shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tiny networks gain nothing from threads, and threads that wait for one another in a loop hang a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_SLOW_MACHINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("default", max_examples=100, deadline=None, suppress_health_check=_SLOW_MACHINE)
settings.register_profile("nightly", max_examples=10_000, deadline=None, suppress_health_check=_SLOW_MACHINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """The folder of public corpora that MEDSPAN_DATA names; skips where there is none.

    In CI, where the corpora must be there, MEDSPAN_REQUIRE_DATA=1 turns the skip into a failure.
    """
    named = os.environ.get("MEDSPAN_DATA", "")
    if named and Path(named).is_dir():
        return Path(named)
    reason = "public corpora are absent: set MEDSPAN_DATA or run `medspan corpora get`"
    if os.environ.get("MEDSPAN_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)

"""Fixtures of tests that talk to a running service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from live_service import Live, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service with all stages that need no files, and two models; one for all tests."""
    words = ("--model", "default", "--model", "clinical", "--pipeline", "sections,assertion,relations")
    with serving(tmp_path_factory.mktemp("service"), *words, "--workers", "2") as found:
        yield found

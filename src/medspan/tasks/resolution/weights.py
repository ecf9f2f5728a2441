"""The ranking an index has before one is fitted to annotated mentions of its own."""

from __future__ import annotations

from importlib import resources

import msgspec

from medspan.tasks.resolution.spec import Ranking


def default_ranking() -> Ranking:
    """The ranking of ``ranking.json``: weights set by hand; scores order candidates but are no chances."""
    data = resources.files("medspan.tasks.resolution").joinpath("ranking.json").read_bytes()
    return msgspec.json.decode(data, type=Ranking)

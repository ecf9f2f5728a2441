"""Concept ids among the infons of a BioC annotation."""

from __future__ import annotations

import re

from medspan.formats.pubtator_write import TMVAR

_SEPARATOR = re.compile(r"[;,|]")
_NONE = {"", "-", "-1"}


def identifiers(value: str) -> list[str]:
    """The concept ids of an infon: several are parted by ``;``, ``,`` or ``|``."""
    if value in _NONE:
        return []
    return [value] if TMVAR.match(value) else [part for part in _SEPARATOR.split(value) if part]

"""What is shown of an entity's assertion: only what is out of the ordinary."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medspan.types import Entity

_PLAIN = {"assertion": "present", "temporality": "current"}


def unusual(entity: Entity) -> list[str]:
    """Values of assertion and temporality, without present and current; words parted by blanks."""
    return [
        item.value.replace("_", " ")
        for item in entity.attributes
        if item.name in _PLAIN and item.value != _PLAIN[item.name]
    ]

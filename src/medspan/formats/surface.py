"""Does the mention a file spells out stand at the offsets it gives?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medspan.types import Entity

SURFACE_REMEDY = "count offsets in Unicode code points of the unchanged text (not bytes or UTF-16 units)"


def joined(entity: Entity, text: str) -> str:
    """The mention's text, the parts of a discontinuous one joined by a blank."""
    return " ".join(text[span.start : span.end] for span in entity.spans)


def surface_problem(surface: str, entity: Entity, text: str) -> str | None:
    """What is wrong with a spelled-out mention, or None.

    Sources strip or fold blanks and punctuation, so only letters and digits must agree, either with the
    parts or with all that stands between the first and the last character.
    """
    wanted = _letters(surface)
    if wanted in (_letters(joined(entity, text)), _letters(text[entity.start : entity.end])):
        return None
    return f"entity {entity.id!r}: its text is not what stands at {entity.start} to {entity.end}"


def _letters(surface: str) -> str:
    return "".join(filter(str.isalnum, surface)) or surface.strip()

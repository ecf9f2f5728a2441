"""The text of mentions: as it stands, as a file spells it out, and the section around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medspan.types import Document, Entity

SURFACE_REMEDY = "count offsets in Unicode code points of the unchanged text (not bytes or UTF-16 units)"


def joined(entity: Entity, text: str) -> str:
    """The mention's text, the parts of a discontinuous one joined by a blank."""
    return " ".join(text[span.start : span.end] for span in entity.spans)


def section_of(document: Document, entity: Entity) -> str | None:
    """The label of the innermost section that holds an entity; None where none does."""
    around = [
        section
        for section in document.sections
        if section.span.start <= entity.start and entity.end <= section.span.end
    ]
    innermost = min(around, key=lambda section: section.span.end - section.span.start, default=None)
    return None if innermost is None else innermost.label


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

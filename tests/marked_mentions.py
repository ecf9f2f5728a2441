"""Documents from texts with brackets around mentions: ``marked("No [fever].")``."""

from __future__ import annotations

import re

from medspan.types import Document, Entity, Span


def marked(text: str, **more: object) -> Document:
    """The text without its brackets; each bracketed part is an entity."""
    plain = ""
    entities = []
    for place, part in enumerate(re.split(r"[\[\]]", text)):
        if place % 2:
            span = Span(len(plain), len(plain) + len(part))
            entities.append(Entity(f"T{len(entities) + 1}", "Problem", (span,)))
        plain += part
    return Document("d", plain, entities=tuple(entities)).replace(**more)

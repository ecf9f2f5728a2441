"""Generated sentences: documents of one sentence whose entities carry a gold ``assertion``."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medspan.toml import convert, read_toml
from medspan.types import Attribute, Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPLATES = Path(__file__).with_name("templates.toml")
_SLOT = re.compile(r"\{(\w+)\}")
_OTHER = "other"
_UPPER_SHARE = 0.05
_LOWER_SHARE = 0.15


class Templates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Problems, and sentences with slots named by the status of what fills them."""

    terms: list[str]
    sentences: list[str]


def generated(number: int, seed: int) -> Iterator[Document]:
    """Sentences with their entities; the same for the same seed.

    Args:
        number: how many.
        seed: of the choice of sentences and problems.
    """
    templates = convert(read_toml(_TEMPLATES), Templates, str(_TEMPLATES))
    chance = random.Random(seed)  # noqa: S311 - no secret
    for place in range(number):
        template = templates.sentences[place % len(templates.sentences)]
        yield _filled(f"g{place}", template, templates.terms, chance)


def _filled(identity: str, template: str, terms: list[str], chance: random.Random) -> Document:
    """A sentence with its slots filled by different problems; sometimes in capitals, or in lower case."""
    slots = list(_SLOT.finditer(template))
    chosen = chance.sample(terms, len(slots))
    text, at, entities = "", 0, []
    for number, (slot, term) in enumerate(zip(slots, chosen, strict=True), 1):
        text += template[at : slot.start()]
        value = "present" if slot[1] == _OTHER else slot[1]
        span = Span(len(text), len(text) + len(term))
        entities.append(Entity(f"T{number}", "Problem", (span,), attributes=(Attribute("assertion", value),)))
        text, at = text + term, slot.end()
    text += template[at:]
    draw = chance.random()
    changed = text.upper() if draw < _UPPER_SHARE else text.lower() if draw < _LOWER_SHARE else text
    return Document(identity, changed, entities=tuple(entities))

r"""The parts of BioC that XML and JSON share, and how a document's text falls into passages.

Offsets and lengths count Unicode code points of the whole document. What BioC has no place for stands in
infons (its key-value pairs):

- entity: ``type`` is the label, ``identifier`` the concept ids joined by ``;``, ``score`` the confidence,
  ``attribute:NAME`` each attribute; relation: ``type``, ``score``, nodes with the roles head and tail;
- ``medspan`` holds, as JSON, what these cannot: of an entity the names and scores of concepts and the scores
  of attributes; of a document sentences, sections (where they are not its passages) and meta.

So a document comes back equal. Several locations make a discontinuous entity; an entity that crosses
passages stands at the document. Unknown infons, annotations without a place in the text, and relations that
are not between two entities are kept in ``meta["bioc"]`` and written back. Where passages leave a gap, the
text between them is one line break and blanks, so that offsets hold. Sections become passages (and typed
passages sections) where nothing but such gaps stands between them. A repeated annotation id gets ``.2``
behind it. The collection's own source, date, key and infons are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from medspan.types import Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterable


Infons = dict[str, Any]
OWN = "medspan"
ATTRIBUTE = "attribute:"
ROLES = ["head", "tail"]


class Location(msgspec.Struct):
    """A range of the document's text."""

    offset: int
    length: int


class Annotation(msgspec.Struct, omit_defaults=True):
    """An annotation; ``line`` is where it stands in an XML file."""

    id: str | int | None = None
    infons: Infons | None = None
    text: str | None = None
    locations: list[Location] = []
    line: int | None = None


class Node(msgspec.Struct):
    """One end of a relation."""

    refid: str | int
    role: str | None = ""


class Link(msgspec.Struct, omit_defaults=True):
    """A relation between annotations or other relations."""

    id: str | int | None = None
    infons: Infons | None = None
    nodes: list[Node] = []
    line: int | None = None


class Sentence(msgspec.Struct):
    """A sentence of a passage."""

    offset: int
    text: str | None = None
    infons: Infons | None = None
    annotations: list[Annotation] = []
    relations: list[Link] = []
    line: int | None = None


class Passage(msgspec.Struct):
    """A passage: its text, or sentences that make it."""

    offset: int
    text: str | None = None
    infons: Infons | None = None
    sentences: list[Sentence] = []
    annotations: list[Annotation] = []
    relations: list[Link] = []
    line: int | None = None


class Record(msgspec.Struct):
    """A document of a collection."""

    id: str | int | None = ""
    infons: Infons | None = None
    passages: list[Passage] = []
    annotations: list[Annotation] = []
    relations: list[Link] = []
    line: int | None = None


class Part(msgspec.Struct, omit_defaults=True):
    """A passage as a range of the text."""

    start: int
    end: int
    infons: Infons = {}


class Kept(msgspec.Struct, omit_defaults=True):
    """What a reader keeps in ``meta["bioc"]``.

    Attributes:
        infons: of the document.
        passages: where they are not what the sections say.
        sentence_infons: of each sentence, where any has some.
        entity_infons: by entity id.
        relation_infons: by relation id.
        roles: of a relation's two nodes by its id, where they are not head and tail.
        annotations: those without a location, as they were.
        relations: those that are not between two entities, as they were.
    """

    infons: Infons = {}
    passages: list[Part] = []
    sentence_infons: list[Infons] = []
    entity_infons: dict[str, Infons] = {}
    relation_infons: dict[str, Infons] = {}
    roles: dict[str, list[str]] = {}
    annotations: list[Annotation] = []
    relations: list[Link] = []


def gap(length: int) -> str:
    """The text that stands between passages."""
    return "\n" + " " * (length - 1) if length else ""


def planned(text: str, sections: Iterable[Section], kept: list[Part]) -> list[Part]:
    """The passages to write: those that were read, the sections, or one for all the text."""
    of_sections = [Part(item.span.start, item.span.end, {"type": item.label}) for item in sections]
    for parts in (kept, of_sections):
        if parts and _rebuild(text, parts):
            return parts
    return [Part(0, len(text))]


def sections_of(parts: Iterable[Part]) -> tuple[Section, ...]:
    """The sections that typed passages make; ``section_type`` (PubMed Central) says more than ``type``."""
    typed = ((part, part.infons.get("section_type") or part.infons.get("type")) for part in parts)
    return tuple(
        Section(label, Span(part.start, part.end))
        for part, label in typed
        if isinstance(label, str) and label and part.start < part.end
    )


def _rebuild(text: str, parts: list[Part]) -> bool:
    """Whether passages alone give the text back."""
    position = 0
    for part in parts:
        if not position <= part.start <= part.end or text[position : part.start] != gap(
            part.start - position
        ):
            return False
        position = part.end
    return position == len(text)

"""HTML: one self-contained page with the entities marked in the text; for people, so written only.

No script and nothing from elsewhere. Each mark carries its label as text and a border, so it reads in
black and white print; marks nest, and one that crosses another is cut into pieces with open edges. The
tooltip names id, score, concepts and attributes; an assertion other than present, and a past one, stand with
the label. Sections are named where they begin, relations stand in a table below the text. Not held, and
counted: ends of sections, sentences, meta.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import TYPE_CHECKING
from zlib import crc32

from medspan.formats import files
from medspan.formats.asserted import unusual
from medspan.formats.html_style import PAGE, STYLE
from medspan.formats.protocol import Losses, WriteOptions, count_unheld

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from medspan.types import Document, Entity

EXTENSIONS = (".html", ".htm")
_HOLDS = frozenset({"attributes", "concepts", "scores", "relations", "sections"})
_HUES = {"disease": 8, "chemical": 210, "gene": 130, "species": 42, "anatomy": 285, "cell": 175}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_DEEPEST = 6
Piece = tuple[int, int, int]  # start, end, index of the entity


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write one page with all documents, a legend with counts, and links to the documents.

    Raises:
        UsageError: if the file cannot be written.
    """
    losses = Losses()
    counts: Counter[str] = Counter()
    names: list[str] = []
    articles: list[str] = []
    for number, document in enumerate(documents, 1):
        counts.update(entity.label for entity in document.entities)
        count_unheld(document, losses, _HOLDS)
        names.append(document.id)
        articles.append(_article(document, number))
    ordered = [label for label, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    with files.writing(path) as handle:
        handle.write(
            PAGE.format(
                title=escape(options.title),
                style=STYLE,
                summary=_counted(len(names), "document")
                + " · "
                + _counted(counts.total(), "entity", "entities"),
                legend="".join(_legend(label, counts[label]) for label in ordered),
                contents=_contents(names),
                articles="".join(articles),
            )
        )
    return losses


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def hue(label: str) -> int:
    """The hue of a label in degrees: the same on every page."""
    return _HUES.get(label.lower(), crc32(label.encode(errors="replace")) % 360)


def _legend(label: str, number: int) -> str:
    shown = f'<mark style="--h:{hue(label)}"><b>{_shown(label)}</b></mark>'
    return f"<li>{shown} {number:,}</li>"


def _contents(names: list[str]) -> str:
    if len(names) < 2:  # noqa: PLR2004 - one document needs no list
        return ""
    links = "".join(
        f'<li><a href="#d{number}">{_shown(name)}</a></li>' for number, name in enumerate(names, 1)
    )
    return f"<nav><details><summary>Documents</summary><ol>{links}</ol></details></nav>"


def _article(document: Document, number: int) -> str:
    levels = _levels(document.entities)
    found = _counted(len(document.entities), "entity", "entities")
    body = _marked(document, levels)
    return (
        f'<article id="d{number}"><h2><a href="#d{number}">{_shown(document.id)}</a> '
        f"<small>{found}</small></h2>\n"
        f'<div class="text" dir="auto" style="--levels:{max(levels, default=0)}">{body}</div>'
        f"{_relations(document)}</article>\n"
    )


def _relations(document: Document) -> str:
    """A table of the relations, in the order of their first mentions."""
    if not document.relations:
        return ""
    entities = {entity.id: entity for entity in document.entities}
    ordered = sorted(document.relations, key=lambda r: (entities[r.head].start, entities[r.tail].start))
    rows = "".join(
        f"<tr><td>{_mention(document, entities[relation.head])}</td><th>{_shown(relation.label)}</th>"
        f"<td>{_mention(document, entities[relation.tail])}</td></tr>"
        for relation in ordered
    )
    found = _counted(len(ordered), "relation")
    return f"<details open><summary>{found}</summary><table>{rows}</table></details>"


def _mention(document: Document, entity: Entity) -> str:
    words = " ".join(document.text_of(entity).split())
    return (
        f'<mark style="--h:{hue(entity.label)}" title="{_title(entity)}">{_shown(words)}'
        f"<b>{_shown(entity.label)}</b></mark>"
    )


def _levels(entities: tuple[Entity, ...]) -> list[int]:
    """How many marks each mark must reach around, so that the borders of nested ones do not meet."""
    order = sorted(range(len(entities)), key=lambda index: (entities[index].start, -entities[index].end))
    levels = [0] * len(entities)
    active: list[int] = []  # marks that may still contain what follows
    for index in order:
        start = entities[index].start
        active = [other for other in active if entities[other].end > start]
        active.append(index)
        for height, other in enumerate(reversed(active)):
            levels[other] = min(max(levels[other], height), _DEEPEST)
    return levels


def _pieces(entities: tuple[Entity, ...]) -> list[Piece]:
    """Every span of every entity, outer ones first."""
    pieces = [(span.start, span.end, index) for index, entity in enumerate(entities) for span in entity.spans]
    return sorted(pieces, key=lambda piece: (piece[0], -piece[1], piece[2]))


def _marked(document: Document, levels: list[int]) -> str:
    """The text with its marks. What crosses a mark that ends is closed with it and opened again."""
    out: list[str] = []
    stack: list[Piece] = []
    at = 0
    waiting = _pieces(document.entities)[::-1]
    plain = _Plain(document)
    while waiting or stack:
        ends = min((end for _, end, _ in stack), default=len(document.text))
        if waiting and waiting[-1][0] < ends:
            piece = waiting.pop()
            out.append(plain(at, piece[0]))
            at = piece[0]
            out.append(_opened(document, piece, levels, is_new=True))
            stack.append(piece)
        else:
            out.append(plain(at, ends))
            at = ends
            _close(document, stack, ends, levels, out)
    out.append(plain(at, len(document.text)))
    return "".join(out)


class _Plain:
    """Stretches of a document's text, asked for in order, with the names of the sections that begin there."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._waiting = sorted(document.sections, key=lambda section: section.span, reverse=True)

    def __call__(self, start: int, end: int) -> str:
        out: list[str] = []
        at = start
        while self._waiting and self._waiting[-1].span.start <= end:
            section = self._waiting.pop()
            out.append(_shown(self._text[at : section.span.start]))
            name = _shown(section.label.replace("_", " "))
            out.append(f'<span class="section">{name}</span>')
            at = section.span.start
        return "".join([*out, _shown(self._text[at:end])])


def _close(document: Document, stack: list[Piece], at: int, levels: list[int], out: list[str]) -> None:
    """Close the marks that end here, and those above them for as long as that takes."""
    lowest = min(index for index, piece in enumerate(stack) if piece[1] == at)
    above = stack[lowest:]
    del stack[lowest:]
    out.extend(_closed(document, piece, is_last=piece[1] == at) for piece in reversed(above))
    for piece in above:
        if piece[1] > at:
            out.append(_opened(document, piece, levels, is_new=False))
            stack.append(piece)


def _opened(document: Document, piece: Piece, levels: list[int], *, is_new: bool) -> str:
    entity = document.entities[piece[2]]
    style = f"--h:{hue(entity.label)};--l:{levels[piece[2]]}"
    continued = "" if is_new else ' class="more"'
    return f'<mark{continued} style="{style}" title="{_title(entity)}">'


def _closed(document: Document, piece: Piece, *, is_last: bool) -> str:
    """The end of a mark: its label, or an open edge where the mention goes on."""
    entity = document.entities[piece[2]]
    if not is_last:
        return "<i></i></mark>"
    part = ""
    if entity.is_discontinuous:
        number = next(index for index, span in enumerate(entity.spans, 1) if span.start == piece[0])
        part = f" {_shown(entity.id)} {number}/{len(entity.spans)}"
    return f"<b>{_shown(entity.label)}{part}{_said(entity)}</b></mark>"


def _said(entity: Entity) -> str:
    """Values of assertion and temporality that are not the plain ones, to stand behind a label."""
    said = unusual(entity)
    return f"<em> {_shown(', '.join(said))}</em>" if said else ""


def _title(entity: Entity) -> str:
    parts = [f"{entity.label} {entity.id}"]
    if entity.score is not None:
        parts.append(f"score {entity.score:.3f}")
    parts += [f"{concept.id} {concept.name or ''}".strip() for concept in entity.concepts]
    parts += [f"{attribute.name} = {attribute.value}" for attribute in entity.attributes]
    return _escaped(" · ".join(parts))


def _escaped(text: str) -> str:
    """Text for an attribute: control characters, which HTML cannot hold, as their code points."""
    return escape(_CONTROLS.sub(lambda found: f"U+{ord(found.group()):04X}", text)).replace("\r", "&#13;")


def _shown(text: str) -> str:
    """Text for the page: control characters as boxes with their code points."""
    return _CONTROLS.sub(
        lambda found: f'<span class="control">{ord(found.group()):02X}</span>', escape(text)
    ).replace("\r", "&#13;")

"""Hypothesis strategies for arbitrary texts and documents: ``from strategies import documents, texts``."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from hypothesis import strategies as st

from medspan.types import Attribute, Concept, Document, Entity, Relation, Section, Span

# What has broken text tools before: combining marks and their composed forms, ligatures, letters whose
# case changes their length, right-to-left text and marks, joiners, flags, skin tones, astral letters, line
# ends of all kinds, control characters, byte order marks, blanks that are not blanks, markup characters.
ODD = [
    "é",
    "e\u0301",
    "Å",
    "A\u030a",
    "\u1e9b\u0323",
    "ﬁ",
    "ß",
    "İ",
    "ŉ",
    "א",
    "ب",
    "مرض",
    "\u200e",
    "\u200f",
    "\u202e",
    "\u202c",
    "\u2066",
    "\u2069",
    "\u200d",
    "\u200c",
    "👩\u200d⚕\ufe0f",
    "🇪🇺",
    "👍🏽",
    "\U0001d6fc",
    "𠀋",
    "\U0010ffff",
    "\r\n",
    "\n",
    "\r",
    "\t",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "\x01",
    "\x7f",
    "\ufeff",
    "\ufffe",
    "\ufffd",
    "\xa0",
    "\u2009",
    "\u3000",
    "\u00ad",
    "<",
    "&",
    '"',
    "'",
    "|",
    "\\",
    "#",
    "-DOCSTART-",
    "T1",
    "b.i.d.",
    "5 mg/day",
    "Dr. ",
    "e.g. ",
    "IL-2",
    "TNF-\u03b1",
    " ",
    "  ",
    "a",
    "Z",
    "0",
    "3.5",
    ".",
    ",",
    "(",
    ")",
    "-",
    "\u2013",
]


def texts(*, max_size: int = 40) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can hold: odd pieces, plain words and arbitrary code points mixed."""
    character = st.characters(exclude_categories=["Cs"])
    piece = st.one_of(st.sampled_from(ODD), st.sampled_from(ODD), character, st.text("abc ", max_size=6))
    mixed = st.lists(piece, max_size=max_size).map("".join)
    return st.one_of(
        mixed,
        mixed.map(lambda text: unicodedata.normalize("NFD", text)),
        mixed.map(lambda text: unicodedata.normalize("NFC", text)),
        st.text(character, max_size=max_size),
    )


labels = st.sampled_from(["Disease", "Chemical", "Gene_or_gene_product", "Cell-line"])
scores = st.one_of(st.none(), st.floats(0, 1))
_names = st.sampled_from(["assertion", "temporality", "Negated", "note"])
_values = st.sampled_from(["absent", "present", "true", "0.5", "historical"])
_concept_ids = st.sampled_from(["MESH:D003924", "OMIM:125853", "C0011860", "9606"])
_concepts = st.builds(Concept, _concept_ids, st.sampled_from([None, "diabetes", "Homo sapiens"]), scores)


@st.composite
def spans(draw: st.DrawFn, length: int, *, discontinuous: bool = True) -> tuple[Span, ...]:
    """One to three sorted, disjoint spans of a text of this length (at least 1)."""
    parts = draw(st.integers(1, min(3, length))) if discontinuous else 1
    offsets = st.integers(0, length)
    if parts == 1:
        start = draw(st.integers(0, length - 1))
        return (Span(start, draw(st.integers(start + 1, min(length, start + 12)))),)
    cuts = sorted(draw(st.lists(offsets, min_size=2, max_size=2 * parts, unique=True)))
    return tuple(Span(start, end) for start, end in zip(cuts[::2], cuts[1::2], strict=False))


@st.composite
def entities(draw: st.DrawFn, length: int, *, discontinuous: bool = True, rich: bool = True) -> list[Entity]:
    """Entities of a text of this length: they may overlap, nest and repeat; ids are T1, T2, …."""
    if not length:
        return []
    found = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        where = draw(spans(length, discontinuous=discontinuous))
        if not rich:
            found.append(Entity(f"T{number}", draw(labels), where))
            continue
        attributes = draw(
            st.lists(
                st.builds(Attribute, _names, _values, scores), max_size=2, unique_by=lambda item: item.name
            )
        )
        concepts = draw(st.lists(_concepts, max_size=2, unique_by=lambda item: item.id))
        score = draw(scores)
        found.append(Entity(f"T{number}", draw(labels), where, score, tuple(attributes), tuple(concepts)))
    return found


@st.composite
def _relations(draw: st.DrawFn, found: list[Entity]) -> list[Relation]:
    if not found:
        return []
    ends = st.sampled_from([entity.id for entity in found])
    return [
        Relation(f"R{number}", draw(st.sampled_from(["CID", "MODIFY"])), draw(ends), draw(ends), draw(scores))
        for number in range(1, draw(st.integers(0, 3)) + 1)
    ]


@st.composite
def documents(
    draw: st.DrawFn,
    *,
    text: st.SearchStrategy[str] | None = None,
    discontinuous: bool = True,
    rich: bool = True,
    identity: str = "doc",
) -> Document:
    """A valid document over an arbitrary text.

    Args:
        draw: given by hypothesis.
        text: where its text comes from.
        discontinuous: whether entities may have several spans.
        rich: whether there are scores, attributes, concepts, relations, sentences, sections and meta.
        identity: the document's id.
    """
    content = draw(texts() if text is None else text)
    found = draw(entities(len(content), discontinuous=discontinuous, rich=rich))
    if not rich:
        return Document(identity, content, tuple(found))
    cuts = sorted(draw(st.sets(st.integers(0, len(content)), max_size=4)))
    between = [Span(start, end) for start, end in pairwise(cuts)]
    return Document(
        identity,
        content,
        tuple(found),
        tuple(draw(_relations(found))),
        tuple(between),
        tuple(Section("history", span) for span in between[:1]),
        draw(st.sampled_from([{}, {"source": "MEDLINE", "year": 1998}, {"notes": [None, True, 0.5, "ä"]}])),
    )

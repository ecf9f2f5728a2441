"""Documents ↔ spaCy's `Doc`.

Of a document's entities all stand in ``doc.spans["medspan"]`` (or another key), overlapping ones too, and
those of a choice without overlaps, the longest first, in ``doc.ents``. A span of spaCy is of whole tokens:
where an entity begins or ends inside one, or is discontinuous, its span covers more. What it really is,
``span._.medspan`` says: the `Entity`, with its exact spans. Beside it there are ``span._.assertion``,
``temporality``, ``score`` and ``concepts``, where nobody else has an extension of that name. All of it is
kept in ``doc.user_data["medspan"]`` (under another key ``KEY`` in ``doc.user_data["medspan/KEY"]``), also
through ``DocBin(store_user_data=True)``, so that `from_doc` gives back the document as it was.

Two models may work on one `Doc`, each under a key of its own. The id of a span is that of its entity; under
another key than ``medspan`` the key and ``/`` stand before it, so that both have a T1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.util import filter_spans

from medspan.errors import DataError, UsageError
from medspan.formats import files
from medspan.text.tokenize import tokenize
from medspan.types import Concept, Document, Entity
from medspan.types import Span as Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from spacy.language import Language

KEY = "medspan"
"""Of span groups and of user data, where no other is named."""


def to_docs(
    documents: Iterable[Document], nlp: Language | None = None, *, span_key: str = KEY
) -> Iterator[Doc]:
    """Documents as spaCy has them, in order.

    Args:
        documents: with or without entities.
        nlp: whose tokens and vocabulary to use; None for medspan's words, which entities of our models fit.
        span_key: of ``doc.spans``.
    """
    vocab = spacy.blank("xx").vocab if nlp is None else nlp.vocab
    for document in documents:
        if nlp is not None:
            doc = nlp.make_doc(document.text)
        else:
            doc = Doc(vocab, *_words_and_spaces(document.text))
        yield add(doc, document, span_key=span_key)


def _words_and_spaces(text: str) -> tuple[list[str], list[bool]]:
    """The words of a text, and whether a blank follows each; all else between words is a token, as in spaCy.

    ``spacy.util.get_words_and_spaces`` wants all that is no blank to be in words, which a byte order mark is
    not.
    """
    words: list[str] = []
    spaces: list[bool] = []
    position = 0
    for start, end in [*tokenize(text), (len(text), len(text))]:
        gap = text[position:start]
        if words and gap.startswith(" "):
            spaces[-1], gap = True, gap[1:]
        for word in (gap, text[start:end]):
            if word:
                words.append(word)
                spaces.append(False)
        position = end
    return words, spaces


def add(doc: Doc, document: Document, *, span_key: str = KEY, set_ents: bool = True) -> Doc:
    """Add a document's entities to a `Doc` of the same text; what it had under the key is replaced.

    Args:
        doc: is changed, and returned.
        document: whose entities to add.
        span_key: of ``doc.spans``.
        set_ents: whether ``doc.ents`` is set too.

    Raises:
        UsageError: if the texts differ.
    """
    if doc.text != document.text:
        raise UsageError(
            f"document {document.id!r} and the Doc have different texts; make the Doc of its text"
        )
    set_extensions()
    doc.user_data[_place(span_key)] = {
        **msgspec.to_builtins(
            document.replace(text="", entities=(), sentences=(), sections=(), relations=())
        ),
        "entities": {_span_id(entity, span_key): msgspec.to_builtins(entity) for entity in document.entities},
        **{
            name: msgspec.to_builtins(getattr(document, name))
            for name in ("relations", "sentences", "sections")
        },
    }
    found = (_span(doc, entity, span_key) for entity in document.entities)
    spans = [span for span in found if span is not None]
    doc.spans[span_key] = spans
    if set_ents:
        doc.set_ents(filter_spans(spans))
    return doc


def _place(span_key: str) -> str:
    """The key of user data where a document is kept."""
    return KEY if span_key == KEY else f"{KEY}/{span_key}"


def _span_id(entity: Entity, span_key: str) -> str:
    return entity.id if span_key == KEY else f"{span_key}/{entity.id}"


def _span(doc: Doc, entity: Entity, span_key: str) -> Span | None:
    """The tokens an entity touches; None for blanks that are no token."""
    name = _span_id(entity, span_key)
    return doc.char_span(entity.start, entity.end, label=entity.label, span_id=name, alignment_mode="expand")


def from_doc(doc: Doc, *, span_key: str = KEY, id: str = "text") -> Document:  # noqa: A002 - the document's id
    """A `Doc` as a document: what `add` gave it, else its ``ents`` and the spans under the key.

    Args:
        doc: by whomever.
        span_key: of ``doc.spans``, as `add` got it.
        id: of the document, where none was kept.

    Raises:
        DataError: if what was kept does not fit the text any more.
    """
    place = _place(span_key)
    kept = doc.user_data.get(place)
    if isinstance(kept, dict):
        try:
            return msgspec.convert(
                {**kept, "text": doc.text, "entities": list(kept["entities"].values())}, Document
            )
        except (msgspec.ValidationError, KeyError, AttributeError) as error:
            raise DataError(f'doc.user_data["{place}"] is not what medspan wrote; delete it') from error
    spans = [*doc.ents, *doc.spans.get(span_key, ())]
    found = dict.fromkeys((span.start_char, span.end_char, span.label_) for span in spans if span.label_)
    entities = (
        Entity(f"T{number}", label, (Range(start, end),))
        for number, (start, end, label) in enumerate(sorted(found), start=1)
    )
    return Document(id, doc.text, tuple(entities))


def write(
    documents: Iterable[Document], path: Path, nlp: Language | None = None, *, span_key: str = KEY
) -> None:
    """Write a `DocBin` with all of the documents, whole or not at all; it is made in memory.

    Args:
        documents: in order.
        path: of the file, usually ``.spacy``.
        nlp: as for `to_docs`.
        span_key: of ``doc.spans``.

    Raises:
        UsageError: if the file cannot be written.
    """
    held = DocBin(store_user_data=True, docs=to_docs(documents, nlp, span_key=span_key))
    with files.writing_bytes(path) as handle:
        handle.write(held.to_bytes())


def set_extensions() -> None:
    """Our extension, and those short ones whose names nobody else has taken.

    Not done on import: spaCy imports this in every pipeline, also in those that leave medspan alone.
    """
    for name, getter in _GETTERS.items():
        if not Span.has_extension(name):
            Span.set_extension(name, getter=getter)


def _entity(span: Span) -> Entity | None:
    """What `add` kept of a span; None for spans by others."""
    name, data = span.id_, span.doc.user_data
    keys = (name[:place] for place, letter in enumerate(name) if letter == "/")
    kept = (data.get(place, {}).get("entities", {}) for place in (KEY, *map(_place, keys)))
    found = next((entities[name] for entities in kept if name in entities), None)
    return None if found is None else msgspec.convert(found, Entity)


def _attribute(span: Span, name: str) -> str | None:
    entity = _entity(span)
    values = {} if entity is None else {item.name: item.value for item in entity.attributes}
    return values.get(name)


def _assertion(span: Span) -> str | None:
    return _attribute(span, "assertion")


def _temporality(span: Span) -> str | None:
    return _attribute(span, "temporality")


def _score(span: Span) -> float | None:
    entity = _entity(span)
    return None if entity is None else entity.score


def _concepts(span: Span) -> tuple[Concept, ...]:
    entity = _entity(span)
    return () if entity is None else entity.concepts


_GETTERS: dict[str, Any] = {
    KEY: _entity,
    "assertion": _assertion,
    "temporality": _temporality,
    "score": _score,
    "concepts": _concepts,
}

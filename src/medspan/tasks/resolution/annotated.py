"""Annotated mentions as a source of names, and as examples to fit a ranking to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from medspan.tasks.resolution.mentions import forms_of, ways_to_say
from medspan.tasks.resolution.terms import Kind, Name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from medspan.types import Document


class Mention(NamedTuple):
    """An annotated mention, as `ways_to_say` gives it, and the ids of its concepts."""

    texts: tuple[str, ...]
    ids: tuple[str, ...]


def annotated_mentions(
    documents: Iterable[Document], labels: Collection[str] = (), *, with_none: bool = False
) -> Iterator[tuple[Mention, str]]:
    """Mentions that have concepts, each with the id of its document.

    Args:
        documents: with entities that have concepts.
        labels: of entities; all where empty.
        with_none: mentions without a concept too: what they mean is in no terminology.
    """
    for document in documents:
        forms = forms_of(document)
        for entity in document.entities:
            if (entity.concepts or with_none) and (not labels or entity.label in labels):
                ids = tuple(sorted(concept.id for concept in entity.concepts))
                yield Mention(ways_to_say(document.text_of(entity), forms), ids), document.id


def mention_names(documents: Iterable[Document], labels: Collection[str] = ()) -> Iterator[Name]:
    """Names that annotated mentions add to a terminology, with how often each was annotated so.

    A mention of several concepts is a name of each of them.
    """
    counts = Counter((mention.texts[0], mention.ids) for mention, _ in annotated_mentions(documents, labels))
    for (text, ids), count in sorted(counts.items()):
        for identity in ids:
            yield Name(identity, text, Kind.MENTION, count=count)

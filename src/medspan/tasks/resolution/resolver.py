"""The annotator of resolution: entities get the concepts of a terminology."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medspan.tasks.resolution.index import Index
from medspan.tasks.resolution.lookup import Lookup
from medspan.tasks.resolution.mentions import forms_of, ways_to_say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from medspan.tasks.resolution.mentions import Forms
    from medspan.types import Document, Entity

Indexes = Lookup | Index | Path | str


class Resolver:
    """Gives entities ranked concepts; concepts they had are replaced.

    Short forms are written out by what the document itself defines, coordinated mentions are taken apart. The
    first concept of an entity is the best; scores are probabilities. Entities whose label has no index keep
    what they have.

    Args:
        indexes: an index, or several, each for the labels it was built for (`--for`); or a table from label
            to index. An index is a folder, an opened `Index`, or a `Lookup` of one, with its own settings.
        most: concepts for an entity at most.
        none_below: the probability of the best concept under which an entity gets none; the index's own where
            None, 0 to give one wherever there is a candidate.
        composites: take coordinated mentions apart.
        deep: where a name is met exactly, look for others too: slower, and the first concept stays the same.

    Raises:
        ModelError: if a folder is no index.
    """

    needs: frozenset[str] = frozenset({"entities"})
    gives: frozenset[str] = frozenset({"concepts"})

    def __init__(
        self,
        indexes: Indexes | Sequence[Indexes] | Mapping[str, Indexes],
        *,
        most: int = 5,
        none_below: float | None = None,
        composites: bool = True,
        deep: bool = False,
    ) -> None:
        if isinstance(indexes, Mapping):
            pairs: list[tuple[tuple[str, ...], Indexes]] = [
                ((label,), each) for label, each in indexes.items()
            ]
        else:
            several = [indexes] if isinstance(indexes, Lookup | Index | Path | str) else indexes
            pairs = [((), each) for each in several]
        opened: dict[Indexes, Lookup] = {}
        self._lookups: dict[str, Lookup] = {}
        for labels, index in pairs:
            if index not in opened:
                opened[index] = (
                    index
                    if isinstance(index, Lookup)
                    else Lookup(index, most=most, none_below=none_below, composites=composites, deep=deep)
                )
            lookup = opened[index]
            for label in labels or lookup.index.spec.labels or ("",):
                self._lookups.setdefault(label, lookup)

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents with concepts, in the same order, one at a time."""
        for document in documents:
            forms = forms_of(document)
            yield document.replace(
                entities=tuple(self._resolved(entity, document, forms) for entity in document.entities)
            )

    def _resolved(self, entity: Entity, document: Document, forms: Forms) -> Entity:
        lookup = self._lookups.get(entity.label) or self._lookups.get("")
        if lookup is None:
            return entity
        said = ways_to_say(document.text_of(entity), forms)
        return msgspec.structs.replace(entity, concepts=lookup(*said))

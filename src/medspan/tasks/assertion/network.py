"""Assertion by a trained network: an encoder of entities reads the sentence, a head looks at one mention."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import ModelError
from medspan.model.relater import load_relater
from medspan.types import Attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.model.session import Device
    from medspan.types import Document, Entity

MENTION = "Mention"
"""The label of every mention in what such a network learns from: what a mention is says nothing here."""
PRESENT = "present"
ASSERTION = "assertion"
_CHUNK_DOCUMENTS = 256


class NetworkAssertion:
    """Gives each entity the attribute ``assertion`` by a model of a recipe with ``relations.views.alone``.

    An attribute of that name that an entity had is replaced. Its score is the probability of what is said.

    Args:
        folder: the model.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: threads of a forward pass; None for all cores.

    Raises:
        ModelError: if the folder is damaged, or its model does not read mentions by themselves.
        UsageError: if the device is not there.
    """

    needs: frozenset[str] = frozenset({"entities"})
    gives: frozenset[str] = frozenset({ASSERTION})

    def __init__(self, folder: Path | str, *, device: Device = "auto", threads: int | None = None) -> None:
        self._relater = load_relater(folder, device=device, threads=threads)
        if not self._relater.spec.views.alone:
            raise ModelError(f"{folder}: relates two mentions; assertion needs a model that reads one alone")

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Add the attribute to the entities of many documents, in order and in flat memory."""
        stream = iter(documents)
        while chunk := list(islice(stream, _CHUNK_DOCUMENTS)):
            yield from self._chunk(chunk)

    def _chunk(self, documents: list[Document]) -> Iterator[Document]:
        hidden = [_hidden(document) for document in documents]
        for document, found in zip(documents, self._relater.annotate(hidden), strict=True):
            said = {r.head: Attribute(ASSERTION, r.label, r.score) for r in found.relations}
            yield document.replace(
                entities=tuple(_with(entity, said.get(entity.id)) for entity in document.entities)
            )


def _hidden(document: Document) -> Document:
    entities = tuple(msgspec.structs.replace(entity, label=MENTION) for entity in document.entities)
    return document.replace(entities=entities, relations=())


def _with(entity: Entity, said: Attribute | None) -> Entity:
    others = tuple(item for item in entity.attributes if item.name != ASSERTION)
    return msgspec.structs.replace(entity, attributes=(*others, said or Attribute(ASSERTION, PRESENT)))

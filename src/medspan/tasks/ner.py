"""Entities by a trained model: the Annotator behind `medspan.load`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.errors import UsageError, did_you_mean
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from medspan.model.confidence import Rated
    from medspan.model.session import Device
    from medspan.model.spec import ModelSpec

_CHUNK_DOCUMENTS = 256
_CHUNK_CHARACTERS = 400_000


class EntityRecognizer:
    """Finds entities; entities a document had are replaced.

    Args:
        folder: a model folder.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: threads of a forward pass; None for all cores.
        batch_words: padded words of a forward pass; None for what `medspan bench --tune` found.
        labels: labels to keep; all where None.
        min_score: entities below this confidence are dropped.

    Raises:
        ModelError: if the folder is damaged.
        UsageError: if the device is not there or the model has no such label.
    """

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"entities"})

    def __init__(
        self,
        folder: Path | str,
        *,
        device: Device = "auto",
        threads: int | None = None,
        batch_words: int | None = None,
        labels: Collection[str] | None = None,
        min_score: float = 0.0,
    ) -> None:
        self.spec: ModelSpec = open_model(folder).spec
        self._tagger = load_tagger(folder, device=device, threads=threads, batch_words=batch_words)
        self._min_score = min_score
        self._labels = self._known(labels)

    def _known(self, labels: Collection[str] | None) -> frozenset[str]:
        for label in labels or ():
            if label not in self.spec.labels:
                raise UsageError(
                    f"model {self.spec.name!r} finds no {label!r}; {did_you_mean(label, self.spec.labels)}"
                )
        kept = frozenset(self.spec.labels if labels is None else labels)
        unwanted = [head.name for head in self.spec.heads if not kept & set(head.labels)]
        for head in unwanted:
            self._tagger.decoders.pop(head)
        return kept

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels this recognizer gives, in the model's order."""
        return tuple(label for label in self.spec.labels if label in self._labels)

    def __call__(self, text: str, *, id: str = "text") -> Document:  # noqa: A002 - the document's id
        """Find the entities of one text."""
        return self._annotate([Document(id, text)])[0]

    def annotate(self, documents: Iterable[Document | str]) -> Iterator[Document]:
        """Find the entities of many documents, in order and in flat memory; texts are numbered as ids."""
        for chunk in _chunks(as_documents(documents)):
            yield from self._annotate(chunk)

    def rate(self, documents: Iterable[Document | str]) -> Iterator[Rated]:
        """As `annotate`, and how sure the model is of each whole document: give it single sentences."""
        for chunk in _chunks(as_documents(documents)):
            for rated in self._tagger.rate(chunk):
                yield rated._replace(document=self._wanted(rated.document))

    def _annotate(self, documents: Sequence[Document]) -> list[Document]:
        return [self._wanted(document) for document in self._tagger.annotate(documents)]

    def _wanted(self, document: Document) -> Document:
        is_everything = self._min_score <= 0 and len(self._labels) == len(self.spec.labels)
        return document if is_everything else self._kept(document)

    def _kept(self, document: Document) -> Document:
        return document.replace(
            entities=tuple(
                e
                for e in document.entities
                if e.label in self._labels and (e.score or 0.0) >= self._min_score
            )
        )


def _chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents by the chunk: enough to sort by length, few enough to keep memory flat."""
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text)
        if len(chunk) >= _CHUNK_DOCUMENTS or size >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def as_documents(items: Iterable[Document | str]) -> Iterator[Document]:
    """Documents as they are; texts become documents numbered by their place."""
    for number, item in enumerate(items):
        yield Document(str(number), item) if isinstance(item, str) else item

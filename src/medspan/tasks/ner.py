"""Entities by a trained model: the Annotator behind `medspan.load`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medspan.errors import UsageError
from medspan.model.company import check_labels, company, labels_of
from medspan.model.confidence import Rated
from medspan.model.tagger import entities_of, load_tagger
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from medspan.model.session import Device
    from medspan.model.spec import ModelSpec
    from medspan.model.store import StoredModel
    from medspan.model.tagger import Tagger

_CHUNK_DOCUMENTS = 256
_CHUNK_CHARACTERS = 400_000


class EntityRecognizer:
    """Finds entities; entities a document had are replaced.

    A model that goes beside another (``beside`` of its ``config.json``) adds its entities to those of the
    other; each finds its own as if it were alone.

    Args:
        folder: a model folder.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: threads of a forward pass; None for all cores.
        batch_words: padded words of a forward pass; None for what `medspan bench --tune` found.
        labels: labels to keep; all where None.
        min_score: entities below this confidence, 0 to 1, are dropped.

    Raises:
        ModelError: if the folder is damaged.
        UsageError: if the device is not there, the model has no such label, or the confidence is none.
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
        if not 0 <= min_score <= 1:
            raise UsageError(f"min_score {min_score:g}: a confidence is from 0 to 1")
        models = company(folder)
        check_labels(models, labels or ())
        known = labels_of(models)
        self.spec: ModelSpec = models[-1].spec
        self.labels: tuple[str, ...] = tuple(x for x in known if labels is None or x in labels)
        """Labels this recognizer gives, in the order of the models."""
        self._finds_all = len(self.labels) == len(known)
        self._min_score = min_score
        wanted = [model for model in models if set(model.spec.labels) & set(self.labels)]
        self._taggers = [
            self._tagger(model, device=device, threads=threads, batch_words=batch_words)
            for model in wanted or models
        ]

    def _tagger(self, model: StoredModel, **settings: Any) -> Tagger:  # noqa: ANN401 - those of `load_tagger`
        """A tagger of a model, without the heads none of whose labels is wanted."""
        tagger = load_tagger(model.path, **settings)
        for head in model.spec.heads:
            if not set(head.labels) & set(self.labels):
                tagger.decoders.pop(head.name)
        return tagger

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
            for ratings in zip(*(tagger.rate(chunk) for tagger in self._taggers), strict=True):
                document = self._wanted([rated.document for rated in ratings])
                sure = sum(rated.log_probability for rated in ratings)
                yield Rated(document, sure, ratings[0].words)

    def _annotate(self, documents: Sequence[Document]) -> list[Document]:
        found = (tagger.annotate(documents) for tagger in self._taggers)
        return [self._wanted(versions) for versions in zip(*found, strict=True)]

    def _wanted(self, versions: Sequence[Document]) -> Document:
        """What each tagger made of a document → one document with the entities that are wanted."""
        document = versions[0] if len(versions) == 1 else _merged(versions)
        if self._min_score <= 0 and self._finds_all:
            return document
        return document.replace(
            entities=tuple(
                e for e in document.entities if e.label in self.labels and (e.score or 0.0) >= self._min_score
            )
        )


def _merged(versions: Sequence[Document]) -> Document:
    """What all versions of a document hold; of overlapping entities of the same label, the first."""
    found = [(e.start, e.end, e.label, e.score or 0.0) for version in versions for e in version.entities]
    return versions[0].replace(entities=entities_of(found, "all"))


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

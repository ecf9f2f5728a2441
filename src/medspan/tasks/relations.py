"""Relations between the entities of a document by a trained model."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from medspan.errors import UsageError, did_you_mean
from medspan.model.relater import load_relater

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from medspan.model.relation_spec import RelationSpec
    from medspan.model.session import Device
    from medspan.types import Document

_CHUNK_DOCUMENTS = 256


class RelationExtractor:
    """Finds relations between the entities documents have; relations a document had are replaced.

    Args:
        folder: the folder of a relation model.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: threads of a forward pass; None for all cores.
        labels: labels of relations to keep; all where None.
        min_score: relations below this confidence are dropped.

    Raises:
        ModelError: if the folder is damaged or no relation model.
        UsageError: if the device is not there or the model has no such label.
    """

    needs: frozenset[str] = frozenset({"entities"})
    gives: frozenset[str] = frozenset({"relations"})

    def __init__(
        self,
        folder: Path | str,
        *,
        device: Device = "auto",
        threads: int | None = None,
        labels: Collection[str] | None = None,
        min_score: float = 0.0,
    ) -> None:
        self._relater = load_relater(folder, device=device, threads=threads)
        self.spec: RelationSpec = self._relater.spec
        self._min_score = min_score
        for label in labels or ():
            if label not in self.spec.labels:
                raise UsageError(
                    f"model {self.spec.name!r} finds no relation {label!r}; "
                    f"{did_you_mean(label, self.spec.labels)}"
                )
        self._labels = frozenset(self.spec.labels if labels is None else labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of relations this extractor gives, in the model's order."""
        return tuple(label for label in self.spec.labels if label in self._labels)

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Find the relations of many documents, in order and in flat memory."""
        stream = iter(documents)
        while chunk := list(islice(stream, _CHUNK_DOCUMENTS)):
            yield from map(self._kept, self._relater.annotate(chunk))

    def _kept(self, document: Document) -> Document:
        return document.replace(
            relations=tuple(
                relation
                for relation in document.relations
                if relation.label in self._labels and (relation.score or 0.0) >= self._min_score
            )
        )

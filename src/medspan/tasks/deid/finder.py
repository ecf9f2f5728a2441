"""Everything that identifies someone in a document: patterns, a trained model, and the second pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.errors import UsageError, did_you_mean
from medspan.tasks.deid.again import find_again
from medspan.tasks.deid.beside import find_beside, find_between
from medspan.tasks.deid.gazetteer import find_names, find_regions
from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.merge import merge
from medspan.tasks.deid.patterns import CUE_RANK, Candidate, Patterns, shipped_patterns
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from medspan.tasks.deid.gazetteer import NameLists
    from medspan.tasks.ner import EntityRecognizer

MODEL_RANK = CUE_RANK


class Finder:
    """Finds what identifies someone.

    Args:
        recognizer: a trained model whose labels are of `LABELS` or are mapped to them; None for patterns
            alone.
        label_map: labels of the model → `LABELS`; an empty one is left out.
        patterns: those of the package where None.
        names: lists of names that find people; those of the package where None.

    Raises:
        UsageError: if a label of the model is not known and not mapped.
    """

    def __init__(
        self,
        recognizer: EntityRecognizer | None = None,
        *,
        label_map: Mapping[str, str] | None = None,
        patterns: Patterns | None = None,
        names: NameLists | None = None,
    ) -> None:
        self._recognizer = recognizer
        self._labels = _checked(recognizer.labels if recognizer else (), label_map or {})
        self._patterns = patterns or shipped_patterns()
        self._names = names

    def find(self, documents: Sequence[Document]) -> list[list[Candidate]]:
        """For each document its candidates, disjoint and ascending."""
        by_model = self._by_model(documents)
        return [self._find(document.text, model) for document, model in zip(documents, by_model, strict=True)]

    def _find(self, text: str, by_model: list[Candidate]) -> list[Candidate]:
        by_name = find_names(text, self._names)
        found = [*self._patterns.find(text), *by_name, *find_regions(text), *by_model]
        first = merge(text, found)
        first = merge(text, [*first, *find_beside(text, first)])
        first = merge(text, [*first, *find_between(text, first)])
        return merge(text, [*first, *find_again(text, first)])

    def _by_model(self, documents: Sequence[Document]) -> list[list[Candidate]]:
        if self._recognizer is None:
            return [[] for _ in documents]
        bare = [Document(document.id, document.text, sentences=document.sentences) for document in documents]
        return [
            [
                Candidate(span.start, span.end, self._labels[entity.label], MODEL_RANK, entity.score or 0.0)
                for entity in document.entities
                for span in entity.spans
                if self._labels[entity.label]
            ]
            for document in self._recognizer.annotate(bare)
        ]


def as_entities(candidates: Sequence[Candidate]) -> tuple[Entity, ...]:
    """Candidates as entities, numbered in their order."""
    return tuple(
        Entity(f"P{number}", each.label, (Span(each.start, each.end),), each.score)
        for number, each in enumerate(candidates, 1)
    )


def _checked(labels: Sequence[str], label_map: Mapping[str, str]) -> dict[str, str]:
    found = {label: label_map.get(label, label) for label in labels}
    for label, target in found.items():
        if target and target not in LABELS:
            raise UsageError(
                f"the model finds {label!r}, which is no label of de-identification "
                f"({did_you_mean(target, LABELS)}); "
                "map it in the policy: [model_labels]"
            )
    return found

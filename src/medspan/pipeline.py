"""Ordered annotators, and `load`: from the name of a model to something that annotates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medspan.errors import ModelError, UsageError, did_you_mean
from medspan.packaged import OURS, missing_package, model_names, named_model
from medspan.tasks.ner import EntityRecognizer, as_documents
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from medspan.model.session import Device
    from medspan.tasks.protocols import Annotator

DEFAULT_MODEL = "default"


class Pipeline:
    """Runs annotators one after another.

    Args:
        annotators: in order; what one needs must be given by one before it, or stand in the documents.
        given: layers the documents already have.

    Raises:
        UsageError: if the order is wrong, saying what to move, or nothing gives what one needs.
    """

    def __init__(self, annotators: Sequence[Annotator], *, given: Collection[str] = ()) -> None:
        self.annotators = tuple(annotators)
        present = set(given)
        for place, annotator in enumerate(self.annotators):
            for layer in sorted(annotator.needs - present):
                self._refuse(annotator, layer, self.annotators[place + 1 :])
            present |= annotator.gives
        self.needs: frozenset[str] = frozenset(given)
        self.gives: frozenset[str] = frozenset(present)

    @staticmethod
    def _refuse(annotator: Annotator, layer: str, later: Sequence[Annotator]) -> None:
        name = type(annotator).__name__
        for other in later:
            if layer in other.gives:
                giver = type(other).__name__
                raise UsageError(
                    f"{name} needs {layer}; {giver}, which gives them, comes after it: move {giver} first"
                )
        raise UsageError(
            f"{name} needs {layer} and nothing in the pipeline gives them; add an annotator that does"
        )

    def __call__(self, text: str, *, id: str = "text") -> Document:  # noqa: A002 - the document's id
        """Annotate one text."""
        return next(iter(self.annotate([Document(id, text)])))

    def annotate(self, documents: Iterable[Document | str]) -> Iterator[Document]:
        """Annotate many documents, in order; texts are numbered as ids."""
        stream: Iterable[Document] = as_documents(documents)
        for annotator in self.annotators:
            stream = annotator.annotate(stream)
        return iter(stream)


def load(
    model: Path | str = DEFAULT_MODEL,
    *,
    device: Device = "auto",
    threads: int | None = None,
    batch_words: int | None = None,
    labels: Collection[str] | None = None,
    min_score: float = 0.0,
) -> EntityRecognizer:
    """Load a model.

    Args:
        model: ``"default"`` for the shipped one, the name of an installed one, or a model folder.
        device: ``auto``, ``cpu`` or ``cuda``; cuda where there is none is an error.
        threads: threads of a forward pass; None for all cores.
        batch_words: padded words of a forward pass; None for what `medspan bench --tune` found.
        labels: labels to keep; all where None.
        min_score: entities below this confidence, 0 to 1, are dropped.

    Raises:
        ModelError: if there is no such model or it is damaged.
        UsageError: if the device or a label is not there, or the confidence is none.
    """
    return EntityRecognizer(
        find_model(model),
        device=device,
        threads=threads,
        batch_words=batch_words,
        labels=labels,
        min_score=min_score,
    )


def with_stages(recognizer: Annotator, names: Sequence[str]) -> Annotator:
    """A recognizer, then stages of `medspan.tasks.stages`; itself where none is named.

    Args:
        recognizer: what finds the entities.
        names: each ``name`` or ``name=PATH``: ``sections``, ``assertion``, ``relations``, ``codes=INDEX``.

    Raises:
        UsageError: if there is no such stage, or it lacks what it needs.
        ConfigError: if a table is malformed.
        ModelError: if a folder is no relation model, or no index.
    """
    if not names:
        return recognizer
    from medspan.tasks.stages import stages_of  # noqa: PLC0415 - most runs need none

    return Pipeline([recognizer, *stages_of(names)])


def find_model(model: Path | str) -> Path:
    """The folder of a model by name or path; the name of a model wins over a folder of the same name.

    Raises:
        ModelError: if there is none, or its package is not installed or broken.
    """
    name = str(model)
    if folder := named_model(name):
        return folder
    if Path(model).is_dir():
        return Path(model)
    raise missing_package(name) or ModelError(
        f"no model {name!r}: neither a folder nor shipped ({did_you_mean(name, {*model_names(), *OURS})})"
    )

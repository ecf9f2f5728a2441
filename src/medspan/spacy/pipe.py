"""``nlp.add_pipe("medspan")``: a medspan model as a component of a spaCy pipeline.

spaCy finds the factory by the entry point ``spacy_factories`` of the installed package; `import
medspan.spacy.pipe` does without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator  # noqa: TC003 - spaCy reads the annotations of the factory
from typing import TYPE_CHECKING, Any, NamedTuple

from spacy.language import Language
from spacy.util import minibatch

from medspan.spacy.docs import KEY, add, set_extensions
from medspan.types import Document

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from medspan.tasks.protocols import Annotator

NAME = "medspan"
_BATCH_DOCUMENTS = 64


class Settings(NamedTuple):
    """What an annotator is made of: as of `make_pipe`."""

    model: str
    stages: tuple[str, ...]
    labels: tuple[str, ...] | None
    min_score: float
    threads: int | None


class MedspanPipe:
    """Adds entities to `Doc` objects, as `medspan.spacy.docs` describes.

    Args:
        annotator: what finds them, and the stages after it.
        span_key: of ``doc.spans``.
        set_ents: whether ``doc.ents`` is set too; what stood there goes.
    """

    def __init__(self, annotator: Annotator, *, span_key: str = KEY, set_ents: bool = True) -> None:
        self._annotator = annotator
        self._span_key = span_key
        self._set_ents = set_ents
        self._settings: Settings | None = None
        set_extensions()  # here too where other processes add the entities

    @classmethod
    def of(cls, settings: Settings, *, span_key: str, set_ents: bool) -> MedspanPipe:
        """A pipe that other processes can make anew; the rest is as of `make_pipe`."""
        made = cls(_annotator(settings), span_key=span_key, set_ents=set_ents)
        made._settings = settings
        return made

    def __getstate__(self) -> dict[str, Any]:
        """For ``n_process`` where processes are not forked: models stay behind, and are loaded there."""
        return {**vars(self), "_annotator": None} if self._settings else dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._settings:
            self._annotator = _annotator(self._settings)

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], batch_size: int = _BATCH_DOCUMENTS) -> Iterator[Doc]:
        """Annotate many, in order; what is found does not depend on the size of a batch."""
        for batch in minibatch(stream, batch_size):
            documents = [Document("text", doc.text) for doc in batch]
            for doc, document in zip(batch, self._annotator.annotate(documents), strict=True):
                yield add(doc, document, span_key=self._span_key, set_ents=self._set_ents)


def make_pipe(  # noqa: PLR0917 - spaCy fills all by name
    nlp: Language,
    name: str,
    model: str,
    stages: list[str],
    labels: list[str] | None,
    min_score: float,
    threads: int | None,
    span_key: str,
    set_ents: bool,  # noqa: FBT001 - as above
) -> MedspanPipe:
    """The component ``medspan``; spaCy calls this with its config.

    Args:
        nlp: the pipeline it goes into.
        name: of the component there.
        model: as for `medspan.load`: the name of a model, or its folder.
        stages: as for ``medspan annotate --stages``.
        labels: labels to find; all where None.
        min_score: entities below this confidence are dropped.
        threads: of a forward pass; None for all cores.
        span_key: of ``doc.spans``.
        set_ents: whether ``doc.ents`` is set too.

    Raises:
        ModelError: if there is no such model, or it is damaged.
        UsageError: if a stage or a label is not there.
    """
    del nlp, name  # spaCy gives them to all factories
    chosen = None if labels is None else tuple(labels)
    settings = Settings(model, tuple(stages), chosen, min_score, threads)
    return MedspanPipe.of(settings, span_key=span_key, set_ents=set_ents)


def _annotator(settings: Settings) -> Annotator:
    from medspan.pipeline import load, with_stages  # noqa: PLC0415 - spaCy imports this file in every pipeline

    recognizer = load(
        settings.model,
        threads=settings.threads,
        labels=settings.labels,
        min_score=settings.min_score,
    )
    return with_stages(recognizer, settings.stages)


Language.factory(
    NAME,
    func=make_pipe,
    assigns=["doc.ents", "doc.spans"],
    default_config={
        "model": "default",
        "stages": [],
        "labels": None,
        "min_score": 0.0,
        "threads": None,
        "span_key": KEY,
        "set_ents": True,
    },
)

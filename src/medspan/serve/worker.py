"""The child process of the service: does orders on batches of documents; `python -m medspan.serve.worker`."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from medspan import pipeline
from medspan.errors import ModelError
from medspan.jobs import worker
from medspan.jobs.annotating import Annotating, reason_of
from medspan.jobs.deid import plain_for, told_reason
from medspan.jobs.wire import Found
from medspan.serve.answers import CHANGES, annotated, changes_json, deidentified
from medspan.serve.orders import Annotate, Deidentify, Offer, unpack
from medspan.tasks.deid.annotator import Deidentifier
from medspan.tasks.stages import STAGES, stages_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from medspan.jobs.wire import Done, Setup, Task
    from medspan.serve.orders import DeidOffer, Offsets
    from medspan.tasks.ner import EntityRecognizer
    from medspan.tasks.protocols import Annotator
    from medspan.types import Document

_MOST_MODELS = 8
_MOST_ORDERS = 64


class Doer:
    """Models, stages and policies, loaded when they are first asked for and kept.

    Args:
        setup: `Setup.more` is an `Offer` as msgpack.

    Raises:
        MedspanError: if a stage cannot be made.
    """

    def __init__(self, setup: Setup) -> None:
        self._threads = setup.threads
        offer = msgspec.msgpack.decode(setup.more, type=Offer)
        self._stages = _by_name(offer.stages)
        self._deid = offer.deid
        self._recognizer = lru_cache(_MOST_MODELS)(self._load)
        self._annotating = lru_cache(_MOST_ORDERS)(self._made)

    def do(self, task: Task) -> Done | Found:
        """Do what the order of a task asks.

        Raises:
            MedspanError: if a model cannot be loaded, or fails on every text.
        """
        lines, errors = self._annotating(task.order).lines(task)
        errors = sorted((*task.errors, *errors), key=lambda row: row.place)
        return Found(b"" if task.goal == "probe" else b"".join(line.data for line in lines), errors)

    def _load(self, folder: str) -> EntityRecognizer:
        return pipeline.load(folder, threads=self._threads)

    def _made(self, order: bytes) -> Annotating:
        """What does an order."""
        match unpack(order):
            case Annotate() as wanted:
                line = partial(annotated, order=wanted)
                return Annotating(self._pipeline(wanted), line=line, reason=_reason)
            case Deidentify() as wanted:
                return self._deidentifying(wanted)

    def _pipeline(self, order: Annotate) -> Annotator:
        stages = [stage for name, stage in self._stages.items() if name in order.stages]
        recognizer = self._recognizer(order.model)
        return pipeline.Pipeline([recognizer, *stages]) if stages else recognizer

    def _deidentifying(self, order: Deidentify) -> Annotating:
        offer = self._deid
        if offer is None or order.policy not in offer.policies:
            raise ModelError("this worker does not de-identify so; restart the service")
        annotator = _Changing(self._deidentifier(offer, order), order.offsets)
        return Annotating(
            annotator,
            line=partial(deidentified, order=order),
            reason=_reason,
            plain=plain_for(offer.policies[order.policy]),
        )

    def _deidentifier(self, offer: DeidOffer, order: Deidentify) -> Deidentifier:
        policy = offer.policies[order.policy]
        policy = msgspec.structs.replace(policy, labels={**policy.labels, **order.actions})
        recognizer = self._recognizer(offer.model) if offer.model else None
        return Deidentifier(policy, recognizer, key=offer.key)


class _Changing:
    """A de-identifier whose documents say in their meta where they were changed."""

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = Deidentifier.gives

    def __init__(self, deidentifier: Deidentifier, offsets: Offsets) -> None:
        self._deidentifier, self._offsets = deidentifier, offsets

    def annotate(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, de-identified."""
        given = list(documents)
        for old, result in zip(given, self._deidentifier.results(given), strict=True):
            new = result.document
            changes = changes_json(result.changes, old.text, new.text, self._offsets)
            yield new.replace(meta={**new.meta, CHANGES: changes})


def _by_name(stages: tuple[str, ...]) -> Mapping[str, Annotator]:
    """The stages by their names alone, in the order in which they run."""
    made = stages_of(stages) if stages else []
    return dict(zip(stage_names(stages), made, strict=True))


def stage_names(stages: tuple[str, ...]) -> tuple[str, ...]:
    """Names of stages without labels and paths, each once, in the order in which they run."""
    given = {stage.partition("=")[0].partition(".")[0].strip() for stage in stages}
    return tuple(name for name in STAGES if name in given)


def _reason(error: Exception) -> str:
    """What went wrong with a document, without its id, which may tell too."""
    return told_reason(reason_of(error), "it could not be annotated")


if __name__ == "__main__":
    worker.main(Doer)

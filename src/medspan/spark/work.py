"""What a Spark task does: named by import, given a JSON text of settings, and the model's path or bytes.

A Python worker loads a model once and keeps it for all tasks it is given. Spark runs a task a slot, so a task
computes in as many threads as it has CPUs: one, unless `spark.task.cpus` says otherwise.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext

from medspan import pipeline
from medspan.errors import DataError, ModelError, UsageError
from medspan.jobs.annotating import Annotating, Failure, same
from medspan.spark.columns import added_columns
from medspan.spark.schema import COLUMNS
from medspan.spark.travel import unpacked
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from medspan.model.session import Device
    from medspan.tasks.ner import EntityRecognizer
    from medspan.tasks.protocols import Annotator

NO_TEXT = "the text is null"
_GPU = "gpu"
_SLICE_BYTES = 1 << 20


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a task is told.

    Args:
        model: name or path of the model, also where its bytes travel.
        text: the column of texts. keep: columns that are kept. prefix: of the names of the others.
        labels, min_score, batch_words: as of `medspan.load`.
        stages: of `medspan.tasks.stages`.
        pipeline: ``package.module:function`` of a function from the recognizer to the annotator that is run.
        max_chars: longest text that is annotated; None for any.
        raises: whether a bad row ends the job.
    """

    model: str
    text: str = "text"
    keep: tuple[str, ...] = ()
    prefix: str = ""
    labels: tuple[str, ...] | None = None
    min_score: float = 0.0
    batch_words: int | None = None
    stages: tuple[str, ...] = ()
    pipeline: str | None = None
    max_chars: int | None = None
    raises: bool = False


def annotate_batches(
    work: bytes, model: bytes | None, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Annotate the batches of a task; the function `mapInArrow` is given.

    Args:
        work: a `Work` as JSON.
        model: a model folder as `medspan.spark.travel.packed` makes it; None where every machine has it.
        batches: the columns that are kept and the texts.

    Raises:
        ModelError: if the model is not there or damaged, or fails on every text.
        DataError: if a row is bad and that is to end the job.
    """
    texts = Texts(work, model)
    keep = texts.work.keep
    names = [*keep, *(texts.work.prefix + name for name in COLUMNS)]
    for batch in chain.from_iterable(_slices(whole, texts.work.text) for whole in batches):
        added = added_columns(texts.results(batch.column(texts.work.text).to_pylist()), texts.gives)
        kept = [batch.column(name) for name in keep]
        yield pa.RecordBatch.from_arrays([*kept, *added], names=names)


def _slices(batch: pa.RecordBatch, text: str) -> Iterator[pa.RecordBatch]:
    """A batch in parts of a few texts, whose annotations then take little memory."""
    sizes = pc.fill_null(pc.binary_length(batch.column(text)), 0).to_pylist()
    first = held = 0
    for row, size in enumerate(sizes):
        if held and held + size > _SLICE_BYTES:
            yield batch.slice(first, row - first)
            first, held = row, 0
        held += size
    yield batch.slice(first)


class Texts:
    """Annotates texts as a `Work` says; the arguments are those of `annotate_batches`."""

    def __init__(self, work: bytes, model: bytes | None) -> None:
        self.work = msgspec.json.decode(work, type=Work)
        annotator = loaded(work, model)
        self._annotating = Annotating(annotator)
        self.gives = annotator.gives

    def results(self, texts: Sequence[str | None]) -> list[Document | Failure]:
        """Of each text its document, or why there is none.

        Raises:
            DataError: if there is none, and that is to end the job.
            ModelError: if the annotator fails on a plain text too.
        """
        refused = [self._refusal(text) for text in texts]
        documents = [
            Document(str(place), text)
            for place, (text, refusal) in enumerate(zip(texts, refused, strict=True))
            if refusal is None and text is not None
        ]
        found = iter(self._annotating.each(documents, same))
        results = [next(found) if refusal is None else refusal for refusal in refused]
        if self.work.raises:
            self._refuse(results)
        return results

    def _refusal(self, text: str | None) -> Failure | None:
        if text is None:
            return Failure(NO_TEXT)
        longest = self.work.max_chars
        if longest is not None and len(text) > longest:
            return Failure(f"the text is longer than {longest:,} characters")
        return None

    def _refuse(self, results: Sequence[Document | Failure]) -> None:
        for place, result in enumerate(results):
            if isinstance(result, Failure):
                raise DataError(
                    f"row {place} of a batch: {result.reason}; leave it out, or have errors in rows "
                    '(on_error="row")'
                )


@cache
def loaded(work: bytes, model: bytes | None) -> Annotator:
    """The annotator of a `Work`, loaded when this worker first needs it.

    Raises:
        ModelError: if the model is not there or damaged; says on which machine.
    """
    settings = msgspec.json.decode(work, type=Work)
    if model is None:
        return _load(settings, settings.model)
    with unpacked(model) as folder:
        return _load(settings, folder)


def _load(settings: Work, model: Path | str) -> Annotator:
    device, threads = _place()
    try:
        recognizer = pipeline.load(
            model,
            device=device,
            threads=threads,
            batch_words=settings.batch_words,
            labels=settings.labels,
            min_score=settings.min_score,
        )
    except ModelError as error:
        raise ModelError(
            f'worker {platform.node()}: {error}; put the model there, or have it sent (travel="bytes")'
        ) from None
    made = named_function(settings.pipeline)(recognizer) if settings.pipeline else recognizer
    return pipeline.with_stages(made, settings.stages)


def _place() -> tuple[Device, int]:
    """Where a task computes: the GPU Spark gave it, if any; and in how many threads."""
    task = TaskContext.get()
    if task is None:
        return "cpu", 1
    if gpu := task.resources().get(_GPU):
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu.addresses[0]
        return "cuda", task.cpus()
    return "cpu", task.cpus()


def named_function(name: str) -> Callable[[EntityRecognizer], Annotator]:
    """The function ``package.module:function`` names.

    Raises:
        UsageError: if there is none.
    """
    module, colon, function = name.partition(":")
    try:
        found = getattr(import_module(module), function) if colon else None
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        raise UsageError(
            f"pipeline {name!r}: names no function; give package.module:function of one that is installed on "
            "every worker and takes the recognizer"
        )
    return cast("Callable[[EntityRecognizer], Annotator]", found)

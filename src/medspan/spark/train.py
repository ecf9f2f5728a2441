"""Training on a DataFrame: on the driver, or in several processes on the workers that are one run.

With several, the documents are written once as Parquet beside the model, a file a process, so that each
reads its own; gradients are averaged after each step (`medspan.train.data_parallel`). A step learns from as
many words as in one process. Checkpoints stand beside the model: when a process is lost all begin again at
the last, as long as there is a new one each time; so does a later run with ``resume``. The documents are
removed when the model is there.
"""

from __future__ import annotations

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from medspan.config import CorpusConfig
from medspan.errors import UsageError
from medspan.model.store import check_replaceable
from medspan.spark.corpus import nothing_for, sides, write_corpus

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from medspan.config import Recipe
    from medspan.spark.corpus import Columns
    from medspan.train.replicas import Alone

_LOG = logging.getLogger("medspan.spark")
_CORPUS = "data"


class Run(msgspec.Struct, frozen=True):
    """What each process is told.

    Args:
        recipe: path of the recipe. folder: the model folder to write. start: what to start from.
        command: for the model card. corpus: folder of the documents. device: ``cpu`` or ``cuda``.
        resume: whether to go on from the checkpoint.
    """

    recipe: str
    folder: str
    start: str | None = None
    command: str = ""
    corpus: str = ""
    device: str = "cpu"
    resume: bool = False


def train(df: DataFrame, run: Run, columns: Columns, *, processes: int = 1) -> None:
    """Train on annotated documents.

    Args:
        df: a document a row.
        run: recipe and folder.
        columns: where ``df`` has what.
        processes: 1 trains on the driver; more on as many slots of workers, which share the folder's disk.

    Raises:
        UsageError: if a column is not there, a split would have no document, or there is an earlier run.
        DataError: if an annotation does not fit its text.
        ConfigError, TrainingError, ModelError: as `medspan train`.
    """
    from medspan.train.checkpoint import NAME  # noqa: PLC0415 - torch loads only when training
    from medspan.train.run import place_of_run  # noqa: PLC0415 - as above

    output = Path(run.folder)
    check_replaceable(output)
    beside = place_of_run(output)
    if (beside / NAME).exists() and not run.resume:
        raise UsageError(f"{beside}: holds an earlier run; go on with resume=True, or remove the folder")
    corpus = beside / _CORPUS
    if not (run.resume and corpus.exists()):
        shutil.rmtree(corpus, ignore_errors=True)
        corpus.mkdir(parents=True)
        if processes > 1:
            _write_apart(df, corpus, columns, processes)
        else:
            write_corpus(df, corpus, columns)
    told = msgspec.structs.replace(run, corpus=str(corpus))
    if processes > 1:
        _train_together(told, beside / NAME, processes)
    else:
        train_process(told)
    shutil.rmtree(corpus)


def _write_apart(df: DataFrame, corpus: Path, columns: Columns, processes: int) -> None:
    """A file of training documents for each process, and one of dev."""
    for name, rows in sides(df, columns).items():
        parts = rows.repartition(processes if name == "train" else 1)
        parts.write.parquet((corpus / name).as_uri())
        if not any(file.suffix == ".parquet" for file in (corpus / name).iterdir()):
            raise nothing_for(name)


def _train_together(told: Run, checkpoint: Path, processes: int) -> None:
    """Run the processes, and again where one was lost after a new checkpoint."""
    from pyspark.ml.torch.distributor import TorchDistributor  # noqa: PLC0415 - loads torch

    distributor = TorchDistributor(processes, local_mode=False, use_gpu=told.device == "cuda")
    while True:
        before = _written(checkpoint)
        try:
            distributor.run(join_and_train, msgspec.json.encode(told))
        except Exception:  # what is raised depends on what was lost, and how
            if _written(checkpoint) == before:
                raise
            _LOG.warning("a training process was lost; going on from the checkpoint")
        else:
            return


def _written(checkpoint: Path) -> int | None:
    return checkpoint.stat().st_mtime_ns if checkpoint.exists() else None


def join_and_train(told: bytes) -> None:
    """What each of several processes does; `TorchDistributor` finds it by name."""
    from medspan.train.checkpoint import NAME  # noqa: PLC0415 - torch loads only when training
    from medspan.train.data_parallel import joined  # noqa: PLC0415 - as above
    from medspan.train.run import place_of_run  # noqa: PLC0415 - as above

    run = msgspec.json.decode(told, type=Run)
    with joined(run.device) as replicas:
        # The driver refused what stood there before: this is of an attempt that lost a process.
        begun = (place_of_run(Path(run.folder)) / NAME).exists()
        train_process(msgspec.structs.replace(run, resume=begun), replicas)


def train_process(run: Run, replicas: Alone | None = None) -> None:
    """Train in this process, alone or as one of several."""
    from medspan.train.replicas import ALONE  # noqa: PLC0415 - torch loads only when training
    from medspan.train.run import train as train_recipe  # noqa: PLC0415 - as above

    train_recipe(
        Path(run.recipe),
        Path(run.folder),
        watcher=_Log(),
        tell=_LOG.info,
        device=run.device,  # type: ignore[arg-type]
        resume=run.resume,
        start=Path(run.start) if run.start else None,
        command=run.command,
        derive=partial(of_one_corpus, corpus=run.corpus),
        replicas=replicas or ALONE,
    )


def of_one_corpus(recipe: Recipe, *, corpus: str) -> Recipe:
    """The recipe with all heads learning from one corpus."""
    heads = {name: msgspec.structs.replace(head, corpora=(_CORPUS,)) for name, head in recipe.heads.items()}
    return msgspec.structs.replace(recipe, corpora={_CORPUS: CorpusConfig(corpus)}, heads=heads)


class _Log:
    """Tells of epochs in the log of the module."""

    def on_step(self, state: object, total_steps: int, loss: float) -> None:
        """A step was taken."""

    def on_epoch(self, row: Any, *, is_best: bool) -> None:  # noqa: ANN401 - an EpochRow; torch stays unloaded
        """An epoch ended and was scored."""
        best = ", the best so far" if is_best else ""
        _LOG.info("epoch %d: loss %.3f, dev F1 %.4f%s", row.epoch + 1, row.loss, row.dev_mean, best)

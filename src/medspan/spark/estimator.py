"""medspan as stages of a Spark ML pipeline: an Estimator that trains, and the Transformer it gives.

A stage is saved as JSON and a model folder, nothing that runs code when it is read.
"""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.ml import Estimator, Model
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.util import (
    DefaultParamsReadable,
    DefaultParamsReader,
    DefaultParamsWritable,
    DefaultParamsWriter,
    MLReadable,
    MLReader,
    MLWritable,
    MLWriter,
)

from medspan.errors import ModelError, UsageError
from medspan.pipeline import DEFAULT_MODEL, find_model
from medspan.spark.corpus import Columns
from medspan.spark.dataframe import annotate
from medspan.spark.folders import fetch, store
from medspan.spark.train import Run, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

_MODEL = "model"


class _Texts(Params):
    """Parameters of both stages."""

    textCol: Param[str] = Param(Params._dummy(), "textCol", "the column of texts", TypeConverters.toString)

    def __init__(self) -> None:
        super().__init__()
        self._setDefault(textCol="text")

    def getTextCol(self) -> str:
        """The column of texts."""
        return str(self.getOrDefault(self.textCol))


class MedspanNer(_Texts, Estimator, DefaultParamsReadable, DefaultParamsWritable):
    """Trains a recipe on a DataFrame of annotated documents.

    The documents stand in for the recipe's corpora: all heads learn from them. They go to the disk of
    ``folder``, never into the driver's memory as a whole.

    Args:
        recipe: path of a recipe on the driver.
        folder: the model folder to write, on the driver; its run folder stands beside it.
        textCol: the column of texts.
        entitiesCol: arrays of structures with label, start and end (half-open, code points).
        splitCol: a column of ``train`` and ``dev``; None to draw ``devShare`` of the documents for dev.
        devShare: share of the documents that selects the epoch.
        start: what to start from, as ``medspan train --from``.
        processes: how many processes train together, on the workers; 1 trains on the driver. With more,
            ``folder`` is on a disk that all machines share.
        resume: whether to go on from the checkpoint of an earlier run of this ``folder``.
    """

    recipe: Param[str] = Param(Params._dummy(), "recipe", "path of a recipe", TypeConverters.toString)
    folder: Param[str] = Param(
        Params._dummy(), "folder", "the model folder to write", TypeConverters.toString
    )
    entitiesCol: Param[str] = Param(
        Params._dummy(), "entitiesCol", "the column of annotations", TypeConverters.toString
    )
    splitCol: Param[str] = Param(
        Params._dummy(), "splitCol", "a column of train and dev", TypeConverters.toString
    )
    devShare: Param[float] = Param(
        Params._dummy(), "devShare", "share of the documents for dev", TypeConverters.toFloat
    )
    start: Param[str] = Param(Params._dummy(), "start", "what to start from", TypeConverters.toString)
    processes: Param[int] = Param(
        Params._dummy(), "processes", "processes that train together", TypeConverters.toInt
    )
    resume: Param[bool] = Param(
        Params._dummy(), "resume", "go on from the checkpoint", TypeConverters.toBoolean
    )

    def __init__(
        self,
        *,
        recipe: str | None = None,
        folder: str | None = None,
        textCol: str = "text",
        entitiesCol: str = "entities",
        splitCol: str | None = None,
        devShare: float = 0.1,
        start: str | None = None,
        processes: int = 1,
        resume: bool = False,
    ) -> None:
        super().__init__()
        self._setDefault(entitiesCol="entities", devShare=0.1, processes=1, resume=False)
        self.setParams(
            recipe=recipe,
            folder=folder,
            textCol=textCol,
            entitiesCol=entitiesCol,
            splitCol=splitCol,
            devShare=devShare,
            start=start,
            processes=processes,
            resume=resume,
        )

    def setParams(self, **values: Any) -> MedspanNer:  # noqa: ANN401 - of different types
        """Set parameters by name; None leaves one as it is."""
        self._set(**{name: value for name, value in values.items() if value is not None})
        return self

    def _fit(self, dataset: DataFrame) -> MedspanNerModel:
        for name in ("recipe", "folder"):
            if not self.isDefined(name):
                raise UsageError(f"MedspanNer: give {name}=")
        output = Path(self.getOrDefault(self.folder))
        run = Run(
            recipe=str(Path(self.getOrDefault(self.recipe)).resolve()),
            folder=str(output.resolve()),
            start=self.getOrDefault(self.start) if self.isDefined("start") else None,
            command="medspan.spark.MedspanNer.fit",
            resume=self.getOrDefault(self.resume),
        )
        columns = Columns(
            self.getTextCol(),
            self.getOrDefault(self.entitiesCol),
            self.getOrDefault(self.splitCol) if self.isDefined("splitCol") else None,
            self.getOrDefault(self.devShare),
        )
        train(dataset, run, columns, processes=self.getOrDefault(self.processes))
        model = MedspanNerModel(model=str(output), textCol=self.getTextCol())
        self._copyValues(model)
        return model


class MedspanNerModel(_Texts, Model, MLReadable, MLWritable):
    """Annotates a DataFrame; adds the columns of `medspan.spark.schema`.

    Args:
        model: name or path of a model on the driver; it is sent to the workers.
        textCol: the column of texts, which stays.
        labels: labels to keep; None for all.
        minScore: entities below this confidence are dropped.
        prefix: stands before the names of the added columns.
        onError: ``row`` or ``raise``, as of `medspan.spark.annotate`.
    """

    model: Param[str] = Param(Params._dummy(), "model", "name or path of a model", TypeConverters.toString)
    labels: Param[list[str]] = Param(Params._dummy(), "labels", "labels to keep", TypeConverters.toListString)
    minScore: Param[float] = Param(
        Params._dummy(), "minScore", "entities below this are dropped", TypeConverters.toFloat
    )
    prefix: Param[str] = Param(
        Params._dummy(), "prefix", "before the names of added columns", TypeConverters.toString
    )
    onError: Param[str] = Param(Params._dummy(), "onError", "row or raise", TypeConverters.toString)

    def __init__(
        self,
        *,
        model: str = DEFAULT_MODEL,
        textCol: str = "text",
        labels: Sequence[str] | None = None,
        minScore: float = 0.0,
        prefix: str = "",
        onError: str = "row",
    ) -> None:
        super().__init__()
        self._setDefault(model=DEFAULT_MODEL, minScore=0.0, prefix="", onError="row")
        self.setParams(
            model=model, textCol=textCol, labels=labels, minScore=minScore, prefix=prefix, onError=onError
        )

    def setParams(self, **values: Any) -> MedspanNerModel:  # noqa: ANN401 - of different types
        """Set parameters by name; None leaves one as it is."""
        self._set(**{name: value for name, value in values.items() if value is not None})
        return self

    def _transform(self, dataset: DataFrame) -> DataFrame:
        return annotate(
            dataset,
            self.getOrDefault(self.model),
            text=self.getTextCol(),
            keep=dataset.columns,
            prefix=self.getOrDefault(self.prefix),
            labels=self.getOrDefault(self.labels) if self.isDefined("labels") else None,
            min_score=self.getOrDefault(self.minScore),
            on_error=self.getOrDefault(self.onError),
            travel="bytes",
        )

    def write(self) -> MLWriter:
        """Writes parameters as JSON and the model folder."""
        return _Writer(self)

    @classmethod
    def read(cls) -> MLReader[MedspanNerModel]:
        """Reads what `write` wrote."""
        return _Reader()


class _Writer(MLWriter):
    def __init__(self, stage: MedspanNerModel) -> None:
        super().__init__()
        self._stage = stage

    def saveImpl(self, path: str) -> None:
        """Metadata as Spark writes them, and the model folder beside them."""
        DefaultParamsWriter.saveMetadata(self._stage, path, self.sc)
        folder = find_model(self._stage.getOrDefault(self._stage.model))
        store(self.sparkSession, folder, f"{path}/{_MODEL}")


class _Reader(MLReader):
    def load(self, path: str) -> MedspanNerModel:
        """The stage; its model folder is on the driver's disk as long as there is the stage.

        Raises:
            ModelError: if there is no model, or metadata of something else.
        """
        metadata = DefaultParamsReader.loadMetadata(path, self.sc)
        name = f"{MedspanNerModel.__module__}.{MedspanNerModel.__name__}"
        if metadata["class"] != name:
            raise ModelError(f"{path}: holds a {metadata['class']}, not a {name}")
        stage = MedspanNerModel()
        stage._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(stage, metadata)
        keeper = tempfile.TemporaryDirectory(prefix="medspan-")
        folder = Path(keeper.name) / _MODEL
        fetch(self.sparkSession, f"{path}/{_MODEL}", folder)
        stage.setParams(model=str(folder))
        weakref.finalize(stage, keeper.cleanup)
        return stage

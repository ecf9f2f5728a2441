"""medspan as stages of Spark ML: trained, saved, read in another process, and saying the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("torch")

from drug_notes import annotated_notes, estimator, rows
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import SQLTransformer

from medspan.errors import DataError, ModelError, UsageError
from medspan.spark import MedspanNer, MedspanNerModel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

READ = """
import json, sys
from medspan.spark import session
from pyspark.ml import PipelineModel
spark = session("local[1]")
model = PipelineModel.load(sys.argv[1])
df = spark.read.json(sys.argv[2])
rows = model.transform(df).select("id", "entities").collect()
print(json.dumps({row["id"]: [e.asDict() for e in row["entities"]] for row in rows}, sort_keys=True))
spark.stop()
"""


@pytest.fixture
def notes(spark: SparkSession, tmp_path: Path) -> DataFrame:
    return annotated_notes(spark, tmp_path)


def test_a_pipeline_is_trained_saved_and_read_elsewhere(notes: DataFrame, tmp_path: Path):
    clean = SQLTransformer(statement="SELECT id, trim(text) AS text, gold FROM __THIS__")
    pipeline = Pipeline(stages=[clean, estimator(tmp_path)])
    pipeline.save(str(tmp_path / "untrained"))
    model = Pipeline.load(str(tmp_path / "untrained")).fit(notes)
    found = {row["id"]: [e.asDict() for e in row["entities"]] for row in model.transform(notes).collect()}
    gold = {row["id"]: row["gold"] for row in rows()}
    right = sum(
        [(e["start"], e["end"]) for e in found[key]] == [(e["start"], e["end"]) for e in gold[key]]
        for key in gold
    )
    assert right >= 0.9 * len(gold)
    model.write().overwrite().save(str(tmp_path / "trained"))
    command = [sys.executable, "-c", READ, str(tmp_path / "trained"), str(tmp_path / "notes.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(done.stdout.splitlines()[-1]) == json.loads(json.dumps(found))
    stage = PipelineModel.load(str(tmp_path / "trained")).stages[1]
    folder = Path(stage.getOrDefault(stage.model))
    assert folder.is_dir()
    assert not [
        path for path in (tmp_path / "trained").rglob("*") if path.suffix in {".pkl", ".pickle", ".bin"}
    ]


def test_a_stage_takes_its_parameters_along(notes: DataFrame, tmp_path: Path):
    stage = MedspanNerModel(labels=["Disease"], minScore=0.5, prefix="found_", onError="raise")
    stage.save(str(tmp_path / "stage"))
    again = MedspanNerModel.load(str(tmp_path / "stage"))
    assert again.uid == stage.uid
    assert {p.name: again.getOrDefault(p) for p in again.params if p.name != "model"} == {
        "labels": ["Disease"],
        "minScore": 0.5,
        "onError": "raise",
        "prefix": "found_",
        "textCol": "text",
    }
    assert again.transform(notes).columns[:4] == ["gold", "id", "text", "found_entities"]
    estimator(tmp_path).save(str(tmp_path / "other"))
    with pytest.raises(ModelError, match="not a medspan"):
        MedspanNerModel.load(str(tmp_path / "other"))


def test_two_processes_train_one_model_and_go_on_where_they_were(notes: DataFrame, tmp_path: Path):
    stage = estimator(tmp_path, processes=2)
    model = stage.fit(notes)
    rows = (
        model.transform(notes.where("id % 5 > 0"))
        .selectExpr("size(entities) = 1 AND error IS NULL ok")
        .collect()
    )
    assert sum(row["ok"] for row in rows) >= 0.9 * len(rows)
    assert not (tmp_path / "drugs.run" / "data").exists()
    curve = (tmp_path / "drugs.run" / "metrics.jsonl").read_bytes()
    before = (tmp_path / "drugs" / "model.onnx").read_bytes()
    with pytest.raises(UsageError, match="resume=True"):
        stage.fit(notes)
    stage.setParams(resume=True).fit(notes)  # all epochs are done: the model is written again
    assert (tmp_path / "drugs.run" / "metrics.jsonl").read_bytes() == curve
    assert (tmp_path / "drugs" / "model.onnx").read_bytes() == before


def test_bad_annotations_and_settings_are_named(spark: SparkSession, notes: DataFrame, tmp_path: Path):
    with pytest.raises(UsageError, match="give recipe="):
        MedspanNer(folder=str(tmp_path / "m")).fit(notes)
    with pytest.raises(UsageError, match="no column 'entities'"):
        estimator(tmp_path).setParams(entitiesCol="entities").fit(notes)
    bad = spark.createDataFrame(
        [("secret", [("Drug", 3, 99)])],
        "text string, gold array<struct<label: string, start: int, end: int>>",
    )
    with pytest.raises(DataError, match="past the text") as raised:
        estimator(tmp_path).setParams(devShare=0.0001).fit(bad)
    assert "secret" not in str(raised.value)
    with pytest.raises(UsageError, match="left for dev"):
        estimator(tmp_path, splitCol="id").fit(
            notes.withColumn("id", notes["id"] * 0 + 1).selectExpr("text", "gold", "'train' id")
        )

"""Folders between the driver's disk and whatever file system Spark writes to: HDFS, S3, this disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medspan.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession


def store(spark: SparkSession, folder: Path, target: str) -> None:
    """Copy a folder of the driver's disk to a path of Spark's."""
    system, place = _place(spark, target)
    system.copyFromLocalFile(False, True, _path(spark, folder.resolve().as_uri()), place)  # noqa: FBT003 - Java has no names


def fetch(spark: SparkSession, source: str, folder: Path) -> None:
    """Copy a folder of Spark's to the driver's disk, which has none of that name yet.

    Raises:
        ModelError: if it is not there.
    """
    system, place = _place(spark, source)
    if not system.exists(place):
        raise ModelError(f"{source}: there is no model; save it again")
    # As plain files: else a sum of each would be written beside it.
    system.copyToLocalFile(False, place, _path(spark, folder.resolve().as_uri()), True)  # noqa: FBT003 - as above


def _place(spark: SparkSession, path: str) -> tuple[Any, Any]:
    """A path of Spark's, and the file system it is on."""
    place = _path(spark, path)
    return place.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), place  # noqa: SLF001 - the only way there


def _path(spark: SparkSession, path: str) -> Any:  # noqa: ANN401 - a Java object
    return spark.sparkContext._jvm.org.apache.hadoop.fs.Path(path)  # noqa: SLF001 - as above

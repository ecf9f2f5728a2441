"""Annotation on Apache Spark: a Python package on a stock Spark 3.5 or 4, without a jar.

    from medspan.spark import annotate, explode, session

    spark = session()
    notes = spark.read.parquet("notes.parquet")
    found = annotate(notes, text="note_text", keep=["note_id"])
    explode(found).write.parquet("entities.parquet")

Only names of functions, a JSON text of settings and the bytes or the path of a model folder travel to the
workers. Names are loaded when they are first used; the extra ``spark`` brings what they need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from medspan.errors import MissingExtraError

if TYPE_CHECKING:
    from medspan.spark.dataframe import annotate
    from medspan.spark.estimator import MedspanNer, MedspanNerModel
    from medspan.spark.sessions import session
    from medspan.spark.sql import register
    from medspan.spark.tables import explode, note_nlp

__all__ = ["MedspanNer", "MedspanNerModel", "annotate", "explode", "note_nlp", "register", "session"]

_HOME = {
    "MedspanNer": "medspan.spark.estimator",
    "MedspanNerModel": "medspan.spark.estimator",
    "annotate": "medspan.spark.dataframe",
    "explode": "medspan.spark.tables",
    "note_nlp": "medspan.spark.tables",
    "register": "medspan.spark.sql",
    "session": "medspan.spark.sessions",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562).

    Raises:
        MissingExtraError: if pyspark, pyarrow or pandas is not installed.
    """
    if name not in _HOME:
        raise AttributeError(f"module 'medspan.spark' has no attribute {name!r}")
    try:
        value: object = getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"pyspark", "pyarrow", "pandas"}:
            raise
        raise MissingExtraError("working on Spark", error.name.split(".")[0], "spark") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

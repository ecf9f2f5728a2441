"""A Spark with two executors in processes of their own, shared by all tests of this folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyspark", reason='Spark is not installed: pip install "medspan[spark]"')

from medspan.errors import UsageError
from medspan.spark.sessions import require_java, session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

TESTS = Path(__file__).parent.parent
SOURCES = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS / "spark")])


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    try:
        require_java()
    except UsageError as error:
        if os.environ.get("MEDSPAN_REQUIRE_SPARK") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    # Executors find each other by an address, which a machine without a network only has on the loopback.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    found = session(
        "local-cluster[2,1,1024]",
        spark__executorEnv__PYTHONPATH=SOURCES,
        spark__executorEnv__SPARK_LOCAL_IP="127.0.0.1",
        spark__sql__shuffle__partitions="2",
        spark__log__level="ERROR",
    )
    yield found
    found.stop()

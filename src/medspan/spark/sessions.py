"""A Spark of this machine's own, and what to do where there is no Java."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from medspan.errors import UsageError

LEAST_JAVA = 17
_REMEDIES = {
    "linux": "Debian, Ubuntu: sudo apt-get install openjdk-17-jre-headless; "
    "Fedora, RHEL: sudo dnf install java-17-openjdk-headless",
    "darwin": "brew install openjdk@17, then export JAVA_HOME=$(brew --prefix openjdk@17)",
    "win32": "winget install EclipseAdoptium.Temurin.17.JRE",
}


def session(master: str = "local[*]", **settings: str) -> SparkSession:
    """The running Spark session, or a new one on this machine.

    Args:
        master: where to compute, in the new one.
        settings: of the new one, dots written as ``__``: ``spark__driver__memory="2g"``.

    Raises:
        UsageError: if there is no Java, or too old a one; says how to get one.
    """
    require_java()
    if master.startswith("local"):
        # Else workers are whatever `python3` names on the PATH, which may lack medspan.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("medspan")
    defaults = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
    }
    given = {name.replace("__", "."): value for name, value in settings.items()}
    for name, value in {**defaults, **given}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def require_java() -> None:
    """See that there is a Java that Spark can start.

    Raises:
        UsageError: if there is none, or too old a one.
    """
    version = java_version()
    remedy = _REMEDIES.get(sys.platform, "install a Java runtime of version 17 or newer")
    if version is None:
        raise UsageError(f"Spark needs Java {LEAST_JAVA} or newer, and there is none; {remedy}")
    if version < LEAST_JAVA:
        raise UsageError(
            f"Spark needs Java {LEAST_JAVA} or newer, this is {version}; {remedy}, then name it in JAVA_HOME"
        )


def java_version() -> int | None:
    """The major version of the Java that Spark would start; None where there is none."""
    home = os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else shutil.which("java")
    if java is None:
        return None
    try:
        command = [str(java), "-version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found.group(1)) if found else None

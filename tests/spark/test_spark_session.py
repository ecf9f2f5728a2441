"""What a person is told where there is no Java, or too old a one, or no pyspark."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyspark")

import medspan.spark
from medspan.errors import MissingExtraError, UsageError
from medspan.spark.sessions import java_version, require_java

if TYPE_CHECKING:
    from pathlib import Path


def java_of(folder: Path, line: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{line}' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="a script of the shell stands for Java")
@pytest.mark.parametrize(
    ("line", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ("something else", None),
    ],
)
def test_versions_are_read_as_java_tells_them(
    line: str, version: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JAVA_HOME", str(java_of(tmp_path, line)))
    assert java_version() == version
    if version is not None and version >= 17:
        require_java()
        return
    with pytest.raises(UsageError, match="Java 17 or newer") as raised:
        require_java()
    if sys.platform == "linux":
        assert "sudo apt-get install openjdk-17-jre-headless" in str(raised.value)


def test_no_java_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is none"):
        require_java()


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "medspan.spark.dataframe", raising=False)
    monkeypatch.delitem(medspan.spark.__dict__, "annotate", raising=False)
    monkeypatch.setitem(sys.modules, "pyspark.sql.types", None)
    with pytest.raises(MissingExtraError, match=r'pip install "medspan\[spark\]"'):
        _ = medspan.spark.annotate
    with pytest.raises(AttributeError, match="no attribute 'anotate'"):
        _ = medspan.spark.anotate


def test_public_names_are_what_they_say_in_any_order():
    names = medspan.spark.__all__
    program = "import medspan.spark as s; print(*[type(getattr(s, n)).__name__ for n in {!r}])"
    for order in (names, names[::-1]):
        done = subprocess.run(
            [sys.executable, "-c", program.format(order)], capture_output=True, text=True, check=True
        )
        assert "module" not in done.stdout.split()

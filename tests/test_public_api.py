"""The names medspan offers are those it says it offers, and each leads somewhere."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import medspan

SOURCE = ast.parse(Path(medspan.__file__).read_text(encoding="utf-8"))


def names_for_editors() -> set[str]:
    """The names under ``if TYPE_CHECKING``, which editors and mypy read."""
    blocks = [node for node in SOURCE.body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def test_all_is_what_is_there():
    assert set(medspan.__all__) == names_for_editors() | {"__version__"}
    assert set(medspan.__all__) == set(medspan._HOME) | {"__version__"}
    assert sorted(medspan.__all__) == list(medspan.__all__)


@pytest.mark.parametrize("name", medspan.__all__)
def test_every_name_resolves_and_is_documented(name: str):
    value = getattr(medspan, name)
    assert value is getattr(medspan, name)
    if name != "__version__":
        assert value.__doc__
        assert value.__name__ == name
    assert name in dir(medspan)


def test_every_name_comes_from_where_editors_are_told():
    for node in ast.walk(SOURCE):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medspan."):
            for alias in node.names:
                assert medspan._HOME[alias.name] == node.module


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        medspan.lod  # noqa: B018 - reading it is the test


@pytest.mark.parametrize(
    "first", ["import medspan", "import medspan.evaluation", "import medspan.pipeline, medspan.report"]
)
def test_functions_are_not_shadowed_by_modules(first: str):
    program = f"{first}\nimport medspan\nassert all(callable(getattr(medspan, n)) for n in ('evaluate', 'load', 'read', 'write'))"
    source = str(Path(medspan.__file__).parent.parent)
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": source}, check=True)


def test_version_is_that_of_the_installed_package():
    try:
        installed = version("medspan")
    except ModuleNotFoundError:
        pytest.skip("medspan is run from its source folder, not installed")
    assert medspan.__version__ == installed

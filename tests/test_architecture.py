"""The design, held by the syntax trees of the source: layers, forbidden modules, sizes, import time."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import medspan

PACKAGE = Path(medspan.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# Imports point down only: a part may import parts of its own level or below.
LEVELS = {
    **dict.fromkeys(("types", "config", "toml", "errors", "shipped", "packaged"), 0),
    **dict.fromkeys(("text", "formats", "corpora", "tags", "metrics"), 1),
    "features": 2,
    "weak": 2,
    **dict.fromkeys(("model", "train"), 3),
    "tasks": 4,
    **dict.fromkeys(("pipeline", "jobs", "bench", "evaluation", "report", "study", "suggest", "project"), 5),
    **dict.fromkeys(("cli", "serve", "spark", "spacy", "__main__", "__init__"), 6),
}
VERBS_THAT_TRAIN = (
    *("train", "finetune", "distil", "export", "selftrain", "pretrain", "study", "terminology_learn"),
)
MAY_START_TRAINING = {*(f"cli/{verb}.py" for verb in VERBS_THAT_TRAIN), "spark/train.py"}

# Where a package from outside may be imported: path prefixes under src/medspan.
ONLY_IN = {
    **dict.fromkeys(("torch", "onnx", "gensim", "transformers"), ("train/",)),
    "huggingface_hub": ("train/hub",),
    "tokenizers": ("features/pieces", "train/"),
    "onnxruntime": ("model/",),
    "safetensors": ("model/", "train/"),
    "pyarrow": ("formats/arrow", "formats/parquet", "spark/"),
    "spacy": ("spacy/",),
    **dict.fromkeys(("pyspark", "pandas"), ("spark/",)),
    "py4j": (),
    "zstandard": ("formats/packing",),
    "typer": ("cli/",),
    **dict.fromkeys(("starlette", "uvicorn", "anyio", "prometheus_client"), ("serve/",)),
    "rich": ("cli/",),
    "numpy": (
        "features/",
        "model/",
        "train/",
        "tasks/",
        "metrics",
        "evaluation",
        "report",
        "pipeline",
        "bench",
        "cli/",
    ),
    "sqlite3": ("project/",),
    **dict.fromkeys(
        ("urllib.request", "http.client", "ssl", "ftplib", "requests", "httpx", "urllib3"),
        ("corpora/get",),
    ),
    "socket": ("corpora/get", "serve/server"),
}
FORBIDDEN_MODULES = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
FORBIDDEN_CALLS = {"print", "eval", "exec", "torch.load", "__import__"}

MOST_FILE_LINES = 450
MOST_FUNCTION_LINES = 60


class Import(NamedTuple):
    path: str
    line: int
    module: str
    is_deferred: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def called_name(node: ast.Call) -> str:
    """``"torch.load"`` of ``torch.load(x)``; empty where the call is of something unnamed."""
    match node.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
    return ""


def modules_of(node: ast.AST) -> list[str]:
    """Every module a node imports, those named in ``import_module("…")`` included."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0, names=names):
            return [module, *(f"{module}.{alias.name}" for alias in names)]
        case ast.Call(args=[ast.Constant(value=str(module)), *_]):
            return [module] if called_name(node).endswith("import_module") else []
    return []


def does_not_run_at_import(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def imports_of(path: Path) -> list[Import]:
    tree = parse(path)
    inner = {id(child) for node in ast.walk(tree) if does_not_run_at_import(node) for child in ast.walk(node)}
    return [
        Import(relative(path), getattr(node, "lineno", 0), module, id(node) in inner)
        for node in ast.walk(tree)
        for module in modules_of(node)
    ]


IMPORTS = [found for path in FILES for found in imports_of(path)]
CALLS = [
    (f"{relative(path)}:{node.lineno}", called_name(node), node)
    for path in FILES
    for node in ast.walk(parse(path))
    if isinstance(node, ast.Call)
]


def part_of(path_or_module: str) -> str:
    """``"cli"`` of ``"cli/main.py"``, ``"types"`` of ``"medspan.types.Span"``."""
    name = path_or_module.removeprefix("medspan.").removesuffix(".py")
    return name.replace("/", ".").split(".")[0]


def test_every_part_has_a_level():
    unknown = {part_of(relative(path)) for path in FILES} - set(LEVELS)
    assert not unknown, f"give {unknown} a level in LEVELS (DESIGN: layers)"


def test_imports_point_down_only():
    inner = [found for found in IMPORTS if found.module.startswith("medspan.")]
    assert inner
    wrong = [
        str(found)
        for found in inner
        if part_of(found.module) in LEVELS  # `from medspan import __version__` names no part
        and LEVELS[part_of(found.module)] > LEVELS[part_of(found.path)]
    ]
    assert wrong == []


def test_relative_imports_are_not_used():
    wrong = [
        f"{relative(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert wrong == []


def test_only_verbs_that_train_import_training_and_only_when_called():
    wrong = [
        str(found)
        for found in IMPORTS
        if f"{found.module}.".startswith("medspan.train.")
        and not found.path.startswith("train/")
        and not (found.path in MAY_START_TRAINING and found.is_deferred)
    ]
    assert wrong == []


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_outside_packages_stay_in_their_folder(package: str):
    wrong = [
        str(found)
        for found in IMPORTS
        if f"{found.module}.".startswith(f"{package}.") and not found.path.startswith(ONLY_IN[package])
    ]
    assert wrong == []


def test_extras_of_formats_are_imported_only_when_used():
    extras = [
        found
        for found in IMPORTS
        if found.module.split(".")[0] in {"pyarrow", "zstandard"} and not found.path.startswith("spark/")
    ]
    assert extras
    assert [str(found) for found in extras if not found.is_deferred] == []


def test_no_module_that_runs_code_from_data():
    assert [str(found) for found in IMPORTS if found.module.split(".")[0] in FORBIDDEN_MODULES] == []


def test_no_forbidden_calls():
    assert [f"{place} calls {name}" for place, name, _ in CALLS if name in FORBIDDEN_CALLS] == []


def test_numpy_never_unpickles():
    wrong = [
        place
        for place, _, node in CALLS
        for keyword in node.keywords
        if keyword.arg == "allow_pickle"
        and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    ]
    assert wrong == []


def test_files_stay_short():
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_FILE_LINES} == {}


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring aside."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str())) as docstring:
            return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1)
    return lines


def test_functions_stay_short():
    lengths = {
        f"{relative(path)}:{node.lineno} {node.name}": length_of(node)
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {place: lines for place, lines in lengths.items() if lines > MOST_FUNCTION_LINES} == {}


def test_import_is_light_and_quick():
    program = (
        "import sys, time; before = time.perf_counter(); import medspan; "
        "print(time.perf_counter() - before, *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    seconds = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        took, *modules = done.stdout.split()
        seconds.append(float(took))
        assert not {"numpy", "onnxruntime", "torch", "msgspec", "typer", "rich"} & set(modules)
    assert min(seconds) < 0.3

"""The verb ``info``."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from medspan import __version__
from medspan.errors import ModelError
from medspan.packaged import model_names, named_model
from medspan.shipped import shipped_starts

if TYPE_CHECKING:
    from medspan.model.spec import ModelSpec
    from medspan.model.store import StoredModel

# The packages of pyproject.toml's dependencies and extras; a test holds that they agree.
NEEDED = ("numpy", "onnxruntime", "safetensors", "msgspec", "typer", "rich")
EXTRAS = {
    "train": ("torch", "onnx", "gensim", "transformers", "tokenizers"),
    "transformer": ("tokenizers",),
    "arrow": ("pyarrow", "zstandard"),
    "spacy": ("spacy",),
    "deid": ("cryptography", "faker"),
    "serve": ("starlette", "uvicorn", "httptools", "uvloop", "prometheus-client"),
    "spark": ("pyspark", "pyarrow", "pandas"),
}


def info(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A model or pretrained folder, or the name of one."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write it as JSON.")] = False,
) -> None:
    """Show versions, models and extras, or describe a model."""
    if model is not None and (start := _pretrained_folder(model)):
        _show_pretrained(start, as_json=as_json)
        return
    facts = describe_installation() if model is None else describe_model(model)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(facts), indent=2).decode())
    else:
        typer.echo("\n".join(_installation_lines(facts) if model is None else _model_lines(facts)))


def describe_installation() -> dict[str, Any]:
    """Versions, models, extras with their missing packages, and the folder of corpora."""
    data = os.environ.get("MEDSPAN_DATA", "")
    models, broken = _models()
    return {
        "medspan": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version_of(name) for name in NEEDED},
        "models": models,
        "broken_models": broken,
        "starts": {name: str(path) for name, path in shipped_starts().items()},
        "extras": {
            extra: {
                "packages": {name: version_of(name) for name in names},
                "missing": [name for name in names if version_of(name) is None],
                "install": f'pip install "medspan[{extra}]"',
            }
            for extra, names in EXTRAS.items()
        },
        "corpora": {"MEDSPAN_DATA": data or None, "is_there": bool(data) and Path(data).is_dir()},
    }


def _models() -> tuple[dict[str, str], dict[str, str]]:
    """Folders of the models that have a name, and what is wrong where a package is broken."""
    folders, broken = {}, {}
    for name in model_names():
        try:
            folders[name] = str(named_model(name))
        except ModelError as error:
            broken[name] = str(error)
    return folders, broken


def _pretrained_folder(name: str) -> Path | None:
    """The folder of a pretrained encoder by name or path, or None where it is something else."""
    from medspan.model.pretrained import is_pretrained  # noqa: PLC0415 - numpy only where it is asked for

    folder = shipped_starts().get(name, Path(name))
    return folder if named_model(name) is None and is_pretrained(folder) else None


def _show_pretrained(folder: Path, *, as_json: bool) -> None:
    """Say what a pretrained encoder is: its config, or its card.

    Raises:
        ModelError: if a file is damaged.
    """
    from medspan.model.pretrained import open_pretrained  # noqa: PLC0415 - as above

    stored = open_pretrained(folder)
    files = {name: len(stored.read(name)) for name in stored.spec.files}
    if as_json:
        facts = {"folder": str(folder), "bytes": sum(files.values()), **msgspec.to_builtins(stored.spec)}
        typer.echo(msgspec.json.format(msgspec.json.encode(facts), indent=2).decode())
        return
    typer.echo(f"{folder} ({sum(files.values()) / 1e6:.1f} MB)\n\n{stored.read('README.md').decode()}")


def version_of(package: str) -> str | None:
    """The installed version of a package, found without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def describe_model(name: str) -> dict[str, Any]:
    """What a model folder says of itself.

    Raises:
        ModelError: if there is no such model, or its files are damaged.
    """
    from medspan.model.store import CONFIG, open_model  # noqa: PLC0415 - numpy only where a model is asked for
    from medspan.pipeline import find_model  # noqa: PLC0415 - as above

    stored = open_model(find_model(name))
    names = (CONFIG, *stored.spec.files)
    return {
        **_facts_of(stored.spec),
        "folder": str(stored.path),
        "bytes": sum((stored.path / file).stat().st_size for file in names if (stored.path / file).exists()),
        "can_be_trained_on": "model.safetensors" in stored.spec.files,
        "problems": stored.problems(),
        "metrics": _metrics(stored),
    }


def _facts_of(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "description": spec.description,
        "language": spec.language,
        "licence": spec.licence,
        "labels": list(spec.labels),
        "heads": {
            head.name: {"labels": list(head.labels), "kind": head.kind, "corpora": list(head.corpora)}
            for head in spec.heads
        },
        "encoder": spec.encoder.kind,
        "made": {"medspan": spec.provenance.medspan, "date": spec.provenance.date},
        "corpora": {corpus.name: corpus.licence for corpus in spec.provenance.corpora},
    }


def _metrics(stored: StoredModel) -> Any:  # noqa: ANN401 - whatever JSON the model carries
    if "metrics.json" not in stored.spec.files:
        return None
    try:
        return msgspec.json.decode(stored.read("metrics.json"))
    except msgspec.DecodeError:
        return None


def _installation_lines(facts: dict[str, Any]) -> list[str]:
    lines = [f"medspan {facts['medspan']}   Python {facts['python']}   {facts['platform']}"]
    lines += [f"  {name:14}{found or 'MISSING'}" for name, found in facts["packages"].items()]
    lines += ["", "Models that are installed (medspan info NAME tells more):"]
    lines += [f"  {name:14}{path}" for name, path in facts["models"].items()] or ["  none"]
    lines += [f"  {name:14}BROKEN: {problem}" for name, problem in facts["broken_models"].items()]
    lines += ["", "Pretrained encoders to start from (medspan train RECIPE --from NAME):"]
    lines += [f"  {name:14}{path}" for name, path in facts["starts"].items()] or ["  none"]
    lines += ["", "Extras:"]
    for extra, found in facts["extras"].items():
        missing = ", ".join(found["missing"])
        state = f"missing {missing}; to install: {found['install']}" if missing else "installed"
        lines.append(f"  {extra:14}{state}")
    corpora = facts["corpora"]
    folder = corpora["MEDSPAN_DATA"]
    state = "" if corpora["is_there"] else " (there is no such folder)"
    lines += ["", f"Public corpora: {folder}{state}" if folder else "Public corpora: MEDSPAN_DATA is not set"]
    return lines


def _model_lines(facts: dict[str, Any]) -> list[str]:
    lines = [f"{facts['name']}: {facts['description']}" if facts["description"] else facts["name"]]
    rows = {
        "folder": facts["folder"],
        "size": f"{facts['bytes'] / 1e6:.1f} MB",
        "language": facts["language"],
        "licence": facts["licence"],
        "encoder": facts["encoder"],
        "made": f"{facts['made']['date']} with medspan {facts['made']['medspan']}",
        "can be trained on": "yes" if facts["can_be_trained_on"] else "no (it has no model.safetensors)",
    }
    lines += [f"  {name:19}{value}" for name, value in rows.items()]
    lines += ["", "Labels, by head:"]
    for name, head in facts["heads"].items():
        lines.append(
            f"  {name:19}{', '.join(head['labels'])}  ({head['kind']}; {', '.join(head['corpora'])})"
        )
    if facts["corpora"]:
        lines += ["", "Trained on:"]
        lines += [f"  {name:19}{licence}" for name, licence in facts["corpora"].items()]
    if facts["metrics"] is not None:
        lines += ["", "Scores and speed, as recorded with the model:"]
        lines += [f"  {name}: {value}" for name, value in _leaves(facts["metrics"])]
    if facts["problems"]:
        lines += ["", "PROBLEMS:", *(f"  {problem}" for problem in facts["problems"])]
    return lines


def _leaves(value: Any, path: str = "") -> list[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """Every number and word of nested JSON with its dotted name; a score with its parts is one line."""
    if isinstance(value, dict) and "f1" in value:
        parts = [
            f"{name} {_text(each)}" for name, each in value.items() if name not in {"f1", "tp", "fp", "fn"}
        ]
        return [(path, f"F1 {_text(value['f1'])}" + (f"  ({', '.join(parts)})" if parts else ""))]
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in _leaves(each, f"{path}.{key}".lstrip("."))]
    return [(path, _text(value))]


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return " to ".join(map(_text, value)) if len(value) == 2 else ", ".join(map(_text, value))  # noqa: PLR2004 - an interval
    return f"{value:.3f}" if isinstance(value, float) else str(value)

"""A trained model put into the package of its own that it is built from.

    PYTHONPATH=src python -m tools.ship_model FOLDER models/accurate

Copies what annotating needs and what tells about the model, not what only training would read. The model is
proved first: its golden texts are replayed. It takes the name the package gives it. Refused are a model above
20 MB, and one under another licence than the package's pyproject.toml states.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medspan.errors import MedspanError, ModelError
from medspan.model.golden import replay
from medspan.model.store import open_model, save_model
from medspan.packaged import GROUP

if TYPE_CHECKING:
    from medspan.model.store import StoredModel

MOST_BYTES = 20_000_000
PIECES = re.compile(r"medspan *\[[^]]*\btransformer\b")
ONLY_FOR_TRAINING = {"model.safetensors"}
CARD = "README.md"


class Package(NamedTuple):
    """What a pyproject.toml says: the model's name and folder, the licence of its weights, its needs."""

    name: str
    folder: Path
    licence: str
    needs: tuple[str, ...]


def main(arguments: list[str] | None = None) -> int:
    """Open, check, copy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a model folder")
    parser.add_argument("package", type=Path, help="the folder of the package, e.g. models/accurate")
    options = parser.parse_args(arguments)
    try:
        size = ship(options.folder, package := package_of(options.package))
    except MedspanError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{package.folder}: model {package.name}, {size / 1e6:.1f} MB")
    return 0


def package_of(root: Path) -> Package:
    """Read the pyproject.toml of a package of one model.

    Raises:
        ModelError: if it is not one.
    """
    path = root / "pyproject.toml"
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        ((name, dotted),) = project["entry-points"][GROUP].items()
        folder = root.joinpath("src", *dotted.split("."))
        return Package(name, folder, project["license"], tuple(project["dependencies"]))
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: not of a package of one model ({error!r})") from None


def ship(folder: Path, package: Package) -> int:
    """Write the model into the package, and return its bytes.

    Raises:
        ModelError: if it is not sound, too large, under another licence, or needs what the package does not.
    """
    model = open_model(folder)
    if problems := replay(folder):
        raise ModelError("\n".join(problems))
    if model.spec.licence != package.licence:
        raise ModelError(
            f"{folder}: the licence of the weights is {model.spec.licence}, that of the package "
            f"{package.licence}; one of them must be mended"
        )
    if model.spec.encoder.kind == "transformer" and not any(map(PIECES.match, package.needs)):
        raise ModelError(
            f"{folder}: reads word pieces, which plain medspan cannot; let the package depend on "
            "medspan[transformer] instead of medspan"
        )
    files = _files(model, package.name)
    spec = model.spec.replace(name=package.name)
    size = sum(map(len, files.values())) + len(spec.to_json())
    if size > MOST_BYTES:
        raise ModelError(f"{folder}: {size / 1e6:.1f} MB; a package may hold {MOST_BYTES / 1e6:.0f} MB")
    save_model(package.folder, spec, files)
    return size


def _files(model: StoredModel, name: str) -> dict[str, bytes]:
    files = {each: model.read(each) for each in model.spec.files if each not in ONLY_FOR_TRAINING}
    if CARD in files:
        files[CARD] = files[CARD].replace(f"# {model.spec.name}\n".encode(), f"# {name}\n".encode(), 1)
    return files


if __name__ == "__main__":
    sys.exit(main())

"""Installed packages that offer models, made by hand: ``from model_packages import offer``."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from medspan.packaged import GROUP

if TYPE_CHECKING:
    from pathlib import Path


def offer(site: Path, package: str, name: str, value: str, *, model: Path | None = None) -> Path:
    """Put a package and what pip notes of it into a folder of packages; its code must never run.

    Args:
        site: the folder of packages.
        package: the name of the distribution; its module is the same with ``_``.
        name: of the entry point.
        value: of the entry point, a dotted path.
        model: the model folder to be copied to where ``value`` says.

    Returns:
        The folder ``value`` says.
    """
    module = site / package.replace("-", "_")
    module.mkdir(parents=True)
    (module / "__init__.py").write_text("raise RuntimeError('the code of a model package was run')\n")
    notes = site / f"{package.replace('-', '_')}-1.0.dist-info"
    notes.mkdir()
    (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (notes / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {value}\n")
    folder = site.joinpath(*value.split("."))
    if model is not None:
        shutil.copytree(model, folder, dirs_exist_ok=True)
    return folder

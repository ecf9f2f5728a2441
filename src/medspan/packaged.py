"""Models by name: those that come with medspan, and those of packages of their own.

A package offers models in the entry point group ``medspan.models``: the name of an entry point is the
model's, its value the dotted path of the folder with ``config.json``, for example
``accurate = "medspan_accurate.model"``. The folder is looked up, never imported: no code of a package is run.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from medspan.errors import ModelError
from medspan.shipped import shipped_models

GROUP = "medspan.models"
OURS = {"accurate": "medspan-accurate"}
"""Models of medspan that come in a package of their own, name → package."""

_CONFIG = "config.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SOURCE = Path(__file__).resolve().parents[1]


def named_model(name: str) -> Path | None:
    """The folder of a model by its name, or None where no model has it.

    What comes with medspan wins over what a clone holds, and that over what is installed.

    Raises:
        ModelError: if the package that offers it has no model there, or two packages offer it.
    """
    if not _NAME.fullmatch(name):  # a path: the installed packages need not be read
        return None
    return shipped_models().get(name) or clone_models().get(name) or _installed_model(name)


def model_names() -> list[str]:
    """Every name a model has, sorted: shipped, in the clone, installed."""
    return sorted({*shipped_models(), *clone_models(), *(point.name for point in _offers())})


def missing_package(name: str) -> ModelError | None:
    """What to say where a model of ours is asked for and its package is not there; None for other names."""
    if name not in OURS:
        return None
    return ModelError(
        f"the model {name!r} comes in a package of its own, which is not installed; "
        f"get it with: pip install {OURS[name]}, or in a clone: pip install ./models/{name}"
    )


def clone_models() -> dict[str, Path]:
    """Models of ``models/`` beside ``src/``, where medspan runs from a clone; name → folder."""
    if _SOURCE.name != "src" or not (_SOURCE.parent / "pyproject.toml").is_file():
        return {}
    found = sorted((_SOURCE.parent / "models").glob(f"*/src/*/model/{_CONFIG}"))
    return {path.parents[3].name: path.parent for path in found}


def _offers() -> list[EntryPoint]:
    """What installed packages offer; a name that could be a path is left out."""
    return [point for point in entry_points(group=GROUP) if _NAME.fullmatch(point.name)]


def _installed_model(name: str) -> Path | None:
    offers = [point for point in _offers() if point.name == name]
    if not offers:
        return None
    if len(offers) > 1:
        packages = " and ".join(sorted(map(_package_of, offers)))
        raise ModelError(f"the model {name!r} is offered by {packages}; uninstall all but one of them")
    folder = _folder_of(offers[0].value)
    if folder is None:
        raise ModelError(
            f"the model {name!r} is offered by {_package_of(offers[0])}, but there is no {_CONFIG} in "
            f"{offers[0].value!r}; install the package again, or tell those who made it"
        )
    return folder


def _package_of(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist else offer.value


def _folder_of(dotted: str) -> Path | None:
    """The folder of a dotted path that holds a model; only its first part is asked of the import system.

    To ask for more would run the code of the parts before.
    """
    first, *inner = dotted.split(".")
    if not all(part.isidentifier() for part in (first, *inner)):
        return None
    try:
        spec = find_spec(first)
    except (ImportError, ValueError):  # ValueError: a module of that name was made by hand
        return None
    places = spec.submodule_search_locations if spec else None
    folders = (Path(place, *inner) for place in places or ())
    return next((folder for folder in folders if (folder / _CONFIG).is_file()), None)

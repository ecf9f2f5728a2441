"""Models that annotate together: one that goes beside another adds its entities to those of the other."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from medspan.errors import ModelError, UsageError, did_you_mean
from medspan.model.store import CONFIG, open_model
from medspan.packaged import missing_package, named_model

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from medspan.model.store import StoredModel


def company(folder: Path | str) -> list[StoredModel]:
    """The model of a folder, after the one it goes beside, if it names one.

    Raises:
        ModelError: if one of them is damaged, the other is not installed, or goes beside a third itself.
    """
    model = open_model(folder)
    name = model.spec.beside
    if not name:
        return [model]
    place = named_model(name)
    if place is None:
        raise missing_package(name) or ModelError(
            f"{model.path}: goes beside the model {name!r}, which is not installed"
        )
    other = open_model(place)
    if other.spec.beside:
        raise ModelError(f"{model.path}: goes beside {name!r}, which goes beside another model itself")
    return [other, model]


def labels_of(models: Sequence[StoredModel]) -> tuple[str, ...]:
    """All labels of some models, each once, in order."""
    return tuple(dict.fromkeys(label for model in models for label in model.spec.labels))


def check_labels(models: Sequence[StoredModel], wanted: Collection[str]) -> None:
    """Refuse a label that none of the models finds.

    Raises:
        UsageError: naming it.
    """
    known = labels_of(models)
    for label in wanted:
        if label not in known:
            name = models[-1].spec.name
            raise UsageError(f"model {name!r} finds no {label!r}; {did_you_mean(label, known)}")


def config_digest(models: Sequence[StoredModel]) -> str:
    """SHA-256 of the ``config.json`` of each, which holds the digests of its files."""
    configs = [(model.path / CONFIG).read_bytes() for model in models]
    return hashlib.sha256(b"".join(configs)).hexdigest()

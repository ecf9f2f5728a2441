"""What becomes of each label: a TOML file, in which every label stands."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from medspan.errors import ConfigError, did_you_mean
from medspan.tasks.deid.labels import LABELS
from medspan.tasks.deid.terms import data_text
from medspan.toml import convert, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

Action = Literal["redact", "mask", "hash", "surrogate", "generalise", "keep"]

SHIPPED = ("redact", "surrogate")
GENERALISED: Mapping[str, str] = MappingProxyType(
    {
        "DATE": "the year",
        "AGE": "90+",
        "ZIP": "the first three digits, 000 for areas of few people",
        "LOCATION": "a state or country stays, anything else goes",
        "IP": "the first half",
    }
)
"""Labels that can be told less exactly, and what stays of them."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What becomes of each label.

    Args:
        labels: an action for each of `LABELS`.
        mask: the character that ``mask`` writes for each letter and digit.
        hash_length: hexadecimal digits of a ``hash``.
        language: of surrogates: ``en``, ``es`` or ``sv``.
        patient: the key of a document's meta that names its patient; without one a text is a patient.
        max_shift_days: a patient's days move by 1 to so many days.
        keep_weekdays: move them by whole weeks.
        date_order: how 03/04/2021 is read.
        ids: ids of documents: ``keep``, ``hash``, or ``auto``: hash those that hold something found.
        keep_meta: keys of a document's meta that stay; all others go.
        model_labels: labels of a model → labels here; "" for those to leave out.

    Raises:
        ConfigError: if a label is missing or unknown, or an action cannot be.
    """

    labels: dict[str, Action]
    mask: Annotated[str, Meta(min_length=1, max_length=1)] = "*"
    hash_length: Annotated[int, Meta(ge=8, le=64)] = 16
    language: Literal["en", "es", "sv"] = "en"
    patient: str | None = None
    max_shift_days: Annotated[int, Meta(ge=7, le=36500)] = 364
    keep_weekdays: bool = False
    date_order: Literal["mdy", "dmy"] = "mdy"
    ids: Literal["auto", "keep", "hash"] = "auto"
    keep_meta: tuple[str, ...] = ()
    model_labels: dict[str, str] = {}

    def __post_init__(self) -> None:
        check_policy(self, "policy")


def check_policy(policy: Policy, where: str) -> None:
    """Refuse a policy that leaves a label out.

    Raises:
        ConfigError: naming ``where`` and the labels.
    """
    for label in policy.labels:
        if label not in LABELS:
            raise ConfigError(f"{where}: labels.{label}: no such label; {did_you_mean(label, LABELS)}")
    if missing := [label for label in LABELS if label not in policy.labels]:
        raise ConfigError(
            f"{where}: labels: {', '.join(missing)} missing; say for every label what becomes of it "
            "(redact, mask, hash, surrogate, generalise or keep)"
        )
    for label, action in policy.labels.items():
        if action == "generalise" and label not in GENERALISED:
            raise ConfigError(
                f"{where}: labels.{label}: cannot be generalised; that is for {', '.join(GENERALISED)}"
            )


def load_policy(name: str | Path) -> Policy:
    """A policy of the package by name (``redact``, ``surrogate``), or a file.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    if isinstance(name, str) and name in SHIPPED:
        import tomllib  # noqa: PLC0415 - a user's file is read by medspan.toml

        return _policy(tomllib.loads(data_text(f"{name}.toml")), name)
    path = Path(name)
    if not path.exists():
        raise ConfigError(f"{name}: no such policy; give {', '.join(SHIPPED)} or the path of a .toml file")
    return _policy(read_toml(path), str(name))


def _policy(raw: dict[str, Any], where: str) -> Policy:
    try:
        return convert(raw, Policy, where)
    except ConfigError as error:
        text = str(error)
        raise ConfigError(
            text if text.startswith(where) else f"{where}: {text.removeprefix('policy: ')}"
        ) from None

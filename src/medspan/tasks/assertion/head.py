"""The trained head: a log-linear model over `features_of`, read from a JSON file of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from medspan.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = 1


class HeadFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A head as a file.

    Attributes:
        format: of this file.
        labels: assertions, ``present`` first.
        weights: by feature, a weight for each label.
        provenance: corpora with their licences, settings, date.
    """

    format: int
    labels: list[str]
    weights: dict[str, list[float]]
    provenance: dict[str, str] = {}


class Head:
    """Probabilities of assertions by the features of an entity.

    Args:
        path: the file.

    Raises:
        ModelError: if it is damaged or of another format.
    """

    def __init__(self, path: Path) -> None:
        try:
            value = msgspec.json.decode(path.read_bytes(), type=HeadFile)
        except (OSError, msgspec.DecodeError) as error:
            raise ModelError(
                f"{path}: not an assertion head ({error}); train it again or install medspan anew"
            ) from None
        if value.format != FORMAT or any(len(row) != len(value.labels) for row in value.weights.values()):
            raise ModelError(f"{path}: an assertion head of another format; train it again with this medspan")
        self.labels = tuple(value.labels)
        self.provenance = value.provenance
        self._rows = {feature: row for row, feature in enumerate(value.weights)}
        self._weights = np.array(list(value.weights.values()), dtype=np.float64).reshape(
            -1, len(value.labels)
        )

    def probabilities(self, features: Sequence[str]) -> dict[str, float]:
        """The probability of each assertion; they sum to 1."""
        rows = [row for feature in features if (row := self._rows.get(feature)) is not None]
        sums = self._weights[rows].sum(axis=0)
        parts = np.exp(sums - sums.max())
        return dict(zip(self.labels, (parts / parts.sum()).tolist(), strict=True))

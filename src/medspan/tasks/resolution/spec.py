"""The config of an index folder: what it was built from, and the digests of its arrays."""

from __future__ import annotations

from typing import Final

import msgspec

from medspan.errors import ModelError

FORMAT: Final = 2
CONFIG: Final = "config.json"


class Source(msgspec.Struct, frozen=True):
    """A file, or a corpus, whose names an index holds."""

    name: str
    format: str
    sha256: str
    names: int
    bad_lines: int = 0
    licence: str = "not stated"


class Unit(msgspec.Struct, frozen=True):
    """A hidden unit: ``out`` times the hyperbolic tangent of a weighted sum and a constant."""

    weights: dict[str, float]
    constant: float
    out: float


class Scoring(msgspec.Struct, frozen=True):
    """How a candidate is scored: a weighted sum of its features, and of hidden units that cross them."""

    weights: dict[str, float]
    hidden: tuple[Unit, ...] = ()


class Ranking(msgspec.Struct, frozen=True):
    """How candidates are ranked, each part once for names met exactly and once for others.

    ``met`` and ``near`` score them; ``met_curve`` and ``near_curve`` turn the score of the best candidate and
    its lead into a probability (a logistic curve: weight of the score, weight of the lead, constant).
    ``none_below`` is the probability under which no concept is given.
    """

    met: Scoring
    near: Scoring
    met_curve: tuple[float, float, float]
    near_curve: tuple[float, float, float]
    none_below: float
    learnt_from: tuple[str, ...] = ()


class IndexSpec(msgspec.Struct, frozen=True):
    """``config.json`` of an index folder; ``labels`` are those of the entities it is for, all where empty."""

    format: int
    name: str
    names: int
    concepts: int
    sources: tuple[Source, ...]
    prefix: str
    ranking: Ranking
    encoder_width: int
    arrays: dict[str, str]
    labels: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """The same bytes for the same index."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1) + b"\n"


class _Version(msgspec.Struct):
    format: int


def parse_index_spec(data: bytes, place: str) -> IndexSpec:
    """Read a config.

    Raises:
        ModelError: if it is not the config of an index, or one of a newer medspan.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).format
        if version != FORMAT:
            raise ModelError(
                f"{place}: index format {version}, and this medspan reads {FORMAT}; build it anew"
            )
        return msgspec.json.decode(data, type=IndexSpec)
    except msgspec.MsgspecError as error:
        raise ModelError(f"{place}: not the config of an index ({error}); build it anew") from None

"""Gradient conflict between corpora, read from the log of a run that measured it."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import FormatError, UsageError
from medspan.study.structs import Conflict

if TYPE_CHECKING:
    from pathlib import Path

LOG = "metrics.jsonl"


class _Row(msgspec.Struct):
    """The part of a log row that matters here: cosines by ``a|b``."""

    conflict: dict[str, float] | None = None


def read_conflicts(path: Path) -> tuple[Conflict, ...]:
    """The mean cosine of each pair of corpora over the rows that have it, in order of name.

    Args:
        path: a ``metrics.jsonl``, a run folder, or a model folder beside which its run folder stands.

    Raises:
        UsageError: if there is no log.
        FormatError: if a line of it is no log row.
    """
    log = _find_log(path)
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for number, line in enumerate(log.read_bytes().splitlines(), start=1):
        try:
            row = msgspec.json.decode(line, type=_Row)
        except msgspec.DecodeError:
            raise FormatError(log, number, "is no row of a training log", "name another run") from None
        for pair, cosine in (row.conflict or {}).items():
            first, bar, second = pair.partition("|")
            if not bar:
                raise FormatError(log, number, f"conflict {pair!r} is no pair a|b", "name another run")
            found[min(first, second), max(first, second)].append(cosine)
    return tuple(Conflict(*pair, fmean(values), len(values)) for pair, values in sorted(found.items()))


def _find_log(path: Path) -> Path:
    places = (path, path / LOG, path.with_name(f"{path.name}.run") / LOG)
    log = next((place for place in places if place.is_file()), None)
    if log is None:
        raise UsageError(f"{path}: has no {LOG}; name the run folder of a training, MODEL.run")
    return log

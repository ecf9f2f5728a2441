"""Percentile bootstrap intervals of strict scores, resampling documents (Efron & Tibshirani 1993)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

FEWEST_DOCUMENTS = 2
_BLOCK = 2_000_000  # weights held at once: keeps a resampling of 100,000 sentences below 20 MB


class Interval(msgspec.Struct, frozen=True):
    """The middle 95 % of the resampled scores."""

    low: float
    high: float


class StrictIntervals(msgspec.Struct, frozen=True):
    """Intervals of the micro scores, of macro F1, and of F1 per label; None where nothing was to be found."""

    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    macro_f1: Interval | None
    label_f1: tuple[Interval | None, ...]


def bootstrap(
    counts: Sequence[Sequence[tuple[int, int, int]]], *, seed: int, resamples: int
) -> StrictIntervals:
    """95 % intervals by drawing as many documents as there are, with replacement.

    One document cannot be resampled: fewer than two give no intervals. A resample in which a quotient has
    nothing to divide by says nothing about it and is left out.

    Args:
        counts: (documents, labels) triples of true positives, false positives, false negatives.
        seed: of the random draw; the same seed gives the same intervals.
        resamples: how many draws; 0 gives no intervals.
    """
    import numpy as np  # noqa: PLC0415 - keeps `import medspan` free of numpy

    labels = len(counts[0]) if counts else 0
    if len(counts) < FEWEST_DOCUMENTS or resamples < 1 or not labels:
        return StrictIntervals(None, None, None, None, (None,) * labels)
    table = np.asarray(counts, dtype=np.float64).reshape(len(counts), labels * 3)
    drawn = _resample(table, seed, resamples).reshape(resamples, labels, 3)
    tp, fp, fn = (drawn[:, :, column] for column in range(3))
    label_f1 = _divide(2 * tp, 2 * tp + fp + fn)
    tp_all, fp_all, fn_all = (column.sum(axis=1) for column in (tp, fp, fn))
    known = ~np.isnan(label_f1)
    return StrictIntervals(
        precision=_interval(_divide(tp_all, tp_all + fp_all)),
        recall=_interval(_divide(tp_all, tp_all + fn_all)),
        f1=_interval(_divide(2 * tp_all, 2 * tp_all + fp_all + fn_all)),
        macro_f1=_interval(_divide(np.where(known, label_f1, 0.0).sum(axis=1), known.sum(axis=1))),
        label_f1=tuple(_interval(label_f1[:, label]) for label in range(labels)),
    )


def _resample(table: NDArray[np.float64], seed: int, resamples: int) -> NDArray[np.float64]:
    """Sums over resampled documents; (documents, columns) → (resamples, columns).

    Counts are whole numbers far below 2**53, so the sums are exact whatever the order of additions.
    """
    import numpy as np  # noqa: PLC0415 - keeps `import medspan` free of numpy

    random = np.random.default_rng(seed)
    documents = len(table)
    block = max(1, _BLOCK // documents)
    sums = []
    for first in range(0, resamples, block):
        rows = min(block, resamples - first)
        weights = np.empty((rows, documents))
        for row in range(rows):
            weights[row] = np.bincount(random.integers(documents, size=documents), minlength=documents)
        sums.append(weights @ table)
    return np.concatenate(sums)


def _divide(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415 - keeps `import medspan` free of numpy

    quotients: NDArray[np.float64] = np.full(part.shape, np.nan)
    np.divide(part, whole, out=quotients, where=whole > 0)
    return quotients


def _interval(scores: NDArray[np.float64]) -> Interval | None:
    import numpy as np  # noqa: PLC0415 - keeps `import medspan` free of numpy

    known = scores[~np.isnan(scores)]
    if not len(known):
        return None
    low, high = np.percentile(known, (2.5, 97.5))
    return Interval(float(low), float(high))


def gain_interval(
    after: Sequence[Sequence[tuple[int, int, int]]],
    before: Sequence[Sequence[tuple[int, int, int]]],
    *,
    seed: int,
    resamples: int,
) -> Interval | None:
    """The middle 95 % of the difference of mean micro F1, paired: documents and runs drawn with replacement.

    Args:
        after: for each run, true positives, false positives and false negatives of each document.
        before: the same of what it is compared with, runs and documents in the same order.
        seed: of the random draw.
        resamples: how many draws; 0, or fewer than two documents, give no interval.
    """
    gains = _resampled_gains(after, before, seed=seed, resamples=resamples)
    return None if gains is None else _interval(gains)


def gain_error(
    after: Sequence[tuple[int, int, int]],
    before: Sequence[tuple[int, int, int]],
    *,
    seed: int,
    resamples: int,
) -> float:
    """The standard error of a difference of micro F1, paired: documents drawn with replacement.

    Args:
        after: true positives, false positives and false negatives of each document.
        before: the same of what it is compared with, documents in the same order.
        seed: of the random draw.
        resamples: how many draws; 0, or fewer than two documents, give an error of 0.
    """
    gains = _resampled_gains([after], [before], seed=seed, resamples=resamples)
    return 0.0 if gains is None else float(gains.std())


def _resampled_gains(
    after: Sequence[Sequence[tuple[int, int, int]]],
    before: Sequence[Sequence[tuple[int, int, int]]],
    *,
    seed: int,
    resamples: int,
) -> NDArray[np.float64] | None:
    import numpy as np  # noqa: PLC0415 - keeps `import medspan` free of numpy

    tables = [np.asarray(counts, dtype=np.float64) for counts in (after, before)]
    runs = len(tables[0])
    if not runs or tables[0].shape[1] < FEWEST_DOCUMENTS or resamples < 1:
        return None
    # runs beside one another as columns, so that all see the same documents: (documents, 2 * runs * 3)
    wide = np.concatenate([table.transpose(1, 0, 2).reshape(table.shape[1], -1) for table in tables], axis=1)
    drawn = _resample(wide, seed, resamples).reshape(resamples, 2, runs, 3)
    tp, fp, fn = (drawn[..., column] for column in range(3))
    f1 = np.nan_to_num(_divide(2 * tp, 2 * tp + fp + fn))
    chosen = np.random.default_rng(seed).integers(runs, size=(resamples, runs))
    gains: NDArray[np.float64] = np.take_along_axis(f1[:, 0] - f1[:, 1], chosen, axis=1).mean(axis=1)
    return gains

"""Emissions → labelled word ranges with confidences: the only decoder of the project.

Viterbi (Viterbi 1967) finds the best legal IOBES path; forward-backward (Rabiner 1989) gives the
probability of each labelled range on it, as the constrained forward algorithm of Culotta and McCallum
(2004) does. All rows of a batch, and all heads with equally many tags, advance together, word by word.

A row's result has the same bits whatever its neighbours and padding are: rows only meet in elementwise
operations and in reductions over the leading axis, which numpy adds in order. No BLAS call sums here.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medspan.errors import ModelError
from medspan.tags import iobes_tags, may_end, may_follow, may_start, split_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from medspan.tags import Chunk

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

ScoredChunk = tuple[int, int, str, float]
DevBatch = tuple["NDArray[np.float32]", "NDArray[np.int64]", "Sequence[Sequence[Chunk]]"]
TEMPERATURES = (0.3, 5.0)
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


class HeadChunk(NamedTuple):
    """A labelled range of words ``[first, stop)`` that a head found in a row of a batch, and how sure."""

    head: int
    row: int
    first: int
    stop: int
    label: str
    score: float


class TagDecoder:
    """The decoder of one head.

    Illegal starts, transitions and ends get minus infinity, so no emission, however large, lets an
    illegal path win.

    Args:
        tags: IOBES tags as ``medspan.tags.iobes_tags`` orders them, ``O`` first.
        transitions: float (tags, tags), from row to column; None (a softmax head) for zeros.
        start: float (tags,), added to the first word; None for zeros.
        end: float (tags,), added to the last word; None for zeros.
        temperature: divides emissions and transitions for the scores; the path does not depend on it.

    Raises:
        ModelError: if the tags are not IOBES, a shape does not fit them, a value is not finite, or the
            temperature is not positive.
    """

    __slots__ = ("_margins", "end", "labels", "start", "tags", "temperature", "transitions")

    def __init__(
        self,
        tags: Sequence[str],
        transitions: ArrayLike | None = None,
        start: ArrayLike | None = None,
        *,
        end: ArrayLike | None = None,
        temperature: float = 1.0,
    ) -> None:
        self.tags = tuple(tags)
        self.labels = tuple(dict.fromkeys(split_tag(tag)[1] for tag in self.tags[1:]))
        if list(self.tags) != iobes_tags(self.labels):
            raise ModelError("tags of a head must be O, then B- I- E- S- for each label in order")
        if not (math.isfinite(temperature) and temperature > 0):
            raise ModelError(f"temperature is {temperature}; it must be a positive number")
        count = len(self.tags)
        legal = [[may_follow(before, after) for after in self.tags] for before in self.tags]
        self.transitions = _masked("transitions", transitions, (count, count), legal)
        self.start = _masked("start", start, (count,), [may_start(tag) for tag in self.tags])
        self.end = _masked("end", end, (count,), [may_end(tag) for tag in self.tags])
        self.temperature = float(temperature)
        self._margins = self._outside_margins()

    def _outside_margins(self) -> Floats:
        """How far ``O`` must lead each other tag at every word for all-O to be provably best: (tags - 1,).

        Take any legal path that has a chunk, and subtract the all-O path. Each word whose tag ``y`` is not
        ``O`` contributes ``emission[y] - emission[O]``, at most its best way in (a start or a transition,
        less what O pays) and, where O or the end follows, its way out. Steps O → O cancel, a step from a
        chunk to O is charged to the chunk's last word, a step between tags that are not O to the second.
        So where ``emission[O] - emission[y]`` exceeds way in plus way out for every ``y`` at every word,
        each such path scores below all-O.
        """
        stay = self.transitions[0, 0]
        ways_in = np.maximum(self.transitions.max(axis=0) - stay, self.start - self.start[0])
        ways_out = np.maximum(self.transitions[:, 0] - stay, self.end - self.end[0])
        margins: Floats = (ways_in + np.maximum(ways_out, 0.0))[1:]
        return margins

    def may_have_chunks(
        self, emissions: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether the all-O path is not provably the best one: bool (batch,)."""
        beaten = emissions[..., 1:] + self._margins < emissions[..., :1]  # (batch, words, tags - 1)
        # Asked as "not all beaten", so that a NaN reaches the check of finite emissions.
        is_outside = np.logical_and.reduce(beaten, axis=-1)
        is_outside |= np.arange(emissions.shape[1]) >= lengths[:, None]
        return np.asarray(~np.logical_and.reduce(is_outside, axis=1))

    def with_temperature(self, temperature: float) -> TagDecoder:
        """The same decoder with another temperature."""
        finite = [np.where(np.isfinite(part), part, 0.0) for part in (self.transitions, self.start, self.end)]
        return TagDecoder(self.tags, finite[0], finite[1], end=finite[2], temperature=temperature)

    def decode(self, emissions: NDArray[np.float32], lengths: NDArray[np.int64]) -> list[list[ScoredChunk]]:
        """The chunks ``(first, stop, label, score)`` of each row, in word order.

        Args:
            emissions: float32 (batch, words, tags).
            lengths: int64 (batch,), words of each row; what lies behind them never matters.

        Raises:
            ModelError: if shapes do not fit or an emission that matters is not finite.
        """
        rows: list[list[ScoredChunk]] = [[] for _ in lengths]
        for chunk in decode_heads([self], [emissions], lengths):
            rows[chunk.row].append(chunk[2:])
        return rows


def decode_heads(
    decoders: Sequence[TagDecoder], emissions: Sequence[NDArray[np.float32]], lengths: NDArray[np.int64]
) -> list[HeadChunk]:
    """Decode several heads over the same batch; heads with equally many tags run as one batch.

    Args:
        decoders: one a head.
        emissions: of each head, float32 (batch, words, tags of the head).
        lengths: int64 (batch,).

    Returns:
        All chunks; those of the same head and row in word order.

    Raises:
        ModelError: if shapes do not fit or an emission that matters is not finite.
    """
    found: list[HeadChunk] = []
    for members in _heads_by_tag_count(decoders):
        rows = _gather(members, decoders, emissions, lengths)
        if rows is None:
            continue
        chunks = _chunks(_best_paths(rows))
        head, row = rows.head[chunks.row].tolist(), rows.batch_row[chunks.row].tolist()
        label = [decoders[h].labels[i] for h, i in zip(head, chunks.label.tolist(), strict=True)]
        parts = (head, row, chunks.first.tolist(), chunks.stop.tolist(), label, _scores(rows, chunks))
        found += map(HeadChunk._make, zip(*parts, strict=True))
    return found


def fit_temperature(
    decoder: TagDecoder, batches: Sequence[DevBatch], *, spread: float | None = None
) -> float:
    """The temperature under which the scores of predicted chunks are most likely, given which are right.

    Golden-section search over the logarithm of the temperature (Guo et al. 2017 fit one by likelihood).

    Args:
        decoder: the decoder whose paths are scored.
        batches: of dev data, (emissions (batch, words, tags), lengths (batch,), gold chunks of each row).
        spread: standard deviation of the temperature's logarithm around 0 in a normal prior, which few data
            need; likelihood alone decides where None.

    Returns:
        A temperature within ``TEMPERATURES``; 1.0 where nothing was predicted.
    """
    decoded = [
        (rows, _chunks(_best_paths(rows)), gold)
        for emissions, lengths, gold in batches
        if (rows := _gather([0], [decoder], [emissions], lengths)) is not None
    ]
    correct = [
        (first, stop, decoder.labels[label]) in gold[rows.batch_row[row]]
        for rows, chunks, gold in decoded
        for row, first, stop, label in zip(*(part.tolist() for part in chunks), strict=True)
    ]
    if not correct:
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = decoder.with_temperature(math.exp(log_temperature))
        scores = [
            score
            for rows, chunks, _ in decoded
            for score in _scores(rows._replace(decoders=[scaled]), chunks)
        ]
        prior = 0.0 if spread is None else (log_temperature / spread) ** 2 / 2
        return _log_loss(scores, correct) + prior / len(correct)

    return math.exp(_golden_section(loss, math.log(TEMPERATURES[0]), math.log(TEMPERATURES[1])))


class _Rows(NamedTuple):
    """Rows of a batch, over one or more heads, that may have chunks; longest first.

    emissions: (words, rows, tags), zero behind a row's length; active: (words,), rows that reach a word.
    """

    decoders: Sequence[TagDecoder]  # all of the call
    head: Ints  # (rows,), index into decoders
    batch_row: Ints  # (rows,)
    lengths: Ints  # (rows,)
    emissions: Floats
    active: list[int]

    def stacked(self, part: Callable[[TagDecoder], Floats]) -> Floats:
        """A parameter of each row's decoder: (rows, ...)."""
        present, place = np.unique(self.head, return_inverse=True)
        stack: Floats = np.stack([part(self.decoders[index]) for index in present.tolist()])[place]
        return stack


class _Chunks(NamedTuple):
    """Chunks as arrays (chunks,): the row of `_Rows`, the words, the position among the decoder's labels."""

    row: Ints
    first: Ints
    stop: Ints
    label: Ints


def _masked(name: str, values: ArrayLike | None, shape: tuple[int, ...], legal: Sequence[object]) -> Floats:
    array = np.zeros(shape) if values is None else np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ModelError(f"{name} has shape {array.shape}; {shape} fits the tags")
    if not np.isfinite(array).all():
        raise ModelError(f"{name} holds values that are not finite")
    return np.where(np.asarray(legal, dtype=bool), array, -np.inf)


def _heads_by_tag_count(decoders: Sequence[TagDecoder]) -> Iterator[list[int]]:
    for count in sorted({len(decoder.tags) for decoder in decoders}):
        yield [index for index, decoder in enumerate(decoders) if len(decoder.tags) == count]


def _gather(
    members: Sequence[int],
    decoders: Sequence[TagDecoder],
    emissions: Sequence[NDArray[np.float32]],
    lengths: NDArray[np.int64],
) -> _Rows | None:
    """The rows of these heads that may have chunks, or None where none may."""
    for index in members:
        _check_shapes(decoders[index], emissions[index], lengths)
    chosen = [np.flatnonzero(decoders[i].may_have_chunks(emissions[i], lengths)) for i in members]
    batch_row = np.concatenate(chosen)
    if not len(batch_row):
        return None
    head = np.repeat(members, [len(rows) for rows in chosen])
    order = np.lexsort((batch_row, head, -lengths[batch_row]))
    sizes = lengths[batch_row[order]]
    words = int(sizes[0])
    taken = np.concatenate(
        [emissions[i][rows, :words].astype(np.float64) for i, rows in zip(members, chosen, strict=True)]
    )
    gathered = np.ascontiguousarray(taken[order].transpose(1, 0, 2))
    gathered[np.arange(words)[:, None] >= sizes] = 0.0
    head, batch_row = head[order], batch_row[order]
    if not np.isfinite(gathered).all():
        raise ModelError(
            "the model computed emissions that are not finite; its weights are damaged or diverged: "
            "install it again, or train with a lower learning rate"
        )
    active = (sizes[:, None] > np.arange(words)).sum(axis=0).tolist()
    return _Rows(decoders, head, batch_row, sizes, gathered, active)


def _check_shapes(decoder: TagDecoder, emissions: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
    rows = len(lengths)
    if emissions.ndim != 3 or emissions.shape[0] != rows or emissions.shape[2] != len(decoder.tags):  # noqa: PLR2004 - batch, words, tags
        raise ModelError(
            f"emissions have shape {emissions.shape}; "
            f"({rows}, words, {len(decoder.tags)}) fits lengths and tags"
        )
    if rows and not 0 <= int(lengths.min()) <= int(lengths.max()) <= emissions.shape[1]:
        raise ModelError(f"a length is negative or exceeds the {emissions.shape[1]} words of the emissions")


def _best_paths(rows: _Rows) -> Ints:
    """Viterbi: tag positions (words, rows), O behind a row's length.

    Of equally good tags the first wins. Back pointers are recomputed along the best path only: that needs
    an argmax over (rows, tags) a word, not over (tags, rows, tags).
    """
    transitions = np.ascontiguousarray(rows.stacked(lambda decoder: decoder.transitions).transpose(1, 0, 2))
    scores = rows.emissions.copy()  # (words, rows, tags): of the best path that ends there
    scores[0] += rows.stacked(lambda decoder: decoder.start)
    for word in range(1, len(scores)):
        count = rows.active[word]
        before = scores[word - 1, :count].T[:, :, None]  # (tags, rows, 1)
        scores[word, :count] += (before + transitions[:, :count]).max(axis=0)
    every = np.arange(len(rows.lengths))
    last = scores[rows.lengths - 1, every] + rows.stacked(lambda decoder: decoder.end)
    tag = last.argmax(axis=1)
    paths = np.zeros(scores.shape[:2], dtype=np.int64)
    for word in range(len(scores) - 1, -1, -1):
        count = rows.active[word]
        paths[word, :count] = tag[:count]
        if word:
            into = transitions[:, every[:count], tag[:count]].T  # (rows, tags)
            tag[:count] = (scores[word - 1, :count] + into).argmax(axis=1)
    return paths


def _chunks(paths: Ints) -> _Chunks:
    """The chunks of legal paths (words, rows), ordered by row and word.

    Tags stand as O, then B I E S a label; on a legal path begins and ends alternate, so they pair in order.
    """
    prefix = np.where(paths.T > 0, (paths.T - 1) % 4, -1)
    row, first = np.nonzero((prefix == 0) | (prefix == 3))  # noqa: PLR2004 - B and S
    _, last = np.nonzero((prefix == 2) | (prefix == 3))  # noqa: PLR2004 - E and S
    return _Chunks(row, first, last + 1, (paths[first, row] - 1) // 4)


def _scores(rows: _Rows, chunks: _Chunks) -> list[float]:
    """The probability of each chunk's tags at its words, under the decoder's temperature."""
    if not len(chunks.row):
        return []
    rows, chunks = _only_rows_with(rows, chunks)
    temperature = np.array([decoder.temperature for decoder in rows.decoders])[rows.head]
    transitions = rows.stacked(lambda decoder: decoder.transitions / decoder.temperature)
    emissions = rows.emissions / temperature[:, None]
    start = rows.stacked(lambda decoder: decoder.start / decoder.temperature)
    end = rows.stacked(lambda decoder: decoder.end / decoder.temperature)
    forward, backward = _forward_backward(rows, emissions, transitions, start, end)
    partition = _log_sums(forward[rows.lengths - 1, np.arange(len(rows.lengths))] + end)
    row, first, stop, label = chunks
    begin, size = 1 + 4 * label, stop - first
    tag = np.where(size == 1, begin + 3, begin)
    total = forward[first, row, tag] - partition[row]
    for step in range(1, int(size.max())):
        on = np.flatnonzero(size > step)
        after = np.where(size[on] == step + 1, begin[on] + 2, begin[on] + 1)
        total[on] += transitions[row[on], tag[on], after] + emissions[first[on] + step, row[on], after]
        tag[on] = after
    # Both sums hold the emission of the last word.
    total += backward[rows.lengths[row] - stop, row, tag] - emissions[stop - 1, row, tag]
    scores: list[float] = np.exp(np.minimum(total, 0.0)).tolist()
    return scores


def _only_rows_with(rows: _Rows, chunks: _Chunks) -> tuple[_Rows, _Chunks]:
    """Leave out rows without a chunk: they need no forward-backward."""
    kept, place = np.unique(chunks.row, return_inverse=True)
    lengths = rows.lengths[kept]
    words = int(lengths[0])
    reduced = _Rows(
        rows.decoders,
        rows.head[kept],
        rows.batch_row[kept],
        lengths,
        rows.emissions[:words, kept],
        (lengths[:, None] > np.arange(words)).sum(axis=0).tolist(),
    )
    return reduced, chunks._replace(row=place)


def _forward_backward(
    rows: _Rows, emissions: Floats, transitions: Floats, start: Floats, end: Floats
) -> tuple[Floats, Floats]:
    """Log sums over all path parts up to a word, and from a word on counted from the row's end.

    Each (words, rows, tags) and with the word's own emission. The backward pass is the forward pass over the
    reversed row with transposed transitions, so both run as one batch.
    """
    reversed_emissions = np.zeros_like(emissions)
    for row, length in enumerate(rows.lengths.tolist()):
        reversed_emissions[:length, row] = emissions[length - 1 :: -1, row] if length else 0.0
    # (words, rows, 2, tags): axis 2 is the direction; as (words, 2 * rows, tags) it is still longest first.
    sums = np.stack([emissions, reversed_emissions], axis=2).reshape(len(emissions), -1, emissions.shape[2])
    sums[0] += np.stack([start, end], axis=1).reshape(sums.shape[1:])
    both = np.stack([transitions, transitions.transpose(0, 2, 1)], axis=1).reshape(-1, *transitions.shape[1:])
    steps = np.ascontiguousarray(both.transpose(1, 0, 2))  # (tags, 2 * rows, tags)
    for word in range(1, len(sums)):
        count = 2 * rows.active[word]
        ways = sums[word - 1, :count].T[:, :, None] + steps[:, :count]  # (tags, rows, tags), from first
        top = ways.max(axis=0)  # finite: every tag has a legal tag before it that has one, from word 1 on
        ways -= top
        np.exp(ways, out=ways)
        sums[word, :count] += top + np.log(ways.sum(axis=0))
    return sums[:, 0::2], sums[:, 1::2]


def _log_sums(values: Floats) -> Floats:
    """``log(sum(exp(row)))`` of each row, added column by column: ``sum`` would add a single row in pairs."""
    columns = values.T
    top = columns.max(axis=0)
    sums: Floats = top + np.log(reduce(np.add, np.exp(columns - top)))
    return sums


def _log_loss(scores: Sequence[float], correct: Sequence[bool]) -> float:
    """Mean negative log-likelihood; scores are kept off 0 and 1, where one error would cost infinity."""
    safe = [min(max(score, 1e-6), 1 - 1e-6) for score in scores]
    return -sum(math.log(p if right else 1 - p) for p, right in zip(safe, correct, strict=True)) / len(safe)


def _golden_section(
    loss: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-3
) -> float:
    left, right = high - _GOLDEN_RATIO * (high - low), low + _GOLDEN_RATIO * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > tolerance:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN_RATIO * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN_RATIO * (high - low)
            at_right = loss(right)
    return (low + high) / 2

"""How fast a model is on this machine: the whole way, its encoder alone, one note at a time."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medspan.errors import UsageError
from medspan.features.batch import FORM_INPUTS, Featurizer
from medspan.model.golden import GOLDEN_TEXTS
from medspan.model.session import OnnxScorer, available_cores
from medspan.model.store import open_model
from medspan.model.tagger import load_tagger, pieces_of
from medspan.model.tuning import Tuning
from medspan.pipeline import find_model
from medspan.text.tokenize import tokenize
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from medspan.model.store import StoredModel

ROUNDS = 5
BATCH_SIZES = (500, 1000, 2000, 4000, 8000)
_SECONDS = 1.0
_PROBE_ROWS, _PROBE_WORDS = 80, 25
_NOTE_WORDS, _NOTES = 135, 100  # with punctuation a note has about 200 words
_LONG_SENTENCE = 60
_INVENTED_WORDS = 20_000


class Rate(NamedTuple):
    """Words a second: the median of some rounds, the slowest and the fastest."""

    words_per_second: float
    slowest: float
    fastest: float
    words: int
    """Words of a round."""


def invented_documents() -> list[Document]:
    """The model's golden texts again and again: for those who have no text at hand. They have few words."""
    texts = [text for text in GOLDEN_TEXTS if len(tokenize(text)) > 1]
    words = sum(len(tokenize(text)) for text in texts)
    return [Document(str(i), "\n".join(texts)) for i in range(_INVENTED_WORDS // words + 1)]


def count_words(documents: Sequence[Document]) -> int:
    """Words of the documents, punctuation included."""
    return sum(len(tokenize(document.text)) for document in documents)


def whole(
    model: Path | str,
    documents: Sequence[Document],
    *,
    threads: int | None = None,
    batch_words: int | None = None,
    rounds: int = ROUNDS,
) -> Rate:
    """Text → entities, in words a second.

    Args:
        model: a folder, or a model by name.
        documents: what is annotated.
        threads: of a forward pass; None for all cores.
        batch_words: padded words of a forward pass; None for what `medspan bench --tune` found.
        rounds: over the documents, each measured by itself.

    Raises:
        ModelError: if there is no such model or it is damaged.
        UsageError: if the documents hold no word.
    """
    words = count_words(documents)
    if not words:
        raise UsageError("the documents hold no word; nothing can be measured")
    tagger = load_tagger(find_model(model), device="cpu", threads=threads, batch_words=batch_words)
    tagger.annotate(documents[: 1 + len(documents) // 10])  # warm up
    return _rate(lambda: tagger.annotate(documents), words, rounds)


def probe(model: Path | str, *, threads: int | None = None, rounds: int = ROUNDS) -> Rate:
    """The bare encoder: the graph of words in context, on a full batch that is made beforehand.

    No text is cut, no word looked up, no path decoded: the share of the whole way that remains beside this
    is what medspan's own code costs. Each round repeats the batch for about a second.
    """
    folder = open_model(find_model(model))
    scorer = OnnxScorer(folder.read("model.onnx"), folder.spec, device="cpu", threads=threads)
    batch = _full_batch(folder)
    started = time.perf_counter()
    for _ in range(3):
        scorer.score(batch)
    times = max(1, int(3 * _SECONDS / (time.perf_counter() - started)))

    def run() -> None:
        for _ in range(times):
            scorer.score(batch)

    return _rate(run, times * _PROBE_ROWS * _PROBE_WORDS, rounds)


def _full_batch(folder: StoredModel) -> Mapping[str, NDArray[Any]]:
    """Rows of equal length, so that nothing is padded."""
    from medspan.features.vocab import build_vocab  # noqa: PLC0415 - here only

    words = [word for text in GOLDEN_TEXTS for word in text.split()]
    rows = [[words[(i * 31 + j) % len(words)] for j in range(_PROBE_WORDS)] for i in range(_PROBE_ROWS)]
    vocab, spec = build_vocab([words]), folder.spec
    network = _Noise(spec.forms.width) if spec.forms else None
    featurizer = Featurizer(vocab, spec.inputs, max_chars=24, network=network, pieces=pieces_of(folder))
    return featurizer.arrays([featurizer.encode(row) for row in rows])


class _Noise:
    """A form network that answers with noise of the usual size; how long a graph takes hangs on no value."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._random = np.random.default_rng(13)

    def states(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        shape = (len(arrays[FORM_INPUTS[0]]), self.width)
        return self._random.standard_normal(shape).astype(np.float32)


class Latency(NamedTuple):
    """Milliseconds to annotate a note of about 200 words on a warm model: the median, and 95 of 100."""

    median: float
    p95: float


def latency(model: Path | str, *, threads: int | None = None) -> Latency:
    """One note at a time."""
    tagger = load_tagger(find_model(model), device="cpu", threads=threads)
    texts = [text for text in GOLDEN_TEXTS if text.isascii() and 1 < len(text.split()) < _LONG_SENTENCE]
    notes = [_note(texts, first) for first in range(_NOTES)]
    times = []
    for note in notes[:5] + notes:
        started = time.perf_counter()
        tagger.annotate([Document("note", note)])
        times.append(1000 * (time.perf_counter() - started))
    ordered = sorted(times[5:])
    return Latency(statistics.median(ordered), ordered[int(0.95 * len(ordered))])


def _note(texts: Sequence[str], first: int) -> str:
    """Golden texts in turn, up to about the length of a note."""
    note: list[str] = []
    while sum(len(text.split()) for text in note) < _NOTE_WORDS:
        note.append(texts[(first + len(note)) % len(texts)])
    return "\n".join(note)


def tune(
    model: Path | str,
    documents: Sequence[Document],
    *,
    threads: Sequence[int] | None = None,
    rounds: int = 3,
    sizes: Sequence[int] = BATCH_SIZES,
) -> dict[tuple[int, int], Rate]:
    """The whole way with some numbers of threads and sizes of a batch, by threads and padded words.

    The settings take turns, so that a machine that slows down or has other work does not favour one.

    Args:
        model: a folder, or a model by name.
        documents: what is annotated.
        threads: numbers that are tried; one and all cores where None.
        rounds: over all settings.
        sizes: padded words of a batch that are tried.

    Raises:
        ModelError, UsageError: as `whole`.
    """
    tried = [(n, size) for n in (threads or sorted({1, available_cores()})) for size in sizes]
    rates: dict[tuple[int, int], list[float]] = {each: [] for each in tried}
    for _ in range(rounds):
        for n, size in tried:
            rate = whole(model, documents, threads=n, batch_words=size, rounds=1)
            rates[n, size].append(rate.words_per_second)
    words = count_words(documents)
    return {each: _summary(found, words) for each, found in rates.items()}


def fastest(rates: Mapping[tuple[int, int], Rate], date: str) -> Tuning:
    """What to keep of `tune`: the fastest threads, and for each number the fastest size of a batch."""

    def speed(each: tuple[int, int]) -> float:
        return rates[each].words_per_second

    sizes = {n: max((each for each in rates if each[0] == n), key=speed)[1] for n, _ in rates}
    best = max(rates, key=speed)
    return Tuning(best[0], sizes, round(speed(best)), date)


def _rate(run: Callable[[], object], words: int, rounds: int) -> Rate:
    rates = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        rates.append(words / (time.perf_counter() - started))
    return _summary(rates, words)


def _summary(rates: Sequence[float], words: int) -> Rate:
    return Rate(statistics.median(rates), min(rates), max(rates), words)

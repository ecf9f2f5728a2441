"""Word vectors: skip-gram with subwords (Bojanowski et al. 2017) over normal forms, learnt by gensim.

gensim is asked for one epoch at a time, each with a random generator of its own and its stretch of the
learning rate; so a run goes on after any epoch, and with one thread ends byte for byte as if it had never
stopped.
"""

from __future__ import annotations

import importlib
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
import numpy as np
import torch

from medspan.errors import MissingExtraError, TrainingError
from medspan.features.vocab import Vocab, vocab_of
from medspan.text.normalize import normalize
from medspan.toml import recipe_toml
from medspan.train.checkpoint import RunState, load_same_run, save_checkpoint, save_history
from medspan.train.pretrain.pairs import Pairs, draw_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.train.pretrain.settings import VectorRecipe
    from medspan.train.pretrain.text import Text

    Floats = NDArray[np.float32]

_LOWEST_RATE = 1e-4
_TELL_WORDS = 20_000


class VectorRow(msgspec.Struct, frozen=True):
    """A line of ``metrics.jsonl``, one an epoch; words are those of all epochs so far.

    ``held_out_loss`` is the mean negative-sampling loss on held-out documents, in nats a pair; None where
    they hold no pair of known words. The learning rate is that of the epoch's end.
    """

    epoch: int
    words: int
    held_out_loss: float | None
    learning_rate: float
    words_per_second: float
    minutes: float


class VectorState(RunState):
    """Where a run stands; everything random is a function of the epoch and the seed."""

    epoch: int = 0
    """Epochs that are done."""
    minutes: float = 0.0
    history: list[VectorRow] = msgspec.field(default_factory=list)


class VectorWatcher(Protocol):
    """What wants to know how a run goes."""

    def on_words(self, words: int, total_words: int) -> None:
        """So many words were passed, all epochs together; called from a thread of its own."""

    def on_epoch(self, row: VectorRow, /) -> None:
        """An epoch is done and saved."""


class Vectors(NamedTuple):
    """Vectors of a vocabulary, float32 (n_words, width), rows 0 and 1 padding and unknown; n-grams' too."""

    vocab: Vocab
    words: Floats
    subwords: Floats | None


class _Sentences:
    """Sentences as lists of normal forms, as often as they are asked for; says how far it is.

    gensim reads them in a thread and would wait for ever if it died there: an error ends the text, and is
    kept.
    """

    def __init__(self, text: Text, keys: list[str | None], tell: Callable[[int], None]) -> None:
        self._text, self._keys, self._tell = text, keys, tell
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[list[str]]:
        keys, words, told = self._keys, 0, 0
        try:
            for rows in self._text.stream():
                words += len(rows)
                if words - told >= _TELL_WORDS:
                    self._tell(words)
                    told = words
                yield [key for row in rows.tolist() if (key := keys[row - 1]) is not None]
            self._tell(words)
        except Exception as error:  # noqa: BLE001 - raised again in the thread that asked
            self.error = error


class VectorTrainer:
    """A run: gensim's model, the text, and where it stands.

    Args:
        recipe: the settings.
        text: read by `medspan.train.pretrain.text.read_text`.
        folder: the run folder, for checkpoints and ``metrics.jsonl``.

    Raises:
        MissingExtraError: if gensim is not installed.
        TrainingError: if no word is frequent enough.
    """

    def __init__(self, recipe: VectorRecipe, text: Text, folder: Path) -> None:
        self.recipe, self.text, self.folder = recipe, text, folder
        reading = recipe.reading
        self.vocab = vocab_of(
            {form: n for form, n in zip(text.forms, text.counts.tolist(), strict=True) if n},
            min_count=reading.min_count,
            min_char_count=reading.min_char_count,
            most_words=reading.most_words,
        )
        if not self.vocab.words:
            raise TrainingError("no word is frequent enough for a vector; lower reading.min_count")
        known = set(self.vocab.words)
        self._keys = [key if (key := normalize(form)) in known else None for form in text.forms]
        self._frequencies = {
            word: n for word, n in zip(self.vocab.words, self.vocab.counts, strict=True) if word
        }
        self._model = self._fresh_model()
        self._pairs = self._held_out_pairs()
        self.state = VectorState(recipe_toml(recipe), self.vocab.digest())
        self.total_words = text.words * recipe.vectors.epochs

    def _fresh_model(self) -> Any:  # noqa: ANN401 - gensim has no types
        config = self.recipe.vectors
        with _quiet():
            model = _fast_text()(
                vector_size=config.width,
                window=config.reach,
                sg=1,
                negative=config.negatives,
                sample=config.sample,
                alpha=config.learning_rate,
                min_count=1,
                min_n=config.subwords[0],
                max_n=config.subwords[1],
                bucket=config.buckets,
                seed=config.seed,
                workers=self.recipe.threads or 1,
            )
            model.build_vocab_from_freq(self._frequencies, corpus_count=self.text.sentences)
        return model

    def _held_out_pairs(self) -> Pairs:
        """Of some held-out words; what is skipped and drawn is what gensim skips and draws."""
        config, model, shard = self.recipe.vectors, self._model, self.text.held_out()
        places = [-1 if key is None else model.wv.key_to_index.get(key, -1) for key in self._keys]
        index = np.array([-1, *places], np.int64)
        sentences = shard.sentences()
        chosen = [index[sentences[i]] for i in shard.some(config.held_out_words, config.seed)]
        kept = np.array([model.wv.get_vecattr(key, "sample_int") for key in model.wv.index_to_key]) / 2.0**32
        return draw_pairs(
            [rows[rows >= 0] for rows in chosen],
            kept=kept if config.sample else np.ones(len(kept)),
            drawn=model.cum_table / float(model.cum_table[-1]),
            reach=config.reach,
            negatives=config.negatives,
            seed=config.seed,
        )

    def resume(self) -> None:
        """Go on from the checkpoint of the run folder.

        Raises:
            TrainingError: if there is none, or it belongs to another recipe or another text.
        """
        self.state, parts = load_same_run(self.folder, self.state)
        for name, table in self._tables().items():
            table[:] = parts["model"][name].numpy()
        self._model.wv.adjust_vectors()

    def _tables(self) -> dict[str, Floats]:
        """What is learnt: vectors of words by themselves, of n-grams, and of words that are predicted."""
        model = self._model
        return {
            "words": model.wv.vectors_vocab,
            "n_grams": model.wv.vectors_ngrams,
            "contexts": model.syn1neg,
        }

    def run(self, watcher: VectorWatcher) -> None:
        """Learn until the epochs are over; a checkpoint and a row after each."""
        while self.state.epoch < self.recipe.vectors.epochs:
            self._epoch(watcher)

    def _epoch(self, watcher: VectorWatcher) -> None:
        state, model, started = self.state, self._model, time.monotonic()
        done = state.epoch * self.text.words
        sentences = _Sentences(
            self.text, self._keys, lambda words: watcher.on_words(done + words, self.total_words)
        )
        # What gensim draws is a function of the seed and the epoch: it calls methods of the old generator.
        model.random = np.random.RandomState([self.recipe.vectors.seed, state.epoch])
        with _quiet():
            model.train(
                sentences,
                total_examples=self.text.sentences,
                total_words=sum(self._frequencies.values()),
                epochs=1,
                start_alpha=self._rate(state.epoch),
                end_alpha=self._rate(state.epoch + 1),
            )
        if sentences.error is not None:
            raise sentences.error
        seconds = time.monotonic() - started
        state.epoch += 1
        state.minutes += seconds / 60
        row = VectorRow(
            epoch=state.epoch,
            words=done + self.text.words,
            held_out_loss=self.held_out_loss(),
            learning_rate=self._rate(state.epoch),
            words_per_second=self.text.words / max(1e-9, seconds),
            minutes=state.minutes,
        )
        state.history.append(row)
        self.save()
        watcher.on_epoch(row)

    def _rate(self, epoch: int) -> float:
        """The learning rate after so many epochs: it falls linearly over all of them."""
        config = self.recipe.vectors
        lowest = min(_LOWEST_RATE, config.learning_rate)
        return config.learning_rate - (config.learning_rate - lowest) * epoch / config.epochs

    def held_out_loss(self) -> float | None:
        """Mean negative-sampling loss on held-out documents, nats a pair; None where they have no pair."""
        wv = self._model.wv
        sizes = np.array([len(buckets) for buckets in wv.buckets_word], np.float32)[:, None]
        # gensim learns with the sum over a word and its n n-grams by n, and gives out the sum by n + 1.
        centres = wv.vectors * ((sizes + 1) / np.maximum(sizes, 1))
        loss = self._pairs.loss(centres, self._model.syn1neg)
        return None if loss is None else round(loss, 4)

    def save(self) -> None:
        """Write the checkpoint and ``metrics.jsonl``."""
        tables = {name: torch.from_numpy(table) for name, table in self._tables().items()}
        save_checkpoint(self.folder, self.state, {"model": tables})
        save_history(self.folder, self.state.history)

    def vectors(self) -> Vectors:
        """What was learnt, scaled to a root mean square of ``vectors.spread``."""
        wv = self._model.wv
        order = [wv.key_to_index.get(word, 0) for word in self.vocab.words]
        found = np.asarray(wv.vectors, np.float32)[order]
        scale = self.recipe.vectors.spread / max(float(np.sqrt(np.mean(np.square(found)))), 1e-9)
        table = np.zeros((self.vocab.n_words, found.shape[1]), np.float32)
        table[2:] = found * scale
        rare = table[2:][-max(1, len(found) // 10) :]
        table[1] = rare.mean(0)  # what is unknown is like what is rare
        n_grams = np.asarray(wv.vectors_ngrams, np.float32) * scale if wv.max_n > 0 else None
        return Vectors(self.vocab, table, n_grams)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep gensim's advice from stderr: it is for callers who chose its settings themselves."""
    logger = logging.getLogger("gensim")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _fast_text() -> Any:  # noqa: ANN401 - a class of gensim, which has no types
    try:
        return importlib.import_module("gensim.models.fasttext").FastText
    except ImportError:
        raise MissingExtraError("learning vectors", "gensim", "train") from None

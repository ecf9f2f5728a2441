"""Word vectors: skip-gram with subwords (Bojanowski et al. 2017) over normal forms, learnt by gensim."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medspan.errors import MissingExtraError, TrainingError
from medspan.features.vocab import Vocab, vocab_of
from medspan.text.normalize import normalize
from medspan.train.pretrain.subwords import Subwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from medspan.train.pretrain.settings import VectorRecipe
    from medspan.train.pretrain.text import Text

    Floats = NDArray[np.float32]


class Vectors(NamedTuple):
    """Vectors of a vocabulary, float32 (n_words, width), rows 0 and 1 padding and unknown; n-grams' too."""

    vocab: Vocab
    words: Floats
    subwords: Floats | None


class _Sentences:
    """Sentences as lists of normal forms, as often as they are asked for; says how far it is."""

    def __init__(self, text: Text, vocab: Vocab, tell: Callable[[int], None]) -> None:
        keys = [normalize(form) for form in text.forms]
        known = set(vocab.words)
        self._keys = [key if key in known else None for key in keys]
        self._text, self._tell = text, tell
        self._words = 0

    def __iter__(self) -> Iterator[list[str]]:
        keys = self._keys
        for rows in self._text.stream():
            self._words += len(rows)
            self._tell(self._words)
            yield [key for row in rows.tolist() if (key := keys[row - 1]) is not None]


def learn_vectors(recipe: VectorRecipe, text: Text, tell: Callable[[int], None]) -> Vectors:
    """Learn vectors of the words of a text.

    Args:
        recipe: the settings.
        text: read by `medspan.train.pretrain.text.read_text`.
        tell: hears how many words were passed, all epochs together.

    Raises:
        MissingExtraError: if gensim is not installed.
        TrainingError: if no word is frequent enough.
    """
    reading, config = recipe.reading, recipe.vectors
    counts = {form: n for form, n in zip(text.forms, text.counts.tolist(), strict=True) if n}
    vocab = vocab_of(
        counts,
        min_count=reading.min_count,
        min_char_count=reading.min_char_count,
        most_words=reading.most_words,
    )
    if not vocab.words:
        raise TrainingError("no word is frequent enough for a vector; lower reading.min_count")
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
        workers=recipe.threads or 1,
    )
    frequencies = {word: n for word, n in zip(vocab.words, vocab.counts, strict=True) if word}
    model.build_vocab_from_freq(frequencies, corpus_count=text.sentences)
    sentences = _Sentences(text, vocab, tell)
    model.train(
        sentences, total_examples=text.sentences, total_words=sum(frequencies.values()), epochs=config.epochs
    )
    return _collect(model, vocab, config.spread)


def _collect(model: Any, vocab: Vocab, spread: float) -> Vectors:  # noqa: ANN401 - gensim has no types
    """Take gensim's vectors out and scale them to a root mean square of ``spread``."""
    order = [model.wv.key_to_index.get(word, 0) for word in vocab.words]
    found = np.asarray(model.wv.vectors, np.float32)[order]
    scale = spread / max(float(np.sqrt(np.mean(np.square(found)))), 1e-9)
    table = np.zeros((vocab.n_words, found.shape[1]), np.float32)
    table[2:] = found * scale
    rare = table[2:][-max(1, len(found) // 10) :]
    table[1] = rare.mean(0)  # what is unknown is like what is rare
    n_grams = model.wv.vectors_ngrams
    has_subwords = model.wv.max_n > 0
    return Vectors(vocab, table, np.asarray(n_grams, np.float32) * scale if has_subwords else None)


def unseen(vectors: Vectors, lengths: tuple[int, int]) -> Subwords | None:
    """What gives vectors to words the vocabulary lacks; None where there are no n-grams."""
    return None if vectors.subwords is None else Subwords(vectors.subwords, lengths)


def _fast_text() -> Any:  # noqa: ANN401 - a class of gensim, which has no types
    try:
        return importlib.import_module("gensim.models.fasttext").FastText
    except ImportError:
        raise MissingExtraError("learning vectors", "gensim", "train") from None

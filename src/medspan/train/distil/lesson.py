"""Soft sentences as a further source of batches, and the two stages of a run that learns from them.

Stage one mixes soft and gold sentences, stage two is gold alone at a lower learning rate. An epoch of stage
one draws shards at random until it has its words; one shard is in memory at a time. Everything is a function
of seed, epoch and step, whatever was read before, so that a resumed run goes on byte for byte.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from medspan.errors import DataError, UsageError
from medspan.features.vocab import extend_vocab, vocab_of
from medspan.train.data import Encoded
from medspan.train.distil.label import SETTINGS, open_soft
from medspan.train.distil.shards import load_shard, shard_sizes, shard_words
from medspan.train.folder import write_whole
from medspan.train.optim import learning_rate
from medspan.train.sampler import Feeder, epoch_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.config import DistilConfig, Recipe
    from medspan.features.batch import Featurizer
    from medspan.features.vocab import Vocab
    from medspan.train.checkpoint import State
    from medspan.train.distil.label import SoftText
    from medspan.train.distil.shards import SoftShard
    from medspan.train.sampler import Batch

    Ints = NDArray[np.int64]
    Groups = list[tuple[int, list[int]]]

SOFT = -1
"""Stands for the number of a corpus in a group of soft sentences."""
TAUGHT = "taught.json"
_MIN_CHARACTERS = 20


class _Taught(msgspec.Struct):
    """Where the soft labels of a run stand, from its folder, and what decided them."""

    labels: str
    settings: dict[str, Any]


class Lesson:
    """What the teachers said, as a source of batches.

    Args:
        text: the shards.
        recipe: of the student.

    Raises:
        UsageError: if the recipe leaves no head to the teachers.
    """

    def __init__(self, text: SoftText, recipe: Recipe) -> None:
        if recipe.distil is None:
            raise TypeError("the recipe has no part distil")
        self.text, self.recipe = text, recipe
        self.config: DistilConfig = recipe.distil
        self.heads = frozenset(text.heads) - set(self.config.gold_heads)
        if not self.heads:
            raise UsageError("distil.gold_heads: names every head the teachers could teach; leave them one")
        sizes = [shard_sizes(text.path(number)) for number in range(text.shards)]
        self._lengths = [lengths for lengths, _ in sizes]
        self._is_empty = [is_empty for _, is_empty in sizes]
        self._first = np.cumsum([0, *(len(lengths) for lengths in self._lengths)])
        self._forms = self._count_forms()
        self._open: _OpenShard | None = None

    def _count_forms(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for number in range(self.text.shards):
            counts.update(shard_words(self.text.path(number)))
        return counts

    def extended(self, vocab: Vocab) -> Vocab:
        """A vocabulary with the most frequent words of the text behind its own."""
        if not self.config.text_words:
            return vocab
        most = self.config.text_words
        found = vocab_of(self._forms, min_count=2, min_char_count=_MIN_CHARACTERS, most_words=most)
        return extend_vocab(vocab, found)

    def seen(self, vocab: Vocab) -> Ints:
        """How often each id of a vocabulary stands in the text: int64 (words,)."""
        seen = np.zeros(vocab.n_words, np.int64)
        ids = np.fromiter(map(vocab.word_id, self._forms), np.int64, len(self._forms))
        np.add.at(seen, ids, np.fromiter(self._forms.values(), np.int64, len(self._forms)))
        return seen

    def begin(self, featurizer: Featurizer, counts: Ints) -> None:
        """Make ready for batches.

        Args:
            featurizer: of the network; its table is left alone, for shards come and go.
            counts: how often each word of the vocabulary was seen, for word dropout.
        """
        self._featurizer, self._counts = featurizer, counts

    # Which batches

    @property
    def epochs(self) -> int:
        """Epochs of both stages."""
        return self.config.epochs + self.config.gold_epochs

    def is_soft(self, epoch: int) -> bool:
        """Whether an epoch is of the first stage."""
        return epoch < self.config.epochs

    def gold_factor(self, epoch: int) -> float:
        """Factor of the weights of the gold corpora in an epoch."""
        return self.config.gold_weight if self.is_soft(epoch) else 1.0

    def mixed(self, gold: Groups, epoch: int) -> Groups:
        """The batches of an epoch: those of gold sentences, and between them those of soft ones.

        Soft ones stand shard by shard, so that each shard is read once.
        """
        if not self.is_soft(epoch):
            return gold
        seed = self.recipe.train.seed
        rng = np.random.default_rng([seed, epoch, 2])
        soft: Groups = []
        words = 0
        for number in rng.permutation(self.text.shards).tolist():
            if self.config.words and words >= self.config.words:
                break
            chosen = self._drawn(number, rng)
            words += int(self._lengths[number][chosen].sum())
            soft.extend(self._groups(number, chosen, epoch))
        is_soft = rng.permutation(np.arange(len(gold) + len(soft)) < len(soft))
        sources = iter(gold), iter(soft)
        return [next(sources[int(which)]) for which in is_soft]

    def _drawn(self, number: int, rng: np.random.Generator) -> Ints:
        """Sentences of a shard that an epoch takes: all with a likely mention, and a share of the others."""
        is_kept = rng.random(len(self._lengths[number])) < self.config.keep_empty
        return np.flatnonzero(is_kept | ~self._is_empty[number])

    def _groups(self, number: int, chosen: Ints, epoch: int) -> Groups:
        sizes = self._lengths[number][chosen].tolist()
        train = self.recipe.train
        groups = epoch_groups(
            [sizes], [1.0], budget=train.batch_words, seed=train.seed, epoch=epoch * self.text.shards + number
        )
        numbers = chosen + self._first[number]
        return [(SOFT, numbers[members].tolist()) for _, members in groups]

    def batch(self, members: Sequence[int], *, seed: int, step: int) -> Batch:
        """The batch of some sentences of one shard."""
        number = int(np.searchsorted(self._first, members[0], side="right")) - 1
        if self._open is None or self._open.number != number:
            self._open = None  # before the next is read: one shard in memory at a time
            shard = load_shard(self.text.path(number))
            self._open = _OpenShard(number, shard, self._featurizer, self.heads)
            self._feeder = Feeder(
                self._open.featurizer,
                self._featurizer.vocab,
                self.recipe.train.word_dropout,
                self.recipe.train.char_dropout,
                counts=self._counts,
            )
        first = int(self._first[number])
        examples = [self._open.example(member - first) for member in members]
        return self._feeder.batch(examples, seed=seed, step=step)

    # How fast

    def steps(self, batches: Callable[[int], int]) -> int:
        """All steps of a run, given how many batches an epoch has."""
        self._stage_steps = [0, 0]
        for epoch in range(self.epochs):
            steps = -(-batches(epoch) // self.recipe.train.accumulate)
            self._stage_steps[int(not self.is_soft(epoch))] += steps
        return sum(self._stage_steps)

    def rate(self, state: State) -> float:
        """The learning rate of a step: each stage has a rise and a fall of its own."""
        train = self.recipe.train
        if self.is_soft(state.epoch):
            return learning_rate(train, state.step, self._stage_steps[0])
        begun = state.history[self.config.epochs - 1].step
        return self.config.gold_rate * learning_rate(train, state.step - begun, self._stage_steps[1])

    def patient_since(self, state: State) -> int:
        """The epoch from which on dev may get no better without end; the first stage runs whole."""
        return max(state.best_epoch, self.config.epochs - 1)


class _OpenShard:
    """A shard in memory, with a table of its own words: rows are the same whenever it is opened."""

    def __init__(self, number: int, shard: SoftShard, featurizer: Featurizer, heads: Collection[str]) -> None:
        self.number = number
        self.featurizer = featurizer.with_empty_table()
        apart, glued = (
            self.featurizer.encode(shard.forms, [is_glued] * len(shard.forms)) for is_glued in (False, True)
        )
        self._rows = np.where(shard.glued, glued[shard.rows], apart[shard.rows])
        self._stops = np.cumsum(shard.lengths)
        self._lengths = shard.lengths
        self._marginals = {head: shares for head, shares in shard.marginals.items() if head in heads}

    def example(self, sentence: int) -> Encoded:
        stop = int(self._stops[sentence])
        first = stop - int(self._lengths[sentence])
        return Encoded(
            self._rows[first:stop], {head: shares[first:stop] for head, shares in self._marginals.items()}
        )


def note_labels(run: Path, labels: Path) -> None:
    """Write into a run folder what it learns from.

    Raises:
        UsageError: if the run was begun with other labels.
    """
    settings = (labels / SETTINGS).read_bytes()
    path = run / TAUGHT
    if path.exists():
        known = msgspec.json.decode(path.read_bytes(), type=_Taught)
        if known.settings != msgspec.json.decode(settings):
            raise UsageError(
                f"{run}: was begun with other soft labels (teachers, texts or heads); name another -o, or "
                "remove the folder"
            )
    write_whole(
        path, msgspec.json.encode(_Taught(os.path.relpath(labels, run), msgspec.json.decode(settings)))
    )


def lesson_of(run: Path, recipe: Recipe) -> Lesson | None:
    """What an earlier run learnt from; None where no teacher taught it.

    Raises:
        DataError: if its soft labels are gone.
    """
    if recipe.distil is None:
        return None
    try:
        known = msgspec.json.decode((run / TAUGHT).read_bytes(), type=_Taught)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"{run / TAUGHT}: cannot be read ({type(error).__name__})") from None
    return Lesson(open_soft(run / known.labels), recipe)

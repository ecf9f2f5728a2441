"""Language models over the encoders of the tagger: one loop, resumable byte for byte.

What is drawn is a function of seed, epoch, shard and step, as in `medspan.train.loop`; the state of a run
says where in the text it stands.

Back-propagation is truncated at the borders of sentences, which are cut at ``reading.window`` words: states
start afresh there, so gradients never run further. The taggers read single sentences, so states carried over
a border would be of a kind they never meet.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
import torch

from medspan.config import CharBlstm
from medspan.features.batch import Featurizer
from medspan.features.vocab import extend_vocab, vocab_of
from medspan.toml import recipe_toml
from medspan.train.checkpoint import TextRunState, load_same_run, save_checkpoint, save_history
from medspan.train.encoded import EncodedNetwork
from medspan.train.heads.lm import LmHead
from medspan.train.optim import Optimizer, learning_rate, refuse_divergence
from medspan.train.sampler import Feeder, epoch_groups
from medspan.train.scorer import to_tensors
from medspan.train.transfer import transfer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from medspan.features.vocab import Vocab
    from medspan.train.pretrain.settings import LmRecipe
    from medspan.train.pretrain.text import Shard, Text
    from medspan.train.transfer import Donor, Transferred


class LmRow(msgspec.Struct, frozen=True):
    """A line of ``metrics.jsonl``: loss is that of training since the last row, in nats a prediction.

    Perplexities are of the full softmax over the vocabulary (or the characters), the border of a sentence
    and the unknown word included, on the documents held out.
    """

    step: int
    words: int
    loss: float
    perplexity_forward: float
    perplexity_backward: float
    learning_rate: float
    words_per_second: float
    minutes: float


class LmState(TextRunState):
    """Where a run stands."""

    evaluated: int = 0
    """Words learnt when perplexity was last measured."""
    history: list[LmRow] = msgspec.field(default_factory=list)


class LmWatcher(Protocol):
    """What wants to know how a run goes."""

    def on_step(self, state: LmState, total_words: int, loss: float) -> None:
        """A batch was learnt."""

    def on_row(self, row: LmRow) -> None:
        """Perplexity was measured."""


class LanguageModel(EncodedNetwork):
    """An encoder and its head; the encoder's tensors have the names they have in a tagger.

    Args:
        recipe: names the encoder and the settings of the head.
        vocab: sizes of the tables.
        counts: how often each id is predicted, (ids,).
    """

    def __init__(self, recipe: LmRecipe, vocab: Vocab, counts: Sequence[int]) -> None:
        super().__init__(recipe.encoder, vocab)
        self.is_of_characters = isinstance(recipe.encoder, CharBlstm)
        config = recipe.pretrain
        width = recipe.encoder.hidden_width
        self.head = LmHead(width, counts, negatives=config.negatives, dropout=config.dropout)

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The last level, float (batch, places, width), and the places of each row, int64 (batch,)."""
        if self.is_of_characters:
            levels: list[Tensor] = self.encoder.of_characters(batch)  # type: ignore[operator]
            return levels[-1], batch["text_lengths"]
        return self.encoder(batch)[-1], batch["lengths"]

    def loss(self, batch: Mapping[str, Tensor], ids: Tensor) -> Tensor:
        """Mean loss of both directions."""
        level, lengths = self(batch)
        return self.head.loss(level, ids, lengths)


class LmTrainer:
    """A run: network, text, optimiser and where it stands.

    Args:
        recipe: what to train.
        text: read by `medspan.train.pretrain.text.read_text`.
        folder: the run folder, for checkpoints and ``metrics.jsonl``.
        device: where to compute.
        donor: what to start from, if anything.
    """

    def __init__(
        self, recipe: LmRecipe, text: Text, folder: Path, *, device: torch.device, donor: Donor | None = None
    ) -> None:
        self.recipe, self.text, self.folder, self.device, self.donor = recipe, text, folder, device, donor
        config = recipe.pretrain
        torch.manual_seed(config.seed)
        self.is_of_characters = isinstance(recipe.encoder, CharBlstm)
        self.vocab = self._vocab(donor)
        self.featurizer = self._featurizer_of(text.forms)
        self.network = LanguageModel(recipe, self.vocab, self._counts())
        self.transferred: Transferred | None = transfer(self.network, donor, self.vocab) if donor else None
        self.network.to(device)  # what is copied lies on the CPU
        self.optimizer = Optimizer(self.network, config.optimiser())
        self.feeder = Feeder(self.featurizer, self.vocab, config.word_dropout, config.char_dropout)
        self.state = LmState(recipe_toml(recipe), self.vocab.digest())
        self.total_words = config.words or config.epochs * text.words
        self._held = self._held_groups()

    def _vocab(self, donor: Donor | None) -> Vocab:
        reading, forms = (
            self.recipe.reading,
            dict(zip(self.text.forms, self.text.counts.tolist(), strict=True)),
        )
        if self.is_of_characters:
            forms[" "] = self.text.words - self.text.sentences  # words are joined by blanks
        own = vocab_of(
            {form: count for form, count in forms.items() if count},
            min_count=reading.min_count,
            min_char_count=reading.min_char_count,
            most_words=0 if self.is_of_characters else reading.most_words,
        )
        return extend_vocab(donor.vocab, own) if donor else own

    def _featurizer_of(self, forms: Sequence[str]) -> Featurizer:
        """Its table has the forms in the rows they have in the shards."""
        inputs = ("text_ids",) if self.is_of_characters else ("form_index",)
        featurizer = Featurizer(self.vocab, inputs, max_chars=self.recipe.encoder.max_chars)
        featurizer.encode(forms)
        return featurizer

    def _counts(self) -> list[int]:
        """How often each id is predicted: words, or characters of words cut as the encoder sees them."""
        table, counts = self.featurizer.table, self.text.counts
        rows = np.arange(1, len(counts) + 1)
        if not self.is_of_characters:
            found = np.bincount(table.word_ids[rows], weights=counts, minlength=self.vocab.n_words)
        else:
            ids = table.char_ids[rows]
            weights = np.repeat(counts, ids.shape[1])
            found = np.bincount(ids.ravel(), weights=weights, minlength=self.vocab.n_characters)
            found[self.vocab.char_id(" ")] += max(0, self.text.words - self.text.sentences)
        found[0] = self.text.sentences  # the border
        return [int(count) for count in found]

    def resume(self) -> None:
        """Go on from the checkpoint of the run folder.

        Raises:
            TrainingError: if there is none, or it belongs to another recipe, text or start.
        """
        self.state, parts = load_same_run(self.folder, self.state)
        self.network.load_state_dict(parts["model"])
        self.optimizer.load(parts.get("optimizer", {}))

    def run(self, watcher: LmWatcher, *, max_minutes: float | None = None) -> None:
        """Learn until the words or the minutes are over, then measure perplexity."""
        self.network.train()
        late = None if max_minutes is None else time.monotonic() + 60 * (max_minutes - self.state.minutes)
        while not self._is_done() and not _is_late(late):
            shard = self._shard()
            groups = self._groups(shard)
            sentences = shard.sentences()
            while self.state.position < len(groups) and not self._is_done() and not _is_late(late):
                self._step([sentences[i] for i in groups[self.state.position]], watcher)
            if self.state.position == len(groups):
                self.state.end_shard(self.text.shards)
        if self.state.words > self.state.evaluated or not self.state.history:
            self._evaluate(watcher)
        self.save()

    def _is_done(self) -> bool:
        return self.state.words >= self.total_words

    def _shard(self) -> Shard:
        """The shard that is due; every epoch takes them in an order of its own."""
        order = np.random.default_rng([self.recipe.pretrain.seed, self.state.epoch, 3]).permutation(
            self.text.shards
        )
        return self.text.shard(int(order[self.state.shard]))

    def _groups(self, shard: Shard) -> list[list[int]]:
        config = self.recipe.pretrain
        number = self.state.epoch * self.text.shards + self.state.shard
        sizes = self._sizes(shard)
        found = epoch_groups([sizes], [1.0], budget=config.batch_words, seed=config.seed, epoch=number)
        return [group for _, group in found]

    def _sizes(self, shard: Shard) -> list[int]:
        """Words of each sentence, or characters with the blanks between words."""
        lengths: NDArray[np.int32] = shard.lengths
        if not self.is_of_characters:
            return [int(length) for length in lengths]
        sizes = self.featurizer.table.char_lengths[shard.rows] + 1
        firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        found: list[int] = (np.add.reduceat(sizes, firsts) - 1).tolist()
        return found

    def _step(self, sentences: Sequence[NDArray[np.int32]], watcher: LmWatcher) -> None:
        config, state = self.recipe.pretrain, self.state
        started = time.monotonic()
        torch.manual_seed(config.seed * 1_000_003 + state.step)
        arrays, ids = self._arrays(sentences)
        self.feeder.hide(arrays, seed=config.seed, step=state.step)
        loss = self._loss(arrays, ids)
        loss.backward()  # type: ignore[no-untyped-call]
        value = loss.item()
        refuse_divergence(value, state.step, "pretrain")
        self.optimizer.step(learning_rate(self.optimizer.config, state.words, self.total_words))
        state.end_step(sum(map(len, sentences)), value, time.monotonic() - started)
        watcher.on_step(state, self.total_words, value)
        if state.words - state.evaluated >= config.evaluate_words:
            self._evaluate(watcher)
        if state.step % config.checkpoint_steps == 0:
            self.save()

    def _arrays(
        self, sentences: Sequence[NDArray[np.int32]]
    ) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int64]]:
        """The arrays of a batch, nothing hidden, and the id at each place, 0 where padded."""
        rows = [sentence.astype(np.int64) for sentence in sentences]
        arrays = self.featurizer.arrays(rows)
        if self.is_of_characters:
            return arrays, arrays["text_ids"]
        ids = np.where(
            np.arange(arrays["form_index"].shape[1]) < arrays["lengths"][:, None],
            arrays["word_ids"][arrays["form_index"]],
            0,
        )
        return arrays, ids

    def _loss(self, arrays: Mapping[str, NDArray[np.int64]], ids: NDArray[np.int64]) -> Tensor:
        batch, wanted = to_tensors(arrays, self.device), torch.from_numpy(ids).to(self.device)
        if self.device.type == "cpu" and not self.recipe.pretrain.bfloat16:
            return self.network.loss(batch, wanted)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            return self.network.loss(batch, wanted)

    def _held_groups(self) -> list[list[NDArray[np.int32]]]:
        """Batches of held-out sentences, the same in every run, of some words in all."""
        config, shard = self.recipe.pretrain, self.text.held_out()
        chosen = shard.some(config.held_out_words, config.seed)
        sentences, sizes = shard.sentences(), self._sizes(shard)
        some = [sizes[i] for i in chosen]
        groups = epoch_groups([some], [1.0], budget=config.batch_words, seed=config.seed, epoch=0)
        return [[sentences[chosen[i]] for i in group] for _, group in groups]

    def perplexity(self) -> tuple[float, float]:
        """Of the forward and the backward model on held-out sentences."""
        self.network.eval()
        total, count = torch.zeros(2, dtype=torch.float64), 0
        with torch.inference_mode():
            for sentences in self._held:
                arrays, ids = self._arrays(sentences)
                level, lengths = self.network(to_tensors(arrays, self.device))
                wanted = torch.from_numpy(ids).to(self.device)
                total += self.network.head.cost(level, wanted, lengths).cpu()
                count += int(lengths.sum())
        self.network.train()
        forward, backward = torch.exp(total / count).tolist()
        return forward, backward

    def _evaluate(self, watcher: LmWatcher) -> None:
        state = self.state
        forward, backward = self.perplexity()
        row = LmRow(
            step=state.step,
            words=state.words,
            loss=state.loss_sum / max(1, state.loss_count),
            perplexity_forward=round(forward, 3),
            perplexity_backward=round(backward, 3),
            learning_rate=learning_rate(self.optimizer.config, state.words, self.total_words),
            words_per_second=(state.words - state.evaluated) / max(1e-9, state.seconds),
            minutes=state.minutes,
        )
        state.history.append(row)
        state.evaluated, state.loss_sum, state.loss_count, state.seconds = state.words, 0.0, 0, 0.0
        watcher.on_row(row)

    def save(self) -> None:
        """Write the checkpoint and ``metrics.jsonl``."""
        parts = {"model": self.network.state_dict(), "optimizer": self.optimizer.tensors()}
        save_checkpoint(self.folder, self.state, parts)
        save_history(self.folder, self.state.history)


def _is_late(late: float | None) -> bool:
    return late is not None and time.monotonic() >= late

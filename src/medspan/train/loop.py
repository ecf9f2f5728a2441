"""One loop for every recipe: epochs of batches, dev score through the Tagger, checkpoints, resume.

Everything random is a function of seed, epoch and step, so a run killed anywhere and resumed ends with the
weights of an uninterrupted one, byte for byte (CPU, same threads and versions).
"""

from __future__ import annotations

import math
import time
from collections import Counter
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from medspan.errors import ConfigError, TrainingError
from medspan.features.batch import Featurizer
from medspan.features.vocab import UNKNOWN_WORD, extend_vocab, vocab_of
from medspan.metrics.counts import Score
from medspan.metrics.matching import Mention, strict_counts
from medspan.model.tagger import Tagger
from medspan.model.viterbi import TagDecoder
from medspan.toml import recipe_toml
from medspan.train.checkpoint import EpochRow, State, resume_run, save_history, save_run
from medspan.train.compress import narrow
from medspan.train.conflict import conflicts
from medspan.train.data import encode_examples
from medspan.train.distil.lesson import SOFT
from medspan.train.mixing import mix
from medspan.train.network import Network
from medspan.train.optim import Average, Optimizer, learning_rate
from medspan.train.replicas import ALONE
from medspan.train.sampler import Feeder, epoch_groups
from medspan.train.scorer import TorchScorer, to_tensors
from medspan.train.transfer import fit_first_layer, rate_factors, transfer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from medspan.config import Recipe
    from medspan.train.data import TrainingCorpus
    from medspan.train.distil.lesson import Lesson
    from medspan.train.hub import HubModel
    from medspan.train.replicas import Alone
    from medspan.train.sampler import Batch
    from medspan.train.transfer import Donor
    from medspan.types import Document


class Watcher(Protocol):
    """What wants to know how a run goes."""

    def on_step(self, state: State, total_steps: int, loss: float) -> None:
        """A batch was learnt."""

    def on_epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """An epoch ended and was scored."""


class Trainer:
    """A run: network, data, optimiser and where it stands.

    Args:
        recipe: what to train.
        corpora: the recipe's corpora, read.
        folder: the run folder, for checkpoints and ``metrics.jsonl``.
        device: where to compute.
        donor: what the encoder starts from, if anything.
        lesson: what teachers said of unlabelled text, if they did.
        hub: the public encoder a ``transformer`` starts from.
        replicas: the processes that are this run; each has read its share of the corpora.

    Raises:
        ConfigError: if the first layer should be narrowed and cannot.
    """

    def __init__(
        self,
        recipe: Recipe,
        corpora: Sequence[TrainingCorpus],
        folder: Path,
        device: torch.device,
        *,
        donor: Donor | None = None,
        lesson: Lesson | None = None,
        hub: HubModel | None = None,
        replicas: Alone = ALONE,
    ) -> None:
        self.replicas = replicas
        self.recipe, self.corpora, self.folder, self.device = recipe, corpora, folder, device
        self.lesson = lesson
        judges = [c for c in corpora if c.name not in recipe.corpora or recipe.corpora[c.name].judges]
        self.judged = [c for c in judges if any(recipe.heads[name].ships for name in c.heads)]
        config = recipe.train
        torch.manual_seed(config.seed)
        # Pieces are a vocabulary of their own; no word needs an id beside them.
        words = {} if hub else self._words()
        self.own_vocab = vocab_of(words, min_count=getattr(recipe.encoder, "min_count", 1))
        if lesson:
            self.own_vocab = lesson.extended(self.own_vocab)
        self.vocab = extend_vocab(donor.vocab, self.own_vocab) if donor else self.own_vocab
        self.network = Network(recipe, self.vocab, hub)
        with_heads = recipe.transfer is not None and recipe.transfer.heads
        if donor:
            fit_first_layer(self.network, donor, recipe)
        self.transferred = transfer(self.network, donor, self.vocab, with_heads=with_heads) if donor else None
        if config.narrow_first and not self._is_narrow():
            self._narrow()
        self.network.to(device)
        # A narrowed layer depends on the words that were read, and each process read others.
        replicas.spread(list(self.network.state_dict().values()))
        self.donor = donor._replace(tensors={}) if donor else None  # the names and licences of it
        self.public = hub.spec if hub else None
        self.texts = (*(donor.texts if donor else ()), *([hub.spec] if hub else ()))
        self.featurizer = self._new_featurizer()
        heads = {name: head.labels for name, head in recipe.heads.items()}
        self.examples = [encode_examples(corpus.examples, self.featurizer, heads) for corpus in corpora]
        self.lengths = [[len(example.row) for example in examples] for examples in self.examples]
        rates = config.word_dropout, config.char_dropout
        self.feeders = [
            Feeder(self.featurizer, self.vocab, *rates, counts=self._seen(corpus.heads)) for corpus in corpora
        ]
        if lesson:
            lesson.begin(self.featurizer, self._seen(lesson.heads))
        copied = self.transferred.loaded if self.transferred else ()
        self.rates = self.network.rates
        self.optimizer = Optimizer(self.network, config, {*copied, *self.rates})
        self.average = Average(self.network, config.average)
        self.best: dict[str, Tensor] = {}
        self.state = State(recipe_toml(recipe), self.vocab.digest())
        if lesson:
            self.total_steps = lesson.steps([len(self._groups(epoch)) for epoch in range(lesson.epochs)])
        else:
            self.total_steps = config.epochs * -(-len(self._groups(0)) // config.accumulate)

    def _words(self) -> Counter[str]:
        """How often each word stands in what all processes read."""
        own = Counter(
            form for corpus in self.corpora for example in corpus.examples for form in example.forms
        )
        return sum(map(Counter, self.replicas.all(dict(own), dict[str, int])), Counter())

    def _new_featurizer(self) -> Featurizer:
        network, max_chars = self.network, self.recipe.encoder.max_chars
        return Featurizer(self.vocab, network.inputs, max_chars=max_chars, pieces=network.pieces)

    def _seen(self, heads: Collection[str]) -> NDArray[np.int64]:
        """How often each word of the vocabulary stands in what teaches some heads, at least 1.

        Rare ones are hidden the more, however often the text of a donor, or of a corpus for other heads, has
        them: else nothing would teach these heads to read words they do not know by their characters.
        """
        seen = np.zeros(self.vocab.n_words, np.int64)
        for other, examples in zip(self.corpora, self.examples, strict=True):
            if set(other.heads) & set(heads):
                rows = np.concatenate([example.row for example in examples])
                seen += np.bincount(self.featurizer.table.word_ids[rows], minlength=len(seen))
        if self.lesson and self.lesson.heads & set(heads):
            seen += self.lesson.seen(self.vocab)
        of_all = np.zeros_like(seen)
        for part in self.replicas.gather(seen.tobytes()):
            of_all += np.frombuffer(part, np.int64)
        counts: NDArray[np.int64] = np.maximum(of_all[UNKNOWN_WORD + 1 :], 1)
        return counts

    def _is_narrow(self) -> bool:
        """Whether the first layer was narrowed to fit that of the donor."""
        features = self.network.features
        return features is not None and features.project is not None

    def _narrow(self) -> None:
        recipe = self.recipe
        if not recipe.export.input_rank:
            raise ConfigError("train.narrow_first: needs export.input_rank, which says how narrow")
        sentences = (example.forms for corpus in self.corpora for example in corpus.examples)
        rank, max_chars = recipe.export.input_rank, recipe.encoder.max_chars
        narrow(self.network, self.vocab, sentences, rank=rank, max_chars=max_chars)

    def resume(self) -> None:
        """Go on from the checkpoint of the run folder.

        Raises:
            TrainingError: if there is none, or it belongs to another recipe.
        """
        self.state, self.best = resume_run(
            self.folder,
            self.state,
            network=self.network,
            optimizer=self.optimizer,
            average=self.average,
        )

    def run(self, watcher: Watcher, *, max_minutes: float | None = None) -> None:
        """Train until epochs, patience or minutes are over; the best weights end in the network."""
        spent, started = self.state.minutes, time.monotonic()

        def is_late() -> bool:
            self.state.minutes = spent + (time.monotonic() - started) / 60
            late = max_minutes is not None and self.state.minutes >= max_minutes
            return late if max_minutes is None else self.replicas.first(late, bool)

        if self.recipe.train.score_start and not self.best:
            self.state.start = self._dev_scores()
            self._keep_best(self.state.start, epoch=-1)
        while not self._is_done() and not (self.best and is_late()):
            self.network.train()
            epoch_started, words = time.monotonic(), 0
            groups = self._groups(self.state.epoch)
            while self.state.position < len(groups):
                words += self._step(groups, watcher)
                if is_late():
                    break
                if self.state.step % self.recipe.train.checkpoint_steps == 0:
                    self.save()
            self._end_epoch(watcher, words / max(1e-9, time.monotonic() - epoch_started))
        self.network.load_state_dict(self.best)

    def _is_done(self) -> bool:
        config, state, lesson = self.recipe.train, self.state, self.lesson
        since = lesson.patient_since(state) if lesson else state.best_epoch
        is_patient = state.epoch - 1 - since < config.patience or not state.history
        return state.epoch >= (lesson.epochs if lesson else config.epochs) or not is_patient

    def _groups(self, epoch: int) -> list[tuple[int, list[int]]]:
        config, lesson = self.recipe.train, self.lesson
        factor = lesson.gold_factor(epoch) if lesson else 1.0
        weights = mix(
            [len(lengths) for lengths in self.lengths],
            [corpus.weight * factor for corpus in self.corpora],
            config,
            self._lacking(),
        )
        # The batches of a step hold as many words, however many processes share them.
        budget = max(1, config.batch_words // self.replicas.size)
        gold = epoch_groups(self.lengths, weights, budget=budget, seed=config.seed, epoch=epoch)
        mixed = lesson.mixed(gold, epoch) if lesson else gold
        return mixed[: min(self.replicas.all(len(mixed), int))]

    def _batch(self, corpus: int, members: list[int], step: int) -> tuple[Batch, float]:
        """A batch, and the weight of its loss."""
        seed = self.recipe.train.seed
        if self.lesson and corpus == SOFT:
            return self.lesson.batch(members, seed=seed, step=step), self.lesson.config.soft_weight
        examples = [self.examples[corpus][i] for i in members]
        return self.feeders[corpus].batch(examples, seed=seed, step=step), 1.0

    def _rate(self) -> float:
        if self.lesson:
            return self.lesson.rate(self.state)
        return learning_rate(self.recipe.train, self.state.step, self.total_steps)

    def _lacking(self) -> list[float] | None:
        """What the dev F1 of each corpus last lacked to 1; None before the first epoch, or if not needed."""
        if not self.state.history or self.recipe.train.sampling != "need":
            return None
        dev = self.state.history[-1].dev
        return [1 - dev[corpus.name] for corpus in self.corpora]

    def _step(self, groups: Sequence[tuple[int, list[int]]], watcher: Watcher) -> int:
        """Learn from as many batches as a step takes; the number of words learnt from."""
        config, state = self.recipe.train, self.state
        chosen = groups[state.position : state.position + config.accumulate]
        torch.manual_seed((config.seed * 1_000_003 + state.step) * self.replicas.size + self.replicas.rank)
        total, words = 0.0, 0
        for offset, (corpus, members) in enumerate(chosen):
            number = (state.step * config.accumulate + offset) * self.replicas.size + self.replicas.rank
            batch, weight = self._batch(corpus, members, number)
            loss = self._loss(batch.arrays, batch.targets) * weight / len(chosen)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            words += int(batch.arrays["lengths"].sum())
        self.replicas.average([p for p in self.network.parameters() if p.requires_grad])
        parts = self.replicas.all((total, words), tuple[float, int])
        total, words = fmean(loss for loss, _ in parts), sum(count for _, count in parts)
        if not math.isfinite(total):
            raise TrainingError(
                f"the loss at step {state.step} is not finite: the run diverged; lower train.learning_rate "
                "or train.clip, and start anew"
            )
        self.optimizer.step(self._rate(), self._factors())
        self.average.update(state.step)
        state.step += 1
        state.position += len(chosen)
        state.loss_sum += total
        state.loss_count += 1
        watcher.on_step(state, self.total_steps, total)
        return words

    def _factors(self) -> dict[str, float]:
        """Factors of the learning rate in this epoch: those of the encoder, times those of copied tensors."""
        if self.transferred is None or self.recipe.transfer is None:
            return self.rates
        copied = rate_factors(self.recipe.transfer, self.transferred, self.state.epoch)
        return self.rates | {name: rate * self.rates.get(name, 1.0) for name, rate in copied.items()}

    def _loss(
        self, arrays: Mapping[str, NDArray[np.int64]], targets: Mapping[str, NDArray[np.int64]]
    ) -> Tensor:
        inputs = to_tensors(arrays, self.device)
        wanted = to_tensors(targets, self.device)
        if self.device.type == "cpu":
            return self.network.loss(inputs, wanted)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            return self.network.loss(inputs, wanted)

    def _end_epoch(self, watcher: Watcher, words_per_second: float) -> None:
        state = self.state
        self.average.swap()
        scores = self._dev_scores()
        is_best = self._keep_best(scores, epoch=state.epoch)
        conflict = self._conflict()
        self.average.swap()
        row = state.end_epoch(
            scores,
            self._mean(scores),
            learning_rate=self._rate(),
            words_per_second=words_per_second,
            conflict=conflict,
        )
        self.save()
        watcher.on_epoch(row, is_best=is_best)

    def _dev_scores(self) -> dict[str, float]:
        config = self.recipe.train
        scored = self.corpora if config.sampling == "need" else self.judged
        is_first = self.replicas.rank == 0
        found = {c.name: self.dev_score(c, config.dev_share).f1 for c in scored} if is_first else {}
        return self.replicas.first(found, dict[str, float])

    def _mean(self, scores: Mapping[str, float]) -> float:
        """Of the dev scores that choose."""
        return fmean(scores[corpus.name] for corpus in self.judged)

    def _keep_best(self, scores: Mapping[str, float], *, epoch: int) -> bool:
        """Keep the weights as they are, if no earlier ones scored as high."""
        state, mean = self.state, self._mean(scores)
        if mean <= state.best_score:
            return False
        state.best_score, state.best_epoch = mean, epoch
        self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        return True

    def _conflict(self) -> dict[str, float]:
        """Cosines between corpora of the gradients of the encoder, by ``a|b``."""
        if not self.recipe.train.conflict_sentences:
            return {}
        batches = {}
        for corpus, examples, feeder in zip(self.corpora, self.examples, self.feeders, strict=True):
            chosen = examples[:: max(1, len(examples) // self.recipe.train.conflict_sentences)]
            batches[corpus.name] = feeder.plain(chosen[: self.recipe.train.conflict_sentences])
        losses = {name: partial(self._loss, b.arrays, b.targets) for name, b in batches.items()}
        return conflicts(self.network, losses)

    def save(self) -> None:
        """Write ``metrics.jsonl``, and the checkpoint where the run may go on; the first process does."""
        if self.replicas.rank:
            return
        save_history(self.folder, self.state)
        if not self.recipe.train.resumable:
            return
        save_run(
            self.folder,
            self.state,
            network=self.network,
            optimizer=self.optimizer,
            average=self.average,
            best=self.best,
        )

    def tagger(self, heads: Sequence[str] | None = None) -> Tagger:
        """A tagger over the network as it is, with all or some of its heads."""
        names = list(self.recipe.heads) if heads is None else list(heads)
        return Tagger(
            TorchScorer(self.network),
            {name: head_decoder(self.network, name) for name in names},
            self._new_featurizer(),
            window=(self.recipe.window.words, self.recipe.window.overlap),
        )

    def best_dev_scores(self) -> dict[str, float]:
        """Dev F1 of the best weights, on the share of the documents that was scored after their epoch."""
        state = self.state
        return dict(state.history[state.best_epoch].dev if state.best_epoch >= 0 else state.start)

    def dev_score(self, corpus: TrainingCorpus, share: float = 1.0) -> Score:
        """Strict micro score on the dev split of a corpus, over the labels its heads predict.

        Args:
            corpus: one of the run's.
            share: of the documents, evenly spread, that are scored.
        """
        dev = spread(corpus.dev, share)
        return strict_micro(dev, self.tagger(corpus.heads).annotate(dev), corpus.labels)


def spread(documents: Sequence[Document], share: float) -> Sequence[Document]:
    """A share of some documents, at least one if there are any, evenly spread."""
    count = min(len(documents), max(1, round(share * len(documents))))
    return [documents[i * len(documents) // count] for i in range(count)]


def document_scores(
    gold: Sequence[Document], predicted: Sequence[Document], labels: frozenset[str]
) -> list[Score]:
    """Strict score over some labels of each of documents in the same order."""

    def mentions(document: Document) -> set[Mention]:
        return {Mention(e.spans, e.label) for e in document.entities if e.label in labels}

    return [strict_counts(mentions(a), mentions(b)) for a, b in zip(gold, predicted, strict=True)]


def strict_micro(gold: Sequence[Document], predicted: Sequence[Document], labels: frozenset[str]) -> Score:
    """Strict micro score over some labels of documents in the same order."""
    return sum(document_scores(gold, predicted, labels), Score.of(0, 0, 0))


def head_decoder(network: Network, name: str, temperature: float = 1.0) -> TagDecoder:
    """The decoder of a head with its present transition scores."""
    head = network.head(name)
    parts = head.decoder_parts()
    return TagDecoder(
        head.tags, parts.get("transitions"), parts.get("start"), end=parts.get("end"), temperature=temperature
    )

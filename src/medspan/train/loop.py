"""Runs of taggers: batches of several corpora and of what teachers said, dev scores through the Tagger."""

from __future__ import annotations

from collections import Counter
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch

from medspan.errors import ConfigError
from medspan.features.batch import Featurizer
from medspan.features.vocab import UNKNOWN_WORD, extend_vocab, vocab_of
from medspan.metrics.counts import Score
from medspan.metrics.matching import Mention, strict_counts
from medspan.model.tagger import Tagger
from medspan.model.viterbi import TagDecoder
from medspan.train.compress import narrow
from medspan.train.conflict import conflicts
from medspan.train.data import encode_examples
from medspan.train.distil.lesson import SOFT
from medspan.train.epochs import Course, EpochTrainer
from medspan.train.mixing import mix
from medspan.train.network import Network
from medspan.train.replicas import ALONE
from medspan.train.sampler import Feeder, epoch_groups
from medspan.train.scorer import TorchScorer, to_tensors
from medspan.train.transfer import fit_first_layer, transfer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from medspan.config import Recipe
    from medspan.features.vocab import Vocab
    from medspan.train.data import TrainingCorpus
    from medspan.train.distil.lesson import Lesson
    from medspan.train.hub import HubModel
    from medspan.train.replicas import Alone
    from medspan.train.sampler import Batch
    from medspan.train.transfer import Donor, Transferred
    from medspan.types import Document


class Trainer(EpochTrainer):
    """A run of a tagger: network, data, optimiser and where it stands.

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

    network: Network

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
        config = recipe.train
        torch.manual_seed(config.seed)
        # Pieces are a vocabulary of their own; no word needs an id beside them.
        words = {} if hub else _words(corpora, replicas)
        own = vocab_of(words, min_count=getattr(recipe.encoder, "min_count", 1))
        if lesson:
            own = lesson.extended(own)
        vocab = extend_vocab(donor.vocab, own) if donor else own
        network = Network(recipe, vocab, hub)
        transferred = _start_from(donor, network, vocab, recipe) if donor else None
        if config.narrow_first and not _is_narrow(network):
            _narrow(network, vocab, recipe, corpora)
        super().__init__(
            recipe, network, vocab, folder=folder, device=device, transferred=transferred, replicas=replicas
        )
        self.corpora, self.lesson = corpora, lesson
        judges = [c for c in corpora if c.name not in recipe.corpora or recipe.corpora[c.name].judges]
        self.judged = [c for c in judges if any(recipe.heads[name].ships for name in c.heads)]
        self.donor = donor._replace(tensors={}) if donor else None
        self.public = hub.spec if hub else None
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
        self._plan(lesson or Course(config))

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

    def _lacking(self) -> list[float] | None:
        """What the dev F1 of each corpus last lacked to 1; None before the first epoch, or if not needed."""
        if not self.state.history or self.recipe.train.sampling != "need":
            return None
        dev = self.state.history[-1].dev
        return [1 - dev[corpus.name] for corpus in self.corpora]

    def _batch_loss(self, corpus: int, members: list[int], number: int) -> tuple[Tensor, int]:
        batch, weight = self._batch(corpus, members, number)
        return self._loss(batch.arrays, batch.targets) * weight, int(batch.arrays["lengths"].sum())

    def _batch(self, corpus: int, members: list[int], step: int) -> tuple[Batch, float]:
        """A batch, and the weight of its loss."""
        seed = self.recipe.train.seed
        if self.lesson and corpus == SOFT:
            return self.lesson.batch(members, seed=seed, step=step), self.lesson.config.soft_weight
        examples = [self.examples[corpus][i] for i in members]
        return self.feeders[corpus].batch(examples, seed=seed, step=step), 1.0

    def _loss(
        self, arrays: Mapping[str, NDArray[np.int64]], targets: Mapping[str, NDArray[np.int64]]
    ) -> Tensor:
        inputs = to_tensors(arrays, self.device)
        wanted = to_tensors(targets, self.device)
        if self.device.type == "cpu":
            return self.network.loss(inputs, wanted)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            return self.network.loss(inputs, wanted)

    def _dev_scores(self) -> dict[str, float]:
        config = self.recipe.train
        scored = self.corpora if config.sampling == "need" else self.judged
        is_first = self.replicas.rank == 0
        found = {c.name: self.dev_score(c, config.dev_share).f1 for c in scored} if is_first else {}
        return self.replicas.first(found, dict[str, float])

    def _mean(self, scores: Mapping[str, float]) -> float:
        """Of the dev scores that choose."""
        return fmean(scores[corpus.name] for corpus in self.judged)

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

    def tagger(self, heads: Sequence[str] | None = None) -> Tagger:
        """A tagger over the network as it is, with all or some of its heads."""
        names = list(self.recipe.heads) if heads is None else list(heads)
        return Tagger(
            TorchScorer(self.network),
            {name: head_decoder(self.network, name) for name in names},
            self._new_featurizer(),
            window=(self.recipe.window.words, self.recipe.window.overlap),
        )

    def dev_score(self, corpus: TrainingCorpus, share: float = 1.0) -> Score:
        """Strict micro score on the dev split of a corpus, over the labels its heads predict.

        Args:
            corpus: one of the run's.
            share: of the documents, evenly spread, that are scored.
        """
        dev = spread(corpus.dev, share)
        return strict_micro(dev, self.tagger(corpus.heads).annotate(dev), corpus.labels)


def _words(corpora: Sequence[TrainingCorpus], replicas: Alone) -> Counter[str]:
    """How often each word stands in what all processes read."""
    own = Counter(form for corpus in corpora for example in corpus.examples for form in example.forms)
    return sum(map(Counter, replicas.all(dict(own), dict[str, int])), Counter())


def _start_from(donor: Donor, network: Network, vocab: Vocab, recipe: Recipe) -> Transferred:
    """Copy what a recipe wants of a donor."""
    fit_first_layer(network, donor, recipe)
    with_heads = recipe.transfer is not None and recipe.transfer.heads
    return transfer(network, donor, vocab, with_heads=with_heads)


def _is_narrow(network: Network) -> bool:
    """Whether the first layer was narrowed to fit that of the donor."""
    features = network.features
    return features is not None and features.project is not None


def _narrow(network: Network, vocab: Vocab, recipe: Recipe, corpora: Sequence[TrainingCorpus]) -> None:
    if not recipe.export.input_rank:
        raise ConfigError("train.narrow_first: needs export.input_rank, which says how narrow")
    sentences = (example.forms for corpus in corpora for example in corpus.examples)
    rank, max_chars = recipe.export.input_rank, recipe.encoder.max_chars
    narrow(network, vocab, sentences, rank=rank, max_chars=max_chars)


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

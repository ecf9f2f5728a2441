"""Trains the plain tagger on the examples of a medspan trainer, as textbooks write the loop."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np
import torch
from plain_tagger import Hiding, PlainScorer, PlainTagger, Sentence, pad
from torch.nn.utils import clip_grad_norm_

from medspan.model.viterbi import TagDecoder
from medspan.train.loop import strict_micro
from medspan.train.optim import Average, learning_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plain_tagger import Padded

    from medspan.train.loop import Trainer


class PlainRun:
    """The plain tagger on the same examples, with textbook batches and loop.

    Args:
        trainer: gives the examples, vocabulary and dev split; its network is left alone.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.config = trainer, trainer.recipe.train
        (self.head,) = trainer.recipe.heads
        self.tags = trainer.network.head(self.head).tags
        torch.manual_seed(self.config.seed)
        encoder = trainer.recipe.encoder
        self.network = PlainTagger(encoder, trainer.vocab, self.tags, self.config.head_dropout)  # type: ignore[arg-type]
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate)
        self.average = Average(self.network, self.config.average)
        self.hide = Hiding(trainer.vocab, self.config)
        self.rng = np.random.default_rng(self.config.seed)
        self.sentences = self._sentences()
        batches = len(trainer._groups(0))  # noqa: SLF001 - as many batches an epoch as medspan has
        self.per_batch = round(len(self.sentences) / batches)
        self.batches = math.ceil(len(self.sentences) / self.per_batch)
        self.step_count = 0

    def _sentences(self) -> list[Sentence]:
        found = []
        for example in self.trainer.examples[0]:
            arrays = self.trainer.featurizer.arrays([example.row])
            ids, tags = arrays["form_index"][0], example.tags[self.head]
            words, chars, case = (arrays[name][ids] for name in ("word_ids", "char_ids", "case_ids"))
            found.append(Sentence(words, chars, case, tags))
        return found

    def steps(self) -> Iterator[int]:
        """Learn from a batch; the words learnt from."""
        while True:
            yield from self.epoch()

    def epoch(self) -> Iterator[int]:
        """The steps of one epoch."""
        self.network.train()
        order = self.rng.permutation(len(self.sentences))
        for first in range(0, len(order), self.per_batch):
            batch = pad([self.sentences[i] for i in order[first : first + self.per_batch]])
            self._learn(self.hide(batch, self.rng))
            yield int(batch.lengths.sum())

    def _learn(self, batch: Padded) -> None:
        rate = learning_rate(self.config, self.step_count, self.config.epochs * self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = self.network.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        loss.item()
        self.average.update(self.step_count)
        self.step_count += 1

    def best_dev_f1(self) -> float:
        """Train all epochs of the recipe; strict dev F1 of the best one."""
        best = 0.0
        for number in range(self.config.epochs):
            for _ in self.epoch():
                pass
            self.average.swap()
            f1 = self._dev_f1()
            self.average.swap()
            best = max(best, f1)
            print(f"plain epoch {number + 1}: dev F1 {f1:.4f}", file=sys.stderr)
        return best

    def _dev_f1(self) -> float:
        crf = self.network.crf
        parts = [part.detach().numpy() for part in (crf.transitions, crf.start, crf.end)]
        tagger = self.trainer.tagger()
        tagger.scorer = PlainScorer(self.network, self.head)
        tagger.decoders = {self.head: TagDecoder(self.tags, parts[0], parts[1], end=parts[2])}
        corpus = self.trainer.corpora[0]
        return strict_micro(corpus.dev, tagger.annotate(corpus.dev), corpus.labels).f1

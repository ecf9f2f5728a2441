"""The loop of relation models: epochs of batches, dev score through the Relater, checkpoints, resume.

It is a loop of its own beside `medspan.train.loop`, whose batches, losses and scores are those of tags; all
parts below it (encoder, features, optimiser, average, transfer, checkpoint) are the same. Everything random
is a function of seed, epoch and step.
"""

from __future__ import annotations

import math
import time
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch

from medspan.errors import TrainingError
from medspan.features.batch import Featurizer
from medspan.features.vocab import UNKNOWN_WORD, build_vocab, extend_vocab
from medspan.metrics.counts import Score
from medspan.metrics.relations import relation_counts
from medspan.model.relater import Relater
from medspan.model.relation_spec import RelationSpec
from medspan.model.spec import EncoderSpec, FormSpec, WindowSpec
from medspan.text.tokenize import TOKENIZER_ID
from medspan.toml import recipe_toml
from medspan.train.checkpoint import State, resume_run, save_history, save_run
from medspan.train.optim import Average, Optimizer, learning_rate
from medspan.train.relations.data import Example, drawn_examples, head_batch, pair_batch
from medspan.train.relations.network import RelationNetwork
from medspan.train.relations.pointers import PointerHead
from medspan.train.sampler import Feeder, epoch_groups
from medspan.train.scorer import TorchScorer, to_tensors
from medspan.train.transfer import rate_factors, transfer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from medspan.features.vocab import Vocab
    from medspan.model.spec import Provenance
    from medspan.train.hub import HubModel
    from medspan.train.loop import Watcher
    from medspan.train.relations.data import RelationCorpus
    from medspan.train.relations.settings import RelationRecipe
    from medspan.train.transfer import Donor
    from medspan.types import Document


class RelationTrainer:
    """A run: network, data, optimiser and where it stands.

    Args:
        recipe: what to train.
        corpora: the recipe's corpora, read.
        folder: the run folder, for checkpoints and ``metrics.jsonl``.
        device: where to compute.
        donor: what the encoder starts from, if anything.
        hub: the public encoder a ``transformer`` starts from.
    """

    def __init__(
        self,
        recipe: RelationRecipe,
        corpora: Sequence[RelationCorpus],
        folder: Path,
        device: torch.device,
        *,
        donor: Donor | None = None,
        hub: HubModel | None = None,
    ) -> None:
        self.recipe, self.corpora, self.folder, self.device = recipe, corpora, folder, device
        config = recipe.train
        torch.manual_seed(config.seed)
        # Pieces are a vocabulary of their own; no word needs an id beside them.
        forms = (view.forms for corpus in corpora for view in corpus.views if hub is None)
        own = build_vocab(forms, min_count=getattr(recipe.encoder, "min_count", 1))
        self.vocab: Vocab = extend_vocab(donor.vocab, own) if donor else own
        self.network = RelationNetwork(recipe, self.vocab, hub)
        self.transferred = transfer(self.network, donor, self.vocab) if donor else None
        self.network.to(device)
        self.donor = donor._replace(tensors={}) if donor else None
        self.public = hub.spec if hub else None
        self.featurizer = Featurizer(
            self.vocab,
            self.network.inputs,
            max_chars=recipe.encoder.max_chars,
            pieces=self.network.pieces,
        )
        self.examples = [
            Example(view, self.featurizer.encode(view.forms), classes)
            for corpus in corpora
            for view, classes in zip(corpus.views, corpus.classes, strict=True)
        ]
        self.feeder = Feeder(
            self.featurizer, self.vocab, config.word_dropout, config.char_dropout, counts=self._seen()
        )
        copied = self.transferred.loaded if self.transferred else ()
        self.rates = self.network.rates
        self.optimizer = Optimizer(self.network, config, {*copied, *self.rates})
        self.average = Average(self.network, config.average)
        self.best: dict[str, Tensor] = {}
        self.state = State(recipe_toml(recipe), self.vocab.digest())
        self.total_steps = config.epochs * -(-len(self._groups(0)) // config.accumulate)

    def _seen(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """How often each word stands in what is learnt from, at least 1."""
        rows = np.concatenate([example.row for example in self.examples])
        seen = np.bincount(self.featurizer.table.word_ids[rows], minlength=self.vocab.n_words)
        return np.maximum(seen[UNKNOWN_WORD + 1 :], 1)

    def _groups(self, epoch: int) -> list[tuple[int, list[int]]]:
        config = self.recipe.train
        lengths = [[len(example.row) for example in self.examples]]
        return epoch_groups(lengths, [1.0], budget=config.batch_words, seed=config.seed, epoch=epoch)

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
            return max_minutes is not None and self.state.minutes >= max_minutes

        while not self._is_done() and not (self.best and is_late()):
            self.network.train()
            began, words = time.monotonic(), 0
            groups = self._groups(self.state.epoch)
            while self.state.position < len(groups):
                words += self._step(groups, watcher)
                if is_late():
                    break
                if self.state.step % self.recipe.train.checkpoint_steps == 0:
                    self.save()
            self._end_epoch(watcher, words / max(1e-9, time.monotonic() - began))
        self.network.load_state_dict(self.best)

    def _is_done(self) -> bool:
        config, state = self.recipe.train, self.state
        is_patient = state.epoch - 1 - state.best_epoch < config.patience or not state.history
        return state.epoch >= config.epochs or not is_patient

    def _step(self, groups: Sequence[tuple[int, list[int]]], watcher: Watcher) -> int:
        """Learn from as many batches as a step takes; the number of words learnt from."""
        config, state = self.recipe.train, self.state
        chosen = groups[state.position : state.position + config.accumulate]
        torch.manual_seed(config.seed * 1_000_003 + state.step)
        total, words = 0.0, 0
        for offset, (_, members) in enumerate(chosen):
            number = state.step * config.accumulate + offset
            examples = self._drawn([self.examples[i] for i in members], number)
            if not examples:  # all pairs are unrelated, and none was drawn
                continue
            loss = self._loss(examples, number)
            (loss / len(chosen)).backward()  # type: ignore[no-untyped-call]
            total += loss.item() / len(chosen)
            words += sum(len(example.row) for example in examples)
        if not math.isfinite(total):
            raise TrainingError(
                f"the loss at step {state.step} is not finite: the run diverged; lower train.learning_rate "
                "or train.clip, and start anew"
            )
        if words:
            rate = learning_rate(config, state.step, self.total_steps)
            self.optimizer.step(rate, self._factors())
            self.average.update(state.step)
        state.step += 1
        state.position += len(chosen)
        state.loss_sum += total
        state.loss_count += 1
        watcher.on_step(state, self.total_steps, total)
        return words

    def _drawn(self, examples: list[Example], number: int) -> list[Example]:
        if self.recipe.relations.kind == "pointers":
            return examples
        rng = np.random.default_rng([self.recipe.train.seed, number, 2])
        return drawn_examples(examples, self.recipe.relations, rng)

    def _loss(self, examples: Sequence[Example], number: int) -> Tensor:
        config = self.recipe
        make = pair_batch if config.relations.kind == "pairs" else head_batch
        pairs, targets = make(examples, config.relations)
        arrays = self.featurizer.arrays([example.row for example in examples])
        self.feeder.hide(arrays, seed=config.train.seed, step=number)
        inputs = to_tensors({**arrays, **pairs}, self.device)
        return self.network.loss(inputs, to_tensors(targets, self.device))

    def _factors(self) -> dict[str, float]:
        if self.transferred is None or self.recipe.transfer is None:
            return self.rates
        return self.rates | rate_factors(self.recipe.transfer, self.transferred, self.state.epoch)

    def _end_epoch(self, watcher: Watcher, words_per_second: float) -> None:
        state = self.state
        self.average.swap()
        scores = {corpus.name: self.dev_score(corpus).f1 for corpus in self.corpora}
        mean = fmean(scores.values())
        if is_best := mean > state.best_score:
            state.best_score, state.best_epoch = mean, state.epoch
            self.best = {n: tensor.detach().clone() for n, tensor in self.network.state_dict().items()}
        self.average.swap()
        row = state.end_epoch(
            scores,
            mean,
            learning_rate=learning_rate(self.recipe.train, state.step, self.total_steps),
            words_per_second=words_per_second,
        )
        self.save()
        watcher.on_epoch(row, is_best=is_best)

    def save(self) -> None:
        """Write the checkpoint and ``metrics.jsonl``."""
        save_history(self.folder, self.state)
        save_run(
            self.folder,
            self.state,
            network=self.network,
            optimizer=self.optimizer,
            average=self.average,
            best=self.best,
        )

    def relater(self) -> Relater:
        """A relater over the network as it is."""
        return torch_relater(
            self.network, self.featurizer.with_empty_table(), spec_of(self.recipe, self.network)
        )

    def dev_score(self, corpus: RelationCorpus) -> Score:
        """Strict micro score on the dev split of a corpus, its entities given."""
        return strict_micro(corpus.dev, self.relater().annotate(corpus.dev), self.recipe)


def strict_micro(gold: Sequence[Document], found: Sequence[Document], recipe: RelationRecipe) -> Score:
    """Strict micro score over the labels of a recipe of documents in the same order."""
    config = recipe.relations
    counts = (
        relation_counts(a, b, config.labels, symmetric=config.views.symmetric)
        for a, b in zip(gold, found, strict=True)
    )
    return sum((Score.of(*row) for rows in counts for row in rows), Score.of(0, 0, 0))


def torch_relater(network: RelationNetwork, featurizer: Featurizer, spec: RelationSpec) -> Relater:
    """A relater over a network."""
    head = network.relations
    pointing = head.pointing() if isinstance(head, PointerHead) else None
    return Relater(TorchScorer(network), featurizer, spec, pointing=pointing)


def spec_of(
    recipe: RelationRecipe,
    network: RelationNetwork,
    provenance: Provenance | None = None,
    none_bias: float = 0.0,
) -> RelationSpec:
    """What a model of a recipe is; without provenance only good for use in training."""
    settings = msgspec.to_builtins(recipe.encoder)
    kind = settings.pop("kind")
    features = network.features
    names = ("word_ids", "char_ids", "case_ids")
    return RelationSpec(
        name=recipe.name,
        what=recipe.relations.kind,
        language=recipe.language,
        licence=recipe.licence,
        labels=recipe.relations.labels,
        views=recipe.relations.views,
        encoder=EncoderSpec(
            kind, {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if v is not None}
        ),
        tokenizer=TOKENIZER_ID,
        inputs=network.graph_inputs,
        provenance=provenance,  # type: ignore[arg-type]
        negatives=recipe.relations.negatives,
        none_bias=none_bias,
        forms=FormSpec(names, features.width) if features else None,
        window=WindowSpec(recipe.window.words, recipe.window.overlap),
        description=recipe.description,
    )

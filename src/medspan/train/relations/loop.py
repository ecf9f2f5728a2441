"""Runs of relation networks: batches of pairs or heads, dev scores through the Relater."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from medspan.features.batch import Featurizer
from medspan.features.vocab import UNKNOWN_WORD, build_vocab, extend_vocab
from medspan.metrics.counts import Score
from medspan.metrics.relations import relation_counts
from medspan.model.relater import Relater
from medspan.model.relation_spec import RelationSpec
from medspan.model.spec import WindowSpec
from medspan.text.tokenize import TOKENIZER_ID
from medspan.train.epochs import Course, EpochTrainer
from medspan.train.parts import encoder_spec, form_spec
from medspan.train.relations.data import Example, drawn_examples, head_batch, pair_batch
from medspan.train.relations.network import RelationNetwork
from medspan.train.relations.pointers import PointerHead
from medspan.train.sampler import Feeder, epoch_groups
from medspan.train.scorer import TorchScorer, to_tensors
from medspan.train.transfer import transfer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from medspan.model.spec import Provenance
    from medspan.train.hub import HubModel
    from medspan.train.relations.data import RelationCorpus
    from medspan.train.relations.settings import RelationRecipe
    from medspan.train.transfer import Donor
    from medspan.types import Document


class RelationTrainer(EpochTrainer):
    """A run of a relation network: network, data, optimiser and where it stands.

    Args:
        recipe: what to train.
        corpora: the recipe's corpora, read.
        folder: the run folder, for checkpoints and ``metrics.jsonl``.
        device: where to compute.
        donor: what the encoder starts from, if anything.
        hub: the public encoder a ``transformer`` starts from.
    """

    network: RelationNetwork
    recipe: RelationRecipe

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
        config = recipe.train
        torch.manual_seed(config.seed)
        # Pieces are a vocabulary of their own; no word needs an id beside them.
        forms = (view.forms for corpus in corpora for view in corpus.views if hub is None)
        own = build_vocab(forms, min_count=getattr(recipe.encoder, "min_count", 1))
        vocab = extend_vocab(donor.vocab, own) if donor else own
        network = RelationNetwork(recipe, vocab, hub)
        transferred = transfer(network, donor, vocab) if donor else None
        super().__init__(recipe, network, vocab, folder=folder, device=device, transferred=transferred)
        self.corpora = corpora
        self.donor = donor._replace(tensors={}) if donor else None
        self.public = hub.spec if hub else None
        self.featurizer = Featurizer(
            vocab, network.inputs, max_chars=recipe.encoder.max_chars, pieces=network.pieces
        )
        self.examples = [
            Example(view, self.featurizer.encode(view.forms), classes)
            for corpus in corpora
            for view, classes in zip(corpus.views, corpus.classes, strict=True)
        ]
        self.feeder = Feeder(
            self.featurizer, vocab, config.word_dropout, config.char_dropout, counts=self._seen()
        )
        self._plan(Course(config))

    def _seen(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """How often each word stands in what is learnt from, at least 1."""
        rows = np.concatenate([example.row for example in self.examples])
        seen = np.bincount(self.featurizer.table.word_ids[rows], minlength=self.vocab.n_words)
        return np.maximum(seen[UNKNOWN_WORD + 1 :], 1)

    def _groups(self, epoch: int) -> list[tuple[int, list[int]]]:
        config = self.recipe.train
        lengths = [[len(example.row) for example in self.examples]]
        return epoch_groups(lengths, [1.0], budget=config.batch_words, seed=config.seed, epoch=epoch)

    def _batch_loss(self, corpus: int, members: list[int], number: int) -> tuple[Tensor, int] | None:
        del corpus  # the examples of all are in one row
        examples = self._drawn([self.examples[i] for i in members], number)
        if not examples:  # all pairs are unrelated, and none was drawn
            return None
        return self._loss(examples, number), sum(len(example.row) for example in examples)

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

    def _dev_scores(self) -> dict[str, float]:
        return {corpus.name: self.dev_score(corpus).f1 for corpus in self.corpora}

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
    return RelationSpec(
        name=recipe.name,
        what=recipe.relations.kind,
        language=recipe.language,
        licence=recipe.licence,
        labels=recipe.relations.labels,
        views=recipe.relations.views,
        encoder=encoder_spec(recipe.encoder),
        tokenizer=TOKENIZER_ID,
        inputs=network.graph_inputs,
        provenance=provenance,  # type: ignore[arg-type]
        negatives=recipe.relations.negatives,
        none_bias=none_bias,
        forms=form_spec(network),
        window=WindowSpec(recipe.window.words, recipe.window.overlap),
        description=recipe.description,
    )

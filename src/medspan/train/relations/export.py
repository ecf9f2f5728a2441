"""Relation network → model folder. Proves that the graph equals the network, or writes nothing (DESIGN 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from safetensors.torch import save as save_tensors

from medspan.errors import ModelError
from medspan.features.batch import Featurizer
from medspan.metrics.relations import relation_keys
from medspan.model.golden import GOLDEN
from medspan.model.relater import Relater, relations_of
from medspan.model.relation_golden import (
    compare_relations,
    golden_documents,
    make_relation_golden,
    read_relation_golden,
)
from medspan.model.relation_spec import DECODER, GRAPH, save_relations
from medspan.model.session import OnnxForms, OnnxRelations
from medspan.train.encoders.transformer import TransformerEncoder
from medspan.train.parts import PROOF_DOCUMENTS, TOLERANCE, files_of, graphs_of, round_to_half
from medspan.train.relations.loop import spec_of, strict_micro, torch_relater
from medspan.train.relations.pointers import PointerHead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from medspan.features.vocab import Vocab
    from medspan.model.spec import Provenance
    from medspan.train.relations.data import RelationCorpus
    from medspan.train.relations.network import RelationNetwork
    from medspan.train.relations.settings import RelationRecipe
    from medspan.types import Document

_BIASES = np.round(np.arange(-2.0, 2.01, 0.1), 1)


class RelationExport:
    """A trained network on its way into a model folder.

    Args:
        recipe: what was trained.
        network: its best weights; rounded in place where the recipe says so.
        vocab: its vocabulary.
        corpora: dev documents set the bias against relations and prove the graph.
        provenance: goes into ``config.json``.
    """

    def __init__(
        self,
        recipe: RelationRecipe,
        network: RelationNetwork,
        vocab: Vocab,
        *,
        corpora: Sequence[RelationCorpus],
        provenance: Provenance,
    ) -> None:
        self.recipe, self.vocab, self.corpora = recipe, vocab, corpora
        self.network = network.cpu().eval()
        if isinstance(network.encoder, TransformerEncoder):
            network.encoder.in_bfloat16 = False  # what is proved and scored is what the graph computes
        if recipe.export.half:
            round_to_half(network)
        self.forms, self.graph = graphs_of(network, network.to_graph, half=recipe.export.half)
        self.spec = spec_of(recipe, self.network, provenance)
        self.spec = spec_of(recipe, self.network, provenance, self._none_bias())

    def _none_bias(self) -> float:
        """What, added to the score of no relation, gives the best dev F1; of equal ones the nearest to 0."""
        if not self.spec.negatives or self.spec.what != "pairs":
            return 0.0
        relater = self.relater()
        dev = [[d for d in corpus.dev if d.entities or d.relations] for corpus in self.corpora]
        scored = [list(relater.score(documents)) for documents in dev]

        def f1(bias: float) -> float:
            relater.spec = msgspec.structs.replace(self.spec, none_bias=bias)
            total = 0.0
            for documents, parts in zip(dev, scored, strict=True):
                decoded = relater.decode(parts, len(documents))
                found = [
                    d.replace(relations=relations_of(d, relations))
                    for d, relations in zip(documents, decoded, strict=True)
                ]
                total += strict_micro(documents, found, self.recipe).f1
            return total

        best: float = max(_BIASES.tolist(), key=lambda bias: (f1(bias), -abs(bias)))
        return best

    def relater(self, *, onnx: bool = False) -> Relater:
        """A relater over the network, or over the graph."""
        max_chars = self.recipe.encoder.max_chars
        if not onnx:
            featurizer = Featurizer(
                self.vocab, self.network.inputs, max_chars=max_chars, pieces=self.network.pieces
            )
            return torch_relater(self.network, featurizer, self.spec)
        forms = OnnxForms(self.forms, self.spec.forms) if self.forms and self.spec.forms else None
        featurizer = Featurizer(
            self.vocab, self.spec.inputs, max_chars=max_chars, network=forms, pieces=self.network.pieces
        )
        head = self.network.relations
        pointing = head.pointing() if isinstance(head, PointerHead) else None
        scorer = OnnxRelations(self.graph, self.spec, device="cpu", threads=1)
        return Relater(scorer, featurizer, self.spec, pointing=pointing)

    def prove(self) -> int:
        """Compare graph and network on dev documents; the number of documents compared.

        Raises:
            ModelError: if scores or relations differ, or depend on the rest of a batch.
        """
        documents = [d for corpus in self.corpora for d in corpus.dev if d.entities][:PROOF_DOCUMENTS]
        network, graph = self.relater(), self.relater(onnx=True)
        for (_, left), (_, right) in zip(network.batches(documents), graph.batches(documents), strict=True):
            ours, theirs = network.scorer.score(left), graph.scorer.score(right)
            for name, values in ours.items():
                _compare(name, values, theirs[name], left["pair_lengths"])
        together = graph.annotate(documents)
        _same(network.annotate(documents), together, "the exported graph differs from the network")
        alone = [graph.annotate([document])[0] for document in documents]
        _same(together, alone, "the exported graph depends on the rest of a batch")
        return len(documents)

    def _golden(self) -> bytes:
        """What the graph finds in invented documents, which must be what the network finds."""
        documents = golden_documents(self.spec.views)
        graph = self.relater(onnx=True)
        golden = make_relation_golden(graph, documents)
        _same(self.relater().annotate(documents), graph.annotate(documents), "the graph differs")
        if problems := compare_relations(graph, read_relation_golden(golden)):
            raise ModelError(f"export: {problems[0]}; nothing was written")
        return golden

    def save(self, folder: Path, scores: dict[str, object], card: str) -> None:
        """Write the model folder.

        Raises:
            ModelError: if the proof fails; then nothing is written.
        """
        self.prove()
        head = self.network.relations
        files = {
            **files_of(self.network, self.vocab, self.recipe, forms=self.forms, scores=scores, card=card),
            GRAPH: self.graph,
            **({DECODER: head.pointing().pack()} if isinstance(head, PointerHead) else {}),
            GOLDEN: self._golden(),
        }
        if self.recipe.export.keep_weights:
            tensors = {
                name: t.half() if self.recipe.export.half else t
                for name, t in self.network.state_dict().items()
            }
            files["model.safetensors"] = save_tensors({n: t.contiguous() for n, t in tensors.items()})
        save_relations(folder, self.spec, files)


def _compare(name: str, ours: np.ndarray, theirs: np.ndarray, lengths: np.ndarray) -> None:
    """Outputs that go on behind a row's places are compared inside them."""
    inside = np.ones(ours.shape, bool)
    if name == "memory":
        inside &= (np.arange(ours.shape[1]) < lengths[:, None])[:, :, None]
    gap = float(np.abs(np.where(inside, ours - theirs, 0.0)).max())
    if not gap <= TOLERANCE:
        raise ModelError(f"export: output {name!r} of the graph differs by {gap:.2g}; nothing was written")


def _same(left: Sequence[Document], right: Sequence[Document], problem: str) -> None:
    for a, b in zip(left, right, strict=True):
        if relation_keys(a) != relation_keys(b):
            raise ModelError(f"export: {problem} in document {a.id!r}; nothing was written")

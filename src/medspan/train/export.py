"""Network → model folder. Proves that the graph equals the network on text, or writes nothing (DESIGN 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch
from safetensors.torch import save as save_tensors

from medspan.errors import ModelError
from medspan.features.batch import FORM_INPUTS, Featurizer
from medspan.features.pieces import FILE, LAYOUT_FILE
from medspan.metrics.matching import Mention
from medspan.model.calibrate import dev_batches
from medspan.model.golden import GOLDEN_TEXTS, make_golden
from medspan.model.session import OnnxForms, OnnxScorer
from medspan.model.spec import EncoderSpec, FormSpec, HeadSpec, ModelSpec, WindowSpec
from medspan.model.store import pack_decoders, save_model
from medspan.model.tagger import Tagger, tagger_of
from medspan.model.viterbi import fit_temperature
from medspan.text.tokenize import TOKENIZER_ID
from medspan.toml import recipe_toml
from medspan.train.compress import narrow
from medspan.train.encoders.transformer import TransformerEncoder
from medspan.train.encoders.words import BYTE
from medspan.train.graph import Graph
from medspan.train.loop import head_decoder
from medspan.train.prune import prune_words
from medspan.train.quantize import quantized
from medspan.train.scorer import TorchScorer
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from medspan.config import Recipe
    from medspan.features.pieces import Pieces
    from medspan.features.vocab import Vocab
    from medspan.model.spec import Provenance
    from medspan.model.viterbi import DevBatch
    from medspan.train.data import TrainingCorpus
    from medspan.train.network import Network

TOLERANCE = 2e-3
_PROOF_DOCUMENTS = 40


class Export:
    """A trained network on its way into a model folder.

    Args:
        recipe: what was trained.
        network: its best weights; pruned, narrowed and rounded in place where the recipe says so.
        vocab: its vocabulary; ``self.vocab`` is what is left of it.
        corpora: dev splits fit the temperatures and prove the graph on real text.
        provenance: goes into ``config.json``.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        vocab: Vocab,
        *,
        corpora: Sequence[TrainingCorpus],
        provenance: Provenance,
    ) -> None:
        self.recipe, self.vocab, self.corpora = recipe, vocab, corpora
        self.network = network.cpu().eval()
        self.heads = [name for name, head in recipe.heads.items() if head.ships]
        if recipe.export.most_words:
            forms = (form for corpus in corpora for example in corpus.examples for form in example.forms)
            self.vocab = prune_words(self.network, vocab, forms, most=recipe.export.most_words)
        self._round()
        self.weights = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        if recipe.export.input_rank and not recipe.train.narrow_first:
            self._narrow(recipe.export.input_rank)
            self._round()
        self.forms, self.model = self._graphs()
        self.spec = self._spec(provenance, dict.fromkeys(self.heads, 1.0))
        temperatures = self._temperatures()
        if isinstance(network.encoder, TransformerEncoder):
            # Graphs compute in single precision, and so must what proves them.
            network.encoder.in_bfloat16 = False
        self.spec = self._spec(provenance, temperatures)

    def _narrow(self, rank: int) -> None:
        sentences = (example.forms for corpus in self.corpora for example in corpus.examples)
        narrow(self.network, self.vocab, sentences, rank=rank, max_chars=self.recipe.encoder.max_chars)

    def _round(self) -> None:
        """Round weights the graph keeps in half precision, so that graph and network are one model."""
        if not self.recipe.export.half:
            return
        in_bytes: set[int] = set()
        if self.recipe.export.word_bits == BYTE:
            features, encoder = self.network.features, self.network.encoder
            if isinstance(encoder, TransformerEncoder):
                in_bytes = encoder.round_to_bytes()
            elif features is not None:
                features.word_bits = BYTE
                table = features.words.weight
                table.data.copy_(quantized(table.data))
                in_bytes = {id(table)}
        with torch.no_grad():
            for parameter in self.network.parameters():
                if id(parameter) not in in_bytes:
                    parameter.copy_(parameter.half().float())

    def _graphs(self) -> tuple[bytes | None, bytes]:
        """The graph of single words, where the encoder has one, and the graph of their context."""
        half, features, forms = self.recipe.export.half, self.network.features, None
        if features is not None:
            single = Graph(FORM_INPUTS, half=half)
            single.output("word_states", features.to_graph(single), ("forms", features.width))
            forms = single.build()
        graph = Graph(self.network.graph_inputs, half=half, width=features.width if features else 0)
        self.network.to_graph(graph, self.heads)
        return forms, graph.build()

    def _spec(self, provenance: Provenance, temperatures: dict[str, float]) -> ModelSpec:
        features = self.network.features
        settings = msgspec.to_builtins(self.recipe.encoder)
        kind = settings.pop("kind")
        heads = tuple(
            HeadSpec(
                name=name,
                labels=self.recipe.heads[name].labels,
                kind=self.recipe.heads[name].kind,
                temperature=temperatures[name],
                corpora=tuple(self.recipe.corpora[c].source for c in self.recipe.heads[name].corpora),
            )
            for name in self.heads
        )
        return ModelSpec(
            name=self.recipe.name,
            description=self.recipe.description,
            language=self.recipe.language,
            licence=self.recipe.licence,
            encoder=EncoderSpec(
                kind,
                {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items() if v is not None},
            ),
            heads=heads,
            tokenizer=TOKENIZER_ID,
            inputs=self.network.graph_inputs,
            forms=FormSpec(FORM_INPUTS, features.width) if features else None,
            window=WindowSpec(self.recipe.window.words, self.recipe.window.overlap),
            overlap=self.recipe.export.overlap,
            beside=self.recipe.export.beside,
            provenance=provenance,
        )

    def _temperatures(self) -> dict[str, float]:
        """By head, fitted on the dev splits of its corpora; a corpus is read once for all its heads."""
        batches: dict[str, list[DevBatch]] = {head: [] for head in self.heads}
        for corpus in self.corpora:
            heads = [head for head in self.heads if head in corpus.heads]
            for head, found in dev_batches(self._tagger(heads=heads), corpus.dev).items() if heads else ():
                batches[head] += found
        decoders = self._tagger().decoders
        return {head: round(float(fit_temperature(decoders[head], batches[head])), 4) for head in self.heads}

    def _featurizer(self, *, onnx: bool) -> Featurizer:
        inputs = self.network.graph_inputs if onnx else self.network.inputs
        forms = OnnxForms(self.forms, self.spec.forms) if onnx and self.forms and self.spec.forms else None
        max_chars, pieces = self.recipe.encoder.max_chars, self.network.pieces
        return Featurizer(self.vocab, inputs, max_chars=max_chars, network=forms, pieces=pieces)

    def _tagger(self, heads: Sequence[str] | None = None, *, onnx: bool = False) -> Tagger:
        scorer = (
            OnnxScorer(self.model, self.spec, device="cpu", threads=1) if onnx else TorchScorer(self.network)
        )
        temperatures = {head.name: head.temperature for head in self.spec.heads}
        names = self.heads if heads is None else heads
        decoders = {name: head_decoder(self.network, name, temperatures[name]) for name in names}
        return tagger_of(self.spec, decoders, self._featurizer(onnx=onnx), scorer)

    def prove(self) -> int:
        """Compare graph and network at shapes and on text; the number of documents compared.

        Raises:
            ModelError: if emissions or entities differ, or depend on the rest of a batch.
        """
        texts = [text for text in GOLDEN_TEXTS if text.strip()]
        real = [document for corpus in self.corpora for document in corpus.dev[:_PROOF_DOCUMENTS]]
        self._prove_shapes(texts)
        documents = [*self._documents(texts), *(d.replace(entities=()) for d in real)]
        network, graph = self._tagger(), self._tagger(onnx=True)
        _same_entities(
            network.annotate(documents),
            graph.annotate(documents),
            "the exported graph differs from the network",
        )
        together = graph.annotate(documents)
        some = documents[: len(texts) + _PROOF_DOCUMENTS]
        alone = [graph.annotate([document])[0] for document in some]
        _same_entities(together[: len(some)], alone, "the exported graph depends on the rest of a batch")
        return len(documents)

    @staticmethod
    def _documents(texts: Sequence[str]) -> list[Document]:
        return [Document(f"golden-{i}", text) for i, text in enumerate(texts)]

    def _prove_shapes(self, texts: Sequence[str]) -> None:
        """Emissions at 1 x 1, 1 x longest, ragged 17, and each ragged row alone."""
        words = [word for text in texts for word in text.split()] * 3
        longest = self.recipe.window.words
        ragged = [words[i * 3 : i * 3 + 1 + i * 7 % 40] for i in range(17)]
        network, graph = self._emitter(onnx=False), self._emitter(onnx=True)
        for rows in ([words[:1]], [words[:longest]], ragged):
            lengths = np.array([len(row) for row in rows])
            self._compare(network(rows), graph(rows), lengths)
        together = graph(ragged)
        for i, row in enumerate(ragged):
            cut = {head: part[i : i + 1, : len(row)] for head, part in together.items()}
            self._compare(cut, graph([row]), np.array([len(row)]))

    def _emitter(self, *, onnx: bool) -> Callable[[Sequence[Sequence[str]]], dict[str, NDArray[np.float32]]]:
        """Words of some rows → emissions by head."""
        tagger = self._tagger(onnx=onnx)
        featurizer = tagger.featurizer
        return lambda rows: tagger.scorer.score(featurizer.arrays([featurizer.encode(row) for row in rows]))

    def _compare(
        self,
        left: dict[str, NDArray[np.float32]],
        right: dict[str, NDArray[np.float32]],
        lengths: NDArray[np.int64],
    ) -> None:
        for head in self.heads:
            for i, length in enumerate(lengths):
                gap = float(np.abs(left[head][i, :length] - right[head][i, :length]).max())
                if not gap <= TOLERANCE:
                    raise ModelError(
                        f"export: emissions of head {head!r} differ by {gap:.2g}; nothing was written"
                    )

    def save(self, folder: Path, scores: dict[str, object], card: str) -> None:
        """Write the model folder.

        Raises:
            ModelError: if the proof fails; then nothing is written.
        """
        self.prove()
        decoders = {name: self.network.head(name).decoder_parts() for name in self.heads}
        files = {
            "vocab.json": self.vocab.to_json(),
            **({"forms.onnx": self.forms} if self.forms else {}),
            **piece_files(self.network.pieces),
            "model.onnx": self.model,
            "decoder.safetensors": pack_decoders(decoders),
            "golden.json": make_golden(self._tagger(onnx=True), GOLDEN_TEXTS),
            "metrics.json": msgspec.json.format(msgspec.json.encode(scores), indent=2) + b"\n",
            "README.md": card.encode(),
            "recipe.toml": recipe_toml(self.recipe).encode(),
        }
        if self.recipe.export.keep_weights:
            files["model.safetensors"] = save_tensors(
                {name: _smallest(tensor) for name, tensor in self.weights.items()}
            )
        save_model(folder, self.spec, files)


def _smallest(tensor: Tensor) -> Tensor:
    """The same numbers in half precision where that loses nothing, as behind `Export`'s rounding."""
    half = tensor.half()
    return (half if torch.equal(half.to(tensor.dtype), tensor) else tensor).contiguous()


def piece_files(pieces: Pieces | None) -> dict[str, bytes]:
    """What cuts words into pieces where the model is used."""
    if pieces is None:
        return {}
    return {FILE: pieces.tokenizer_json, LAYOUT_FILE: msgspec.json.encode(pieces.layout)}


def _same_entities(left: Sequence[Document], right: Sequence[Document], problem: str) -> None:
    for a, b in zip(left, right, strict=True):
        if {Mention(e.spans, e.label) for e in a.entities} != {Mention(e.spans, e.label) for e in b.entities}:
            raise ModelError(f"export: {problem} in document {a.id!r}; nothing was written")

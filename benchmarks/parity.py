"""Torch against ONNX, and alone against in company: counts sentences whose entities differ; must be 0.

    MEDSPAN_DATA=DIR python benchmarks/parity.py MODEL [--recipe RECIPE] [--sentences 1000]

The sentences are dev sentences of NCBI-disease and BC5CDR, half each, a document each. ``together`` is the
tagger as it works, batches of similar length. Compared with it: the same sentences one at a time; in reversed
order; in ragged batches, where short sentences are padded to long ones; and, where the folder keeps
model.safetensors, the torch network rebuilt from recipe and vocabulary. Writes parity.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from facts import facts, merge_json

from medspan.corpora import load
from medspan.features.cut import cut
from medspan.model.store import open_model
from medspan.model.tagger import Scored, Tagger, load_tagger, tagger_of
from medspan.pipeline import find_model
from medspan.types import Document, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from medspan.model.store import StoredModel

CORPORA = ("ner/NCBI-disease", "ner/BC5CDR")
RAGGED_ROWS = 16


class RaggedTagger(Tagger):
    """The same tagger over batches of 16 sentences in random order, so that rows are padded a lot."""

    padded = 0

    @classmethod
    def of(cls, tagger: Tagger) -> RaggedTagger:
        """Like another tagger but for its batches."""
        return cls(
            tagger.scorer,
            tagger.decoders,
            tagger.featurizer,
            window=tagger.window,
            thresholds=tagger.thresholds,
            overlap=tagger.overlap,
        )

    def score(self, documents: Sequence[Document]) -> Iterator[Scored]:
        """Emissions of every unit, in batches of any lengths."""
        units, rows = [], []
        for index, document in enumerate(documents):
            for unit in cut(document, index=index, size=self.window[0], overlap=self.window[1]):
                units.append(unit)
                rows.append(self.featurizer.encode(unit.forms(document.text)))
        order = np.random.default_rng(13).permutation(len(units)).tolist()
        for first in range(0, len(order), RAGGED_ROWS):
            group = order[first : first + RAGGED_ROWS]
            arrays = self.featurizer.arrays([rows[i] for i in group])
            lengths = arrays["lengths"]
            self.padded += int((lengths.max() - lengths).sum())
            yield Scored([units[i] for i in group], self.scorer.score(arrays), lengths)


def sentences(count: int) -> list[Document]:
    """The first dev sentences of the two corpora, each as a document."""
    found: list[Document] = []
    for corpus in CORPORA:
        texts = [
            document.text[span.start : span.end]
            for document in load(corpus, "dev")
            for span in document.sentences
        ]
        found += [
            Document(f"{corpus}-{i}", text, sentences=(Span(0, len(text)),))
            for i, text in enumerate(texts[: count // len(CORPORA)])
        ]
    return found


def torch_tagger(model: StoredModel, recipe_path: Path) -> Tagger:
    """A tagger over the torch network with the weights of the folder."""
    from safetensors.torch import load as load_tensors  # noqa: PLC0415 - a shipped model needs no torch

    from medspan.config import load_recipe  # noqa: PLC0415 - as above
    from medspan.features.batch import Featurizer  # noqa: PLC0415 - as above
    from medspan.features.vocab import read_vocab  # noqa: PLC0415 - as above
    from medspan.train.network import Network  # noqa: PLC0415 - as above
    from medspan.train.scorer import TorchScorer  # noqa: PLC0415 - as above

    recipe = load_recipe(recipe_path)
    vocab = read_vocab(model.read("vocab.json"))
    network = Network(recipe, vocab)
    network.load_state_dict(load_tensors(model.read("model.safetensors")))
    featurizer = Featurizer(vocab, network.inputs, max_chars=recipe.encoder.max_chars)
    return tagger_of(model.spec, model.decoders(), featurizer, TorchScorer(network.eval()))


def entities(document: Document) -> dict[tuple[str, int, int], float]:
    """The entities of a document and their scores."""
    return {(e.label, e.start, e.end): e.score or 0.0 for e in document.entities}


def compare(left: Sequence[Document], right: Sequence[Document]) -> dict[str, Any]:
    """How many sentences differ in entities, and how far scores (of four digits) of equal ones lie apart."""
    differing, gap = 0, 0.0
    for one, two in zip(left, right, strict=True):
        first, second = entities(one), entities(two)
        differing += first.keys() != second.keys()
        gap = max([gap, *(abs(first[key] - second[key]) for key in first.keys() & second.keys())])
    return {"differing_sentences": differing, "largest_score_difference": round(gap, 6)}


def measure(place: Path, recipe: Path | None, count: int) -> dict[str, Any]:
    """All comparisons for a model folder."""
    model = open_model(place)
    tagger = load_tagger(place, device="cpu", threads=1)
    documents = sentences(count)
    together = tagger.annotate(documents)
    ragged = RaggedTagger.of(tagger)
    others = {
        "onnx_alone": [tagger.annotate([document])[0] for document in documents],
        "onnx_reversed": tagger.annotate(documents[::-1])[::-1],
        "onnx_ragged": ragged.annotate(documents),
    }
    if "model.safetensors" in model.spec.files:
        network = torch_tagger(model, recipe or place / "recipe.toml")
        others["torch_together"] = network.annotate(documents)
        others["torch_alone"] = [network.annotate([document])[0] for document in documents]
    return {
        "model": model.spec.name,
        "sentences": len(documents),
        "entities": sum(len(document.entities) for document in together),
        "padded_words_of_ragged_batches": ragged.padded,
        "against_onnx_together": {name: compare(found, together) for name, found in others.items()},
    }


def main() -> int:
    """Measure and write; exit code 1 where a sentence differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="default", help="a model folder or a shipped name")
    parser.add_argument("--recipe", type=Path, help="recipe of the network; else the folder's recipe.toml")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    result = measure(find_model(options.model), options.recipe, options.sentences)
    merge_json(options.output, result["model"], facts(None, **result))
    print(json.dumps(result, indent=1))
    if result["sentences"] < options.sentences:
        print(f"only {result['sentences']} sentences found", file=sys.stderr)
        return 1
    rows = result["against_onnx_together"].values()
    return int(any(row["differing_sentences"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())

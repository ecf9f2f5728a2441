"""The systems side by side, by name; each is loaded in its own process, under its own interpreter.

A system is built from what it needs (a model folder where it is trained, threads) and gives, for a stream of
documents, their entities. A peer gets its best known setting, and where a choice had to be made it is the
faster one: long-lived process, native JSON, batches of sentences sorted by length, inference mode, cached
features, and for untrained heads tags that cost no output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import NamedTuple

Text = tuple[str, str]
"""A document: its id and its text."""
Found = tuple[str, list[tuple[int, int, str]]]
"""Entities of a document: its id, and start, end (code points, half-open) and label of each."""


Peer = Callable[[Iterable[Text]], Iterator[Found]]
"""What finds entities: those of each document, in any order."""


class System(NamedTuple):
    """A system of the benchmark.

    ``home`` is ``module:function`` in this folder, called with (model, threads); ``words`` is how much text
    a round gives it at most (a slow system sees less, so that a round takes 10 to 40 seconds); ``note``
    says what is measured and how it was helped; ``packages`` are the ones whose versions matter.
    """

    home: str
    words: int
    is_trained: bool
    note: str
    packages: tuple[str, ...]


MEDSPAN = "medspan"
SENTENCES = "sentences by medspan's rules, sorted by length, the fastest batch size, inference mode, fp32"
SYSTEMS: dict[str, System] = {
    "spacy": System(
        "spacy_ner:load",
        400_000,
        is_trained=True,
        note="spaCy `ner` (init config --pipeline ner --optimize efficiency) trained on NCBI-disease; whole "
        "documents through nlp.pipe, batch_size 16",
        packages=("spacy", "thinc", "blis"),
    ),
    "crfsuite": System(
        "crf:load",
        1_000_000,
        is_trained=True,
        note="linear-chain CRF over word, affix, shape and neighbour features, trained on NCBI-disease; "
        "features are built once per distinct word form; sentences and words by medspan's rules",
        packages=("python-crfsuite",),
    ),
    "minilm": System(
        "encoders:load_minilm",
        40_000,
        is_trained=False,
        note=f"6-layer MiniLM (all-MiniLM-L6-v2) as AutoModelForTokenClassification; {SENTENCES}; the head "
        "is untrained and finds nothing, so no output is written: speed only",
        packages=("transformers", "torch", "tokenizers"),
    ),
    "bert-base": System(
        "encoders:load_bert",
        8_000,
        is_trained=False,
        note=f"BertForTokenClassification of BERT-base's shape, random weights, MiniLM's WordPiece; "
        f"{SENTENCES}; finds nothing: speed only",
        packages=("transformers", "torch", "tokenizers"),
    ),
    "flair-2048": System(
        "char_lm:load_2048",
        5_000,
        is_trained=False,
        note="tagger in Flair's manner, random weights: forward and backward character LSTM of 2048, word "
        "states, BiLSTM of 256, softmax (no reprojection, no CRF: both would cost time); "
        f"{SENTENCES}: speed only",
        packages=("torch",),
    ),
    "flair-1024": System(
        "char_lm:load_1024",
        15_000,
        is_trained=False,
        note="the same with character LSTMs of 1024 (Flair's fast models and Stanza's biomedical ones): "
        "speed only",
        packages=("torch",),
    ),
}
"""Peers by name; medspan's own models are named on the command line and run by ``medspan_ner:load``."""


def load(name: str, model: str, threads: int) -> Peer:
    """A peer, ready to annotate.

    Args:
        name: one of ``SYSTEMS``.
        model: the folder of a trained one, else empty.
        threads: threads of a forward pass.
    """
    module, _, function = SYSTEMS[name].home.partition(":")
    peer: Peer = getattr(import_module(f"peers.{module}"), function)(model, threads)
    return peer

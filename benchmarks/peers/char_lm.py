"""A tagger in Flair's manner: character language models, word states, BiLSTM, softmax; random weights.

Akbik et al. 2018: a forward LSTM over the characters of a sentence gives a word's state behind its last
character, a backward one before its first; a bidirectional LSTM over the words reads both. Left out though
Flair has them, for they only cost time: the reprojection of word states and the CRF.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from peers import splitting
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from peers.systems import Found, Peer, Text

BATCH = 16  # sentences; the fastest of 4, 8, 16, 32, 64 and 128 with one thread
CHARACTERS = 275  # as many as Flair's English dictionary has
EMBEDDED = 100
TAGGER = 256
TAGS = ("O", "B-Disease", "I-Disease")
LONGEST = 150  # words of a row; longer sentences are cut
SEED = 13


class CharTagger(nn.Module):
    """Characters of a sentence → a tag for each word."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(CHARACTERS, EMBEDDED)
        self.forwards = nn.LSTM(EMBEDDED, width, batch_first=True)
        self.backwards = nn.LSTM(EMBEDDED, width, batch_first=True)
        self.words = nn.LSTM(2 * width, TAGGER, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * TAGGER, len(TAGS))
        self.out.bias.data[0] = 100.0  # finds nothing, so it is spared the output

    def forward(self, batch: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        """Best tags (batch, words) of rows of characters, last and first characters of words."""
        texts, lasts, firsts = zip(*batch, strict=True)
        states = [
            self._states(self.forwards, list(texts), list(lasts)),
            self._states(self.backwards, [text.flip(0) for text in texts], list(firsts)),
        ]
        lengths = torch.tensor([len(last) for last in lasts])
        packed = pack_padded_sequence(torch.cat(states, 2), lengths, batch_first=True, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.words(packed)[0], batch_first=True)
        return self.out(read).argmax(-1)

    def _states(self, model: nn.LSTM, texts: list[Tensor], places: list[Tensor]) -> Tensor:
        """States (batch, words, width) at the places of words in rows of characters."""
        states, _ = model(self.embed(pad_sequence(texts, batch_first=True)))
        wanted = pad_sequence(places, batch_first=True)
        return states.gather(1, wanted[:, :, None].expand(-1, -1, states.shape[2]))


def encode(text: str, words: splitting.Words) -> tuple[Tensor, Tensor, Tensor]:
    """Characters of a sentence between line ends, places of last characters, and of first ones from behind.

    A word's forward state is taken behind its last character, its backward state before its first one.
    """
    start = words[0][0]
    shown = f"\n{text[start : words[-1][1]]}\n"
    ids = torch.tensor([ord(character) % CHARACTERS for character in shown])
    lasts = torch.tensor([end - start + 1 for _, end in words])
    firsts = torch.tensor([len(shown) - 1 - (first - start) for first, _ in words])
    return ids, lasts, firsts


def load_2048(model: str, threads: int) -> Peer:
    """Character LSTMs of 2048, Flair's usual ones."""
    del model
    return _peer(2048, threads)


def load_1024(model: str, threads: int) -> Peer:
    """Character LSTMs of 1024, Flair's fast ones."""
    del model
    return _peer(1024, threads)


def _peer(width: int, threads: int) -> Peer:
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    network = CharTagger(width).eval()

    def annotate(documents: Iterable[Text]) -> Iterator[Found]:
        for chunk in splitting.chunks(documents):
            rows = [(n, words) for n, (_, text) in enumerate(chunk) for words in _rows(text)]
            rows.sort(key=lambda row: row[1][-1][1] - row[1][0][0], reverse=True)
            found: list[list[tuple[int, int, str]]] = [[] for _ in chunk]
            for first in range(0, len(rows), BATCH):
                batch = rows[first : first + BATCH]
                with torch.inference_mode():
                    tags = network([encode(chunk[n][1], words) for n, words in batch]).tolist()
                for (n, words), best in zip(batch, tags, strict=True):
                    found[n] += splitting.entities([TAGS[tag] for tag in best[: len(words)]], words)
            yield from ((identity, sorted(each)) for (identity, _), each in zip(chunk, found, strict=True))

    return annotate


def _rows(text: str) -> Iterator[splitting.Words]:
    """Words of each sentence, cut where there are very many."""
    for words in splitting.sentence_words(text):
        for first in range(0, len(words), LONGEST):
            yield words[first : first + LONGEST]

"""A straightforward BiLSTM-CNN-CRF in PyTorch, as textbooks and tutorials write it.

The yardstick of training_speed.py. The character CNN runs over every word of the padded batch; word vectors
are a dense table that the one Adam updates; a bidirectional nn.LSTM reads packed sequences; the CRF's forward
algorithm loops over words in Python under autograd, vectorised over the batch (as pytorch-crf does); batches
are shuffled sentences. Dimensions, start values, dropout, hidden words and characters, forbidden moves and
the loss are those of medspan's ``blstm_cnn``, so both learn the same thing. Nothing here is slowed down on
purpose: the gold path is scored without a loop, and sentences are ids before the clock starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from medspan.features.vocab import FIRST_CHARACTER, UNKNOWN_WORD, unknown_class
from medspan.tags import may_end, may_follow, may_start
from medspan.text.normalize import SHAPE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from medspan.config import BlstmCnn, TrainConfig
    from medspan.features.vocab import Vocab

ILLEGAL = -1e4


class Sentence(NamedTuple):
    """A sentence as ids: (words,), (words, its longest word), (words,), and its tags (words,)."""

    words: NDArray[np.int64]
    chars: NDArray[np.int64]
    case: NDArray[np.int64]
    tags: NDArray[np.int64]


class Padded(NamedTuple):
    """A batch: words, case and tags (batch, words), chars (batch, words, chars), lengths (batch,)."""

    words: Tensor
    chars: Tensor
    case: Tensor
    tags: Tensor
    lengths: Tensor


class Crf(nn.Module):
    """Linear-chain CRF; tags are IOBES."""

    legal: Tensor
    legal_start: Tensor
    legal_end: Tensor

    def __init__(self, tags: Sequence[str]) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(len(tags), len(tags)))
        self.start = nn.Parameter(torch.zeros(len(tags)))
        self.end = nn.Parameter(torch.zeros(len(tags)))
        self.register_buffer("legal", torch.tensor([[may_follow(a, b) for b in tags] for a in tags]))
        self.register_buffer("legal_start", torch.tensor([may_start(tag) for tag in tags]))
        self.register_buffer("legal_end", torch.tensor([may_end(tag) for tag in tags]))

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of each row, (batch,), of emissions (batch, words, tags)."""
        transitions = self.transitions.masked_fill(~self.legal, ILLEGAL)
        start = self.start.masked_fill(~self.legal_start, ILLEGAL)
        end = self.end.masked_fill(~self.legal_end, ILLEGAL)
        score = start + emissions[:, 0]
        for t in range(1, emissions.shape[1]):
            step = score[:, :, None] + transitions + emissions[:, t, None, :]
            score = torch.where(mask[:, t, None], torch.logsumexp(step, 1), score)
        log_z = torch.logsumexp(score + end, 1)
        picked = (emissions.gather(2, tags[:, :, None])[:, :, 0] * mask).sum(1)
        moves = (transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]).sum(1)
        last = tags.gather(1, mask.sum(1, keepdim=True) - 1)[:, 0]
        gold: Tensor = picked + moves + start[tags[:, 0]] + end[last]
        return log_z - gold


class PlainTagger(nn.Module):
    """Word vectors + character CNN + case → packed BiLSTM → linear → CRF.

    Args:
        config: dimensions and dropout, those of medspan's encoder; one layer.
        vocab: sizes of the tables.
        tags: IOBES tags, ``O`` first.
        head_dropout: share of LSTM outputs dropped.
    """

    def __init__(self, config: BlstmCnn, vocab: Vocab, tags: Sequence[str], head_dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab.n_words, config.word_width, padding_idx=0)
        self.chars = nn.Embedding(vocab.n_characters, config.char_width, padding_idx=0)
        self.case = nn.Embedding(len(SHAPE_CLASSES), config.case_width)
        self.windows = config.char_windows
        self.filters = nn.ModuleList(
            nn.Conv1d(config.char_width, config.char_filters, size) for size in config.char_windows
        )
        width = config.word_width + config.char_filters * len(config.char_windows) + config.case_width
        self.lstm = nn.LSTM(width, config.hidden_width, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head_dropout = nn.Dropout(head_dropout)
        self.emit = nn.Linear(2 * config.hidden_width, len(tags))
        self.crf = Crf(tags)
        self._start(config.hidden_width)

    def _start(self, hidden: int) -> None:
        for table in (self.words, self.chars, self.case):
            nn.init.uniform_(table.weight, -0.1, 0.1)
        with torch.no_grad():
            self.words.weight[0] = 0.0
            self.chars.weight[0] = 0.0
            for name, weight in self.lstm.named_parameters():
                if name.startswith("weight_ih"):
                    nn.init.xavier_uniform_(weight)
                elif name.startswith("weight_hh"):
                    for gate in torch.chunk(weight, 4):
                        nn.init.orthogonal_(gate)
                else:
                    weight.zero_()
                    if name.startswith("bias_ih"):
                        weight[hidden : 2 * hidden] = 1.0

    def forward(self, batch: Padded) -> Tensor:
        """Emissions, float (batch, words, tags)."""
        rows, words, chars = batch.chars.shape
        flat = batch.chars.view(rows * words, chars)  # every word of the batch, padding too
        vectors = self.chars(flat).transpose(1, 2)
        inside = (flat != 0)[:, None, :]
        spelling = []
        for size, part in zip(self.windows, self.filters, strict=True):
            response = part(nn.functional.pad(vectors, ((size - 1) // 2, size // 2)))
            spelling.append((torch.relu(response) * inside).amax(2))
        spelled = torch.cat(spelling, 1).view(rows, words, -1)
        states = self.dropout(torch.cat([self.words(batch.words), spelled, self.case(batch.case)], 2))
        packed = pack_padded_sequence(states, batch.lengths, batch_first=True, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        emissions: Tensor = self.emit(self.head_dropout(read))
        return emissions

    def loss(self, batch: Padded) -> Tensor:
        """Negative log-likelihood per sentence."""
        mask = torch.arange(batch.tags.shape[1]) < batch.lengths[:, None]
        rows: Tensor = self.crf(self(batch), batch.tags, mask)
        return rows.mean()


class Hiding:
    """Replaces some words and characters by their unknown class, as medspan's Feeder does."""

    def __init__(self, vocab: Vocab, config: TrainConfig) -> None:
        counts = np.array([0, 0, *vocab.counts], np.float64)
        drop = config.word_dropout
        self._hidden = drop / (drop + counts) if drop else np.zeros_like(counts)
        self._share = config.char_dropout
        classes = [unknown_class(character) for character in vocab.characters]
        self._char_class = np.array([*range(FIRST_CHARACTER), *classes], np.int64)
        # Padding is no word: it is never hidden.
        self._hidden[0] = 0.0

    def __call__(self, batch: Padded, rng: np.random.Generator) -> Padded:
        """The batch with some of its words and characters hidden."""
        words, chars = batch.words.numpy(), batch.chars.numpy()
        words = np.where(rng.random(words.shape) < self._hidden[words], UNKNOWN_WORD, words)
        chars = np.where(rng.random(chars.shape, np.float32) < self._share, self._char_class[chars], chars)
        return batch._replace(words=torch.from_numpy(words), chars=torch.from_numpy(chars))


def pad(sentences: Sequence[Sentence]) -> Padded:
    """Sentences as one padded batch; chars are as many as the longest word of the batch has."""
    lengths = [len(sentence.words) for sentence in sentences]
    longest = max(sentence.chars.shape[1] for sentence in sentences)
    shape = (len(sentences), max(lengths))
    words, case, tags = (np.zeros(shape, np.int64) for _ in range(3))
    chars = np.zeros((*shape, longest), np.int64)
    for row, (sentence, length) in enumerate(zip(sentences, lengths, strict=True)):
        words[row, :length] = sentence.words
        case[row, :length] = sentence.case
        tags[row, :length] = sentence.tags
        chars[row, :length, : sentence.chars.shape[1]] = sentence.chars
    of = torch.from_numpy
    return Padded(of(words), of(chars), of(case), of(tags), torch.tensor(lengths))


class PlainScorer:
    """The plain tagger as a `medspan.model.protocol.Scorer`, so that both are decoded by the same code.

    Args:
        network: the tagger.
        head: name of its one head.
    """

    def __init__(self, network: PlainTagger, head: str) -> None:
        self._network, self._head = network, head

    def score(self, arrays: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[np.float32]]:
        """Emissions, float32 (batch, words, tags); forms are put back at each of their places."""
        index = arrays["form_index"]
        parts = (torch.from_numpy(arrays[name][index]) for name in ("word_ids", "char_ids", "case_ids"))
        words, chars, case = parts
        batch = Padded(words, chars, case, torch.zeros_like(words), torch.from_numpy(arrays["lengths"]))
        self._network.eval()
        with torch.inference_mode():
            emissions = self._network(batch)
        self._network.train()
        return {self._head: emissions.numpy()}

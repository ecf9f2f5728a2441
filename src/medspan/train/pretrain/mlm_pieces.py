"""Words → pieces: each form by itself, once; and tokenizers learnt from the words of a text.

Taggers over a transformer read words so too: a word that follows another without a blank is cut without the
mark of a blank, where the tokenizer has one, and pieces never belong to two words.
"""

from __future__ import annotations

from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from medspan.errors import MissingExtraError, ModelError, TrainingError
from medspan.features.pieces import MOST_WORD_PIECES, blank_mark, clean, ends_of, read_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from medspan.train.pretrain.mlm_families import Conventions
    from medspan.train.pretrain.settings import NewConfig
    from medspan.train.pretrain.text import Shard, Text

    Ints = NDArray[np.int64]

LEARNT_WORDS = 5_000_000
"""Words a tokenizer is learnt from at most; of longer texts every form in proportion."""
_AT_ONCE = 50_000
_BLANK = "\u2581"
_BEFORE_TEXT = {
    "xlnet": ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"),
    "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
}
"""Special pieces of new tokenizers, in the order of their ids."""


class PieceTable(NamedTuple):
    """Pieces of forms: those of row i are ``pieces[starts[i]:starts[i + 1]]``; row 0 has none.

    pieces: int32 (pieces,); starts: int64 (rows + 1,). Forms that follow a word without a blank stand
    ``glued_from`` rows behind those of a text (0 where pieces do not tell).
    """

    pieces: NDArray[np.int32]
    starts: Ints
    glued_from: int

    @property
    def lengths(self) -> Ints:
        """Pieces of each row: int64 (rows,)."""
        return np.diff(self.starts)

    def rows(self, shard: Shard) -> Ints:
        """The rows of the words of a shard: int64 (words,)."""
        found: Ints = shard.rows.astype(np.int64) + self.glued_from * shard.glued
        return found

    def of(self, rows: Ints) -> tuple[Ints, Ints]:
        """Ids of the pieces of some rows, and which of the rows each belongs to: int64 (pieces,) both."""
        sizes = self.starts[rows + 1] - self.starts[rows]
        words = np.repeat(np.arange(len(rows)), sizes)
        inside = np.arange(len(words)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.pieces[np.repeat(self.starts[rows], sizes) + inside].astype(np.int64), words


class SpecialPieces(NamedTuple):
    """Ids of the special pieces of a tokenizer; ``lead`` and ``trail`` stand around a block."""

    lead: tuple[int, ...]
    trail: tuple[int, ...]
    mask: int
    padding: int
    unknown: int
    plain: Ints
    """Ids of all pieces that are not special, ascending."""


class Cutter(NamedTuple):
    """A tokenizer that takes words as they are; ``mark`` is the blank before one, empty if it needs none."""

    tokenizer: Any
    mark: str


def open_tokenizer(data: bytes, where: str) -> Cutter:
    """A tokenizer that neither cuts texts nor pads, and to which nothing in a text is special.

    Raises:
        MissingExtraError: if tokenizers is not installed.
        ModelError: if it is damaged.
    """
    _tokenizers()
    try:
        tokenizer = read_tokenizer(data)
    except ModelError as error:
        raise ModelError(f"{where}: is no tokenizer.json ({str(error)[:200]}); fetch it again") from None
    tokenizer.encode_special_tokens = True
    return Cutter(tokenizer, blank_mark(msgspec.json.decode(data).get("pre_tokenizer")))


def special_pieces(cutter: Cutter, conventions: Conventions, where: str) -> SpecialPieces:
    """The special pieces a family uses.

    Raises:
        ModelError: if the tokenizer lacks one.
    """
    tokenizer = cutter.tokenizer

    def id_of(piece: str) -> int:
        found = tokenizer.token_to_id(piece)
        if found is None:
            raise ModelError(
                f"{where}: lacks the special piece {piece!r} of its family; take a tokenizer.json that "
                "belongs to the network"
            )
        return int(found)

    special = {i for i, piece in tokenizer.get_added_tokens_decoder().items() if piece.special}
    named = (*conventions.lead, *conventions.trail, conventions.mask, conventions.padding)
    special |= {id_of(piece) for piece in (*named, conventions.unknown)}
    return SpecialPieces(
        lead=tuple(id_of(piece) for piece in conventions.lead),
        trail=tuple(id_of(piece) for piece in conventions.trail),
        mask=id_of(conventions.mask),
        padding=id_of(conventions.padding),
        unknown=id_of(conventions.unknown),
        plain=np.array(sorted(set(tokenizer.get_vocab().values()) - special), np.int64),
    )


def piece_table(cutter: Cutter, forms: Sequence[str], unknown: int, most: int) -> PieceTable:
    """The pieces of forms; the first form stands in row 1.

    Args:
        cutter: from `open_tokenizer`.
        forms: words as they stand in a text.
        unknown: the piece of a word that has none.
        most: pieces of a word that are kept, of longer ones the first and the last.
    """
    most = min(most, MOST_WORD_PIECES)
    pieces: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    lengths: list[int] = [0]
    marks = [cutter.mark, ""] if cutter.mark else [""]
    for mark in marks:
        for first in range(0, len(forms), _AT_ONCE):
            texts = [mark + clean(form) for form in forms[first : first + _AT_ONCE]]
            encoded = cutter.tokenizer.encode_batch(texts, add_special_tokens=False)
            found = [ends_of(one.ids, most) or [unknown] for one in encoded]
            lengths.extend(map(len, found))
            pieces.append(np.fromiter((i for ids in found for i in ids), np.int32))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return PieceTable(np.concatenate(pieces), starts, len(forms) if cutter.mark else 0)


def learn_tokenizer(config: NewConfig, text: Text) -> bytes:
    """Learn a tokenizer from words; the bytes of its ``tokenizer.json``.

    Its pieces depend on more than the words: the library breaks ties as they come. Whoever needs the same
    one twice keeps the file.

    Args:
        config: family, size, and whether letters are made small.
        text: its training sentences.

    Raises:
        MissingExtraError: if tokenizers is not installed.
        TrainingError: if the text is too small for the vocabulary.
    """
    glued = np.zeros(len(text.forms), np.int64)
    for index in range(text.shards):
        shard = text.shard(index)
        glued += np.bincount(shard.rows[shard.glued] - 1, minlength=len(glued))
    build, mark = (_wordpiece, "") if config.family == "bert" else (_unigram, _BLANK)
    words = chain(
        _in_proportion([mark + form for form in text.forms], text.counts - glued, text.words),
        _in_proportion(text.forms, glued, text.words),
    )
    tokenizer, trainer, pre_tokenizer = build(config)
    tokenizer.train_from_iterator(words, trainer)
    tokenizer.pre_tokenizer = pre_tokenizer
    special = len(_BEFORE_TEXT[config.family])
    if tokenizer.get_vocab_size() <= special:
        raise TrainingError("the text is too small to learn a tokenizer from; give more documents")
    data: str = tokenizer.to_str(pretty=True)
    return data.encode("utf-8")


def _in_proportion(forms: Sequence[str], counts: Ints, total: int) -> Iterator[list[str]]:
    share = min(1.0, LEARNT_WORDS / total)
    for form, count in zip(forms, counts.tolist(), strict=True):
        if times := round(count * share):
            yield [clean(form)] * times


def _unigram(config: NewConfig) -> tuple[Any, Any, Any]:
    """As XLNet's, but accents stay; what it learns from has the marks of blanks in it."""
    lib, special = _tokenizers(), list(_BEFORE_TEXT["xlnet"])
    tokenizer = lib.Tokenizer(lib.models.Unigram())
    quotes = [lib.normalizers.Replace("``", '"'), lib.normalizers.Replace("''", '"')]
    lower = [lib.normalizers.Lowercase()] if config.lower else []
    tokenizer.normalizer = lib.normalizers.Sequence([*quotes, lib.normalizers.NFKC(), *lower])
    tokenizer.pre_tokenizer = lib.pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = lib.decoders.Metaspace()
    tokenizer.post_processor = lib.processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2",
        pair="$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
        special_tokens=[("<sep>", special.index("<sep>")), ("<cls>", special.index("<cls>"))],
    )
    trainer = lib.trainers.UnigramTrainer(
        vocab_size=config.vocabulary, special_tokens=special, unk_token=special[0], show_progress=False
    )
    both = [lib.pre_tokenizers.WhitespaceSplit(), lib.pre_tokenizers.Metaspace()]
    return tokenizer, trainer, lib.pre_tokenizers.Sequence(both)


def _wordpiece(config: NewConfig) -> tuple[Any, Any, Any]:
    """As BERT's, but accents stay."""
    lib, special = _tokenizers(), list(_BEFORE_TEXT["bert"])
    tokenizer = lib.Tokenizer(lib.models.WordPiece(unk_token=special[1]))
    tokenizer.normalizer = lib.normalizers.BertNormalizer(lowercase=config.lower, strip_accents=False)
    tokenizer.pre_tokenizer = lib.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = lib.decoders.WordPiece()
    tokenizer.post_processor = lib.processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", special.index("[CLS]")), ("[SEP]", special.index("[SEP]"))],
    )
    trainer = lib.trainers.WordPieceTrainer(
        vocab_size=config.vocabulary, special_tokens=special, show_progress=False
    )
    return tokenizer, trainer, lib.pre_tokenizers.BertPreTokenizer()


def _tokenizers() -> Any:  # noqa: ANN401 - a library without types
    try:
        return import_module("tokenizers")
    except ModuleNotFoundError:
        raise MissingExtraError("pretraining a transformer", "tokenizers", "train") from None

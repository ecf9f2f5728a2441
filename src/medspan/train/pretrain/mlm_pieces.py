"""Words → pieces: each form by itself, once; and tokenizers learnt from the words of a text.

A word gets the pieces it has behind a blank, whatever stood before it: so the taggers read words too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medspan.errors import MissingExtraError, ModelError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from medspan.train.pretrain.mlm_families import Conventions
    from medspan.train.pretrain.settings import NewConfig

    Ints = NDArray[np.int64]

LEARNT_WORDS = 5_000_000
"""Words a tokenizer is learnt from at most; of longer texts every form in proportion."""
_AT_ONCE = 50_000
_BEFORE_TEXT = {
    "xlnet": ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"),
    "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
}
"""Special pieces of new tokenizers, in the order of their ids."""


class PieceTable(NamedTuple):
    """Pieces of forms: those of row i are ``pieces[starts[i]:starts[i + 1]]``; row 0 has none.

    pieces: int32 (pieces,); starts: int64 (rows + 1,).
    """

    pieces: NDArray[np.int32]
    starts: Ints

    @property
    def lengths(self) -> Ints:
        """Pieces of each row: int64 (rows,)."""
        return np.diff(self.starts)

    def of(self, rows: NDArray[np.int32] | Ints) -> tuple[Ints, Ints]:
        """Ids of the pieces of some words, and which of the words each belongs to: int64 (pieces,) both."""
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


def open_tokenizer(data: bytes, where: str) -> Any:  # noqa: ANN401 - a class without types
    """A tokenizer that neither cuts nor pads, and to which nothing in a text is special.

    Raises:
        MissingExtraError: if tokenizers is not installed.
        ModelError: if it is damaged.
    """
    try:
        tokenizer = _tokenizers().Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:  # tokenizers raises no class of its own
        if isinstance(error, MissingExtraError):
            raise
        raise ModelError(f"{where}: is no tokenizer.json ({str(error)[:200]}); fetch it again") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


def special_pieces(tokenizer: Any, conventions: Conventions, where: str) -> SpecialPieces:  # noqa: ANN401 - as above
    """The special pieces a family uses.

    Raises:
        ModelError: if the tokenizer lacks one.
    """

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


def piece_table(tokenizer: Any, forms: Sequence[str], unknown: int, most: int) -> PieceTable:  # noqa: ANN401 - as above
    """The pieces of forms; the first form stands in row 1.

    Args:
        tokenizer: from `open_tokenizer`.
        forms: words as they stand in a text.
        unknown: the piece of a word that has none.
        most: pieces of a word that are kept.
    """
    pieces: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    lengths: list[int] = [0]
    for first in range(0, len(forms), _AT_ONCE):
        texts = [f" {form}" for form in forms[first : first + _AT_ONCE]]
        found = [
            one.ids[:most] or [unknown] for one in tokenizer.encode_batch(texts, add_special_tokens=False)
        ]
        lengths.extend(map(len, found))
        pieces.append(np.fromiter((i for ids in found for i in ids), np.int32))
    return PieceTable(np.concatenate(pieces), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def learn_tokenizer(config: NewConfig, forms: Sequence[str], counts: Ints) -> bytes:
    """Learn a tokenizer from words; the bytes of its ``tokenizer.json``.

    Its pieces depend on more than the words: the library breaks ties as they come. Whoever needs the same
    one twice keeps the file.

    Args:
        config: family, size, and whether letters are made small.
        forms: different words.
        counts: how often each stands in the text, int64 (forms,).

    Raises:
        MissingExtraError: if tokenizers is not installed.
        TrainingError: if the text is too small for the vocabulary.
    """
    build = _wordpiece if config.family == "bert" else _unigram
    tokenizer, trainer = build(config)
    tokenizer.train_from_iterator(_in_proportion(forms, counts), trainer)
    special = len(_BEFORE_TEXT[config.family])
    if tokenizer.get_vocab_size() <= special:
        raise TrainingError("the text is too small to learn a tokenizer from; give more documents")
    data: str = tokenizer.to_str(pretty=True)
    return data.encode("utf-8")


def _in_proportion(forms: Sequence[str], counts: Ints) -> Iterator[list[str]]:
    share = min(1.0, LEARNT_WORDS / max(1, int(counts.sum())))
    for form, count in zip(forms, counts.tolist(), strict=True):
        if times := round(count * share):
            yield [form] * times


def _unigram(config: NewConfig) -> tuple[Any, Any]:
    """As XLNet's, but accents stay."""
    lib, special = _tokenizers(), list(_BEFORE_TEXT["xlnet"])
    tokenizer = lib.Tokenizer(lib.models.Unigram())
    quotes = [lib.normalizers.Replace("``", '"'), lib.normalizers.Replace("''", '"')]
    lower = [lib.normalizers.Lowercase()] if config.lower else []
    tokenizer.normalizer = lib.normalizers.Sequence([*quotes, lib.normalizers.NFKC(), *lower])
    tokenizer.pre_tokenizer = lib.pre_tokenizers.Sequence(
        [lib.pre_tokenizers.WhitespaceSplit(), lib.pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = lib.decoders.Metaspace()
    tokenizer.post_processor = lib.processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2",
        pair="$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
        special_tokens=[("<sep>", special.index("<sep>")), ("<cls>", special.index("<cls>"))],
    )
    trainer = lib.trainers.UnigramTrainer(
        vocab_size=config.vocabulary, special_tokens=special, unk_token=special[0], show_progress=False
    )
    return tokenizer, trainer


def _wordpiece(config: NewConfig) -> tuple[Any, Any]:
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
    return tokenizer, trainer


def _tokenizers() -> Any:  # noqa: ANN401 - a library without types
    try:
        return import_module("tokenizers")
    except ModuleNotFoundError:
        raise MissingExtraError("pretraining a transformer", "tokenizers", "train") from None

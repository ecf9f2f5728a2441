"""Tiny tokenizers of the three kinds public encoders have, trained on the spot: nothing is fetched."""

from __future__ import annotations

from functools import cache

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = (
    "No sign of grey fever after zelvorin, as expected (IL-2).",
    "amoxitane was given for nodular ankylia . We saw dry lung in 12 of 40 patients.",
    "The weather stayed mild all week. Levels of bromatin (5 mg/day) were low",
    "Patient has ferrulin for grey fever and dry lung of unknown origin",
)
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
XLNET_SPECIAL = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"]


@cache  # training is not repeatable
def _word_pieces() -> str:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=BERT_SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return str(tokenizer.to_str())


@cache  # training is not repeatable
def _byte_pairs() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=ROBERTA_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return str(tokenizer.to_str())


@cache  # training is not repeatable
def _unigrams() -> str:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=100,
        special_tokens=XLNET_SPECIAL,
        unk_token="<unk>",  # noqa: S106 - no password
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2", special_tokens=[("<sep>", 4), ("<cls>", 3)]
    )
    return str(tokenizer.to_str())


def word_pieces() -> Tokenizer:
    """As BERT: lower case, ``[CLS] … [SEP]``."""
    return Tokenizer.from_str(_word_pieces())


def byte_pairs() -> Tokenizer:
    """As RoBERTa: bytes, ``<s> … </s>``."""
    return Tokenizer.from_str(_byte_pairs())


def unigrams() -> Tokenizer:
    """As XLNet: ``… <sep> <cls>``."""
    return Tokenizer.from_str(_unigrams())


TOKENIZERS = {
    "bert": word_pieces,
    "electra": word_pieces,
    "roberta": byte_pairs,
    "mpnet": byte_pairs,
    "modernbert": word_pieces,
    "xlnet": unigrams,
}

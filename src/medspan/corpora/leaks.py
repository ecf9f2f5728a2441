"""Keeps sentences of test splits out of training.

Two sentences are the same when their letters and digits, lower-cased, are equal: then spacing, tokenisation
and punctuation do not hide a leak. A test sentence counts from 45 characters of its text on; shorter ones
(headings, "Methods.") are the same everywhere by chance.

Sentences are kept as keys of 40 bits, the start of a SHA-256, so that the keys of every registered test
split (``test_keys.bin``, made by ``tools/make_test_keys.py``) travel with the package without their texts.
With n keys a sentence is mistaken for a test sentence with a chance of n / 2**40, below one in ten million.
"""

from __future__ import annotations

import hashlib
import zlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from medspan.corpora.load import load, local_names
from medspan.corpora.places import split_files
from medspan.errors import DataError, TrainingError
from medspan.text.sentences import split_sentences
from medspan.types import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medspan.types import Document

SHORTEST_TEST_SENTENCE = 45  # characters of the sentence's text, as DESIGN 13 and the data's README count
LARGEST_SHARE = 0.05
KEY_BYTES = 5
_BUCKETS = 1 << 16
_MOST_IN_A_BUCKET = 255
_REST_BYTES = KEY_BYTES - 2

Keys = frozenset[int]


class Leaks(msgspec.Struct, frozen=True):
    """Which sentences of a training corpus are test sentences.

    ``skip`` has one set a document, in order: indexes into ``sentences_of(document)`` to leave out.
    """

    skip: tuple[frozenset[int], ...]
    sentences: int

    @property
    def count(self) -> int:
        """Number of sentences to leave out."""
        return sum(map(len, self.skip))

    @property
    def share(self) -> float:
        """Part of all sentences that is left out, 0 to 1."""
        return self.count / self.sentences if self.sentences else 0.0


def normalized(text: str) -> str:
    """The letters and digits of a text, lower-cased, in order: what makes two sentences the same."""
    return "".join(character for character in text.lower() if character.isalnum())


def sentence_key(text: str, *, shortest: int = SHORTEST_TEST_SENTENCE) -> int | None:
    """The 40-bit key of a sentence; None if it has fewer than ``shortest`` characters, or no letter or digit.

    Keys of test sentences are made with the default; a sentence of a training corpus is looked up with
    ``shortest=0``, for it may be the same sentence with fewer blanks.
    """
    letters = normalized(text) if len(text) >= shortest else ""
    if not letters:
        return None
    return int.from_bytes(
        hashlib.sha256(letters.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES], "big"
    )


def sentences_of(document: Document) -> Sequence[Span]:
    """The sentences a document has, or those the splitter finds where nobody marked them."""
    return document.sentences or [Span(start, end) for start, end in split_sentences(document.text)]


def keys_of(documents: Iterable[Document]) -> Keys:
    """Keys of the sentences of a test split: how a user's own corpus is added to the filter."""
    found = (
        sentence_key(document.text_of(span)) for document in documents for span in sentences_of(document)
    )
    return frozenset(key for key in found if key is not None)


@cache
def registered_keys() -> Keys:
    """Keys of every test split of the catalogue, as shipped; needs none of the corpora."""
    return unpack_keys(resources.files("medspan.corpora").joinpath("test_keys.bin").read_bytes())


def local_test_keys(names: Iterable[str] | None = None) -> dict[str, Keys]:
    """Keys by corpus of the test splits that lie on this machine.

    Args:
        names: full names of corpora; by default all that hold documents and have a test split.

    Raises:
        DataError: if a corpus that was named, or its test split, is not there.
    """
    if names is not None:
        return {name: keys_of(load(name, "test")) for name in names}
    present = ((name, split_files(folder).get("test")) for name, folder in local_names().items())
    return {
        name: keys_of(load(name, "test"))
        for name, path in present
        if path is not None and not path.name.endswith(".tsv.gz")  # mentions without sentences
    }


def leaking_sentences(document: Document, keys: Keys) -> list[int]:
    """Indexes into ``sentences_of(document)`` of the sentences that are test sentences."""
    return [
        index
        for index, span in enumerate(sentences_of(document))
        if sentence_key(document.text_of(span), shortest=0) in keys
    ]


def find_leaks(documents: Iterable[Document], keys: Keys | None = None) -> Leaks:
    """The test sentences among the sentences of a training corpus.

    Args:
        documents: of a training (or dev) split.
        keys: of the test sentences; ``registered_keys()`` by default.
    """
    keys = registered_keys() if keys is None else keys
    skip, total = [], 0
    for document in documents:
        skip.append(frozenset(leaking_sentences(document, keys)))
        total += len(sentences_of(document))
    return Leaks(tuple(skip), total)


def refuse_large(leaks: Leaks, corpus: str, *, largest_share: float = LARGEST_SHARE) -> None:
    """Stop where so much of a corpus is test text that the user should know before training on the rest.

    Raises:
        TrainingError: if the share of leaking sentences is above ``largest_share``.
    """
    if leaks.share > largest_share:
        raise TrainingError(
            f"{corpus}: {leaks.count} of {leaks.sentences} sentences ({leaks.share:.1%}) are sentences of a "
            f"registered test split, above the limit of {largest_share:.0%}; train on another corpus, or "
            "raise the limit if these test splits are of no interest"
        )


def pack_keys(keys: Keys) -> bytes:
    """Keys as bytes: how many start with each 16 bits (one byte each), then the other 24 bits in order; zlib.

    Raises:
        DataError: if more than 255 keys share a start (above about ten million keys).
    """
    ordered = sorted(keys)
    counts = [0] * _BUCKETS
    for key in ordered:
        counts[key >> 8 * _REST_BYTES] += 1
    if max(counts) > _MOST_IN_A_BUCKET:
        raise DataError("too many keys for one byte a bucket; the layout of test_keys.bin must change")
    rests = b"".join((key & (1 << 8 * _REST_BYTES) - 1).to_bytes(_REST_BYTES, "big") for key in ordered)
    return zlib.compress(bytes(counts) + rests, 9)


def unpack_keys(packed: bytes) -> Keys:
    """The inverse of ``pack_keys``."""
    content = zlib.decompress(packed)
    keys, position = [], _BUCKETS
    for bucket, count in enumerate(content[:_BUCKETS]):
        for start in range(position, position + count * _REST_BYTES, _REST_BYTES):
            rest = int.from_bytes(content[start : start + _REST_BYTES], "big")
            keys.append(bucket << 8 * _REST_BYTES | rest)
        position += count * _REST_BYTES
    return frozenset(keys)

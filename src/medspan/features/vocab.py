"""Words and characters ↔ ids. A vocabulary is data: a JSON file of the model folder.

Characters a vocabulary has not seen are handled, never an error: they fall back to their base letter
(``é`` → ``e``), else to one of a few classes of unknown characters that training teaches by dropping
characters.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import ModelError
from medspan.text.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAD = 0
UNKNOWN_WORD = 1
UNKNOWN_LOWER, UNKNOWN_UPPER, UNKNOWN_DIGIT, UNKNOWN_MARK, UNKNOWN_OTHER = 1, 2, 3, 4, 5
FIRST_CHARACTER = 6
_MOST_FALLBACKS = 1 << 16
"""Unknown characters remembered at most: a text may hold every code point."""


class Vocab(msgspec.Struct, frozen=True, dict=True):
    """Known words (normal forms) and characters, most frequent first; their counts guide word dropout."""

    words: tuple[str, ...]
    counts: tuple[int, ...]
    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        self.__dict__["_word_ids"] = {word: i + 2 for i, word in enumerate(self.words)}
        self.__dict__["_char_ids"] = {c: i + FIRST_CHARACTER for i, c in enumerate(self.characters)}
        self.__dict__["_fallbacks"] = {}

    @property
    def n_words(self) -> int:
        """Rows of a word table: padding, unknown, then every known word."""
        return len(self.words) + 2

    @property
    def n_characters(self) -> int:
        """Rows of a character table: padding, the unknown classes, then every known character."""
        return len(self.characters) + FIRST_CHARACTER

    def word_id(self, form: str) -> int:
        """Id of a word as it stands in the text."""
        ids: dict[str, int] = self.__dict__["_word_ids"]
        return ids.get(normalize(form), UNKNOWN_WORD)

    def char_id(self, character: str) -> int:
        """Id of one character; unknown ones fall back to their base letter, then to a class."""
        ids: dict[str, int] = self.__dict__["_char_ids"]
        fallbacks: dict[str, int] = self.__dict__["_fallbacks"]  # apart: a fallback is no base for others
        found = ids.get(character) or fallbacks.get(character)
        if found is None:
            base = unicodedata.normalize("NFKD", character)[0]
            found = ids.get(base) or unknown_class(character)
            if len(fallbacks) < _MOST_FALLBACKS:
                fallbacks[character] = found
        return found

    def to_json(self) -> bytes:
        """The vocabulary as it stands in a model folder."""
        return msgspec.json.encode(self)

    def digest(self) -> str:
        """SHA-256 of it: changes with any word, character or count."""
        return hashlib.sha256(self.to_json()).hexdigest()


def unknown_class(character: str) -> int:
    """Which unknown character stands for this one."""
    category = unicodedata.category(character)
    if category == "Lu":
        return UNKNOWN_UPPER
    if category.startswith("L"):
        return UNKNOWN_LOWER
    if category.startswith("N"):
        return UNKNOWN_DIGIT
    if category.startswith(("P", "S")):
        return UNKNOWN_MARK
    return UNKNOWN_OTHER


def read_vocab(data: bytes) -> Vocab:
    """Read ``vocab.json``.

    Raises:
        ModelError: if it is not a vocabulary.
    """
    try:
        return msgspec.json.decode(data, type=Vocab)
    except msgspec.MsgspecError as error:
        raise ModelError(f"vocab.json: {error}; the model folder is damaged") from None


def build_vocab(sentences: Iterable[Iterable[str]], *, min_count: int = 1, min_char_count: int = 3) -> Vocab:
    """Count normal forms and characters of training sentences; ties are broken by spelling."""
    forms: Counter[str] = Counter()
    for sentence in sentences:
        forms.update(sentence)
    return vocab_of(forms, min_count=min_count, min_char_count=min_char_count)


def vocab_of(
    forms: Mapping[str, int], *, min_count: int = 1, min_char_count: int = 3, most_words: int | None = None
) -> Vocab:
    """The vocabulary of a text whose words, as they stand in it, were counted.

    Args:
        forms: how often each word stands in the text.
        min_count: normal forms met less often are left out.
        min_char_count: characters met less often are left out.
        most_words: normal forms kept at most.
    """
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for form, count in forms.items():
        words[normalize(form)] += count
        for character in form:
            characters[character] += count
    kept = sorted((-n, w) for w, n in words.items() if n >= min_count)[:most_words]
    chars = sorted((-n, c) for c, n in characters.items() if n >= min_char_count)
    return Vocab(tuple(w for _, w in kept), tuple(-n for n, _ in kept), tuple(c for _, c in chars))


def extend_vocab(known: Vocab, own: Vocab) -> Vocab:
    """The words and characters of ``known`` in their places, then those only ``own`` has; counts are added.

    A word both know counts as often as in both texts: pruning keeps the most frequent ones.
    """
    counts = dict(zip(own.words, own.counts, strict=True))
    added = [counts.get(word, 0) for word in known.words]
    present, letters = set(known.words), set(known.characters)
    new = [word for word in own.words if word not in present]
    return Vocab(
        (*known.words, *new),
        (*(a + b for a, b in zip(known.counts, added, strict=True)), *(counts[word] for word in new)),
        (*known.characters, *(c for c in own.characters if c not in letters)),
    )

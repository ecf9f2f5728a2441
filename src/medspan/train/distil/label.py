"""The first step of distillation: teachers read unlabelled text, and what they say is kept in shards.

Every sentence is one unit, as in training. Left out are those equal to a registered test sentence, those read
before, and those longer than a window of the student. Memory does not grow with the text, and work that was
stopped goes on behind the last whole shard, which holds what had been read when it was full.
"""

from __future__ import annotations

import hashlib
import time
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from medspan import formats
from medspan.corpora import registered_keys
from medspan.errors import DataError, TrainingError
from medspan.features.cut import Unit
from medspan.model.spec import CorpusSpec, TeacherSpec
from medspan.text.tokenize import TOKENIZER_ID, tokenize
from medspan.train.distil.shards import LEAST, ReadCounts, save_shard, shard_counts, shard_path
from medspan.train.folder import claim, write_whole
from medspan.weak.sentences import sentences, text_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from medspan.train.distil.teachers import Teachers
    from medspan.types import Document

SETTINGS, DONE = "settings.json", "done.json"
SHARD_WORDS = 200_000
_SEEN_BITS = 27
_ODD = 0x9E3779B97F4A7C15  # the golden ratio as 64 bits: spreads keys (Knuth)


class LabelSettings(msgspec.Struct, frozen=True):
    """What decides the labels; a folder of shards holds those of one such.

    heads: labels of each head of the student. corpora: from which each of them learns. most_words: words of
    the longest sentence.
    """

    teachers: tuple[TeacherSpec, ...]
    texts: tuple[CorpusSpec, ...]
    heads: dict[str, tuple[str, ...]]
    corpora: dict[str, tuple[str, ...]]
    most_words: int
    keep_leaks: bool
    read_as: str | None = None
    tokenizer: str = TOKENIZER_ID
    shard_words: int = SHARD_WORDS
    least: float = LEAST


class _Done(msgspec.Struct, frozen=True):
    """What a folder holds that is complete; ``heads`` are those a teacher serves."""

    shards: int
    counts: ReadCounts
    heads: tuple[str, ...]


class SoftText(NamedTuple):
    """A folder of shards; ``heads`` are those of the student that a teacher serves."""

    folder: Path
    settings: LabelSettings
    shards: int
    counts: ReadCounts
    heads: tuple[str, ...]

    def path(self, number: int) -> Path:
        """A shard, from 0 on."""
        return shard_path(self.folder, number)


class _Seen:
    """Whether a key was met before, in 16 MiB for any number of them.

    A key sets two bits of many; where two others had set both it counts as met, which happens to one in
    thousands of the first million sentences and loses nothing but that sentence.
    """

    def __init__(self) -> None:
        self._bits = np.zeros(1 << (_SEEN_BITS - 3), np.uint8)

    def add(self, key: int) -> bool:
        """Take a key; whether it is new."""
        places = key & ((1 << _SEEN_BITS) - 1), (key * _ODD & (1 << 64) - 1) >> (64 - _SEEN_BITS)
        is_known = all(self._bits[place >> 3] >> (place & 7) & 1 for place in places)
        for place in places:
            self._bits[place >> 3] |= 1 << (place & 7)
        return not is_known


def label(
    settings: LabelSettings,
    documents: Callable[[], Iterator[Document]],
    folder: Path,
    *,
    teachers: Callable[[], Teachers],
    tell: Callable[[str], None],
) -> SoftText:
    """Label text, or what is left of it; where all is done nothing is read.

    Args:
        settings: what decides the labels.
        documents: reads the texts from the start.
        folder: of the shards.
        teachers: opens the models.
        tell: hears a line now and then.

    Raises:
        UsageError: if the folder was begun with other settings.
        TrainingError: if no sentence is left to learn from.
        DataError: if a shard or a text cannot be read.
    """
    what = "other teachers, texts, or heads of the student"
    claim(folder, SETTINGS, msgspec.json.encode(settings, order="sorted"), what=what)
    if not _is_complete(folder):
        _label_rest(settings, documents(), folder, teachers(), tell)
    text = open_soft(folder)
    tell(describe(text.counts))
    if untaught := [name for name in settings.heads if name not in text.heads]:
        tell(f"heads with a label no teacher has, which learn from gold alone: {', '.join(untaught)}")
    if not text.counts.taught:
        raise TrainingError("no sentence of the text is left to learn from; give more text")
    return text


def open_soft(folder: Path) -> SoftText:
    """A folder that `label` has finished.

    Raises:
        DataError: if it has not, or the folder is damaged.
    """
    try:
        settings = msgspec.json.decode((folder / SETTINGS).read_bytes(), type=LabelSettings)
        done = msgspec.json.decode((folder / DONE).read_bytes(), type=_Done)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(
            f"{folder}: holds no labels that are complete ({type(error).__name__}); run medspan distil again"
        ) from None
    return SoftText(folder, settings, done.shards, done.counts, done.heads)


def _is_complete(folder: Path) -> bool:
    """Whether all was labelled, and nothing taken away since."""
    return (folder / DONE).exists() and open_soft(folder).shards == _whole_shards(folder)


def _whole_shards(folder: Path) -> int:
    return next(number for number in count() if not shard_path(folder, number).exists())


def _label_rest(
    settings: LabelSettings,
    documents: Iterator[Document],
    folder: Path,
    teachers: Teachers,
    tell: Callable[[str], None],
) -> None:
    number = _whole_shards(folder)
    counts = shard_counts(shard_path(folder, number - 1)) if number else ReadCounts()
    if number:
        tell(f"{number} shards ({counts.words:,} words) are there: going on behind them")
    started, before = time.monotonic(), counts.words
    for number_now, part in enumerate(_parts(_fresh(documents, settings, counts), settings), start=number):
        sentences = [(unit.forms(document.text), unit.glued(document.text)) for document, unit in part]
        sizes = np.array([len(unit.words) for _, unit in part], np.int64)
        marginals = teachers.marginals([document for document, _ in part], sizes)
        counts.taught += len(part)
        counts.words += int(sizes.sum())
        save_shard(shard_path(folder, number_now), sentences, marginals, counts)
        speed = (counts.words - before) / max(1e-9, time.monotonic() - started)
        tell(f"labelled {counts.words:,} words, {speed:,.0f} words/s")
    done = _Done(_whole_shards(folder), counts, tuple(teachers.heads))
    write_whole(folder / DONE, msgspec.json.encode(done))


def _fresh(
    documents: Iterator[Document], settings: LabelSettings, counts: ReadCounts
) -> Iterator[tuple[Document, Unit]]:
    """Sentences to learn from, each a unit, behind those that were read before."""
    keys = frozenset() if settings.keep_leaks else registered_keys()
    seen, done = _Seen(), counts.read
    for number, sentence in enumerate(sentences(documents)):
        key = text_key(sentence.text)
        is_leak = key in keys
        is_new = seen.add(key)
        if number < done:
            continue
        counts.read += 1
        words = tokenize(sentence.text)
        if is_leak:
            counts.leaked += 1
        elif not is_new:
            counts.duplicates += 1
        elif not 0 < len(words) <= settings.most_words:
            counts.too_long += 1
        else:
            yield sentence.replace(entities=()), Unit(0, words, (0, len(words)))


def _parts(
    items: Iterator[tuple[Document, Unit]], settings: LabelSettings
) -> Iterator[Sequence[tuple[Document, Unit]]]:
    """As many sentences at a time as a shard holds."""
    held: list[tuple[Document, Unit]] = []
    words = 0
    for item in items:
        held.append(item)
        words += len(item[1].words)
        if words >= settings.shard_words:
            yield held
            held, words = [], 0
    if held:
        yield held


def describe(counts: ReadCounts) -> str:
    """One line on what was read."""
    sizes = f"{counts.taught:,} sentences, {counts.words:,} words"
    parts = [f"unlabelled text: {sizes}", f"{counts.empty:,} sentences without a likely mention"]
    for number, what in (
        (counts.leaked, "equal to a registered test sentence"),
        (counts.duplicates, "read before"),
        (counts.too_long, "longer than a window"),
    ):
        if number:
            parts.append(f"{number:,} left out ({what})")
    return ", ".join(parts)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder."""
    total = hashlib.sha256()
    if path.is_file():
        return _file_digest(path)
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        total.update(
            f"{file.relative_to(path).as_posix()}\n{_file_digest(file)}\n".encode("utf-8", "surrogateescape")
        )
    return total.hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_all(paths: Sequence[tuple[Path, str | None]]) -> Iterator[Document]:
    """The documents of some files or folders, each in its format."""
    for path, read_as in paths:
        yield from formats.read(path, format=read_as)

"""Documents → sentences on disk: read once, then streamed in constant memory, epoch by epoch.

A sentence is a unit of `medspan.features.cut`, as training and inference see it. Its words are kept as rows
of a table of forms (words as they stand in the text), so a shard is a few arrays of numbers. Documents are
held out by a hash of their id and text: the same ones in every run. Sentences equal to a registered test
sentence are dropped and counted.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from medspan import formats
from medspan.corpora import catalogue, known_entry, registered_keys, sentence_key, split_path
from medspan.corpora.places import corpus_roots, split_files, split_name
from medspan.errors import ConfigError, DataError, TrainingError
from medspan.features.cut import read_units
from medspan.features.forms import BLANK, shorten
from medspan.text.tokenize import is_blank
from medspan.train.folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from medspan.corpora import Corpus
    from medspan.features.cut import Units
    from medspan.train.pretrain.settings import ReadingConfig, TextConfig
    from medspan.types import Document

    Ints = NDArray[np.int64]

STAND_IN = "\ufffd"
"""The form in row 1, for words beyond the largest number of forms."""
SHARD_WORDS = 2_000_000
_DOCUMENTS_AT_ONCE = 32
_LONGEST_FORM = 200
_NAME = "text.json"


class SourceCounts(msgspec.Struct):
    """What was read of one source; words are those learnt from."""

    source: str
    licence: str
    documents: int = 0
    held_out: int = 0
    sentences: int = 0
    leaked: int = 0
    words: int = 0


class Shard(NamedTuple):
    """Sentences: ``rows`` int32 (words,) one sentence after the other, ``lengths`` int32 (sentences,).

    ``glued``, bool (words,), marks words that follow another without a blank: pieces of words may tell.
    """

    rows: NDArray[np.int32]
    lengths: NDArray[np.int32]
    glued: NDArray[np.bool_]

    def sentences(self) -> list[NDArray[np.int32]]:
        """The rows of each sentence, views of the shard."""
        return np.split(self.rows, np.cumsum(self.lengths)[:-1])

    def some(self, words: int, seed: int) -> list[int]:
        """Sentences, in order, of about so many words in all, drawn by the seed alone."""
        order = np.random.default_rng([seed, 4]).permutation(len(self.lengths))
        sizes = np.cumsum(self.lengths[order])
        chosen: list[int] = np.sort(order[: int(np.searchsorted(sizes, words)) + 1]).tolist()
        return chosen

    def only(self, sentences: Sequence[int]) -> Shard:
        """A shard of some sentences only, in the order given."""
        ends = np.cumsum(self.lengths)
        runs = [np.arange(ends[i] - self.lengths[i], ends[i]) for i in sentences]
        words = np.concatenate(runs) if runs else np.zeros(0, np.int64)
        return Shard(self.rows[words], self.lengths[list(sentences)], self.glued[words])


class _Index(msgspec.Struct):
    """``text.json``: what the shards were made of; ``stamp`` stands for the files (`_stamp`)."""

    settings: str
    sources: dict[str, SourceCounts]
    shards: int
    forms: list[str]
    stamp: str = ""


class Text(NamedTuple):
    """Text that was read; ``forms[i]`` stands in row i + 1, and ``counts[i]`` times in training text."""

    folder: Path
    forms: list[str]
    counts: Ints
    sources: dict[str, SourceCounts]
    shards: int

    def shard(self, index: int) -> Shard:
        """A shard of training sentences."""
        return _load_shard(self.folder, f"train-{index:05}")

    def held_out(self) -> Shard:
        """The sentences of the documents held out."""
        return _load_shard(self.folder, "held-out")

    @property
    def words(self) -> int:
        """Words of training sentences."""
        return int(self.counts.sum())

    @property
    def sentences(self) -> int:
        """Training sentences."""
        return sum(source.sentences for source in self.sources.values())

    def stream(self) -> Iterator[NDArray[np.int32]]:
        """Every training sentence in order, a shard in memory at a time."""
        for index in range(self.shards):
            yield from self.shard(index).sentences()


class Forms:
    """A `medspan.features.cut.RowTable` that forgets nothing: form → row from 1 on."""

    def __init__(self, most: int) -> None:
        self.forms = [STAND_IN]
        self._most = most
        self._rows: dict[str, int] = {STAND_IN: 1}

    def rows(self, pieces: Sequence[str], /) -> Ints:
        """The row of each piece, ``BLANK`` where it is a blank: int64 (pieces,)."""
        known, add = self._rows, self._add
        return np.array([known[piece] if piece in known else add(piece) for piece in pieces], np.int64)

    def trim(self) -> None:
        """Nothing is forgotten."""

    def _add(self, piece: str) -> int:
        if not piece or is_blank(piece[0]):
            return BLANK
        form = shorten(piece, _LONGEST_FORM)
        if form in self._rows:
            return self._rows[form]
        if len(self.forms) >= self._most:
            return 1
        self.forms.append(form)
        self._rows[form] = len(self.forms)
        return len(self.forms)


def read_text(
    sources: Mapping[str, TextConfig],
    reading: ReadingConfig,
    folder: Path,
    *,
    base: Path,
    tell: Callable[[str], None],
    resume: bool = False,
) -> Text:
    """Read the sources into shards in ``folder``, or take those that stand there already.

    Shards of other files than the sources name now, or of files that were changed since, are made anew.

    Args:
        sources: where the documents are.
        reading: how they become sentences.
        folder: the shards go here; its parents are made.
        base: folder that relative paths start from.
        tell: hears one line a source.
        resume: a run goes on: it takes the shards it began with, whatever became of the files.

    Raises:
        DataError, FormatError: if a source is absent or malformed.
        TrainingError: if there is no sentence to learn from or nothing is held out.
    """
    settings = msgspec.json.encode([sources, reading]).decode()
    stamp = _stamp(sources, base)
    index = _load_index(folder)
    is_complete = (folder / "held-out.glued.npy").exists()  # else an earlier medspan wrote it
    is_same = index is not None and index.settings == settings and (resume or _is_same(index.stamp, stamp))
    if index is None or not is_complete or not is_same:
        index = _Writer(folder, settings, reading, stamp).write(sources, base)
    for name, counts in index.sources.items():
        tell(describe(name, counts))
    counts = np.load(folder / "counts.npy", allow_pickle=False)
    text = Text(folder, index.forms, counts, index.sources, index.shards)
    if not text.words or not len(text.held_out().lengths):
        raise TrainingError(
            f"{', '.join(sources)}: {text.words} words to learn from and {len(text.held_out().lengths)} "
            "sentences held out; give more documents, or another reading.held_out. A file of plain text is "
            'one document: format = "blocks" reads one a paragraph'
        )
    return text


def _stamp(sources: Mapping[str, TextConfig], base: Path) -> str:
    """Changes with the place, size or date of any file of the sources; empty where one is not there."""
    digest = hashlib.sha256()
    for config in sources.values():
        try:
            place = source_path(config, base)[0].resolve()
        except DataError:
            return ""
        files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        for path in files:
            found = path.stat()
            digest.update(
                f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0".encode("utf-8", "surrogateescape")
            )
    return digest.hexdigest()


def _is_same(before: str, now: str) -> bool:
    """Whether two stamps may be of the same files: text whose files are gone since is as good as ever."""
    return before == now or not (before and now)


def describe(name: str, counts: SourceCounts) -> str:
    """One line on what was read of a source."""
    return (
        f"{name}: {counts.documents:,} documents ({counts.held_out:,} of them held out), "
        f"{counts.sentences:,} sentences, {counts.words:,} words, {counts.leaked:,} sentences left out "
        "(equal to a registered test sentence)"
    )


def source_path(config: TextConfig, base: Path) -> tuple[Path, str | None]:
    """The file or folder of a source and the format it is read in, None where its name tells.

    Raises:
        ConfigError: if it is a test split.
        DataError: if it is absent.
    """
    known = _entry(config.source, base)
    if known is not None and known.task.startswith("language-model text"):
        found = (root / file.path for root in corpus_roots() for file in known.files)
        for path in found:
            if path.is_file():
                return path, config.format or ("blocks" if ".txt" in path.suffixes else None)
        raise DataError(
            f"corpus {config.source!r} is not on this machine; set MEDSPAN_DATA to a folder that holds "
            f"{known.files[0].path}, or name a file or folder"
        )
    if split_name(config.split) == "test":
        raise ConfigError(f"{config.source}: the test split is nothing to learn from; choose train or dev")
    own = base / config.source
    if known is not None or not own.exists():
        return split_path(config.source, config.split), config.format
    return split_path(own, config.split) if _has_splits(own) else own, config.format


def _entry(source: str, base: Path) -> Corpus | None:
    """The corpus of the catalogue a source names; a file or folder of one's own wins over a bare name."""
    return catalogue().get(source) or (None if (base / source).exists() else known_entry(source))


def _has_splits(place: Path) -> bool:
    """Whether a folder is a corpus with a training split and another, and no mere heap of texts."""
    splits = split_files(place) if place.is_dir() else {}
    return "train" in splits and len(splits) > 1


def held_out(document: Document, share: float) -> bool:
    """Whether a document is held out: a function of its id and text alone."""
    data = f"{document.id}\n{document.text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") < share * 2**64


class _Writer:
    """Reads sources into shards."""

    def __init__(self, folder: Path, settings: str, reading: ReadingConfig, stamp: str) -> None:
        self._folder, self._settings, self._reading, self._stamp = folder, settings, reading, stamp
        self._keys = frozenset() if reading.keep_leaks else registered_keys()
        self._forms = Forms(reading.most_forms)
        self._train: list[_Sentence] = []
        self._held: list[_Sentence] = []
        self._waiting = self._shards = 0
        self._counts = np.zeros(1, np.int64)

    def write(self, sources: Mapping[str, TextConfig], base: Path) -> _Index:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / _NAME).unlink(missing_ok=True)
        found = {name: self._read(config, base) for name, config in sources.items()}
        self._flush()
        _save_shard(self._folder, "held-out", self._held)
        counts = np.zeros(len(self._forms.forms), np.int64)
        counts[: len(self._counts)] = self._counts[: len(counts)]
        np.save(self._folder / "counts.npy", counts)
        index = _Index(self._settings, found, self._shards, self._forms.forms, self._stamp)
        write_whole(self._folder / _NAME, msgspec.json.encode(index))
        return index

    def _read(self, config: TextConfig, base: Path) -> SourceCounts:
        known = _entry(config.source, base)
        counts = SourceCounts(
            known.name if known else config.source.rpartition("/")[2],
            known.licence if known else "not in the catalogue: the user's own",
        )
        path, format_name = source_path(config, base)
        documents = formats.read(path, format=format_name)
        while some := list(islice(documents, _DOCUMENTS_AT_ONCE)):
            size = self._reading.window
            for units in read_units(some, self._forms, size=size, overlap=0, most_words=SHARD_WORDS):
                self._take(some, units, counts)
        return counts

    def _take(self, documents: Sequence[Document], units: Units, counts: SourceCounts) -> None:
        held = [held_out(document, self._reading.held_out) for document in documents]
        counts.documents += len(documents)
        counts.held_out += sum(held)
        glued = _glued(units)
        places = (units.document, units.first, units.stop)
        for document, first, stop in zip(*(place.tolist() for place in places), strict=True):
            sentence = _Sentence(units.rows[first:stop], glued[first:stop])
            text = documents[document].text[units.starts[first] : units.ends[stop - 1]]
            if self._keys and sentence_key(text, shortest=0) in self._keys:
                counts.leaked += 1
            elif held[document]:
                # Views would keep all that was read with them in memory.
                self._held.append(_Sentence(sentence.rows.copy(), sentence.glued.copy()))
            else:
                counts.sentences += 1
                counts.words += len(sentence.rows)
                self._train.append(sentence)
                self._waiting += len(sentence.rows)
        if self._waiting >= SHARD_WORDS:
            self._flush()

    def _flush(self) -> None:
        if not self._train:
            return
        _save_shard(self._folder, f"train-{self._shards:05}", self._train)
        rows = np.concatenate([sentence.rows for sentence in self._train])
        found = np.bincount(rows - 1, minlength=len(self._counts))
        found[: len(self._counts)] += self._counts
        self._counts = found
        self._shards += 1
        self._train, self._waiting = [], 0


class _Sentence(NamedTuple):
    rows: Ints
    glued: NDArray[np.bool_]


def _glued(units: Units) -> NDArray[np.bool_]:
    """Which words begin where the word before them ends; those of different documents never do."""
    found = np.zeros(len(units.starts), np.bool_)
    found[1:] = units.starts[1:] == units.ends[:-1]
    found[units.first[np.flatnonzero(np.diff(units.document, prepend=-1))]] = False
    return found


def _save_shard(folder: Path, name: str, sentences: Sequence[_Sentence]) -> None:
    nothing = _Sentence(np.zeros(0, np.int64), np.zeros(0, np.bool_))
    rows, glued = (np.concatenate(parts) for parts in zip(*(sentences or [nothing]), strict=True))
    np.save(folder / f"{name}.npy", rows.astype(np.int32))
    np.save(folder / f"{name}.lengths.npy", np.array([len(each.rows) for each in sentences], np.int32))
    np.save(folder / f"{name}.glued.npy", glued)


def _load_shard(folder: Path, name: str) -> Shard:
    try:
        rows = np.load(folder / f"{name}.npy", allow_pickle=False)
        lengths = np.load(folder / f"{name}.lengths.npy", allow_pickle=False)
        glued = np.load(folder / f"{name}.glued.npy", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder}: {name} cannot be read ({error}); remove the folder and start anew"
        ) from None
    return Shard(rows, lengths, glued)


def _load_index(folder: Path) -> _Index | None:
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=_Index)
    except (OSError, msgspec.MsgspecError):
        return None

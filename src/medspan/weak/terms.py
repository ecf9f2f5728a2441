"""Terms to look for: read from a table, or taken from the annotations of a corpus."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from medspan.corpora import known_entry, split_path
from medspan.corpora import load as load_split
from medspan.errors import DataError, FormatError, UsageError
from medspan.formats import files
from medspan.formats.columns import allow_long_fields, delimiter_of
from medspan.formats.protocol import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from medspan.types import Document

UNKNOWN_LICENCE = "not stated"
_COLUMNS = ("term", "label", "id")


class Term(NamedTuple):
    """A term, the label of what it names, and the concept it stands for, where known."""

    surface: str
    label: str
    concept: str = ""


class Source(msgspec.Struct, frozen=True):
    """Where terms come from: enough to repeat the work and to know what may be done with it."""

    name: str
    sha256: str
    licence: str = UNKNOWN_LICENCE
    terms: int = 0


class Terms(NamedTuple):
    """Terms and where they come from."""

    terms: Sequence[Term]
    source: Source


def read_terms(path: Path | str, *, licence: str = UNKNOWN_LICENCE) -> Terms:
    """The terms of a CSV or TSV file whose header names the columns ``term`` and ``label``, and maybe ``id``.

    Args:
        path: the file, packed or not; the delimiter is the header's: comma, tab or semicolon.
        licence: of the terms.

    Raises:
        FormatError: if a column or a value is absent, or a row is not one of a table, naming the line.
        UsageError: if there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(
            f"{path}: no such file of terms; give a .csv or .tsv with the columns term,label[,id]"
        )
    found = list(_rows(path))
    if not found:
        raise FormatError(path, None, "holds no term", "give a row a term: term,label[,id]")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Terms(found, Source(path.name, digest, licence, len(found)))


def _rows(path: Path) -> Iterator[Term]:
    allow_long_fields()
    lines = files.read_lines(path, ReadOptions())
    header = next(lines, "").removeprefix("\ufeff").rstrip("\r\n")
    delimiter = delimiter_of(header)
    names = [name.strip().casefold() for name in next(csv.reader([header], delimiter=delimiter), [])]
    places = {name: names.index(name) for name in _COLUMNS if name in names}
    for name in _COLUMNS[:2]:
        if name not in places:
            raise FormatError(path, 1, f"there is no column {name!r}", "begin the file with: term,label,id")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    for row in _checked(reader, path):
        values = {name: row[at].strip() if at < len(row) else "" for name, at in places.items()}
        if not any(values.values()):
            continue
        if not (values["term"] and values["label"]):
            raise FormatError(path, reader.line_num + 1, "a term or its label is empty", "give both")
        yield Term(values["term"], values["label"], values.get("id", ""))


def _checked(reader: Any, path: Path) -> Iterator[list[str]]:  # noqa: ANN401 - csv names no type for it
    """The rows of a table below its header."""
    try:
        yield from reader
    except csv.Error as error:
        line = reader.line_num + 1
        raise FormatError(path, line, f"no row of a table ({error})", "correct the row") from None


def corpus_terms(
    corpus: str | Path, split: str = "train", *, licence: str | None = None, inside_only: bool = False
) -> Terms:
    """Every surface annotated in a split of a corpus, each with the label it most often has.

    Args:
        corpus: a name of the catalogue, a file or a folder.
        split: which split.
        licence: of the terms; that of the catalogue where None.
        inside_only: see `surfaces`.

    Raises:
        DataError: if the corpus is not there or has no entity.
    """
    terms = surfaces(load_split(corpus, split), inside_only=inside_only)
    if not terms:
        raise DataError(f"{corpus}: its {split} split annotates nothing; name a corpus with entities")
    return Terms(terms, _corpus_source(corpus, split, len(terms), licence))


def surfaces(documents: Iterable[Document], *, inside_only: bool = False) -> list[Term]:
    """The annotated surfaces of some documents, in alphabetical order, each with its most frequent label.

    Surfaces are told apart as they stand; of labels that are as frequent the first of the alphabet wins.
    Mentions of several parts are left out.

    Args:
        documents: annotated documents.
        inside_only: leave out mentions that touch the begin or the end of a text: where texts are windows
            that cut words, these may be a piece of a word.
    """
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        for entity in document.entities:
            surface = document.text_of(entity).strip()
            is_cut = inside_only and (entity.start == 0 or entity.end == len(document.text))
            if surface and not (is_cut or entity.is_discontinuous):
                labels[surface][entity.label] += 1
    return [
        Term(surface, min(counts, key=lambda label: (-counts[label], label)))
        for surface, counts in sorted(labels.items())
    ]


def _corpus_source(corpus: str | Path, split: str, count: int, licence: str | None) -> Source:
    place = split_path(corpus, split)
    digest = hashlib.sha256()
    for file in [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file()):
        digest.update(file.read_bytes())
    named = f"{corpus}" if not Path(corpus).exists() else Path(corpus).name
    known = known_entry(str(corpus))
    of_corpus = known.licence if known else UNKNOWN_LICENCE
    return Source(f"{named} ({split})", digest.hexdigest(), licence or of_corpus, count)

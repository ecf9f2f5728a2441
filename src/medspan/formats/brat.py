r"""brat standoff: a folder of pairs, ``a.txt`` with the text and ``a.ann`` with the annotations.

=============================================== =====================================================
``T1<tab>Disease 0 5;9 14<tab>colon canc``      entity; offsets in code points of the ``.txt`` as it is
``R1<tab>CID Arg1:T1 Arg2:T2``                  relation; other argument names are kept in meta
``A1<tab>Negation T1``, ``A2<tab>Level T1 high`` attribute; without a value it is ``true``
``N1<tab>Reference T1 MESH:D003924<tab>name``   concept; ``_:D003924`` where it names no database
events ``E1``, ``*``, notes ``#1``, the rest     kept in ``meta["brat"]`` and written back as they were
=============================================== =====================================================

What a line cannot say stands in a note of type ``medspan`` about it, as JSON:
``#1<tab>medspan T1<tab>{"score": 0.98, "was": {"label": ["Drug_name", "Drug name"]}}`` gives the
score and what a field was before characters that brat cannot hold were replaced. A field that was
edited since then is taken as it stands. So entities, attributes, concepts and relations come back
equal; sentences, sections and other meta do not and are counted.

A line break or tab in a mention is written as a blank in the ``.ann``; the text itself is not changed: a
byte order mark and CRLF stay and count. Documents are read in the order of their file names; sub-folders
are read too. A document id becomes a file name by quoting (``a/b`` → ``a%2Fb``), so nothing is written
outside the folder; ids that would share a file name get ``%~2`` behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.errors import FormatError, UsageError
from medspan.formats import files
from medspan.formats.brat_read import parse
from medspan.formats.brat_write import annotation_text
from medspan.formats.protocol import Losses, ReadOptions, WriteOptions, reject
from medspan.formats.stems import identity_below, identity_of, visible_below, write_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document

__all__ = ["EXTENSIONS", "read", "write"]

EXTENSIONS = (".ann",)
_PAIR = (".txt", ".ann")


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a folder of pairs, or of one pair named by either of its files.

    Raises:
        FormatError: where a pair is malformed or lacks a file; the ``.ann`` is the unit that is rejected.
        UsageError: if there is nothing to read.
    """
    for stem, identity in _stems(path):
        text_file, annotation_file = (stem.with_name(stem.name + suffix) for suffix in _PAIR)
        unit = ""
        try:
            _check_pair(text_file, annotation_file)
            unit = files.read_text(annotation_file)
            document = parse(files.read_text(text_file), unit, identity=identity, path=annotation_file)
        except FormatError as error:
            reject(options, error, unit)
        else:
            yield document


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write a pair of files for each document into a folder.

    Raises:
        UsageError: if the folder cannot be written.
    """
    del options  # none concerns this format
    if path.suffix in _PAIR and not path.is_dir():
        raise UsageError(f"{path}: brat is a folder of pairs of files; name a folder")
    return write_files(documents, path, _pair)


def _pair(document: Document, losses: Losses) -> Iterable[tuple[str, str]]:
    return zip(_PAIR, (document.text, annotation_text(document, losses)), strict=True)


def _stems(path: Path) -> list[tuple[Path, str]]:
    """The pairs of a folder, in order: the path both names share, and the document's id."""
    if path == files.STANDARD:
        raise UsageError(
            "brat needs two files a document and cannot be read from standard input; name a folder"
        )
    files.refuse_missing(path)
    if not path.is_dir():
        if path.suffix not in _PAIR:
            raise UsageError(f"{path}: neither a .txt nor an .ann file; name one of a pair, or a folder")
        return [(path.with_suffix(""), identity_of(path.stem))]
    found = {
        file.with_name(file.name.removesuffix(file.suffix))
        for file in visible_below(path, "*")
        if file.suffix in _PAIR
    }
    if not found:
        raise UsageError(f"{path}: the folder has no .txt and .ann files")
    return [(stem, identity_below(path, stem)) for stem in sorted(found)]


def _check_pair(text_file: Path, annotation_file: Path) -> None:
    if not text_file.is_file():
        raise FormatError(annotation_file, None, f"its text {text_file.name} is missing", "put it beside")
    if not annotation_file.is_file():
        raise FormatError(
            text_file,
            None,
            f"its annotations {annotation_file.name} are missing",
            "put them beside; an empty file says that there are none",
        )

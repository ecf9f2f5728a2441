r"""Plain text: a document a file, a folder of ``.txt`` files and its subfolders, or standard input.

The text is what the file holds, decoded strictly as UTF-8 and otherwise unchanged: line ends stay
``\r\n`` where they are, and a byte order mark stays as the first character (U+FEFF), so that every offset
is into the text as delivered. Written, only text and ids stay: all annotations are counted as lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.errors import AnnotationError, UsageError
from medspan.formats import files
from medspan.formats.protocol import Losses, ReadOptions, WriteOptions, count_unheld
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

EXTENSIONS = (".txt",)


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """The documents; their ids are the file names without extension, in subfolders with the path to them.

    Raises:
        FormatError: if a file is not UTF-8 (names the byte offset) or too long.
        UsageError: if there is nothing to read.
    """
    return files.documents_below(path, EXTENSIONS, options, _read_file)


def _read_file(file: Path, stem: str, options: ReadOptions) -> Iterator[Document]:
    yield Document(files.document_id_of(stem), files.read_text(file, max_chars=options.max_chars))


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write one file a document into a folder, or a single document to a ``.txt`` file or ``-``.

    Raises:
        AnnotationError: if two documents of a folder have the same id.
        UsageError: if several documents would go to one file.
    """
    del options  # none concerns this format
    losses = Losses()
    counted = (_counted(document, losses) for document in documents)
    if path == files.STANDARD or (files.suffix_of(path) in EXTENSIONS and not path.is_dir()):
        _write_one(counted, path)
    else:
        _write_folder(counted, path)
    return losses


def _counted(document: Document, losses: Losses) -> Document:
    losses.add("entities", len(document.entities))
    count_unheld(document, losses, frozenset())
    return document


def _write_one(documents: Iterator[Document], path: Path) -> None:
    with files.writing(path) as handle:
        for number, document in enumerate(documents):
            if number:
                raise UsageError(f"{path}: a text file holds one document; name a folder for several")
            handle.write(document.text)


def _write_folder(documents: Iterator[Document], path: Path) -> None:
    with files.writing_folder(path) as folder:
        for document in documents:
            file = folder / f"{files.file_name(document.id)}.txt"
            if file.exists():
                raise AnnotationError(f"two documents have the id {document.id!r}; give each its own")
            with files.writing(file) as handle:
                handle.write(document.text)

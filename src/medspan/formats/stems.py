"""File names of formats that are a folder with files for each document, and the ids they stand for."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from medspan.formats import files
from medspan.formats.protocol import Losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document

_NUMBERED = re.compile(r"%~[0-9]+$")
_LONGEST_NAME = 200  # bytes; file systems allow 255, with extension and the name of a temporary file


def identity_of(stem: str) -> str:
    """The document id a file name stands for; a foreign name that only looks quoted stays."""
    name = _NUMBERED.sub("", stem) or "%"
    identity = files.document_id_of(name)
    return identity if files.file_name(identity) == name else stem


def file_stem(identity: str, taken: set[str], losses: Losses) -> str:
    """A file name that no other document has, also where case and composition do not count.

    Args:
        identity: the document's id; where it is too long for a file name it is cut, and that is counted.
        taken: names given so far; the new one is added.
        losses: where to count.
    """
    name = files.file_name(identity)
    if len(name.encode()) > _LONGEST_NAME:
        losses.add("document ids too long for a file name")
        name = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    stem, number = name, 1
    while (key := unicodedata.normalize("NFC", stem).casefold()) in taken:
        number += 1
        stem = f"{name}%~{number}"
    taken.add(key)
    return stem


def visible_below(path: Path, pattern: str) -> Iterator[Path]:
    """Files of a folder and of its subfolders whose names fit a pattern, but for hidden ones."""
    for file in path.rglob(pattern):
        if not any(part.startswith(".") for part in file.relative_to(path).parts):
            yield file


def identity_below(path: Path, stem: Path) -> str:
    """The document id of files that share a stem: with the subfolders of ``path`` it is in before it."""
    parent = (stem.parent.relative_to(path) / "x").as_posix().removesuffix("x")
    return parent + identity_of(stem.name)


def write_files(
    documents: Iterable[Document],
    path: Path,
    contents: Callable[[Document, Losses], Iterable[tuple[str, str]]],
) -> Losses:
    """Write some files for each document into a folder.

    Args:
        documents: their ids become names of files.
        path: the folder; all files are in it, or none.
        contents: of a document the ending of each file's name, and its text; it counts what is lost.

    Raises:
        UsageError: if the folder cannot be written.
    """
    losses = Losses()
    taken: set[str] = set()
    with files.writing_folder(path) as folder:
        for document in documents:
            stem = file_stem(document.id, taken, losses)
            for ending, text in contents(document, losses):
                with files.writing(folder / (stem + ending)) as handle:
                    handle.write(text)
    return losses

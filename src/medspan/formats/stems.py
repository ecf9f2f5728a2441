"""File names of formats that are a folder with files for each document, and the ids they stand for."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from medspan.formats import files

if TYPE_CHECKING:
    from medspan.formats.protocol import Losses

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

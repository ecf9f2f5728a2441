"""What was annotated, as a file of any format medspan writes; a zip where that is several files."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from medspan import formats
from medspan.errors import UsageError, did_you_mean
from medspan.formats.handout import handout, handouts
from medspan.project.documents import as_document
from medspan.project.structs import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medspan.formats.handout import Handout
    from medspan.project.store import Project
    from medspan.types import Document


def export(project: Project, format: str, annotator: str | None = None) -> Handout:  # noqa: A002 - the word every caller expects
    """What was annotated, as a file.

    A document has the id it was added with (a sentence ``note-1:120-188``); where several came with one id,
    ``#`` and its number in the project behind it.

    Args:
        project: what is done in it is exported.
        format: of `medspan.formats.WRITERS`.
        annotator: whose; where None, a zip with one file or folder an annotator.

    Raises:
        UsageError: if the format is unknown.
        NotFoundError: if nobody, or not the one asked for, has done a document.
    """
    if format not in formats.WRITERS:
        raise UsageError(f"format: cannot be written; {did_you_mean(format, formats.WRITERS)}")
    done = {name: _documents(project, name) for name in _names(project, annotator)}
    if annotator is not None:
        return handout(done[annotator], format, project.name)
    return handouts(done, format, project.name)


def _names(project: Project, annotator: str | None) -> Sequence[str]:
    names = [each.name for each in project.annotations.annotators() if each.done]
    if annotator is not None:
        names = [name for name in names if name == annotator]
    if not names:
        raise NotFoundError("nothing is done yet; save a document as done first")
    return names


def _documents(project: Project, annotator: str) -> list[Document]:
    """With the ids and the meta they came with, so that they can be put beside where they came from."""
    done = project.annotations.done(annotator)
    rows = project.documents.all()
    times = Counter(row.name for row in rows)
    return [
        as_document(row, done[row.number]).replace(
            id=row.name if times[row.name] == 1 else f"{row.name}#{row.number}",
            meta=msgspec.json.decode(row.meta),
        )
        for row in rows
        if row.number in done
    ]

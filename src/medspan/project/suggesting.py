"""What the present model says of the documents, and the order in which they are best annotated.

First come those the model is least sure of and that differ from one another (`medspan.suggest`); every fifth
place goes to a document of the held-back part, which is a fair sample and is not chosen by the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medspan.pipeline import load
from medspan.project.documents import HELD_BACK_EVERY, Row, Suggestion, as_document, digest_of, marks_of
from medspan.suggest import Candidate, diverse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from medspan.project.store import Project

_MOST_DIVERSE = 200
_POOL = 2000


def rate(project: Project, name: str, folder: Path) -> int:
    """Ask a model about every document that nobody has done, and keep what it finds; how many there were.

    Args:
        project: gets the suggestions, the uncertainties and the order.
        name: of the model, as the page shows it.
        folder: of the model.

    Raises:
        ModelError: if the model is damaged.
    """
    done = project.annotations.done()
    rows = [row for row in project.documents.all() if row.number not in done]
    recognizer = load(folder, threads=1)
    rated = list(recognizer.rate(as_document(row, ()) for row in rows))
    candidates = [Candidate(each.document, round(0.0 - each.log_probability, 4)) for each in rated]
    places = {number: place for place, number in enumerate(_order(rows, candidates))}
    return project.documents.suggest(
        {
            row.number: Suggestion(marks_of(candidate.document), candidate.uncertainty, places[row.number])
            for row, candidate in zip(rows, candidates, strict=True)
        },
        name,
    )


def _order(rows: Sequence[Row], candidates: Sequence[Candidate]) -> Iterator[int]:
    """Numbers of documents in the order in which they should be annotated."""
    held = {row.number for row in rows if row.is_held_back}
    free = [each for each in candidates if int(each.document.id) not in held]
    free.sort(key=lambda each: (-each.uncertainty, int(each.document.id)))
    first = diverse(free[:_POOL], _MOST_DIVERSE)
    taken = {each.document.id for each in first}
    chosen = [int(each.document.id) for each in (*first, *(e for e in free if e.document.id not in taken))]
    sample = sorted((row for row in rows if row.is_held_back), key=lambda row: digest_of(row.text)[8:])
    return _mixed(chosen, [row.number for row in sample])


def _mixed(chosen: Iterable[int], sample: Collection[int]) -> Iterator[int]:
    """Four chosen ones, then one of the sample, and so on; what is left of either at the end."""
    left = iter(sample)
    for place, number in enumerate(chosen, start=1):
        yield number
        if place % (HELD_BACK_EVERY - 1) == 0:
            yield from (each for each in [next(left, None)] if each is not None)
    yield from left

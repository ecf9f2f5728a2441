"""How far annotators agree: F1 of mentions and Cohen's kappa over words, by pair, and where they differ."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from medspan.metrics import Mention
from medspan.metrics.words import word_tags
from medspan.project.structs import Agreement, Disagreement, Pair
from medspan.text.tokenize import tokenize
from medspan.types import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from medspan.project.store import Project
    from medspan.project.structs import Mark

_MOST_DISAGREEMENTS = 500

Done = "Mapping[int, tuple[Mark, ...]]"


def agreement(project: Project) -> Agreement:
    """Agreement on the documents that two or more have done; at most 500 disagreements are listed."""
    done = project.annotations.done_by()
    texts = {row.number: row.text for row in project.documents.all()}
    pairs = [_pair(a, b, done[a], done[b], texts) for a, b in combinations(sorted(done), 2)]
    return Agreement(
        tuple(pair for pair in pairs if pair.documents),
        tuple(
            disagreement
            for disagreement, _ in zip(_differences(done), range(_MOST_DISAGREEMENTS), strict=False)
        ),
    )


def _pair(
    a: str,
    b: str,
    left: Mapping[int, tuple[Mark, ...]],
    right: Mapping[int, tuple[Mark, ...]],
    texts: Mapping[int, str],
) -> Pair:
    shared = sorted(left.keys() & right.keys())
    tags: list[tuple[str, str]] = []
    same = of_a = of_b = 0
    for number in shared:
        mine, others = _mentions(left[number]), _mentions(right[number])
        same, of_a, of_b = same + len(mine & others), of_a + len(mine), of_b + len(others)
        words = tokenize(texts[number])
        tags.extend(zip(word_tags(mine, words), word_tags(others, words), strict=True))
    f1 = 2 * same / (of_a + of_b) if of_a + of_b else None
    return Pair(a, b, len(shared), None if f1 is None else round(f1, 4), cohens_kappa(tags))


def _mentions(marks: Iterable[Mark]) -> set[Mention]:
    return {Mention((Span(mark.start, mark.end),), mark.label) for mark in marks}


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance of two people who gave each thing a class (Cohen 1960), at most 1.

    Args:
        pairs: the class each of them gave, a thing each.

    Returns:
        None where there is nothing, or where both gave everything the same one class: chance alone then
        agrees.
    """
    if not pairs:
        return None
    total = len(pairs)
    observed = sum(a == b for a, b in pairs) / total
    left, right = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(count * right[name] for name, count in left.items()) / total**2
    if expected >= 1:
        return None
    return round((observed - expected) / (1 - expected), 4)


def _differences(done: Mapping[str, Mapping[int, tuple[Mark, ...]]]) -> Iterator[Disagreement]:
    """Mentions that not all who have done a document have marked, in the order of the documents."""
    for number in sorted({number for found in done.values() for number in found}):
        who = sorted(name for name, found in done.items() if number in found)
        marked: dict[Mark, list[str]] = {}
        for name in who:
            for mark in done[name][number]:
                marked.setdefault(mark, []).append(name)
        for mark, by in sorted(marked.items()):
            if len(by) < len(who):
                others = tuple(name for name in who if name not in by)
                yield Disagreement(str(number), mark.label, mark.start, mark.end, tuple(by), others)

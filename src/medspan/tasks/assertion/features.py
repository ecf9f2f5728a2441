"""What the trained head looks at, as strings: cues around an entity, words between, words beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from medspan.tasks.assertion.cues import Found
    from medspan.tasks.assertion.rules import Context

_NEAR = (0, 1, 2, 3, 5, 8, 12, 20)  # distances in words from which a new bucket begins
_BESIDE = 3  # words looked at on each side
_BETWEEN = 12  # words between a cue and the entity that are looked at
_MARKS = frozenset([",", ";", ":", "(", ")", ".", "/", "-"])
_SUFFIX = 2


def features_of(context: Context, start: int, end: int) -> list[str]:
    """The features of the entity at a range of characters; empty where no cue of the sentence says anything.

    Args:
        context: its sentence.
        start: first character of the entity.
        end: one past its last.
    """
    first, stop = context.place(start, end)
    before = [found for found in context.found if found.stop <= first and found.cue.reaches]
    behind = [found for found in context.found if found.first >= stop and found.cue.reaches]
    if not before and not behind:
        return []
    found = ["bias"]
    found += [f"rule {hit.status} {_side(hit.distance)}" for hit in context.hits(start, end)]
    for nearest in before[-2:]:
        found += _of_cue(context, nearest, nearest.stop, first, "before")
    for nearest in behind[:2]:
        found += _of_cue(context, nearest, stop, nearest.first, "behind")
    found += _beside(context, first, stop)
    return found


def _side(distance: int) -> str:
    return f"{'behind' if distance < 0 else 'before'} {_bucket(distance if distance >= 0 else -1 - distance)}"


def _bucket(distance: int) -> int:
    return sum(distance >= edge for edge in _NEAR)


def _of_cue(context: Context, cue: Found, low: int, high: int, side: str) -> Iterator[str]:
    """Features of a cue and of the words ``low`` to ``high`` between it and the entity."""
    name = cue.cue.name
    said = "+".join(status for reach in cue.cue.reaches for status in reach.says)
    words = context.words[low:high]
    yield f"{side} {name}"
    yield f"{side} {said} {_bucket(high - low)}"
    yield f"{side} {name} {_bucket(high - low)}"
    marks = [word for word in words if word in _MARKS]
    yield f"{side} {said} marks {''.join(marks[:4])}"
    yield f"{side} {said} commas {min(words.count(','), 3)} or {'or' in words} and {'and' in words}"
    for word in words[:_BETWEEN] if side == "before" else words[-_BETWEEN:]:
        yield f"{side} {said} > {word}"
        yield f"{side} {said} > *{word[-_SUFFIX:]}"
    after = context.words[cue.stop : cue.stop + 1] or [""]
    yield f"{side} {name} next {after[0]}"
    yield f"{side} {name} next *{after[0][-_SUFFIX:]}"
    ends = sum(1 for other in context.found if other.first >= low and other.stop <= high and other.cue.ends)
    yield f"{side} {said} stops {min(ends, 3)}"


def _beside(context: Context, first: int, stop: int) -> Iterator[str]:
    """The words on both sides of the entity, by their distance."""
    words = context.words
    for distance in range(1, _BESIDE + 1):
        left = words[first - distance] if first >= distance else "^"
        right = words[stop + distance - 1] if stop + distance <= len(words) else "$"
        yield f"-{distance} {left}"
        yield f"+{distance} {right}"
    yield f"around {words[first - 1] if first else '^'} {words[stop] if stop < len(words) else '$'}"

"""What a mention stands for in its document: short forms written out, coordinated mentions taken apart."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from medspan.text.short_forms import is_short_form, long_forms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.types import Document, Entity

_INSIDE: Final = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
_BRACKETS: Final = {"(": ")", "[": "]"}
_STOPS: Final = (",", ";")
_WORD: Final = re.compile(r"[^\W_]+(?:[-/][^\W_]+)*")


class Forms(NamedTuple):
    """What a document says of how its mentions are written.

    ``long``: short forms, each with its long form. ``beside``: mentions, each with others of the same label
    that stand in brackets behind it or before whose brackets it stands.
    """

    long: Mapping[str, str]
    beside: Mapping[str, tuple[str, ...]]


def forms_of(document: Document) -> Forms:
    """Short forms that the text defines, and mentions that stand beside others in brackets."""
    long = long_forms(document.text)
    beside: dict[str, list[str]] = {}
    entities = sorted(document.entities, key=lambda entity: (entity.start, entity.end))
    for first, second in pairwise(entities):
        one, other = document.text_of(first), document.text_of(second)
        if first.label == second.label and _is_bracketed(document.text, first.end, second):
            beside.setdefault(one, []).append(other)
            beside.setdefault(other, []).append(one)
            if _is_short_for(other, one):
                long.setdefault(other, one)
    for short, name in list(long.items()):
        for part, whole in _parts(short, name):
            long.setdefault(part, whole)
    return Forms(long, {name: tuple(dict.fromkeys(others)) for name, others in beside.items()})


def _is_bracketed(text: str, end: int, second: Entity) -> bool:
    """Whether a mention stands in brackets behind the place where another ends."""
    opening, closing = text[end : second.start].strip(), text[second.end : second.end + 1]
    return opening in _BRACKETS and (closing == _BRACKETS[opening] or closing in _STOPS)


def _is_short_for(short: str, long: str) -> bool:
    return (
        is_short_form(short)
        and len(short) < len(long)
        and short[0].lower() in {w[0].lower() for w in long.split()}
    )


def _parts(short: str, long: str) -> list[tuple[str, str]]:
    """The parts of a joined short form with those of its long form: *HPT-JT*."""
    shorts, longs = short.split("-"), long.split("-")
    if len(shorts) != len(longs) or len(shorts) == 1:
        return []
    pairs = list(zip(shorts, longs, strict=True))
    is_alike = all(is_short_form(part) and part[0].lower() == whole[:1].lower() for part, whole in pairs)
    return pairs if is_alike else []


def ways_to_say(mention: str, forms: Forms) -> tuple[str, ...]:
    """What a mention may be looked up by, best first: written out, as it stands, by what stands beside it."""
    beside = (written_out(other, forms.long) for other in forms.beside.get(mention, ()))
    return tuple(dict.fromkeys((written_out(mention, forms.long), mention, *beside)))


def written_out(mention: str, forms: Mapping[str, str]) -> str:
    """A mention with its short forms written out, and those that only repeat it left away.

    Args:
        mention: as it stands.
        forms: short forms, each with its long form.
    """
    if mention in forms:
        return forms[mention]
    if mention.endswith("s") and mention[:-1] in forms:
        return forms[mention[:-1]]
    text = _INSIDE.sub(lambda match: "" if match[1] in forms else match[0], mention)
    return _WORD.sub(lambda match: _word_out(match[0], text, forms), text)


def _word_out(word: str, text: str, forms: Mapping[str, str]) -> str:
    long = forms.get(word)
    if long is not None:
        return word if long.lower() in text.lower() else long
    if "-" not in word:
        return word
    parts = [forms.get(part, part) if is_short_form(part) else part for part in word.split("-")]
    return (
        word
        if any(part.lower() in text.lower() for part in set(parts) - set(word.split("-")))
        else "-".join(parts)
    )

"""What a mention stands for in its document: short forms written out, coordinated mentions taken apart."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from medspan.text.short_forms import is_short_form, long_forms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medspan.types import Document

_INSIDE: Final = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
_WORD: Final = re.compile(r"[^\W_]+(?:[-/][^\W_]+)*")


def short_forms_of(document: Document) -> dict[str, str]:
    """Short forms of a document: those its text defines, and mentions in brackets after a longer mention."""
    found = long_forms(document.text)
    entities = sorted(document.entities, key=lambda entity: (entity.start, entity.end))
    for long, short in pairwise(entities):
        between = document.text[long.end : short.start]
        name, short_name = document.text_of(long), document.text_of(short)
        is_bracketed = between.strip() == "(" and document.text[short.end : short.end + 1] in (")", ",", ";")
        if is_bracketed and long.label == short.label and _is_short_for(short_name, name):
            found.setdefault(short_name, name)
    return found


def _is_short_for(short: str, long: str) -> bool:
    return (
        is_short_form(short)
        and len(short) < len(long)
        and short[0].lower() in {w[0].lower() for w in long.split()}
    )


def written_out(mention: str, forms: Mapping[str, str]) -> str:
    """A mention with its short forms written out, and those that only repeat it left away."""
    if mention in forms:
        return forms[mention]
    if mention.endswith("s") and mention[:-1] in forms:
        return forms[mention[:-1]]
    text = _INSIDE.sub(lambda match: "" if match[1] in forms else match[0], mention)
    return _WORD.sub(lambda match: _word_out(match[0], text, forms), text)


def _word_out(word: str, text: str, forms: Mapping[str, str]) -> str:
    long = forms.get(word)
    if long is None or long.lower() in text.lower():
        return word
    return long

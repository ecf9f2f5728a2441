"""What is wrong with a body, by msgspec's message, told without names and values that came with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from medspan.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[")
_UNKNOWN_KEY = re.compile(r"contains unknown field `(?P<name>.*)`$", re.DOTALL)
_UNKNOWN_VALUE = re.compile(r"[Ii]nvalid (?:enum )?value (?P<name>.*)", re.DOTALL)
_FOREIGN = re.compile(r"\[\.\.\.\]|\['[^']*'\]")  # keys of a table, which the request has made up


def told(error: msgspec.ValidationError, kind: Any) -> str:  # noqa: ANN401 - any type of a body
    """Where a body is not of its type and what may stand there: ``documents[0]: has a key … text?``.

    Args:
        error: what msgspec said.
        kind: the type it should have had.
    """
    message = str(error)
    place = _PLACE.search(message)
    path = place["path"] if place else ""
    kinds = _kinds_at(kind, path)
    problem = _PLACE.sub("", message)
    if found := _UNKNOWN_KEY.search(problem):
        problem = (
            f"{problem[: found.start()]}has a key that is not known; {_hint(found['name'], _keys(kinds))}"
        )
    elif found := _UNKNOWN_VALUE.search(problem):
        hint = _hint(found["name"].strip("'"), _values(kinds))
        problem = f"{problem[: found.start()]}this value is not known; {hint}"
    # A key of the request that looks like a place of ours leads nowhere in the type.
    named = _FOREIGN.sub("[key]", path.lstrip(".")) if kinds else ""
    return f"{named or 'body'}: {problem[:1].lower()}{problem[1:]}"


def _hint(name: str, known: Iterable[str]) -> str:
    known = sorted(set(known))
    return did_you_mean(name, known) if known else "see /openapi.json"


def _kinds_at(kind: Any, path: str) -> list[inspect.Type]:  # noqa: ANN401 - as above
    """The types that a body may have at a path of msgspec, such as ``.documents[0]``."""
    kinds = [inspect.type_info(kind)]
    for step in _STEP.finditer(path):
        kinds = [inner for each in _flat(kinds) for inner in _inside(each, step["key"])]
    return list(_flat(kinds))


def _inside(kind: inspect.Type, key: str | None) -> Iterator[inspect.Type]:
    """The type under a key of a struct, or of the items of a list or a table."""
    if isinstance(kind, inspect.StructType):
        yield from (field.type for field in kind.fields if field.encode_name == key)
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type
    elif isinstance(kind, inspect.CollectionType):
        yield kind.item_type


def _flat(kinds: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    """Types without unions and notes around them."""
    for kind in kinds:
        if isinstance(kind, inspect.UnionType):
            yield from _flat(kind.types)
        elif isinstance(kind, inspect.Metadata):
            yield from _flat([kind.type])
        else:
            yield kind


def _keys(kinds: Iterable[inspect.Type]) -> list[str]:
    return [f.encode_name for kind in kinds if isinstance(kind, inspect.StructType) for f in kind.fields]


def _values(kinds: Iterable[inspect.Type]) -> list[str]:
    return [str(value) for kind in kinds if isinstance(kind, inspect.LiteralType) for value in kind.values]

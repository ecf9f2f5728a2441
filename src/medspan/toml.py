"""TOML ↔ frozen structs: an unknown key or a wrong type is an error that names file, key and nearest one."""

from __future__ import annotations

import re
import tomllib
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from medspan.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

_AnyRecipe = TypeVar("_AnyRecipe", bound=msgspec.Struct)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def read_toml(path: Path, kind: str = "recipe") -> dict[str, Any]:
    """The tables of a recipe, or what else errors shall call it, unchecked.

    Raises:
        ConfigError: if there is no such file or it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such {kind}; give the path of a .toml file") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the path of a .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def convert(raw: dict[str, Any], kind: type[_AnyRecipe], where: str) -> _AnyRecipe:
    """A recipe of some kind from its tables; ``where`` names it in errors.

    Raises:
        ConfigError: naming ``where``, the key, and what is allowed there.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(str(error), raw, kind)}") from None


def _explain(message: str, raw: dict[str, Any], root: type) -> str:
    """Turn a msgspec message into `key.path: problem; hint`."""
    problem, _, path = message.partition(" - at `$")
    keys, kind = _walk(path.rstrip("`"), raw, root)
    unknown = re.search(r"unknown field `([^`]+)`", problem)
    if unknown:
        known = [field.encode_name for field in msgspec.structs.fields(kind)]
        return f"{'.'.join([*keys, _key(unknown[1])])}: unknown key; {did_you_mean(unknown[1], known)}"
    missing = re.search(r"missing required field `([^`]+)`", problem)
    if missing:
        return f"{'.'.join([*keys, missing[1]])}: required key is missing"
    place = ".".join(keys) or "recipe"
    wrong = re.search(r"[Ii]nvalid (?:enum )?value '(.*)'", problem)
    if wrong:
        return f"{place}: {wrong[1]!r} is not allowed; {did_you_mean(wrong[1], typing.get_args(kind))}"
    problem = problem.replace("`object`", "`table`")
    return f"{place}: {problem[:1].lower()}{problem[1:]}"


def _walk(path: str, raw: dict[str, Any], root: type) -> tuple[list[str], Any]:
    """The keys along a path of msgspec and the type at its end.

    msgspec writes ``[...]`` for any key of a table; the key is the first whose value does not convert.
    """
    kind: Any = root
    union: Any = root
    value: Any = raw
    keys: list[str] = []
    for name, index in _STEP.findall(path):
        if index == "...":
            kind = typing.get_args(kind)[1]
            key = next(key for key, item in value.items() if not _converts(item, kind))
            keys.append(_key(key))
            value = value[key]
        elif index:
            kind = typing.get_args(kind)[0]
            keys[-1] += f"[{index}]"
            value = value[int(index)]
        else:
            kind = _field_type(kind, name, union)
            keys.append(name)
            value = value.get(name)
        union, kind = kind, _chosen(kind, value)
    return keys, kind


def _field_type(kind: Any, name: str, union: Any) -> Any:  # noqa: ANN401 - types
    """The type of a field of a struct, which was chosen of a union; the union's tag stands in no field."""
    found = [field.type for field in msgspec.structs.fields(kind) if field.encode_name == name]
    return found[0] if found else Literal[tuple(_tag_of(member) for member in typing.get_args(union))]


def _converts(value: Any, kind: Any) -> bool:  # noqa: ANN401 - any TOML value and type
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _chosen(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any type
    """Of a union, the struct whose tag the value names, else its first type."""
    if not isinstance(kind, types.UnionType):
        return kind
    wanted = value.get("kind", "") if isinstance(value, dict) else ""
    members = typing.get_args(kind)
    return next((member for member in members if _tag_of(member) == wanted), members[0])


def _tag_of(kind: Any) -> Any:  # noqa: ANN401 - a struct type or None
    config = getattr(kind, "__struct_config__", None)
    return config.tag if config else None


def recipe_toml(recipe: msgspec.Struct) -> str:
    """The resolved recipe, every default written out, as TOML."""
    lines: list[str] = []
    _write_table(msgspec.to_builtins(recipe), [], lines)
    return "\n".join(lines).lstrip("\n") + "\n"


def _write_table(table: dict[str, Any], path: list[str], lines: list[str]) -> None:
    """Scalars and arrays first, then sub-tables: the order TOML asks for."""
    scalars = {k: v for k, v in table.items() if v is not None and not isinstance(v, dict)}
    if path:
        lines.extend(["", "[" + ".".join(_key(part) for part in path) + "]"])
    lines.extend(f"{_key(k)} = {_value(v)}" for k, v in scalars.items())
    for key, value in table.items():
        if isinstance(value, dict):
            _write_table(value, [*path, key], lines)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:  # noqa: ANN401 - any TOML value
    """A TOML value; JSON strings, numbers and arrays are valid TOML."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007F")  # which TOML wants escaped

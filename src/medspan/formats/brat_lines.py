"""The lines of a brat ``.ann`` file: ids, references and the note that says what a line cannot."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, NamedTuple

import msgspec

# A letter, a number, and a tail without meaning (brat's own rule).
_TAIL = r"[0-9]+[^\s:;]*"
ENTITY_ID = re.compile(f"T{_TAIL}")
RELATION_ID = re.compile(f"R{_TAIL}")
LINE_ID = re.compile(rf"[TREAMN]{_TAIL}|\*|#\S*")
NOTE = "medspan"
DEFAULT_ROLES = ["Arg1", "Arg2"]

_LINE_BREAK = re.compile(r"[\n\r]")
_BREAK = re.compile("[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_NOT_PLAIN = re.compile(r"[\s:;\x00-\x1f\x7f-\x9f]")
_NOT_SOLID = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_SOLID = r"[^\s\x00-\x1f\x7f-\x9f]+"
_WORDS = re.compile(f"{_SOLID}(?: {_SOLID})*")


class Line(NamedTuple):
    """One line: ``id TAB data [TAB tail]``."""

    number: int
    raw: str
    id: str
    data: str
    tail: str | None

    @property
    def kind(self) -> str:
        """The letter (or sign) that says what the line is; M is an old name of A."""
        return "A" if self.id[:1] == "M" else self.id[:1]


def split_line(raw: str, number: int = 0) -> Line:
    """A line in its parts; missing ones are empty, a missing tail is None."""
    identity, _, rest = raw.partition("\t")
    data, tab, tail = rest.partition("\t")
    return Line(number, raw, identity, data.strip(" "), tail if tab else None)


def references(line: Line) -> list[str]:
    """The ids of other annotations that a line needs to be there; a note may name anything."""
    words = line.data.split(" ")
    match line.kind:
        case "A" | "N":
            return words[1:2]
        case "R":
            return [word.rpartition(":")[2] for word in words[1:]]
        case "E":
            return [word.rpartition(":")[2] for word in words]
        case "*":
            return words[1:]
    return []


def flat(text: str) -> str:
    """Text on one line and in one column: each line break or tab becomes a blank."""
    return _BREAK.sub(" ", text)


def one_line(raw: str) -> str:
    """A kept line as one line, whatever somebody put there."""
    return _LINE_BREAK.sub(" ", raw)


def solid(name: str) -> str:
    """A name without blanks and control characters: each becomes ``_``."""
    return _NOT_SOLID.sub("_", name) or "_"


def words(text: str) -> str:
    """Words parted by single blanks stay as they are; other blanks and control characters become ``_``."""
    return text if _WORDS.fullmatch(text) else solid(text)


def plain(name: str) -> str:
    """A name as brat can hold it: blanks, colons, semicolons and control characters become ``_``."""
    return _NOT_PLAIN.sub("_", name) or "_"


class Kept(msgspec.Struct, omit_defaults=True):
    """What a reader keeps in ``meta["brat"]``.

    Attributes:
        lines: events, equivalences, notes and whatever else a document has no place for, as they were.
        roles: by relation id, its two argument names where they are not Arg1 and Arg2.
        ids: by entity id, then ``A`` or ``N``, then attribute name or concept id: the ids of its lines.
    """

    lines: list[str] = []
    roles: dict[str, Annotated[list[str], msgspec.Meta(min_length=2, max_length=2)]] = {}
    ids: dict[str, dict[str, dict[str, list[str]]]] = {}

    def take_id(self, entity: str, kind: str, name: str) -> str:
        """The id a line had, once for each line; empty where none is kept."""
        ids = self.ids.get(entity, {}).get(kind, {}).get(name)
        return ids.pop(0) if ids else ""


def note_text(score: float | None, fields: dict[str, tuple[str, str | None]]) -> str:
    """What a line cannot say, as the JSON text of a note; empty where it says all.

    Args:
        score: the confidence of a prediction.
        fields: by name, what the line says and what was meant.
    """
    content: dict[str, Any] = {} if score is None else {"score": score}
    was = {name: list(pair) for name, pair in fields.items() if pair[0] != pair[1]}
    if was:
        content["was"] = was
    return json.dumps(content) if content else ""


class Note(NamedTuple):
    """What a note of ours says about one line."""

    score: float | None = None
    was: dict[str, list[str]] = {}  # noqa: RUF012 - a NamedTuple's default, never changed

    def meant(self, name: str, written: str) -> str:
        """What a field was before it was written; a line edited since then speaks for itself."""
        pair = self.was.get(name)
        return pair[1] if pair and pair[0] == written else written


def parse_note(text: str) -> Note | None:
    """The note that ``note_text`` wrote, or None where it is not one."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.keys() - {"score", "was"}:
        return None
    score, was = content.get("score"), content.get("was", {})
    scored = score is None or (isinstance(score, int | float) and not isinstance(score, bool))
    pairs = isinstance(was, dict) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)  # noqa: PLR2004
        for pair in was.values()
    )
    return Note(None if score is None else float(score), was) if scored and pairs else None

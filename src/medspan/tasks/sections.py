"""Sections of clinical notes by their headings: chief complaint, medications, family history, plan ...

A heading is looked for at the beginning of a line, before a colon, a dash or the end of the line, and in
capitals before a colon elsewhere. What a heading means stands in tables, ``tables/sections-*.toml``, to which
users add their own.
"""

# ruff: noqa: RUF001 - bullets and dashes are meant

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from medspan.errors import ConfigError
from medspan.tasks.ner import as_documents
from medspan.tasks.phrases import expand_all, packaged_table, read_table
from medspan.types import Document, Section, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

LANGUAGES = ("en", "sv")
_PART = ""  # the label of a heading that stands inside a section
_SHORTEST_ALONE = 4  # letters of a heading that fills its line: "Pe" and "A" are no headings without a colon

_LINE = re.compile(
    r"^[ \t]*(?:[-*#•>=]+[ \t]*|\(?\d{1,2}[.)][ \t]*)*(?P<heading>[^\W\d_][^:\n]{0,80}?)[ \t\r*=]*"
    r"(?P<mark>:|[ \t][-–—][ \t]|$)",
    re.MULTILINE,
)
_CAPITALS = re.compile(r"(?<!\S)(?P<heading>[A-ZÅÄÖ][A-ZÅÄÖ/&,()' -]{1,80}?)[ \t]*(?P<mark>:)")
_BRACKET = re.compile(r"\s*\([^()]*\)\s*$")
_SLASH = re.compile(r"\s*/\s*")
_NUMBER = re.compile(r"[\s#,.\d]+\Z")  # "PROCEDURE #1"
_BETWEEN = re.compile(r"/|,|\band\b|\boch\b|\bsamt\b")
_LABEL = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class _Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Headings that stand inside a section, such as those of organs: they neither open nor close one."""

    headings: list[str] = []


class HeadingTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of headings.

    Attributes:
        sections: by label of a section (snake_case) its headings, in the language of `phrases`.
        parts: headings that neither open nor close a section.
        inside: by label of a section those sections that it does not end: vital signs in an examination.
    """

    sections: dict[str, list[str]] = {}
    parts: _Parts = _Parts()
    inside: dict[str, list[str]] = {}


class Heading(msgspec.Struct, frozen=True):
    """A heading-like place of a text.

    Attributes:
        start: first character.
        end: one past its last character, the colon not counted.
        label: of the section it opens; empty for a heading inside a section; None where no table has it.
        is_plain: whether it reads as a heading even where no table has it: capitals before a colon.
    """

    start: int
    end: int
    label: str | None
    is_plain: bool

    def __lt__(self, other: object) -> bool:
        """Headings in order of their places; the longer of two that begin together first."""
        return isinstance(other, Heading) and (self.start, -self.end) < (other.start, -other.end)


class Sections:
    """Marks the sections of clinical notes; sections a document had are replaced.

    A section goes from its heading to the next heading that opens one, or to one in capitals that nobody
    knows, without the blanks at its end. What stands before the first heading belongs to no section.

    Args:
        languages: of the tables that come with medspan: ``en``, ``sv``.
        tables: files of your own, in the same form; a heading in one of them wins over those before.

    Raises:
        ConfigError: if a table is malformed, or there is none in a language.
    """

    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset({"sections"})

    def __init__(self, *, languages: Sequence[str] = LANGUAGES, tables: Sequence[Path] = ()) -> None:
        self._labels: dict[str, str] = {}
        # The first language wins where two share a heading, so its table is read last.
        packaged = [packaged_table("sections", language) for language in languages]
        self._inside: dict[str, list[str]] = {}
        for path in (*reversed(packaged), *tables):
            table = read_table(path, HeadingTable)
            self._labels |= _labels(path, table)
            self._inside |= table.inside

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the sections that can be found, sorted."""
        return tuple(sorted(set(self._labels.values()) - {_PART}))

    def __call__(self, text: str, *, id: str = "text") -> Document:  # noqa: A002 - the document's id
        """Mark the sections of one text."""
        return self._mark(Document(id, text))

    def annotate(self, documents: Iterable[Document | str]) -> Iterator[Document]:
        """Mark the sections of many documents, in order; texts are numbered as ids."""
        return map(self._mark, as_documents(documents))

    def _mark(self, document: Document) -> Document:
        return document.replace(sections=tuple(self._sections(document.text)))

    def headings(self, text: str) -> list[Heading]:
        """The places of a text that look like headings, in order, known and unknown."""
        matches = (*_LINE.finditer(text), *_CAPITALS.finditer(text))
        found: list[Heading] = []
        for heading in sorted(filter(None, map(self._heading, matches))):
            if not found or heading.start >= found[-1].end:
                found.append(heading)
        return found

    def _heading(self, match: re.Match[str]) -> Heading | None:
        """The heading of a match; None where it is but the beginning of a line."""
        text, mark, (start, end) = match["heading"], match["mark"], match.span("heading")
        is_capital = text.isupper()
        if not text[0].isupper() or (mark != ":" and len(text) < _SHORTEST_ALONE):
            return None
        label = self._label(text)
        if label is None and match.re is _CAPITALS:  # words in capitals may stand before it
            return self._inner(text, start)
        is_plain = is_capital and mark == ":"
        return Heading(start, end, label, is_plain) if label is not None or is_plain else None

    def _inner(self, text: str, start: int) -> Heading | None:
        """The longest end of a run of capitals that is a heading."""
        for blank in re.finditer(r"[ ,]\s*", text):
            rest = text[blank.end() :]
            if label := self._label(rest):
                return Heading(start + blank.end(), start + len(text), label, is_plain=True)
        return None

    def _label(self, text: str) -> str | None:
        """What the tables say of a heading as it stands in a text."""
        name = _normal(text)
        if name in self._labels:
            return self._labels[name]
        shorter = _BRACKET.sub("", name)
        if shorter in self._labels:
            return self._labels[shorter]
        parts = [self._labels.get(part.strip()) for part in _BETWEEN.split(shorter)]
        return parts[0] if None not in parts else None

    def _sections(self, text: str) -> Iterator[Section]:
        opened: Heading | None = None
        for heading in self.headings(text):
            if heading.label == _PART or (
                opened and opened.label in self._inside.get(heading.label or "", ())
            ):
                continue
            if opened is not None:
                yield _section(text, opened, heading.start)
            opened = heading if heading.label else None
        if opened is not None:
            yield _section(text, opened, len(text))


def _section(text: str, heading: Heading, stop: int) -> Section:
    end = heading.end + len(text[heading.end : stop].rstrip())
    return Section(heading.label or "", Span(heading.start, end))


def _normal(text: str) -> str:
    """A heading as the tables have it: lower case, single blanks, ``and`` for ``&``, no number behind."""
    name = _SLASH.sub("/", " ".join(text.casefold().replace("&", " and ").split()))
    return _NUMBER.sub("", name) or name


def _labels(path: Path, table: HeadingTable) -> dict[str, str]:
    """The label of each heading of a table, by its normal form."""
    found: dict[str, str] = {}
    for label, headings in {**table.sections, _PART: table.parts.headings}.items():
        if label and not _LABEL.fullmatch(label):
            raise ConfigError(
                f"{path}: sections.{label}: write a label in snake_case, like past_medical_history"
            )
        where = f"{path}: sections.{label}" if label else f"{path}: parts.headings"
        for phrase in expand_all(headings, where):
            name = _normal(phrase)
            if label and found.setdefault(name, label) != label:
                raise ConfigError(f"{where}: {name!r} stands under {found[name]} too; leave it out of one")
            found.setdefault(name, label)
    return found

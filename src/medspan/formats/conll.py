"""CoNLL: a word a line with its tag in the last column, an empty line after each sentence.

Read: two or more columns set off by tabs or blanks; tags in IOB1, IOB2 or IOBES; ``-DOCSTART-`` lines
begin documents, whose ids may stand in ``<name>.docids.txt`` beside the file (``-``: unknown); without
them each sentence is a document ``<name>-<n>``. The text is rebuilt: one blank between words and a line
end between sentences, unless a column says otherwise (see ``layout``). No line is a comment.

Written: what was read from CoNLL goes back to the same bytes. Other text is cut into words and given a
column that records its spacing. Not held: overlapping, discontinuous and off-border spans, relations,
attributes, concepts, scores, sections; each is counted.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from medspan import tags
from medspan.errors import FormatError
from medspan.formats import files
from medspan.formats.conll_write import write
from medspan.formats.layout import DOCSTART, Layout, gap_from, shared, words_of
from medspan.formats.protocol import ReadOptions, reject
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["EXTENSIONS", "read", "words_of", "write"]

EXTENSIONS = (".conll", ".iob", ".iob1", ".iob2", ".bio", ".iobes")
_SCHEMES = ("IOB2", "IOB1", "IOBES")
_Cells = tuple[str, str, str, str]


class _Block(msgspec.Struct):
    """The raw lines of one document: what stands before its words, its sentences, what follows each."""

    line: int
    head: str = ""
    has_docstart: bool = False
    sentences: list[list[str]] = []
    first_lines: list[int] = []
    breaks: list[str] = []

    def add_empty(self, line: str) -> str:
        """Take an empty line; returns what is left of it, nothing."""
        if self.breaks:
            self.breaks[-1] += line
        else:
            self.head += line
        return ""

    def add_sentence(self, line: str, number: int) -> None:
        """Begin a sentence."""
        self.sentences.append([line])
        self.breaks.append("")
        self.first_lines.append(number)

    def raw(self) -> str:
        """The lines as they stand in the file."""
        return self.head + "".join(
            "".join(lines) + after for lines, after in zip(self.sentences, self.breaks, strict=True)
        )


class _Malformed(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, line: int, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.line, self.problem, self.remedy = line, problem, remedy


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a CoNLL file, of a folder of them, or of standard input.

    Raises:
        FormatError: where a line is malformed; a document (without -DOCSTART-, a sentence) is the unit
            that is rejected.
        UsageError: if there is nothing to read.
    """
    for file in files.input_files(path, EXTENSIONS):
        yield from _read_file(file, options)


def _read_file(path: Path, options: ReadOptions) -> Iterator[Document]:
    stem, ids = files.stem_of(path), _listed_ids(path)
    scheme, docstarts = "IOB2", 0
    for number, block in enumerate(_blocks(files.read_lines(path, options, stand_in="\ufffd\n")), 1):
        identity = f"{stem}-{number}"
        if block.has_docstart and ids is not None:
            if docstarts < len(ids) and ids[docstarts] != "-":
                identity = ids[docstarts]
            docstarts += 1
        try:
            document, scheme = _build(block, identity, scheme)
        except _Malformed as error:
            place = files.name_of(path)
            reject(options, FormatError(place, error.line, error.problem, error.remedy), block.raw())
        else:
            yield document
    if ids is not None and docstarts != len(ids):
        problem = f"lists {len(ids)} ids, but {path.name} has {docstarts} {DOCSTART} lines"
        remedy = "list one id for each document, - where it is unknown"
        reject(options, FormatError(_ids_path(path), None, problem, remedy), "")


def _ids_path(path: Path) -> Path:
    return path.with_name(f"{files.stem_of(path)}.docids.txt")


def _listed_ids(path: Path) -> list[str] | None:
    """The ids of the documents of a file, where a file beside it lists them."""
    if path == files.STANDARD or not _ids_path(path).is_file():
        return None
    return [line.rstrip("\r\n") for line in files.read_lines(_ids_path(path))]


def _is_docstart(line: str) -> bool:
    return line.startswith(DOCSTART) and line[len(DOCSTART) : len(DOCSTART) + 1] in (
        "",
        " ",
        "\t",
        "\r",
        "\n",
    )


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    """Group the lines of a file into documents."""
    block: _Block | None = None
    before = ""  # empty lines ahead of the first document
    is_open = False  # whether the next word line goes on with the last sentence
    for number, raw in enumerate(lines, 1):
        line = raw
        if number == 1 and line.startswith("\ufeff"):
            before, line = "\ufeff", line[1:]
        if not line.strip(" \t\r\n"):
            is_open = False
            before += block.add_empty(line) if block else line
        elif _is_docstart(line):
            if block:
                yield block
            block, before, is_open = _Block(number, before + line, has_docstart=True), "", False
        elif is_open and block:
            block.sentences[-1].append(line)
        else:
            if block and block.sentences and not block.has_docstart:
                yield block
                block = None
            block = block or _Block(number, before)
            before, is_open = "", True
            block.add_sentence(line, number)
    if block:
        yield block


def _cells(line: str) -> _Cells | None:
    """``(word, middle, tag, tail)`` of a line, which they make up; None where a column is missing."""
    body = line.rstrip(" \r\n")
    if "\t" in body:
        stop, start = body.index("\t"), body.rindex("\t") + 1
    else:
        stop, start = body.find(" "), body.rfind(" ") + 1
    if stop < 1:
        return None
    word = body[:stop].rstrip(" ")
    return word, body[len(word) : start], body[start:], line[len(body) :]


@lru_cache(maxsize=4096)
def _is_tag(tag: str) -> bool:
    return tag == tags.OUTSIDE or (tag[:2] in ("B-", "I-", "E-", "S-") and len(tag) > 2)  # noqa: PLR2004


def _split(line: str, number: int) -> _Cells:
    cells = _cells(line)
    if not cells or not cells[0]:
        raise _Malformed(
            number,
            "not a word and a tag",
            "write word and tag with a tab between, an empty line after a sentence",
        )
    if not _is_tag(cells[2]):
        raise _Malformed(
            number,
            "the last column is not a tag",
            "write O, or B-, I-, E- or S- and a label (IOB1, IOB2 or IOBES), in the last column",
        )
    return cells


def _build(block: _Block, identity: str, scheme: str) -> tuple[Document, str]:
    """The document of a block, and the tag scheme it shows (else the one handed in)."""
    rows = [
        [_split(line, number) for number, line in enumerate(lines, first)]
        for lines, first in zip(block.sentences, block.first_lines, strict=True)
    ]
    flat = list(chain.from_iterable(rows))
    layout = Layout(
        words=[len(cells[0]) for cells in flat],
        sentences=[len(sentence) for sentence in rows],
        lead=gap_from(block.head, "") if block.has_docstart else "",
        head=block.head,
        middle=shared([cells[1] for cells in flat], "\t"),
        tail=shared([cells[3] for cells in flat], "\n"),
        breaks=shared(block.breaks, "\n"),
    )
    _set_gaps(layout)
    ranges = layout.ranges()
    text = layout.lead + "".join(cells[0] + gap for cells, gap in zip(flat, layout.all_gaps(), strict=True))
    chunks = _set_scheme(layout, rows, scheme)
    entities = tuple(
        Entity(f"T{number}", label, (Span(ranges[first][0], ranges[stop - 1][1]),))
        for number, (first, stop, label) in enumerate(chunks, 1)
    )
    document = Document(
        identity, text, entities, sentences=_sentence_spans(layout, ranges), meta={"conll": layout.to_meta()}
    )
    return document, layout.scheme


def _set_gaps(layout: Layout) -> None:
    """Record the spacing that a column states, where one does."""
    middles = [layout.middle] if isinstance(layout.middle, str) else layout.middle
    if not any("Space" in middle for middle in middles):
        return
    defaults = layout.all_gaps()
    if isinstance(layout.middle, str):
        middles = [layout.middle] * len(defaults)
    gaps = [gap_from(middle, default) for middle, default in zip(middles, defaults, strict=True)]
    if gaps != defaults:
        layout.gaps = gaps


def _set_scheme(layout: Layout, rows: list[list[_Cells]], scheme: str) -> list[tags.Chunk]:
    """Decode the tags, record the scheme that gives them again; chunks count words of the document."""
    chunks: list[tags.Chunk] = []
    fitting = dict.fromkeys((scheme, *_SCHEMES), True)
    offset, has_tags = 0, False
    for sentence in rows:
        written = [cells[2] for cells in sentence]
        if written.count(tags.OUTSIDE) != len(written):
            has_tags = True
            found = tags.decode(written)
            chunks += [(first + offset, stop + offset, label) for first, stop, label in found]
            for name, fits in fitting.items():
                fitting[name] = fits and tags.encode(found, len(written), name) == written
        offset += len(sentence)
    layout.scheme = next((name for name, fits in fitting.items() if fits), scheme)
    if has_tags and not fitting[layout.scheme]:
        layout.tags = [cells[2] for cells in chain.from_iterable(rows)]
    return chunks


def _sentence_spans(layout: Layout, ranges: list[tuple[int, int]]) -> tuple[Span, ...]:
    spans, first = [], 0
    for count in layout.sentences:
        spans.append(Span(ranges[first][0], ranges[first + count - 1][1]))
        first += count
    return tuple(spans)

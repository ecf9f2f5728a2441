"""BioC XML: a collection of documents. What stands where: see ``medspan.formats.bioc``.

Read and written document by document, so a collection may be larger than memory. XML 1.0 cannot hold most
control characters: in a text each becomes U+FFFD (or a blank, where it is one), so offsets hold, and is
counted as a loss; in names and infons it is written ``%XX`` and read back. Line ends stay as they are.
Declarations of entities are refused. After a place that is not well-formed, ``--on-error skip`` goes on
behind the next ``</document>``.
"""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

from medspan.errors import FormatError
from medspan.formats import files
from medspan.formats.bioc import Annotation, Infons, Link, Location, Node, Passage, Record, Sentence
from medspan.formats.bioc_markup import Element, Parser, attribute, content
from medspan.formats.bioc_read import document_of
from medspan.formats.bioc_write import record_of
from medspan.formats.protocol import Losses, ReadOptions, WriteOptions, reject
from medspan.formats.quoting import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from medspan.types import Document

__all__ = ["EXTENSIONS", "read", "write"]

EXTENSIONS = (".xml",)
_ILLEGAL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"
_NOT_XML = re.compile(_ILLEGAL)
_QUOTED = re.compile(_ILLEGAL + "|%(?=[0-9A-F]{2}|u[0-9A-F]{4})")
_INTEGER = re.compile(r"\s*([0-9]{1,15})\s*")
_END = b"</document>"


def read(path: Path, options: ReadOptions = ReadOptions()) -> Iterator[Document]:
    """Documents of a BioC XML file, of a folder of them, or of standard input.

    Raises:
        FormatError: where the file or a document is malformed; a document is the unit that is rejected.
        UsageError: if there is nothing to read.
    """
    for file in files.input_files(path, EXTENSIONS):
        name = files.name_of(file)
        for element in _elements(file, name, options):
            try:
                document = document_of(_record(element, name), name)
            except FormatError as error:
                reject(options, error, element.markup())
            else:
                yield document


def write(documents: Iterable[Document], path: Path, options: WriteOptions = WriteOptions()) -> Losses:
    """Write documents as one collection.

    Raises:
        UsageError: if the file cannot be written.
    """
    losses = Losses()
    with files.writing(path) as handle:
        handle.write('<?xml version="1.0" encoding="UTF-8"?>\n<collection>')
        handle.write(f"<source>{_text(options.title)}</source><date></date><key></key>\n")
        for document in documents:
            losses.add("characters XML cannot hold", len(_NOT_XML.findall(document.text)))
            handle.write(_document(record_of(document), losses))
        handle.write("</collection>\n")
    return losses


def _elements(file: Path, name: str, options: ReadOptions) -> Iterator[Element]:
    with files.reading(file) as handle:
        if options.rejected is None:
            yield from Parser(name, "document").parse(handle)
            return
        data = handle.read()
    position, opening, encoding = 0, b"", None
    while True:
        parser = Parser(name, "document", encoding=encoding, lines_before=data.count(b"\n", 0, position))
        try:
            yield from parser.parse(BytesIO(opening + data[position:]))
        except FormatError as error:
            stopped = position + max(parser.error_index() - len(opening), 0)
            # A wrong end tag is reported behind its "</".
            end = data.find(_END, max(stopped - 2, position))
            begin = data.rfind(b"<document>", position, stopped)
            position = end + len(_END) if end >= 0 else len(data)
            reject(options, error, data[max(begin, 0) : position].decode(errors="replace"))
            opening, encoding = b"<collection>", parser.encoding
            if end < 0 or not data[position:].replace(b"</collection>", b"").strip():
                return
        else:
            return


def _record(element: Element, path: str) -> Record:
    reader = _Tree(path)
    return Record(
        _unquoted(element.text_of("id") or ""),
        _infons(element),
        [reader.passage(child) for child in element.all("passage")],
        reader.annotations(element),
        reader.links(element),
        element.line,
    )


class _Tree:
    """Elements as the parts of a record."""

    def __init__(self, path: str) -> None:
        self._path = path

    def passage(self, element: Element) -> Passage:
        """A passage."""
        return Passage(
            self._offset(element),
            element.text_of("text"),
            _infons(element),
            [self._sentence(child) for child in element.all("sentence")],
            self.annotations(element),
            self.links(element),
            element.line,
        )

    def annotations(self, element: Element) -> list[Annotation]:
        """The annotations of a document, passage or sentence."""
        return [
            Annotation(
                _unquoted(child.attributes.get("id", "")),
                _infons(child),
                child.text_of("text"),
                [
                    Location(self._number(place, "offset"), self._number(place, "length"))
                    for place in child.all("location")
                ],
                child.line,
            )
            for child in element.all("annotation")
        ]

    def links(self, element: Element) -> list[Link]:
        """The relations of a document, passage or sentence."""
        return [
            Link(
                _unquoted(child.attributes.get("id", "")),
                _infons(child),
                [
                    Node(
                        _unquoted(node.attributes.get("refid", "")),
                        _unquoted(node.attributes.get("role", "")),
                    )
                    for node in child.all("node")
                ],
                child.line,
            )
            for child in element.all("relation")
        ]

    def _sentence(self, element: Element) -> Sentence:
        return Sentence(
            self._offset(element),
            element.text_of("text"),
            _infons(element),
            self.annotations(element),
            self.links(element),
            element.line,
        )

    def _offset(self, element: Element) -> int:
        return self._integer(element, "offset", element.text_of("offset"))

    def _number(self, element: Element, name: str) -> int:
        return self._integer(element, name, element.attributes.get(name))

    def _integer(self, element: Element, name: str, value: str | None) -> int:
        found = _INTEGER.fullmatch(value or "")
        if found is None:
            raise FormatError(
                self._path, element.line, f"a {element.name} has no whole number as {name}", "give it one"
            )
        return int(found.group(1))


def _infons(element: Element) -> Infons:
    return {
        _unquoted(child.attributes.get("key", "")): _unquoted("".join(child.parts))
        for child in element.all("infon")
    }


def _unquoted(name: str) -> str:
    return unquote(name, _QUOTED) if name else ""


def _quoted(name: object) -> str:
    text = str(name)
    return quote(text, _QUOTED) if text else ""


def _document(record: Record, losses: Losses) -> str:
    passages = "".join(_passage(passage, losses) for passage in record.passages)
    attached = _attached(record.annotations, record.relations, losses)
    head = f"<id>{content(_quoted(record.id))}</id>{_infon_markup(record.infons, losses)}"
    return f"<document>{head}\n{passages}{attached}</document>\n"


def _passage(passage: Passage, losses: Losses) -> str:
    return (
        f"<passage>{_infon_markup(passage.infons, losses)}<offset>{passage.offset}</offset>"
        f"<text>{_text(passage.text)}</text>\n"
        f"{_attached(passage.annotations, passage.relations, losses)}</passage>\n"
    )


def _attached(annotations: list[Annotation], links: list[Link], losses: Losses) -> str:
    lines = []
    for item in annotations:
        places = "".join(f'<location offset="{p.offset}" length="{p.length}"/>' for p in item.locations)
        inside = f"{_infon_markup(item.infons, losses)}{places}<text>{_text(item.text)}</text>"
        lines.append(f'<annotation id="{_name(item.id)}">{inside}</annotation>\n')
    for link in links:
        nodes = "".join(f'<node refid="{_name(n.refid)}" role="{_name(n.role)}"/>' for n in link.nodes)
        lines.append(
            f'<relation id="{_name(link.id)}">{_infon_markup(link.infons, losses)}{nodes}</relation>\n'
        )
    return "".join(lines)


def _infon_markup(infons: Infons | None, losses: Losses) -> str:
    values = {key: _infon_text(value, losses) for key, value in (infons or {}).items()}
    return "".join(
        f'<infon key="{_name(key)}">{content(_quoted(value))}</infon>' for key, value in values.items()
    )


def _infon_text(value: Any, losses: Losses) -> str:  # noqa: ANN401 - JSON values, where they came from JSON
    if isinstance(value, str):
        return value
    losses.add("infons that are not text")
    return json.dumps(value)


def _name(name: object) -> str:
    return attribute(_quoted("" if name is None else name))


def _text(text: str | None) -> str:
    return content(_NOT_XML.sub(_substitute, text or ""))


def _substitute(found: re.Match[str]) -> str:
    return " " if found.group().isspace() else "\ufffd"

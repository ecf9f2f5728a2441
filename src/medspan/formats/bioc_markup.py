"""XML as a tree of small nodes, document by document, with line numbers and without its dangers.

``xml.etree`` would give neither line numbers nor a say in what is declared. A document type that only
names a file is fine (it is never fetched); one that declares anything itself, or text that needs such a
declaration, is refused: that is how a small file grows to gigabytes or reads other files.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, NoReturn
from xml.parsers import expat

from medspan.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 16
_DEEPEST = 32
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({"\n": "&#10;", "\t": "&#9;", '"': "&quot;"})
_DECLARATIONS = "remove the declarations (<!DOCTYPE …>) and write such characters out, as UTF-8"


class Element:
    """One element: its name, attributes, own text, children, and the line it begins on."""

    __slots__ = ("attributes", "children", "line", "name", "parts")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line = line
        self.parts: list[str] = []
        self.children: list[Element] = []

    def all(self, name: str) -> list[Element]:
        """The children of a name."""
        return [child for child in self.children if child.name == name]

    def text_of(self, name: str) -> str | None:
        """The text of the first child of a name."""
        return next(("".join(child.parts) for child in self.children if child.name == name), None)

    def markup(self) -> str:
        """The element as XML."""
        attributes = "".join(f' {name}="{attribute(value)}"' for name, value in self.attributes.items())
        inside = content("".join(self.parts)) + "".join(child.markup() for child in self.children)
        return f"<{self.name}{attributes}>{inside}</{self.name}>"


def attribute(value: str) -> str:
    """An attribute value, which a parser would otherwise normalise."""
    return value.translate(_IN_ATTRIBUTE)


def content(text: str) -> str:
    """Text of an element; a bare carriage return would be read as a line feed."""
    return text.translate(_IN_TEXT)


class Parser:
    """The elements of one name, directly under the root (or the root itself), as the file streams in.

    Args:
        path: for messages.
        name: of the elements to hand out; all else under the root is forgotten.
        encoding: where it is known from elsewhere.
        lines_before: how many lines of the file came before what is parsed.
    """

    def __init__(self, path: str, name: str, *, encoding: str | None = None, lines_before: int = 0) -> None:
        self._path = path
        self._name = name
        self._lines_before = lines_before
        self._stack: list[Element] = []
        self._done: list[Element] = []
        self.encoding = encoding
        self._expat = expat.ParserCreate(encoding)
        self._expat.buffer_text = True
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text
        self._expat.XmlDeclHandler = self._declaration
        self._expat.StartDoctypeDeclHandler = self._document_type
        self._expat.EntityDeclHandler = self._refuse
        self._expat.SkippedEntityHandler = self._refuse

    def parse(self, handle: IO[bytes]) -> Iterator[Element]:
        """The elements of a file.

        Raises:
            FormatError: if it is not well-formed or declares entities; names the line.
        """
        is_final = False
        while not is_final:
            chunk = handle.read(_CHUNK)
            is_final = not chunk
            error = self._feed(chunk, is_final=is_final)
            found, self._done = self._done, []
            yield from found
            if error:
                raise error

    def error_index(self) -> int:
        """How many bytes in the parser stopped."""
        return max(self._expat.ErrorByteIndex, 0)

    def _feed(self, chunk: bytes, *, is_final: bool) -> FormatError | None:
        try:
            self._expat.Parse(chunk, is_final)
        except expat.ExpatError as error:
            problem = f"not well-formed XML ({expat.ErrorString(error.code)})"
            return FormatError(
                self._path, self._lines_before + error.lineno, problem, "correct the file; & is written &amp;"
            )
        except (LookupError, ValueError):
            return FormatError(self._path, 1, "the declared encoding is unknown", "convert the file to UTF-8")
        except FormatError as error:
            return error
        return None

    def _line(self) -> int:
        return self._lines_before + self._expat.CurrentLineNumber

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._stack) >= _DEEPEST:
            raise FormatError(self._path, self._line(), "elements are nested too deeply", "this is not BioC")
        self._stack.append(Element(name, attributes, self._line()))

    def _end(self, _name: str) -> None:
        element = self._stack.pop()
        if element.name == self._name and len(self._stack) <= 1:
            self._done.append(element)
        elif len(self._stack) > 1:
            self._stack[-1].children.append(element)

    def _text(self, text: str) -> None:
        if len(self._stack) > 1:
            self._stack[-1].parts.append(text)

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = self.encoding or encoding

    def _document_type(self, _name: str, _system: str | None, _public: str | None, has_internal: int) -> None:
        if has_internal:
            self._refuse()

    def _refuse(self, *_declared: object) -> NoReturn:
        raise FormatError(
            self._path, self._line(), "the file declares its own entities or needs some", _DECLARATIONS
        )

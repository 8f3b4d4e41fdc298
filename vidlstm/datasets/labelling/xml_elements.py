"""XML that others wrote: no entities, no document type, no endless depth; every element knows its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from vidlstm.errors import DatasetError

MAX_DEPTH = 50
"""How deep elements may stand in each other; the tools stay below ten."""

MAX_ELEMENTS = 2_000_000
"""How many a file may have: some hundred bytes grow to a thousand in memory."""

MAX_TEXT = 1 << 16
"""How long the text of an element may be: it is put together from pieces, each time anew."""


@dataclass(slots=True)
class XmlElement:
    """An element.

    Attributes:
        name: with its prefix, if it has one.
        attributes: name to value.
        file, line: where it begins.
        children: the elements in it.
        text: the text right in it.
    """

    name: str
    attributes: dict[str, str]
    file: Path
    line: int
    children: list[XmlElement] = field(default_factory=list)
    text: str = ""

    @property
    def where(self) -> str:
        """``"file, line N"``, for messages."""
        return f"{self.file}, line {self.line}"

    def all(self, path: str) -> Iterator[XmlElement]:
        """The elements at a path of names, such as ``meta/task``."""
        name, _, rest = path.partition("/")
        for child in self.children:
            if child.name == name:
                yield from child.all(rest) if rest else (child,)

    def first_text(self, path: str) -> str:
        """The text of the first element at a path, stripped; empty where there is none."""
        return next((found.text.strip() for found in self.all(path)), "")

    def attribute(self, name: str) -> str:
        """The value of an attribute that must be there.

        Raises:
            DatasetError: it is not.
        """
        if name not in self.attributes:
            raise DatasetError(f"{self.where}: <{self.name[:40]}> has no {name}; export the file again")
        return self.attributes[name]

    def whole(self, name: str) -> int:
        """The whole number in an attribute.

        Raises:
            DatasetError: it is not there, or is none.
        """
        text = self.attribute(name)
        try:
            if len(text) < 16:  # more digits than any time or frame has
                return int(text)
        except ValueError:
            pass
        raise DatasetError(f"{self.where}: {name} is {text[:40]!r}, not a whole number") from None


def parse_xml(data: bytes, file: Path) -> XmlElement:
    """The root element.

    Raises:
        DatasetError: it is no XML, declares a document type, or is too deep or too large; names the line.
    """
    parser = expat.ParserCreate()
    outside = XmlElement("", {}, file, 0)
    open_elements = [outside]
    count = 0

    def refuse(why: str) -> DatasetError:
        return DatasetError(f"{file}, line {parser.CurrentLineNumber}: {why}")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_elements) > MAX_DEPTH or count > MAX_ELEMENTS:
            raise refuse(f"more than {MAX_DEPTH} elements in each other, or {MAX_ELEMENTS} in all; not read")
        element = XmlElement(name, attributes, file, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(name: str) -> None:
        open_elements.pop()

    def text(data: str) -> None:
        if not (data.strip() or open_elements[-1].text):
            return
        open_elements[-1].text += data
        if len(open_elements[-1].text) > MAX_TEXT:
            raise refuse(f"a text of more than {MAX_TEXT} characters; not read")

    def doctype(*_: object) -> None:
        raise refuse("a document type (DOCTYPE), which can make a small file fill the memory; remove it")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DatasetError(f"{file}, line {parser.CurrentLineNumber}: is not XML: {error}") from error
    return outside.children[0]

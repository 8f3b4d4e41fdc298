"""One file of labels that others wrote: how large it may be, and what kind of text it is."""

from __future__ import annotations

import csv
import io
from functools import cached_property
from pathlib import Path
from typing import Literal

from vidlstm.datasets.labelling.json_values import JsonValue, parse_json
from vidlstm.datasets.labelling.xml_elements import XmlElement, parse_xml
from vidlstm.datasets.text import decoded
from vidlstm.errors import DatasetError

MAX_BYTES = 128 << 20
"""Size of the largest file that is read: eight hours of video, box by box; in memory twenty times that."""

Row = tuple[int, tuple[str, ...]]
"""The line that a row of a table starts on, and its cells."""


class Source:
    """A file or folder of labels; read when first asked, and once.

    Attributes:
        path: where it lies.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def kind(self) -> Literal["folder", "json", "xml", "table"]:
        """What it is, by the first character that is neither space nor a mark of the byte order.

        Raises:
            DatasetError: see :attr:`data`.
        """
        if self.path.is_dir():
            return "folder"
        first = self.data[:256].lstrip(b"\xef\xbb\xbf\xfe\xff\x00 \t\r\n")[:1]
        return "json" if first in (b"{", b"[") else "xml" if first == b"<" else "table"

    @cached_property
    def data(self) -> bytes:
        """The bytes.

        Raises:
            DatasetError: the file is not there, is no file, is too large, or cannot be read.
        """
        if not self.path.is_file():  # a pipe or a device would be read without end
            raise DatasetError(
                f"{self.path} is {'no file' if self.path.exists() else 'not there'}; check its path"
            )
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise DatasetError(
                f"{self.path} cannot be read: {error.strerror}; check its permissions"
            ) from error
        if len(data) > MAX_BYTES:
            raise DatasetError(
                f"{self.path} is larger than {MAX_BYTES >> 20} MiB; export fewer videos a file"
            )
        return data

    @cached_property
    def text(self) -> str:
        """The text.

        Raises:
            DatasetError: it is not UTF-8; and see :attr:`data`.
        """
        return decoded(self.path, self.data)

    @cached_property
    def json(self) -> JsonValue:
        """The values of a JSON file.

        Raises:
            DatasetError: it is no JSON; and see :attr:`text`.
        """
        return parse_json(self.text, self.path)

    @cached_property
    def xml(self) -> XmlElement:
        """The root of an XML file.

        Raises:
            DatasetError: it is no XML, or declares a document type; and see :attr:`data`.
        """
        return parse_xml(self.data, self.path)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every row of a table that is not empty, cells stripped; cut at tabs where the first row has one.

        Raises:
            DatasetError: a quote is not closed or a cell is too long; and see :attr:`text`.
        """
        separator = "\t" if "\t" in self.text.lstrip().partition("\n")[0] else ","
        found: list[Row] = []
        line = 1
        try:
            reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=separator, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    found.append((line, tuple(cell.strip() for cell in cells)))
                line = reader.line_num + 1
        except csv.Error as error:
            raise DatasetError(f"{self.path}, line {line}: {error}; check the double quotes") from error
        return tuple(found)

    @cached_property
    def columns(self) -> frozenset[str]:
        """The cells of the first row in lower case."""
        return frozenset(cell.lower() for cell in self.rows[0][1]) if self.rows else frozenset()

    def at(self, line: int) -> str:
        """``"file, line N"``, for messages."""
        return f"{self.path}, line {line}"

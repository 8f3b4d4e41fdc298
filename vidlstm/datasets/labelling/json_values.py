"""JSON that others wrote: every value knows its place, and is asked for as what it should be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from reprlib import Repr
from typing import Any

from vidlstm.errors import DatasetError

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 40

MOST = 1 << 53
"""Numbers up to here are exact as a float; no frame has a larger one."""


def parse_json(text: str, file: Path) -> JsonValue:
    """The values of a JSON text.

    Raises:
        DatasetError: it is no JSON, or nested too deeply; names the line.
    """
    try:
        return JsonValue(json.loads(text), file)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{file}, line {error.lineno}: is not JSON: {error.msg}; export it again"
        ) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets without end
        raise DatasetError(f"{file}: is not JSON that can be read: {error}; export it again") from error


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value and its place.

    Attributes:
        value: what ``json.loads`` makes of it.
        file: the file.
        place: how it is reached, such as ``[0].data.video``; empty for the whole file.
    """

    value: Any
    file: Path
    place: str = ""

    @property
    def where(self) -> str:
        """``"file, place"``, for messages."""
        return f"{self.file}, {self.place.removeprefix('.')}" if self.place else str(self.file)

    def wrong(self, wanted: str) -> DatasetError:
        """The error that something else is here than what is wanted."""
        return DatasetError(f"{self.where}: {wanted} is wanted, not {_short.repr(self.value)}")

    def __contains__(self, key: str) -> bool:
        """Whether it is an object that has the key, and not null there."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str) -> JsonValue:
        """What an object has under a key; null where it has no such key.

        Raises:
            DatasetError: it is no object.
        """
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return JsonValue(self.value.get(key), self.file, f"{self.place}.{key[:80]}")

    def __iter__(self) -> Iterator[JsonValue]:
        """The values of a list.

        Raises:
            DatasetError: it is no list.
        """
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        for number, value in enumerate(self.value):
            yield JsonValue(value, self.file, f"{self.place}[{number}]")

    def items(self) -> Iterator[tuple[str, JsonValue]]:
        """The keys and values of an object.

        Raises:
            DatasetError: it is no object.
        """
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        for key in self.value:
            yield key, self[key]

    def text(self) -> str:
        """The text, stripped.

        Raises:
            DatasetError: it is no text.
        """
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value.strip()

    def number(self) -> float:
        """The number.

        Raises:
            DatasetError: it is no number, or not finite.
        """
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
            raise self.wrong("a number")
        assert math.isfinite(value)
        return float(value)

    def whole(self) -> int:
        """The whole number.

        Raises:
            DatasetError: it is none.
        """
        if not self.number().is_integer():
            raise self.wrong("a whole number")
        return int(self.value)

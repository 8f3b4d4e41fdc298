"""Names as people see them: case, Unicode form and invisible characters make no other name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks without a picture of their own, beside the control and format characters."""

NOT_UTF8 = "a name that is not UTF-8, which no result could hold; rename it"
"""What is said of names that are not :func:`writable`."""

MOST_COMPARED = 5_000
"""Among more names the nearest is not looked for: every one takes some microseconds."""


def seen(name: str) -> str:
    """A name as it looks: composed (NFC), without invisible characters, white space as single spaces.

    >>> seen("cafe\\u0301\\u200b  noir ") == "caf\\u00e9 noir"
    True
    """
    if name.isascii() and name.isprintable():
        return " ".join(name.split())
    visible = "".join(" " if c.isspace() else c for c in name if c.isspace() or not _invisible(c))
    return unicodedata.normalize("NFC", " ".join(visible.split()))


def plain(name: str) -> str:
    """A name for comparison: as it looks, and without regard to case.

    >>> plain("HandStandPushups") == plain("\\ufeffHandstandPushups")
    True
    """
    # The caseless match of the Unicode standard (D145): folding may undo the composed form.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", seen(name)).casefold())


def _invisible(character: str) -> bool:
    variation = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return variation or character in IGNORABLE or unicodedata.category(character) in ("Cc", "Cf")


def alike(names: Iterable[str]) -> list[list[str]]:
    """The groups of different names that are one when compared; each group sorted."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[plain(name)].add(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def nearest_name(name: str, there: Collection[str]) -> str | None:
    """Of the names that are there the one likely meant: alike, with another ending, or nearly so."""
    by_plain = {plain(other): other for other in sorted(there)}
    by_stem = {_stem(other): whole for other, whole in by_plain.items()}
    wanted = plain(name)
    for known, key in ((by_plain, wanted), (by_stem, _stem(wanted)), (by_stem, wanted)):
        if key in known:
            return known[key]
    if len(there) > MOST_COMPARED:
        return None
    # Of numbered names another number is another thing, however near it is spelt.
    numbered = [other for other in by_plain if re.findall(r"\d+", other) == re.findall(r"\d+", wanted)]
    close = get_close_matches(wanted, numbered, n=1)
    return by_plain[close[0]] if close else None


def _stem(name: str) -> str:
    stem, _, _ = name.rpartition(".")
    return stem or name


def shown(name: str) -> str:
    """A name in quotes for a message, with what cannot be seen, or told apart, written as escapes.

    >>> shown("walk\\u200b")
    "'walk\\\\u200b'"
    """
    return repr(name) if name == seen(name) else ascii(name)


def writable(name: str) -> bool:
    """Whether a name is text: the bytes of a file name that are not UTF-8 become lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Fonts that have the letters of a text: matplotlib's own, and where it lacks some, those of this machine."""

from __future__ import annotations

import unicodedata
import warnings
from functools import lru_cache
from pathlib import Path

import matplotlib
from matplotlib.ft2font import FT2Font

from vidlstm.render.words import ELLIPSIS

OWN = "DejaVu Sans"
"""The family that matplotlib brings; it has Latin, Greek, Cyrillic, Arabic and Hebrew letters."""

_UNFIT = ("lastresort", "adobeblank", "color emoji", "coloremoji")
"""Parts of the names of fonts whose glyphs are boxes, or empty, or pictures of one size."""
_STYLED = ("bold", "italic", "oblique", "mono", "serif", "light", "thin", "black", "condensed", "narrow")

_told: set[str] = set()


def fonts_for(text: str, *, bold: bool = False) -> tuple[Path, ...]:
    """The fonts that together have the letters of a text, matplotlib's own first.

    Warns:
        UserWarning: once of each letter that no font of this machine has.
    """
    return _fonts_for("".join(sorted(set(text))), bold)


def families_for(text: str) -> list[str]:
    """The same fonts as matplotlib's families."""
    return [OWN, *(_family(path) for path in fonts_for(text)[1:])]


def has(path: Path, letter: str) -> bool:
    """Whether a font has a glyph for a letter."""
    return bool(_opened(path).get_char_index(ord(letter)))


def candidates() -> list[Path]:
    """The fonts of this machine, newly installed ones too; upright ones without serifs first."""
    from matplotlib.font_manager import findSystemFonts

    found = [path for path in map(Path, findSystemFonts()) if not _is(path, _UNFIT)]
    return sorted(found, key=lambda path: (_is(path, _STYLED), path.name, str(path)))


def _is(path: Path, words: tuple[str, ...]) -> bool:
    return any(word in path.name.casefold() for word in words)


@lru_cache(maxsize=1024)
def _fonts_for(letters: str, bold: bool) -> tuple[Path, ...]:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    chosen = [folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")]
    missing = {c for c in letters if _is_drawn(c) and not has(chosen[0], c)}
    while missing and (best := _best(frozenset(missing))):
        chosen.append(best)
        missing = {c for c in missing if not has(best, c)}
    if new := missing - _told:
        _told.update(new)
        _warn_of(new)
    return tuple(chosen)


def _is_drawn(letter: str) -> bool:
    joins = "\ufe00" <= letter <= "\ufe0f" or letter >= "\U000e0000"  # they choose the form of another
    return letter.isprintable() and not letter.isspace() and not joins


@lru_cache(maxsize=256)
def _best(letters: frozenset[str]) -> Path | None:
    """The font that has most of the letters; None where no font has any."""
    counts = {path: sum(has(path, c) for c in letters) for path in _usable()}
    best = max(counts, key=lambda path: counts[path], default=None)
    return best if best is not None and counts[best] else None


@lru_cache(maxsize=1)
def _usable() -> tuple[Path, ...]:
    return tuple(path for path in candidates() if _can_be_opened(path))


def _can_be_opened(path: Path) -> bool:
    try:
        return bool(_opened(path).scalable)
    except (OSError, RuntimeError):
        return False


@lru_cache(maxsize=4096)
def _opened(path: Path) -> FT2Font:
    return FT2Font(str(path))


@lru_cache(maxsize=256)
def _family(path: Path) -> str:
    from matplotlib.font_manager import fontManager

    fontManager.addfont(path)
    return str(_opened(path).family_name)


def _kind(letter: str) -> str:
    symbol = unicodedata.category(letter).startswith("S")
    return "symbols" if symbol else unicodedata.name(letter, "unnamed").split()[0].lower()


def _warn_of(letters: set[str]) -> None:
    kinds = sorted(set(map(_kind, letters)))
    shown = "".join(sorted(letters)[:20]) + (ELLIPSIS if len(letters) > 20 else "")
    warnings.warn(
        f"no font of this machine has the letters {shown} ({', '.join(kinds[:6])}), and pictures and "
        "videos show boxes in their place; install a font that has them, such as one of the Noto "
        "family (fonts.google.com/noto; on Debian and Ubuntu fonts-noto-cjk for Chinese, Japanese "
        "and Korean, fonts-noto-core for most other scripts, fonts-symbola for emoji), and draw again",
        stacklevel=2,
    )

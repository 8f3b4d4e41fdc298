"""Letters that matplotlib's own font lacks: another font draws them, or a warning names them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from tests.render.examples import prediction
from vidlstm.render import fonts
from vidlstm.render.draw import lettering
from vidlstm.render.draw.action_overlay import OverlayDrawer
from vidlstm.render.plot.action_timeline import plot_timeline
from vidlstm.render.words import one_line

FIGHT, RUN = "\u6253\u67b6", "\ub2ec\ub9ac\uae30"
CACHES = (fonts._fonts_for, fonts._best, fonts._usable, lettering._pieces, lettering._mask, lettering.elide)


def font_of(path: Path, letters: str) -> Path:
    """A font whose letters are triangles, each of another height."""
    names = [".notdef", *(f"u{ord(c):x}" for c in letters)]
    glyphs = {}
    for n, name in enumerate(names):
        pen = TTGlyphPen(None)
        corners = ((50, 0), (900, 0), (475, 300 + 100 * n))
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):x}" for c in letters})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 50)))
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=900, usWinAscent=900, usWinDescent=200)
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The fonts of a machine, none at first."""
    found: list[Path] = []
    monkeypatch.setattr(fonts, "candidates", lambda: found)
    monkeypatch.setattr(fonts, "_told", set())
    for cache in CACHES:
        cache.cache_clear()
    yield found
    for cache in CACHES:
        cache.cache_clear()


def test_letters_that_no_font_has_are_named_once(machine: list[Path], tmp_path: Path) -> None:
    said = prediction((FIGHT, f"{RUN} \U0001f938"))
    with pytest.warns(UserWarning, match="no font of this machine") as told:
        plot_timeline(said, tmp_path / "t.png")
        OverlayDrawer(48, 64, said).draw(np.zeros((48, 64, 3), np.uint8), 1.0)
        plot_timeline(said, tmp_path / "t.png")
    assert len(told) == 1
    words = str(told[0].message)
    assert all(letter in words for letter in FIGHT + RUN)
    assert "cjk, hangul, symbols" in words and "fonts-noto-cjk" in words


def test_a_font_of_the_machine_that_has_the_letters_draws_them(machine: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    machine += [broken, font_of(tmp_path / "few.ttf", FIGHT[:1]), font_of(tmp_path / "all.ttf", FIGHT + RUN)]
    said = prediction((FIGHT, f"{RUN} \u0448\u0430\u0433"))  # and Cyrillic, which is in no one font with it
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's own of missing glyphs are not silenced by this
        plot_timeline(said, tmp_path / "t.png")
        OverlayDrawer(48, 64, said).draw(np.zeros((48, 64, 3), np.uint8), 1.0)
    assert fonts.families_for(FIGHT) == ["DejaVu Sans", "all"]
    masks = [lettering._mask(letter, 24, False) for letter in FIGHT]
    assert not np.array_equal(*masks)
    assert lettering.text_width(FIGHT, 24) == 48
    (hangul, one), (rest, two) = lettering._pieces(f"{RUN}\u0448", False)
    assert (hangul, one.name, rest, two.name) == (RUN, "all.ttf", "\u0448", "DejaVuSans.ttf")


def test_two_fonts_share_what_no_one_font_has(machine: list[Path], tmp_path: Path) -> None:
    machine += [font_of(tmp_path / "a.ttf", FIGHT), font_of(tmp_path / "b.ttf", RUN)]
    found = fonts.fonts_for(FIGHT + RUN)
    assert [path.name for path in found] == ["DejaVuSans.ttf", "b.ttf", "a.ttf"]


def test_what_joins_letters_is_no_missing_letter(machine: list[Path]) -> None:
    joined = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # Persian, with a zero-width non-joiner
    assert one_line(joined) == joined
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fonts.fonts_for(f"{joined}\ufe0f\u200d\u200b\n")) == 1

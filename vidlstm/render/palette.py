"""One colour a class, the same in every picture and video, told apart by colour-blind people too."""

from __future__ import annotations

from collections.abc import Sequence

Colour = tuple[int, int, int]

_BASE: tuple[Colour, ...] = (
    # Okabe and Ito 2008, "Color universal design", without black; its yellow is the last below.
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (86, 180, 233),
    # Tol 2021, "Colour schemes", muted: those that differ enough from the above.
    (136, 34, 85),
    (51, 34, 136),
    (153, 153, 51),
    (17, 119, 51),
    (221, 204, 119),
    (240, 228, 66),  # the yellow, last: thin lines of it are hard to see on white
)

UNKNOWN: Colour = (140, 140, 140)
"""Of a label that is not among the classes."""


def class_colours(count: int) -> list[Colour]:
    """RGB of ``count`` classes. After twelve the colours come again, each time paler or darker."""
    return [_shaded(_BASE[i % len(_BASE)], i // len(_BASE)) for i in range(count)]


def colour_of(labels: Sequence[str]) -> dict[str, Colour]:
    """RGB by label; look others up with ``UNKNOWN`` as the default."""
    return dict(zip(labels, class_colours(len(labels)), strict=True))


def is_bright(colour: Colour) -> bool:
    """Whether black letters are easier to read on it than white ones (Rec. 601 luma)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140


def ink_on(colour: Colour) -> Colour:
    """Of letters on a ground of this colour in a frame."""
    return (16, 16, 18) if is_bright(colour) else (250, 250, 250)


def _shaded(colour: Colour, times: int) -> Colour:
    towards = 255 if times % 2 else 0
    share = 0.0 if times == 0 else (0.35, 0.5, 0.2, 0.65)[(times - 1) // 2 % 4]
    r, g, b = (round(c + (towards - c) * share) for c in colour)
    return r, g, b

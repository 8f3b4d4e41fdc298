"""How several networks are spelled on the command line: ``yolo:pose+resnet18:motion``. Nobody else splits it.

The names and the weights are joined by ``+``, in the same order, and so are the places that weights came
from. A name with ``:motion`` after it is a network that is shown how the picture changes. ``track:pose`` is
no network: it describes the bodies of tracked objects from their table, and takes no weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vidlstm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vidlstm.settings import BackboneSettings

JOINT = "+"
MOTION = ":motion"
TRACK_POSE = "track:pose"


@dataclass(frozen=True)
class Part:
    """One network among those that stand side by side.

    Attributes:
        name: what it is called, without ``:motion``.
        view: what it is shown of a frame, one of ``structures.VIEWS``.
        weights: a file, ``random``, or None to have them looked for.
    """

    name: str
    view: str = "picture"
    weights: str | None = None

    @property
    def spelling(self) -> str:
        """The name as it is typed."""
        return self.name + MOTION if self.view == "motion" else self.name


def parse_parts(name: str, weights: str | None = None) -> list[Part]:
    """Reads the spelling of one network or several.

    Args:
        name: names joined by ``+``.
        weights: as many, joined by ``+``, an empty place for what is to be looked for; ``track:pose`` takes
            none. None has all of them looked for. The file of a single network may have a ``+`` in its name.

    Raises:
        SettingsError: there are more or fewer weights than networks.
    """
    names = name.split(JOINT)
    files = iter(_files(weights, sum(n != TRACK_POSE for n in names)))
    return [_part(n, None if n == TRACK_POSE else next(files)) for n in names]


def _part(name: str, weights: str | None) -> Part:
    kind = name.removesuffix(MOTION)
    return Part(kind, "picture" if kind == name else "motion", weights)


def _files(weights: str | None, count: int) -> list[str | None]:
    if not weights or count < 2:
        return [weights or None] * count
    files = weights.split(JOINT)
    if len(files) != count:
        raise SettingsError(
            f"`backbone.name` joins {count} networks and `backbone.weights` {len(files)}: give one for each, "
            f"in the same order, as in a.pth{JOINT}b.pt; leave a place empty to have it looked for"
        )
    return [file or None for file in files]


def joined(texts: Iterable[str]) -> str:
    """Names, hashes or places of several networks as one text."""
    return JOINT.join(texts)


def sources(text: str, count: int) -> list[str]:
    """The places of :func:`joined` for ``count`` networks again; empty ones where they are not as many."""
    places = text.split(JOINT) if count > 1 else [text]
    return places if len(places) == count else [""] * count


def without_track_pose(settings: BackboneSettings) -> tuple[bool, BackboneSettings | None]:
    """Takes ``track:pose`` out of the names.

    Returns:
        Whether it was there; and the settings of the networks that remain, None where none does.
    """
    names = settings.name.split(JOINT)
    rest = [n for n in names if n != TRACK_POSE]
    return len(rest) < len(names), replace(settings, name=joined(rest)) if rest else None

"""ELAN (.eaf): milliseconds through time slots.

``TIME_ORIGIN`` of a medium is where in it the annotations' zero lies: it is added to their times
(https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf).
"""

from __future__ import annotations

from collections.abc import Iterator

from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.labelling.xml_elements import XmlElement
from vidlstm.errors import DatasetError
from vidlstm.media import VIDEO_SUFFIXES, suffix_of


def looks_like(root: XmlElement) -> bool:
    """Whether it is an annotation document."""
    return root.name == "ANNOTATION_DOCUMENT"


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields the one video, with the annotations of every tier that has times of its own."""
    root = source.xml
    header = next(root.all("HEADER"), root)
    if (units := header.attributes.get("TIME_UNITS", "milliseconds")) != "milliseconds":
        raise DatasetError(f"{header.where}: TIME_UNITS {units[:40]!r}; save it in milliseconds")
    names, origin = _medium(header, how)
    video = LabelledVideo((*names, source.path.name), str(source.path))
    slots = {
        slot.attribute("TIME_SLOT_ID"): slot.whole("TIME_VALUE")
        for slot in root.all("TIME_ORDER/TIME_SLOT")
        if "TIME_VALUE" in slot.attributes
    }
    for tier in root.all("TIER"):
        how.leave_out("annotations without times of their own", _count(tier, "REF_ANNOTATION"))
        for annotation in tier.all("ANNOTATION/ALIGNABLE_ANNOTATION"):
            ends = [slots.get(annotation.attribute(f"TIME_SLOT_REF{n}")) for n in (1, 2)]
            start, end = ends
            if start is None or end is None:
                how.leave_out("annotations whose time slots have no time")
                continue
            label = annotation.first_text("ANNOTATION_VALUE")
            how.add(video, (start + origin) / 1000, (end + origin) / 1000, label)
    yield video


def _count(tier: XmlElement, kind: str) -> int:
    return sum(1 for _ in tier.all(f"ANNOTATION/{kind}"))


def _medium(header: XmlElement, how: Reading) -> tuple[tuple[str, ...], int]:
    """Names and time origin in milliseconds of the first medium that is a video, else of the first."""
    media = list(header.all("MEDIA_DESCRIPTOR"))
    if not media:
        return (), 0
    medium = next(
        (one for one in media if suffix_of(one.attributes.get("MEDIA_URL", "")) in VIDEO_SUFFIXES), media[0]
    )
    how.leave_out("further media (the first video has the labels)", len(media) - 1)
    names = (medium.attributes.get(key, "") for key in ("MEDIA_URL", "RELATIVE_MEDIA_URL"))
    origin = medium.whole("TIME_ORIGIN") if "TIME_ORIGIN" in medium.attributes else 0
    return tuple(filter(None, names)), origin

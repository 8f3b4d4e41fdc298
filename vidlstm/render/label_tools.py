"""What a prediction becomes for people who correct it in a labelling tool: ELAN, and Label Studio.

Both count from the first frame that they show, so times leave the container's clock here. Our own readers
(``datasets/labelling/``) give the segments back.
"""

from __future__ import annotations

import re
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from vidlstm.files import write_json, write_text
from vidlstm.render.material import Material, one_file
from vidlstm.structures import ActionPrediction

_NOT_READ = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold, or a table of labels."""

_EAF = {
    "AUTHOR": "vidlstm",
    "DATE": "1970-01-01T00:00:00+00:00",  # the schema wants one; the same prediction is the same file
    "FORMAT": "3.0",
    "VERSION": "3.0",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
}

LABELS, VIDEO = "timelineLabels", "video"
"""Names of the two tags in the labelling set-up of Label Studio that results refer to."""

FPS = 25.0
"""At which Label Studio counts where no rate of the video is known; the set-up takes it from the task."""


def _segments(prediction: ActionPrediction) -> list[tuple[float, float, str, float]]:
    """Start and end in seconds after the first frame, label, probability."""
    starts = prediction.window_start_seconds
    first = float(starts[0]) if len(starts) else 0.0
    return [
        (
            max(s.start_seconds - first, 0.0),
            max(s.end_seconds - first, 0.0),
            _NOT_READ.sub("\ufffd", s.label),
            float(s.probability),
        )
        for s in prediction.segments
    ]


@one_file("eaf")
def as_eaf(prediction: ActionPrediction, path: Path, material: Material) -> None:
    """An ELAN document (EAF 3.0) with one tier; times are rounded to its milliseconds."""
    root = Element("ANNOTATION_DOCUMENT", _EAF)
    header = SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    SubElement(header, "MEDIA_DESCRIPTOR", _medium(Path(prediction.video)))
    order = SubElement(root, "TIME_ORDER")
    tier = SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": "action", "TIER_ID": "action"})
    for number, (start, end, label, _) in enumerate(_segments(prediction), start=1):
        _annotate(order, tier, number, round(1000 * start), round(1000 * end)).text = label
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "action", "TIME_ALIGNABLE": "true"}
    SubElement(root, "LINGUISTIC_TYPE", kind)
    indent(root)
    write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n', path)


def _medium(video: Path) -> dict[str, str]:
    return {
        "MEDIA_URL": video.absolute().as_uri(),
        "MIME_TYPE": guess_type(video.name)[0] or "video/unknown",
        "RELATIVE_MEDIA_URL": f"./{quote(video.name, errors='surrogateescape')}",
    }


def _annotate(order: Element, tier: Element, number: int, start: int, end: int) -> Element:
    """Adds an annotation with two time slots in milliseconds, and gives the element of its value."""
    slots = f"ts{2 * number - 1}", f"ts{2 * number}"
    for slot, time in zip(slots, (start, max(end, start + 1)), strict=True):
        SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(time)})
    refers = {"ANNOTATION_ID": f"a{number}", "TIME_SLOT_REF1": slots[0], "TIME_SLOT_REF2": slots[1]}
    annotation = SubElement(SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", refers)
    return SubElement(annotation, "ANNOTATION_VALUE")


@one_file("labelstudio.json")
def as_label_studio(prediction: ActionPrediction, path: Path, material: Material) -> None:
    """A task of Label Studio with pre-labels, for a set-up whose Video tag has ``frameRate="$fps"``.

    Frames count from 1, and both ends belong to a stretch.
    """
    fps = material.fps.get(prediction.video) or FPS
    results: list[dict[str, Any]] = []
    for number, (start, end, label, probability) in enumerate(_segments(prediction), start=1):
        first = round(start * fps) + 1
        value = {"ranges": [{"start": first, "end": max(round(end * fps), first)}], "timelinelabels": [label]}
        refers = {"id": f"s{number}", "from_name": LABELS, "to_name": VIDEO, "type": "timelinelabels"}
        results.append({**refers, "value": value, "score": probability})
    place = quote(Path(prediction.video).absolute().as_posix().lstrip("/"), errors="surrogateescape")
    task = {
        "data": {"video": f"/data/local-files/?d={place}", "fps": fps},
        "predictions": [{"model_version": "vidlstm", "result": results}],
    }
    write_json([task], path)

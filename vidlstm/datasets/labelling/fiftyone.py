"""FiftyOne temporal detections: ``support`` in frames or ``timestamps`` in seconds, of each label by itself.

Frames count from 1 and both ends belong to a stretch; labels are places in ``classes``, or names where there
are none (https://docs.voxel51.com/user_guide/import_datasets.html, FiftyOneTemporalDetectionDataset).
"""

from __future__ import annotations

from collections.abc import Iterator

from vidlstm.datasets.labelling.json_values import JsonValue
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source


def looks_like(root: JsonValue) -> bool:
    """Whether it is labels by video, and their stretches are given one way or the other."""
    labels = root.value.get("labels") if isinstance(root.value, dict) else None
    videos = list(labels.values()) if isinstance(labels, dict) else []
    found = [one for video in videos if isinstance(video, list) for one in video]
    return bool(found) and all(
        isinstance(one, dict) and {"support", "timestamps"} & one.keys() for one in found
    )


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields every video that has a list of labels."""
    root = source.json
    classes = [name.text() for name in root["classes"]] if "classes" in root else None
    for name, detections in root["labels"].items():
        if detections.value is None:
            how.leave_out("videos that nobody labelled")
            continue
        video = LabelledVideo((name,), detections.where)
        for detection in detections:
            _add(video, detection, _label(detection["label"], classes), how)
        yield video


def _label(label: JsonValue, classes: list[str] | None) -> str:
    if classes is None:
        return label.text()
    if not 0 <= label.whole() < len(classes):
        raise label.wrong(f"a place in the list of {len(classes)} classes")
    return classes[label.whole()]


def _add(video: LabelledVideo, detection: JsonValue, label: str, how: Reading) -> None:
    in_seconds = "timestamps" in detection
    ends = list(detection["timestamps" if in_seconds else "support"])
    if len(ends) != 2:
        raise detection.wrong("a list of start and end")
    if in_seconds:
        how.add(video, ends[0].number(), ends[1].number(), label)
        return
    fps = how.rate(detection.where, "the rate of the videos that were labelled")
    how.add_frames(video, (ends[0].whole() - 1, ends[1].whole()), fps, label)

"""Label Studio, JSON export: TimelineLabels on a video (frames), Labels on its synchronised sound (seconds).

Frames count from 1 and both ends belong to a stretch. The rate is that of the ``frameRate`` of the labelling
set-up, which an export does not hold: 24 where the set-up names none, whatever the video's own
(https://labelstud.io/tags/video, https://labelstud.io/guide/export).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from vidlstm.datasets.labelling.json_values import JsonValue
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source

RATES = ("fps", "frame_rate", "framerate", "frameRate")
"""What a task's data may call the rate that the set-up's ``frameRate`` refers to."""


def looks_like(root: JsonValue) -> bool:
    """Whether it is a list of tasks."""
    tasks = root.value if isinstance(root.value, list) else []
    return bool(tasks) and all(
        isinstance(task, dict) and "data" in task and {"annotations", "predictions"} & task.keys()
        for task in tasks
    )


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields a video a task that somebody finished.

    Predictions are read where no task has a place for annotations: then the file is no export but what was
    written for Label Studio to be corrected.
    """
    tasks = list(source.json)
    key = "annotations" if any("annotations" in task.value for task in tasks) else "predictions"
    if key == "predictions":
        how.note("these are predictions, which nobody has corrected")
    for task in tasks:
        given = list(task[key]) if key in task else []
        finished = [a for a in given if not a["was_cancelled"].value]
        how.leave_out("cancelled annotations", len(given) - len(finished))
        if not finished:
            how.leave_out("tasks that nobody finished")
            continue
        how.leave_out("further annotations of one task (the true or last one is read)", len(finished) - 1)
        yield _video(task, max(finished, key=_weight), how)


def _weight(annotation: JsonValue) -> tuple[bool, str]:
    """Of several people's annotations, that marked as true goes first, then the last."""
    return bool(annotation["ground_truth"].value), str(annotation["updated_at"].value)


def _video(task: JsonValue, annotation: JsonValue, how: Reading) -> LabelledVideo:
    named = [value.text() for _, value in task["data"].items() if isinstance(value.value, str)]
    named += [task["file_upload"].text()] if "file_upload" in task else []
    video = LabelledVideo(tuple(named), task.where)
    for result in annotation["result"]:
        value, kind = result["value"], result["type"].text()
        if kind == "timelinelabels":
            for label in _names(value, kind, how):
                for stretch in value["ranges"]:
                    frames = stretch["start"].whole() - 1, stretch["end"].whole()
                    how.add_frames(video, frames, _rate(task, how), label)
        elif kind == "labels" and "text" not in value:  # text has starts and ends, too: characters
            for label in _names(value, kind, how):
                how.add(video, value["start"].number(), value["end"].number(), label)
        else:
            how.leave_out(f"results of type {kind[:40]}")
    return video


def _names(value: JsonValue, kind: str, how: Reading) -> list[str]:
    names = [name.text() for name in value[kind]] if kind in value else []
    how.leave_out("stretches without a label", not names)
    return names


def _rate(task: JsonValue, how: Reading) -> float:
    found = next((task["data"][key].value for key in RATES if key in task["data"]), None)
    try:
        said = float(found) if isinstance(found, int | float | str) else None
    except (ValueError, OverflowError):
        said = math.nan
    return how.rate(
        task.where, "the frameRate of the Video tag in the labelling set-up, or 24 where it has none", said
    )

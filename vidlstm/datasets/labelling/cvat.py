"""CVAT for video 1.1 (tracks) and CVAT for images 1.1 (tags).

Frames count from 0 at the start of the video, also where the task begins later (``start_frame``). A track's
stretch ends before its first shape that is ``outside``; with tags, frames that follow each other are one
stretch (https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.datasets.labelling.xml_elements import XmlElement
from vidlstm.errors import DatasetError

TASKS = ("meta/task", "meta/job", "meta/project/tasks/task")


def looks_like(root: XmlElement) -> bool:
    """Whether it is a dump of annotations."""
    return root.name == "annotations" and any(
        child.name in ("meta", "track", "image") for child in root.children
    )


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields a video a task."""
    root = source.xml
    tasks = [task for path in TASKS for task in root.all(path)]
    if not tasks:
        raise DatasetError(f"{root.where}: names no task, so no video; export the task again")
    for task in tasks:
        video = LabelledVideo((task.first_text("source"), task.first_text("name")), task.where)
        mine = [child for child in root.children if len(tasks) == 1 or _belongs(child, task)]
        step = _step(task)
        for label, first, end in [*_tracks(mine, step), *_tags(mine, step, how)]:
            fps = how.rate(str(source.path), "the rate of the video that was labelled")
            how.add_frames(video, (first, end), fps, label)
        yield video


def _belongs(child: XmlElement, task: XmlElement) -> bool:
    return child.attributes.get("task_id") == task.first_text("id")


def _step(task: XmlElement) -> int:
    """Every how many frames were shown: ``step=5`` in the frame filter."""
    found = re.fullmatch(r"step\s*=\s*0*([1-9]\d{0,5})", task.first_text("frame_filter"))
    return int(found[1]) if found else 1


Stretch = tuple[str, int, int]
"""A label, its first frame, and the first frame that no longer has it."""


def _tracks(children: Iterable[XmlElement], step: int) -> Iterator[Stretch]:
    for track in children:
        if track.name != "track":
            continue
        label, first, last = track.attribute("label"), None, 0
        shapes = [shape for shape in track.children if "frame" in shape.attributes]
        for shape in sorted(shapes, key=lambda shape: shape.whole("frame")):
            frame, outside = shape.whole("frame"), shape.attributes.get("outside") == "1"
            if outside and first is not None:
                yield label, first, frame
            first, last = (None if outside else frame if first is None else first), frame
        if first is not None:
            yield label, first, last + step


def _tags(children: Iterable[XmlElement], step: int, how: Reading) -> Iterator[Stretch]:
    frames: defaultdict[str, set[int]] = defaultdict(set)
    for image in (child for child in children if child.name == "image"):
        for shape in image.children:
            if shape.name == "tag":
                frames[shape.attribute("label")].add(image.whole("id"))
            else:
                how.leave_out("shapes in single images (only tags and tracks last)")
    for label, tagged in frames.items():
        yield from ((label, first, end) for first, end in stretches(tagged, step))


def stretches(numbers: Iterable[int], step: int = 1) -> Iterator[tuple[int, int]]:
    """Numbers that follow each other, as first and end: ``2 3 4 7`` to ``(2, 5), (7, 8)``.

    >>> list(stretches([2, 3, 4, 7]))
    [(2, 5), (7, 8)]
    """
    first = last = None
    for number in sorted(numbers):
        if first is not None and last is not None and number != last + step:
            yield first, last + step
            first = None
        first, last = (number if first is None else first), number
    if first is not None and last is not None:
        yield first, last + step

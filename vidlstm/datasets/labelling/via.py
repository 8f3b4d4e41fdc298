"""VGG Image Annotator 3 (VIA), a project: seconds; a label is the number of an option.

What has two times is a stretch; one time, or none, is a region of a frame or of the whole file
(https://www.robots.ox.ac.uk/~vgg/software/via, ``_via_metadata``).
"""

from __future__ import annotations

from collections.abc import Iterator

from vidlstm.datasets.labelling.json_values import JsonValue
from vidlstm.datasets.labelling.reading import LabelledVideo, Reading
from vidlstm.datasets.labelling.source import Source
from vidlstm.errors import DatasetError

STRETCH = "FILE1_Z2_XY0"
"""The anchor of an attribute of stretches of time."""


def looks_like(root: JsonValue) -> bool:
    """Whether it is a project of VIA 3."""
    return isinstance(root.value, dict) and {"attribute", "file", "metadata", "view"} <= root.value.keys()


def read(source: Source, how: Reading) -> Iterator[LabelledVideo]:
    """Yields a video a view."""
    root = source.json
    videos = {view: _video(root, files) for view, files in root["view"].items()}
    attributes = {
        number: attribute
        for number, attribute in root["attribute"].items()
        if attribute["anchor_id"].value == STRETCH
    }
    if len(attributes) > 1:
        named = ", ".join(attribute["aname"].text()[:40] for attribute in attributes.values())
        how.note(f"labels of several attributes stand side by side: {named}")
    for _, entry in root["metadata"].items():
        times = [time.number() for time in entry["z"]]
        if len(times) != 2:
            how.leave_out("regions of single frames")
            continue
        if entry["vid"].text() not in videos:
            raise entry["vid"].wrong("the number of a view")
        labels = [label for number, one in attributes.items() for label in _labels(entry["av"], number, one)]
        how.leave_out("stretches without a label", not labels)
        for label in labels:
            how.add(videos[entry["vid"].text()], times[0], times[1], label)
    yield from videos.values()


def _video(root: JsonValue, view: JsonValue) -> LabelledVideo:
    files = [root["file"][number.text()] for number in view["fid_list"]]
    if len(files) != 1:
        raise DatasetError(f"{view.where}: shows {len(files)} files at once; label one video a view")
    names = (files[0][key].value for key in ("src", "fname"))
    return LabelledVideo(tuple(name for name in names if isinstance(name, str) and name), files[0].where)


def _labels(values: JsonValue, number: str, attribute: JsonValue) -> list[str]:
    """The names of the chosen options, or what was written where there are none to choose from."""
    chosen = values[number].text() if number in values else ""
    options = attribute["options"]
    if not chosen or not isinstance(options.value, dict) or not options.value:
        return [chosen] if chosen else []
    names = []
    for option in chosen.split(","):  # several of a list of boxes to tick
        if option not in options:
            raise values[number].wrong("the number of an option")
        names.append(options[option].text())
    return names

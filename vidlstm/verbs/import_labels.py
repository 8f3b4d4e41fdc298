"""``import``: what labelling tools wrote to one table of segments, and what was understood on the way."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidlstm.datasets.files import listing
from vidlstm.datasets.labelling.matching import VideoFiles
from vidlstm.datasets.timed import TimedDataset, TimedVideo
from vidlstm.datasets.timed_formats import label_files, load_timed
from vidlstm.errors import DatasetError, OutputError, VideoError
from vidlstm.files import check_inputs, write_csv
from vidlstm.structures import Failure
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOLERANCE_SECONDS = 1.0
"""How far a label may reach beyond its video before that is said: some tools round ends to whole seconds."""

EMPTY: list[tuple[object, ...]] = [("", "", "")]
"""What the table says of a video in which nothing happens."""


@dataclass
class ImportReport:
    """What was understood of labels, and written.

    Attributes:
        file: the table.
        dataset: what is in it; times are in the container's own clock.
        unlabelled: videos below the folder of which the labels say nothing.
        counts, seconds: by label: how many there are, and how long they last in all.
        gaps, overlaps: stretches between a video's labels that have none, or more than one: each its seconds.
        failures: videos that cannot be opened; they are not in the table.
    """

    file: Path
    dataset: TimedDataset
    unlabelled: tuple[Path, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    gaps: list[float] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def import_labels(
    labels: Path | str | Sequence[Path | str],
    *,
    videos: Path | str,
    out: Path | str = Path("segments.csv"),
    format: str = "auto",
    labelled_fps: float | None = None,
    fold: int | None = None,
) -> ImportReport:
    """Writes the labels of other tools as one table of segments, as ``vidlstm import`` does.

    Every video is opened once, for the time of its first frame: tools count from there, the table in the
    container's own clock.

    Args:
        labels: files, folders of them, or the folder of an MS-TCN data set.
        videos: the folder that the videos lie in, however deep; paths in the table start from it.
        out: the table (CSV): ``path,start_seconds,end_seconds,label``, and ``group,fold,split`` where known.
        format: what the files are; ``auto`` looks into each.
        labelled_fps: frames a second that the tool counted, where it counts frames.
        fold: of MS-TCN, which official split to read.

    Raises:
        DatasetError: see :func:`~vidlstm.datasets.timed_formats.load_timed`; or no video can be opened.
        OutputError: the table would take the place of a file that is read, or cannot be written.

    Warns:
        UserWarning: what is left out, and labels that reach beyond the end of their video.
    """
    out, folder = Path(out), Path(videos)
    if out.suffix.lower() != ".csv":
        raise OutputError(f"{out}: a table of segments ends in .csv; choose another `out`")
    paths = [Path(path) for path in ([labels] if isinstance(labels, str | Path) else labels)]
    check_inputs([out], label_files(paths))
    read = load_timed(paths, videos=folder, format=format, labelled_fps=labelled_fps, fold=fold)
    report = ImportReport(out, read)
    moved = tuple(_in_container_clock(read.videos, report.failures))
    if not moved:
        raise DatasetError(f"none of the labelled videos can be opened:{listing(map(str, report.failures))}")
    report.dataset = replace(read, videos=moved)
    labelled = {video.path for video in read.videos}
    report.unlabelled = tuple(path for path in VideoFiles(folder).paths if path not in labelled)
    for video in moved:
        _count(video, report)
    _write(report.dataset, out)
    return report


def _in_container_clock(videos: Sequence[TimedVideo], failures: list[Failure]) -> Iterator[TimedVideo]:
    late: list[str] = []
    for video in videos:
        try:
            with open_video(video.path) as reader:
                first = next(frame.timestamp_seconds for frame in reader)
                length = reader.info.claimed_duration_seconds
        except VideoError as error:
            failures.append(Failure(video.path, error.reason, error.detail))
            continue
        moved = video.in_container_clock(first)
        last = max((at.end_seconds for at in moved.labels), default=first)
        if length and last > first + length + TOLERANCE_SECONDS:
            late.append(f"{video.name}: by {last - first - length:.1f} s")
        yield moved
    if late:
        warnings.warn(
            f"labels reach beyond the end of {len(late)} videos; is `data.labelled_fps` right, and are these "
            f"the videos that were labelled?{listing(late)}",
            UserWarning,
            stacklevel=3,
        )


def _count(video: TimedVideo, report: ImportReport) -> None:
    for at in video.labels:
        report.counts[at.label] += 1
        lasted = at.end_seconds - at.start_seconds
        report.seconds[at.label] = report.seconds.get(at.label, 0.0) + lasted
    for depth, seconds in _stretches(video):
        if depth != 1:
            (report.overlaps if depth else report.gaps).append(seconds)


def _stretches(video: TimedVideo) -> Iterator[tuple[int, float]]:
    """How many labels hold at once (2 stands for more, too), and for how long, from the first to the last."""
    changes = sorted(
        [(at.start_seconds, 1) for at in video.labels] + [(at.end_seconds, -1) for at in video.labels]
    )
    depth, since, now = 0, changes[0][0] if changes else 0.0, 0
    for seconds, change in changes:
        now += change
        if min(now, 2) != depth and seconds > since:
            yield depth, seconds - since
        if min(now, 2) != depth:
            depth, since = min(now, 2), seconds


def _write(dataset: TimedDataset, out: Path) -> None:
    also = [
        name
        for name in ("group", "fold", "split")
        if any(getattr(v, name) is not None for v in dataset.videos)
    ]
    rows: list[tuple[object, ...]] = []
    for video in dataset.videos:
        about = [getattr(video, name) for name in also]
        times: list[tuple[object, ...]] = [
            (round(at.start_seconds, 6), round(at.end_seconds, 6), at.label) for at in video.labels
        ]
        rows += [(video.name, *said, *about) for said in times or EMPTY]
    write_csv(("path", "start_seconds", "end_seconds", "label", *also), rows, out)

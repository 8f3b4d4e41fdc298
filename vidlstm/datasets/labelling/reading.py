"""What every reader of a labelling tool gives, and what it may ask: rates, and a note of what is left out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from vidlstm.datasets.timed import Clock, TimedLabel
from vidlstm.errors import DatasetError

MOST_LETTERS = 10_000
"""Of a label."""
SHORTEST_SECONDS = 1e-6
"""Of a label: tables hold no finer times."""
_NO_LABEL = re.compile("[\\r\\0\ud800-\udfff]")


@dataclass
class LabelledVideo:
    """What a tool says of one video.

    Attributes:
        names: what the tool calls it: paths, addresses or ids; the most telling first.
        where: file and place, for messages.
        labels: what happens in it; empty where it was looked at and nothing happens.
        clock: what its times are counted from.
        group, fold, split: see :class:`~vidlstm.datasets.timed.TimedVideo`.
    """

    names: tuple[str, ...]
    where: str
    labels: list[TimedLabel] = field(default_factory=list)
    clock: Clock = "first_frame"
    group: str | None = None
    fold: int | None = None
    split: str | None = None


class Reading:
    """How one file is read, and what was found out on the way.

    Attributes:
        labelled_fps: frames a second that the tool counted, where the user says.
        fold: the official split that is asked for.
        rate_used, fold_used: whether the file needed it.
        order: the classes in official order, where the format has one.
        left_out: what is not among the labels, and how often.
        notes: what else was understood, in sentences.
    """

    def __init__(self, labelled_fps: float | None = None, fold: int | None = None) -> None:
        self.labelled_fps, self.fold = labelled_fps, fold
        self.rate_used = self.fold_used = False
        self.order: tuple[str, ...] = ()
        self.left_out: Counter[str] = Counter()
        self.notes: list[str] = []

    def rate(self, where: str, remedy: str, said: float | None = None) -> float:
        """Frames a second that the tool counted.

        Args:
            where: file and place.
            remedy: what the user should look for.
            said: what the file says.

        Raises:
            DatasetError: neither the file nor the user says, or they contradict each other.
        """
        said = said if said is not None and 1e-3 <= said <= 1e6 else None
        if self.labelled_fps is not None:
            self.rate_used = True
            if said is not None and said != self.labelled_fps:
                raise DatasetError(
                    f"{where}: says {said:g} frames a second, `data.labelled_fps` {self.labelled_fps:g}; "
                    "drop one of the two, and read files of different rates one by one"
                )
            return self.labelled_fps
        if said is not None:
            self.note(f"frames are counted at {said:g} a second, as the file says")
            return said
        raise DatasetError(
            f"{where}: counts frames and does not say at which rate; give `data.labelled_fps`, {remedy}"
        )

    def note(self, sentence: str) -> None:
        """Keeps a sentence, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def leave_out(self, what: str, count: int = 1) -> None:
        """Counts what is not among the labels."""
        if count:
            self.left_out[what] += count

    def add(self, video: LabelledVideo, start_seconds: float, end_seconds: float, label: str) -> None:
        """Adds a label to a video, where it has a name and lasts; what begins before the video is cut."""
        label = label.strip()
        if video.clock == "first_frame":
            start_seconds = max(start_seconds, 0.0)
        if _NO_LABEL.search(label) or len(label) > MOST_LETTERS:
            raise DatasetError(
                f"{video.where}: no table could hold the label {label[:40]!a}: it has over {MOST_LETTERS} "
                "letters, or a carriage return, a zero byte or half a letter among them; rename it"
            )
        if not label:
            self.leave_out("stretches without a label")
        elif not end_seconds - start_seconds >= SHORTEST_SECONDS:
            self.leave_out("labels without length, or before the video")
        else:
            video.labels.append(TimedLabel(start_seconds, end_seconds, label))

    def add_frames(self, video: LabelledVideo, frames: tuple[int, int], fps: float, label: str) -> None:
        """The same for frames that count from 0; the second is the first that no longer belongs to it."""
        self.add(video, frames[0] / fps, frames[1] / fps, label)

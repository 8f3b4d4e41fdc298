"""Which label holds at which step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidlstm.datamodules.step_targets import overlap_seconds, step_targets
from vidlstm.datasets.timed import TimedLabel, TimedVideo
from vidlstm.errors import DatasetError

LABELS = ("a", "b", "other")


def video(*labels: tuple[float, float, str]) -> TimedVideo:
    return TimedVideo(Path("v.mp4"), tuple(TimedLabel(*label) for label in labels))


def targets(what: TimedVideo, times=tuple(range(6)), **settings) -> list:
    return step_targets(what, np.array(times, float), LABELS, **settings).tolist()


def test_a_label_holds_from_its_start_up_to_its_end() -> None:
    assert targets(video((1, 3, "a"), (4, 9, "b"))) == [-1, 0, 0, -1, 1, 1]


def test_times_are_sums_of_decimal_fractions() -> None:
    tenths = np.arange(10) * 0.1  # the fourth is 0.30000000000000004
    assert targets(video((0.3, 0.7, "a")), tenths) == [-1, -1, -1, 0, 0, 0, 0, -1, -1, -1]


def test_the_clock_is_the_containers() -> None:
    assert targets(video((8.5, 9.5, "a")), (8.33, 8.66, 9.0, 9.33, 9.66)) == [-1, 0, 0, 0, -1]


def test_steps_without_a_label_are_the_background_where_it_has_a_name() -> None:
    assert targets(video((1, 3, "a")), background="other") == [2, 0, 0, 2, 2, 2]


def test_where_labels_overlap_the_later_one_counts() -> None:
    both = video((2, 4, "b"), (0, 3, "a"))
    assert targets(both) == [0, 0, 1, 1, -1, -1]
    assert overlap_seconds(both) == 1


def test_overlapping_labels_are_all_learned() -> None:
    given = targets(video((0, 3, "a"), (2, 4, "b")), times=range(5), multi_label=True)
    assert given == [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_overlaps_are_counted_once() -> None:
    assert overlap_seconds(video((0, 4, "a"), (1, 3, "b"), (2, 5, "a"))) == pytest.approx(3)
    assert overlap_seconds(video((0, 1, "a"), (1, 2, "b"))) == 0
    assert overlap_seconds(video()) == 0


def test_labels_beside_the_video_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"v\.mp4: none of its 1 labels.*100 s.*0\.00 to 5\.00 s"):
        targets(video((100, 200, "a")))


def test_labels_between_two_steps_are_told() -> None:
    with pytest.warns(UserWarning, match=r"1 of 2 labels hold no step, such as b at 3\.2 s.*`sampling\.fps`"):
        assert targets(video((0, 2, "a"), (3.2, 3.4, "b"))) == [0, 0, -1, -1, -1, -1]

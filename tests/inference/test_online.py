"""When a label begins and is over, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vidlstm.errors import SettingsError
from vidlstm.inference.online import Change, OnlineSegments
from vidlstm.settings import OnlineSettings


def said(
    values: list[float], step: float = 0.5, settings: OnlineSettings | None = None
) -> list[tuple[int, Change]]:
    segments = OnlineSegments(("a",), settings or OnlineSettings())
    return [(i, c) for i, p in enumerate(values) for c in segments.push(i * step, np.array([p]))]


def test_the_example_of_its_docstring() -> None:
    changes = said([0.1, 0.7, 0.8, 0.5, 0.5, 0.3, 0.1])
    assert changes == [
        (2, Change("start", "a", 0.5, None, pytest.approx(0.75))),
        (5, Change("end", "a", 0.5, 2.5, pytest.approx((0.7 + 0.8 + 0.5 + 0.5) / 4))),
    ]


def test_what_is_too_short_is_never_said() -> None:
    assert said([0.9, 0.1, 0.9, 0.5, 0.9, 0.2]) == []


def test_without_a_minimum_a_label_begins_at_once() -> None:
    assert [i for i, _ in said([0.9, 0.1], settings=OnlineSettings(minimum_seconds=0))] == [0, 1]


def test_what_lasts_is_ended_at_the_end_and_a_silent_label_is_not_said() -> None:
    segments = OnlineSegments(("quiet", "a"), OnlineSettings(minimum_seconds=0), silent=["quiet"])
    assert segments.push(1.0, np.array([0.9, 0.0])) == []
    assert [c.label for c in segments.push(2.0, np.array([0.1, 0.9]))] == ["a"]
    assert segments.finish() == [Change("end", "a", 2.0, 2.0, 0.9)]
    assert segments.finish() == []


def test_thresholds_the_wrong_way_round() -> None:
    with pytest.raises(SettingsError, match=r"`online.leave` 0.7 is above `online.enter` 0.6"):
        OnlineSettings(leave=0.7)


@given(hnp.arrays(float, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(0, 1, width=32)))
def test_starts_and_ends_alternate_and_lie_within(p_TK: np.ndarray) -> None:
    segments, lasting = OnlineSegments(("a", "b", "c"), OnlineSettings()), dict[str, float]()
    changes = [c for t, p_K in enumerate(p_TK) for c in segments.push(t / 4, p_K)] + segments.finish()
    for change in changes:
        if change.kind == "start":
            assert change.label not in lasting
            lasting[change.label] = change.start_seconds
        else:
            assert lasting.pop(change.label) == change.start_seconds
            assert change.end_seconds is not None and change.end_seconds >= change.start_seconds
    assert not lasting


def test_what_is_no_number_ends_a_label() -> None:
    nan = float("nan")
    assert [(i, c.kind) for i, c in said([0.9, 0.9, nan, 0.9, nan])] == [(1, "start"), (2, "end")]

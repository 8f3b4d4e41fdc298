"""Rows of tracks to sequences: filled across short gaps, split at long ones, never mixed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidlstm.datamodules.object_sequences import ObjectSequence, object_sequences


def sequences_of(
    rows: list[tuple[int, int]], max_gap_seconds: float, *, step_seconds: float = 0.1
) -> list[ObjectSequence]:
    """From (track, step) pairs; the features are the row's number, its step and its track."""
    track, step = np.array(rows).T
    features = np.stack([np.arange(len(rows)), step, track], axis=1).astype(np.float16)
    return object_sequences(
        features,
        track,
        step * step_seconds,
        step.astype(np.int64),
        step_seconds=step_seconds,
        max_gap_seconds=max_gap_seconds,
    )


def test_the_drawn_example() -> None:
    first, second = sequences_of([(7, 0), (7, 1), (7, 4), (7, 20)], 0.5)
    assert first.track_id == second.track_id == 7
    np.testing.assert_allclose(first.seconds_T, [0, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(first.features_TF[:, 0], [0, 1, 4 / 3, 5 / 3, 2], atol=1e-3)
    assert second.seconds_T.tolist() == [2.0] and second.features_TF[0, 0] == 3
    assert "track 7" in repr(first)


@pytest.mark.parametrize(("gap", "parts"), [(0.29, 2), (0.3, 1), (0.31, 1)])
def test_a_gap_of_exactly_the_length_is_filled(gap: float, parts: int) -> None:
    """0.1 to 0.4 s, which in floating point is a little more than 0.3."""
    assert len(sequences_of([(1, 0), (1, 1), (1, 4), (1, 5)], gap)) == parts


def test_neighbouring_steps_are_no_gap_however_short_it_may_be() -> None:
    (one,) = sequences_of([(1, 0), (1, 1), (1, 2)], 0.0)
    assert len(one) == 3
    assert len(sequences_of([(1, 0), (1, 2)], 0.0)) == 2


tracks = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=60, unique=True
).flatmap(st.permutations)


@given(tracks, st.sampled_from([0.0, 0.1, 0.25, 0.5, 3.0]))
def test_sequences_hold_every_row_once_and_nothing_of_another_track(
    rows: list[tuple[int, int]], max_gap: float
) -> None:
    found = sequences_of(rows, max_gap)
    assert [(s.seconds_T[0], s.track_id) for s in found] == sorted(
        (s.seconds_T[0], s.track_id) for s in found
    )
    seen: list[tuple[int, int]] = []
    for s in found:
        assert len(s) == len(s.features_TF) and s.features_TF.dtype == np.float16
        assert (s.features_TF[:, 2] == s.track_id).all(), "of one track"
        steps = np.rint(s.seconds_T / 0.1).astype(int)
        assert (np.diff(steps) == 1).all(), "no gap"
        mine = sorted(step for track, step in rows if track == s.track_id)
        here = [step for step in mine if steps[0] <= step <= steps[-1]]
        assert [here[0], here[-1]] == [steps[0], steps[-1]], "begins and ends where it is seen"
        for a, b in itertools.pairwise(here):
            assert b - a == 1 or (b - a) * 0.1 <= max_gap + 1e-6, "no longer gap is filled"
            row_a, row_b = rows.index((s.track_id, a)), rows.index((s.track_id, b))
            share = np.arange(b - a + 1) / (b - a)
            wanted = row_a + share * (row_b - row_a)
            filled = s.features_TF[a - steps[0] : b - steps[0] + 1, 0]
            np.testing.assert_allclose(filled, wanted, rtol=1e-3, err_msg="on the straight line")
        seen += [(s.track_id, step) for step in here]
    assert sorted(seen) == sorted(rows)
    for before, after in itertools.pairwise(found):
        if before.track_id == after.track_id:
            assert after.seconds_T[0] - before.seconds_T[-1] > max_gap


def test_rows_as_they_are_keep_every_digit() -> None:
    features = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float16)
    step = np.array([0, 1, 3, 4, 9])
    found = object_sequences(
        features, np.ones(5, int), step * 0.04, step, step_seconds=0.04, max_gap_seconds=1.0
    )
    np.testing.assert_array_equal(found[0].features_TF[step], features)


def test_frames_that_do_not_come_evenly_are_one_step_each() -> None:
    seconds = np.array([0.0, 0.125, 0.208, 0.333, 0.417])
    (one,) = object_sequences(
        np.zeros((5, 1)), np.ones(5, int), seconds, np.arange(5), step_seconds=0.1, max_gap_seconds=0.0
    )
    np.testing.assert_array_equal(one.seconds_T, seconds)


def test_no_rows_give_no_sequence() -> None:
    nothing = np.zeros(0, np.int64)
    assert (
        object_sequences(
            np.zeros((0, 3)), nothing, nothing * 1.0, nothing, step_seconds=0.1, max_gap_seconds=1.0
        )
        == []
    )


@pytest.mark.parametrize(
    ("start", "end", "minimum", "steps"),
    [
        (None, None, 0.0, (0, 10)),
        (None, None, 1.0, (0, 10)),  # ten steps are a second
        (None, None, 1.05, None),
        (5.2, 5.6, 0.0, (2, 6)),  # the end is not in it
        (5.25, 5.65, 0.0, (3, 7)),
        (5.2, 5.6, 0.4, (2, 6)),
        (5.2, 5.6, 0.5, None),
        (5.9, None, 0.1, (9, 10)),
        (None, 5.0, 0.0, None),
        (6.0, None, 0.0, None),
        (0.0, 1e9, 0.0, (0, 10)),
        (5.6, 5.2, 0.0, None),
    ],
)
def test_within(
    start: float | None, end: float | None, minimum: float, steps: tuple[int, int] | None
) -> None:
    seconds = 5.0 + 0.1 * np.arange(10)
    found = ObjectSequence(1, np.zeros((10, 2), np.float16), seconds, 0.1)
    assert found.within(start, end, minimum_seconds=minimum) == steps

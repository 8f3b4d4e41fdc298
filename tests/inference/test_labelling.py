"""A network that labels steps, over a whole video: windows are steps, segments tile them or overlap."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fakes.features import noise_sequences
from vidlstm.inference.labelling import StepLabeller, overlapping_segments, step_classes
from vidlstm.inference.segments import mean_between
from vidlstm.models.labeller import SequenceLabeller
from vidlstm.structures import FeatureSequence, Segment

LABELS = ("a", "b", "c")


def labeller(**settings) -> SequenceLabeller:
    torch.manual_seed(0)
    return SequenceLabeller(3, 3, hidden_size=4, projection=0, **settings).eval()


@pytest.mark.parametrize("both", [False, True])
def test_steps_become_windows_and_segments_that_tile_the_video(both: bool) -> None:
    (sequence,) = noise_sequences([37], 3, start_seconds=8.33)
    model = labeller(bidirectional=both)
    said = StepLabeller(model, LABELS, minimum_seconds=0.5, produced_by={"by": "me"})("v.mp4", sequence)
    assert said.window_start_seconds.tolist() == sequence.timestamps_seconds.tolist()
    assert said.window_probabilities.sum(1) == pytest.approx(np.ones(37))
    assert said.segments[0].start_seconds == 8.33
    assert said.segments[-1].end_seconds == pytest.approx(8.33 + 3.7)
    assert all(
        a.end_seconds == b.start_seconds for a, b in zip(said.segments, said.segments[1:], strict=False)
    )
    assert all(s.end_seconds - s.start_seconds > 0.49 for s in said.segments)
    assert said.produced_by == {"by": "me", "minimum_seconds": 0.5}


def test_a_causal_network_says_bit_for_bit_what_it_says_step_by_step() -> None:
    (sequence,) = noise_sequences([21], 3)
    model = labeller(bidirectional=False, frame_difference=True)
    said = StepLabeller(model, LABELS, minimum_seconds=0.0)("v.mp4", sequence)
    state = model.initial_state(1)
    for x_F, expected in zip(torch.from_numpy(sequence.features), said.window_probabilities, strict=True):
        scores, state = model.step(x_F[None], state)
        assert scores[0].double().softmax(-1).tolist() == expected.tolist()


def test_segments_change_where_a_boundary_is_likeliest() -> None:
    (sequence,) = noise_sequences([60], 3)
    model = labeller(boundary=True)
    said = StepLabeller(model, LABELS, minimum_seconds=0.0)("v.mp4", sequence)
    begins_T = said.boundary_probabilities
    assert begins_T is not None and begins_T.shape == (60,)
    inner = begins_T[1:-1]
    peaks = (inner > begins_T[:-2]) & (inner >= begins_T[2:]) & (inner >= 0.5)
    starts = {0.0, *sequence.timestamps_seconds[1:-1][peaks], sequence.timestamps_seconds[-1]}
    assert {s.start_seconds for s in said.segments} <= starts
    assert 1 < len(said.segments) < len(starts)
    means = mean_between(said.window_probabilities, begins_T)
    assert said.segments[0].label == LABELS[means[0].argmax()]
    assert StepLabeller(labeller(), LABELS, minimum_seconds=0.0)("v", sequence).boundary_probabilities is None


def test_between_boundaries_probabilities_are_their_mean() -> None:
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.0, 1.0]])
    begins = np.array([0.9, 0.3, 0.4, 0.6, 0.6, 0.2])  # one below a half, one as high as the next, and an end
    said = mean_between(chances, begins)
    assert said[:, 0] == pytest.approx([0.6] * 3 + [0.2] * 3)
    assert mean_between(chances, None) is chances
    assert mean_between(chances[:0], begins[:0]).shape == (0, 2)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("length", [0, 1])
def test_the_shortest_videos(length: int, several: bool) -> None:
    sequence = FeatureSequence(np.zeros((length, 3), np.float16), np.arange(length) / 10)
    said = StepLabeller(labeller(), LABELS, minimum_seconds=0.5, multi_label=several)("v.mp4", sequence)
    assert said.window_probabilities.shape == (length, 3)
    assert len(said.segments) == (0 if several else length)


def test_labels_that_overlap_hold_each_by_itself() -> None:
    chances = np.array([[0.9, 0.1], [0.6, 0.7], [0.2, 0.8], [0.6, 0.1]])
    bounds = np.arange(5.0)
    assert overlapping_segments(bounds, chances, ("a", "b"), minimum_seconds=2.0) == (
        Segment(0, 2, "a", pytest.approx(0.75)),
        Segment(1, 3, "b", pytest.approx(0.75)),
    )
    assert len(overlapping_segments(bounds, chances, ("a", "b"), minimum_seconds=0.0)) == 3


def test_segments_become_steps_again() -> None:
    segments = (Segment(0, 0.3, "b", 1), Segment(0.3, 0.5, "a", 1))
    assert step_classes(np.arange(7) / 10, segments, LABELS).tolist() == [1, 1, 1, 0, 0, -1, -1]

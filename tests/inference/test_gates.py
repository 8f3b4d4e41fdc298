"""What is recorded of the gates is what the classifier computed, window by window."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fakes.features import noise_sequences
from vidlstm.inference.gates import record_gates
from vidlstm.inference.segments import merge_windows, step_probabilities
from vidlstm.models.cells import CELLS
from vidlstm.models.classifier import SequenceClassifier

ROWS = [(0, 6), (3, 9), (6, 12), (8, 14), (10, 14)]


def classifier(cell: str, **options) -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(5, 3, cell=cell, hidden_size=4, projection=6, **options).eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_window_is_recorded_as_the_encoder_ran_it(cell: str, bidirectional: bool) -> None:
    model = classifier(cell, bidirectional=bidirectional, frame_difference=True)
    (sequence,) = noise_sequences([14], 5)
    recording = record_gates(model, sequence, ROWS)
    assert recording.largest_difference <= 1e-5
    ways = ["forward", "backward"] if bidirectional else ["forward"]
    assert list(recording.traces) == [f"layer{layer}_{way}" for layer in (1, 2) for way in ways]
    for trace in recording.traces.values():
        assert set(trace) >= set(CELLS[cell].state_names)
        assert {values.shape for values in trace.values()} == {(5, 6, 4)}
    x = torch.from_numpy(sequence.features[10:14]).float()[None]
    with torch.no_grad():
        y, _ = model.encoder(model.encoder_input(x, torch.tensor([4])), torch.tensor([4]))
    again = np.concatenate([recording.traces[f"layer2_{way}"]["h"][4, :4] for way in ways], axis=-1)
    np.testing.assert_allclose(again, y[0].numpy(), atol=1e-5)
    assert not any(values[4, 4:].any() for trace in recording.traces.values() for values in trace.values())


def test_many_windows_are_joined_in_order() -> None:
    model = classifier("lstm")
    (sequence,) = noise_sequences([90], 5)
    rows = [(first, first + 4 + first % 3) for first in range(80)]
    recording = record_gates(model, sequence, rows)
    alone = record_gates(model, sequence, [rows[70]])
    length = rows[70][1] - rows[70][0]
    for name, trace in recording.traces.items():
        for letter, values in trace.items():
            np.testing.assert_allclose(
                values[70, :length], alone.traces[name][letter][0, :length], atol=1e-6, err_msg=letter
            )


def test_a_replay_that_differs_is_never_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    model = classifier("lstm")
    (sequence,) = noise_sequences([14], 5)
    with torch.no_grad():
        honest = model.encoder.stack.kernel.forward
        monkeypatch.setattr(model.encoder.stack.kernel, "forward", lambda x, s: _off(honest(x, s)))
    with pytest.raises(AssertionError, match="apart"):
        record_gates(model, sequence, ROWS)


def _off(result):
    packed, last = result
    return packed._replace(data=packed.data + 1e-3), last


def test_merged_windows_weigh_most_in_their_middle() -> None:
    values = np.zeros((2, 3, 1))
    values[1] = [[10.0], [20.0], [30.0]]
    merged = merge_windows([(0, 3), (2, 5)], values, 5)[:, 0]
    # Step 2 is the edge of both, with equal weights; steps 3 and 4 belong to the second window alone.
    assert merged.tolist() == pytest.approx([0.0, 0.0, 5.0, 20.0, 30.0])
    p = np.array([[0.2, 0.8], [0.6, 0.4]])
    np.testing.assert_allclose(
        step_probabilities([(0, 3), (2, 5)], p, 5),
        merge_windows([(0, 3), (2, 5)], np.repeat(p[:, None], 3, 1), 5),
    )

"""Every gate of a classifier at work on a video, window by window, as it predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vidlstm.inference.windows import window_batches
from vidlstm.models.cells import valid_steps
from vidlstm.models.fusion import streams_of
from vidlstm.models.replay import replay

if TYPE_CHECKING:
    from torch import Tensor

    from vidlstm.models.classifier import SequenceClassifier
    from vidlstm.models.fusion import Classifier
    from vidlstm.models.replay import Trace
    from vidlstm.structures import FeatureSequence

AGREEMENT = 1e-5
"""How far the replayed hidden state may be from what the fast code gave."""


@dataclass(frozen=True, eq=False)
class GateRecording:
    """What every unit did in every window.

    Attributes:
        rows: the rows of the sequence that each of the W windows covers, ``[first, last)``.
        traces: by layer and direction, such as ``layer1_forward``, or in a late fusion
            ``stream1.layer1_forward``: every gate, ``c`` and ``h`` by its letter, float32 ``(W, L, D)``; L is
            the longest window, steps beyond a window's own length are zero.
        largest_difference: between the last layers' replayed ``h`` and the encoder's output, over all steps.
    """

    rows: list[tuple[int, int]]
    traces: dict[str, dict[str, np.ndarray]]
    largest_difference: float

    def __repr__(self) -> str:
        return f"GateRecording({len(self.rows)} windows, {', '.join(self.traces)})"


@torch.inference_mode()
def record_gates(model: Classifier, sequence: FeatureSequence, rows: list[tuple[int, int]]) -> GateRecording:
    """Runs the windows through the encoder, and again one step at a time with every gate noted.

    Args:
        model: in eval mode, on the CPU.
        sequence: the features of one video.
        rows: the windows, at least one.

    Raises:
        AssertionError: the replay does not give what the encoder gave; a bug of ours.
    """
    parts: list[dict[str, Trace]] = []
    difference = 0.0
    for batch in window_batches(sequence, rows):
        noted: dict[str, Trace] = {}
        for prefix, stream, x_BTF in streams_of(model, batch.x_BTF):
            traces, apart = _record(stream, x_BTF, batch.lengths_B)
            noted |= {f"{prefix}{name}": trace for name, trace in traces.items()}
            difference = max(difference, apart)
        parts.append(noted)
    assert difference <= AGREEMENT, f"the replayed gates are not the encoder's: {difference:.1e} apart"
    longest = max(last - first for first, last in rows)
    joined = {name: _joined([part[name] for part in parts], longest) for name in parts[0]}
    return GateRecording(rows, joined, difference)


def _record(model: SequenceClassifier, x_BTF: Tensor, lengths_B: Tensor) -> tuple[dict[str, Trace], float]:
    """The traces of one network on one batch, and how far the last layer's are from its encoder's output."""
    ways = ("forward", "backward") if model.encoder.bidirectional else ("forward",)
    read_BTE = model.encoder_input(x_BTF, lengths_B)
    y_BTD, _ = model.encoder(read_BTE, lengths_B)
    traces = replay(model.encoder.stack, read_BTE, lengths_B)
    again_BTD = torch.cat([trace["h"] for trace in traces[-len(ways) :]], dim=-1)
    names = [f"layer{1 + index // len(ways)}_{ways[index % len(ways)]}" for index in range(len(traces))]
    return dict(zip(names, traces, strict=True)), largest_difference(again_BTD, y_BTD, lengths_B)


def largest_difference(a_BTD: Tensor, b_BTD: Tensor, lengths_B: Tensor) -> float:
    """Over valid steps; relative to the values where they are larger than 1, which a rectifier's may be."""
    valid_BT = valid_steps(lengths_B, a_BTD.shape[1])
    apart = (a_BTD - b_BTD).abs() / b_BTD.abs().clamp_min(1.0)
    return float(apart[valid_BT].max())


def _joined(parts: list[Trace], longest: int) -> dict[str, np.ndarray]:
    """The traces of all batches below each other, padded to one length."""
    joined = {}
    for letter in parts[0]:
        padded = [torch.nn.functional.pad(p[letter], (0, 0, 0, longest - p[letter].shape[1])) for p in parts]
        joined[letter] = torch.cat(padded).float().numpy()
    return joined

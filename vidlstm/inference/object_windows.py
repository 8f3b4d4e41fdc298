"""A trained classifier over the objects of a whole video. It opens no video and no checkpoint."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidlstm.datamodules.bags import bags_in, table_of
from vidlstm.inference.labelling import probabilities_of
from vidlstm.inference.segments import merge_segments, merge_windows, window_starts
from vidlstm.structures import ActionPrediction, ObjectActions, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.datamodules.object_sequences import ObjectSequence
    from vidlstm.inference.windows import Cut
    from vidlstm.models.bags import BagClassifier
    from vidlstm.models.fusion import BagFusion

BATCH_SIZE = 32


@dataclass
class _Seen:
    """What is said of one track, window by window."""

    window: list[int] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    rows: list[tuple[int, int]] = field(default_factory=list)
    probabilities: list[np.ndarray] = field(default_factory=list)
    attention: list[float] = field(default_factory=list)


class ObjectWindowClassifier:
    """Slides windows over the sequences of all objects of a video at once.

    In each window every object that is seen for long enough is judged by itself, and the scene by all of them
    pooled with the attention the network has learned.

    Args:
        model: in eval mode.
        labels: the K class names.
        feature_dim: F.
        step_seconds: from one step of the scene to the next.
        minimum_object_seconds: what is seen of an object for a shorter time in a window is not judged.
        cut: how a video is cut into windows.
        produced_by: plain values copied into every prediction.
    """

    def __init__(
        self,
        model: BagClassifier | BagFusion,
        labels: tuple[str, ...],
        cut: Cut,
        *,
        feature_dim: int,
        step_seconds: float,
        minimum_object_seconds: float,
        produced_by: dict[str, Any] | None = None,
    ) -> None:
        self._model, self._labels, self._step = model, labels, step_seconds
        self._feature_dim = feature_dim
        self._minimum_object_seconds, self.cut = minimum_object_seconds, cut
        self._produced_by = {**(produced_by or {}), **cut.as_plain()}

    def __call__(
        self, video: str, sequences: Sequence[ObjectSequence], *, first_seconds: float, last_seconds: float
    ) -> ObjectActions:
        """Predicts one video.

        Args:
            video: its path, for the record.
            sequences: of its objects.
            first_seconds, last_seconds: the times of its first and last frame.
        """
        edges_W2 = self._windows(first_seconds, last_seconds)
        bags = [self._inside(sequences, start, end) for start, end in edges_W2.tolist()]
        scene_WK, seen = self._judge(sequences, bags)
        return ObjectActions(
            video=video,
            labels=self._labels,
            scene=self._scene(video, edges_W2, scene_WK, last_seconds + self._step),
            tracks={i: self._track(video, sequences, edges_W2, of) for i, of in sorted(seen.items())},
            attention={i: np.array(of.attention) for i, of in sorted(seen.items())},
            short_tracks=self._short(sequences, seen),
        )

    def of_window(
        self, sequences: Sequence[ObjectSequence], start_seconds: float, end_seconds: float
    ) -> dict[int, np.ndarray]:
        """Class probabilities ``(K,)`` of each track that is seen for long enough in one window.

        Args:
            sequences: of the objects, as in a call.
            start_seconds, end_seconds: the window.
        """
        bag = self._inside(sequences, start_seconds, end_seconds)
        _, seen = self._judge(sequences, [bag]) if bag else (None, {})
        return {track_id: of.probabilities[-1] for track_id, of in seen.items()}

    def _windows(self, first_seconds: float, last_seconds: float) -> np.ndarray:
        """Start and end of each window ``(W, 2)``; the last ends with the video."""
        end = last_seconds + self._step
        times = np.arange(first_seconds, end - self._step / 2, self._step)
        starts = window_starts(times, end, self.cut.window_seconds, self.cut.stride_seconds)
        return np.stack([starts, np.minimum(starts + self.cut.window_seconds, end)], axis=1)

    def _inside(
        self, sequences: Sequence[ObjectSequence], start: float, end: float
    ) -> list[tuple[int, int, int]]:
        """Sequence, first and one past the last step of each one that is seen for long enough."""
        shortest = min(self._minimum_object_seconds, end - start)
        within = [sequence.within(start, end, minimum_seconds=shortest) for sequence in sequences]
        return [(i, *seen) for i, seen in enumerate(within) if seen]

    @torch.inference_mode()
    def _judge(
        self, sequences: Sequence[ObjectSequence], bags: list[list[tuple[int, int, int]]]
    ) -> tuple[np.ndarray, dict[int, _Seen]]:
        """Class probabilities of the scene in each window ``(W, K)``, and of each track where it is seen."""
        rows_NF, starts = table_of(sequences, self._feature_dim)
        bounds = [[(starts[i] + first, starts[i] + last) for i, first, last in bag] for bag in bags]
        dataset = bags_in(rows_NF, bounds, [0] * len(bags))
        device = next(self._model.parameters()).device
        scene, seen = [], defaultdict[int, _Seen](_Seen)
        for first in range(0, len(bags), BATCH_SIZE):
            windows = list(range(first, min(first + BATCH_SIZE, len(bags))))
            batch = dataset[windows].to(device)
            said = self._model.scores(batch.x_BTF, batch.lengths_B, batch.extras["bag_B"])
            scene.append(probabilities_of(said.bags_GK))
            probabilities_BK = probabilities_of(said.sequences_BK)
            attention_B = said.attention_B.double().cpu().numpy()
            place = 0
            for window in windows:
                for i, begin, end in bags[window]:
                    track = seen[sequences[i].track_id]
                    track.window.append(window)
                    track.sequence.append(i)
                    track.rows.append((begin, end))
                    track.probabilities.append(probabilities_BK[place])
                    track.attention.append(float(attention_B[place]))
                    place += 1
                place += not bags[window]  # a bag of nobody
        return np.concatenate(scene), dict(seen)

    def _scene(
        self, video: str, edges_W2: np.ndarray, probabilities_WK: np.ndarray, end_seconds: float
    ) -> ActionPrediction:
        times = np.arange(edges_W2[0, 0], end_seconds - self._step / 2, self._step)
        rows = [tuple(np.searchsorted(times, edge - self._step / 2).tolist()) for edge in edges_W2]
        parts = [(times, self._step, rows, probabilities_WK)]
        return self._prediction(video, edges_W2, probabilities_WK, parts)

    def _track(
        self, video: str, sequences: Sequence[ObjectSequence], edges_W2: np.ndarray, of: _Seen
    ) -> ActionPrediction:
        probabilities_WK = np.stack(of.probabilities)
        parts = []
        for i in dict.fromkeys(of.sequence):
            mine = [n for n, owner in enumerate(of.sequence) if owner == i]
            rows = [of.rows[n] for n in mine]
            parts.append((sequences[i].seconds_T, sequences[i].step_seconds, rows, probabilities_WK[mine]))
        return self._prediction(video, edges_W2[of.window], probabilities_WK, parts)

    def _prediction(
        self,
        video: str,
        edges_W2: np.ndarray,
        probabilities_WK: np.ndarray,
        parts: list[tuple[np.ndarray, float, list[Any], np.ndarray]],
    ) -> ActionPrediction:
        segments: list[Segment] = []
        for times, step, rows, of_rows_WK in parts:
            segments += merge_segments(
                times,
                merge_windows(rows, of_rows_WK[:, None], len(times)),
                self._labels,
                minimum_seconds=self.cut.minimum_seconds,
                end_seconds=float(times[-1]) + step,
            )
        return ActionPrediction(
            video=video,
            labels=self._labels,
            window_start_seconds=edges_W2[:, 0],
            window_end_seconds=edges_W2[:, 1],
            window_probabilities=probabilities_WK,
            segments=tuple(segments),
            produced_by=self._produced_by,
        )

    def _short(self, sequences: Sequence[ObjectSequence], seen: dict[int, _Seen]) -> dict[int, float]:
        """How long each track is seen that was judged in no window."""
        seconds: dict[int, float] = defaultdict(float)
        for sequence in sequences:
            seconds[sequence.track_id] += len(sequence) * sequence.step_seconds
        return {track_id: length for track_id, length in sorted(seconds.items()) if track_id not in seen}

"""A trained network over features that come one by one, from many sources at once.

A network that reads forwards alone takes one step and carries its state. Any other reads a window of the last
features anew at every stride. It opens no video and no checkpoint.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidlstm.inference.labelling import probabilities_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from vidlstm.inference.windows import Cut


class Streams(ABC):
    """Says what each source shows now.

    Attributes:
        how: one sentence: what is done at each step.
    """

    how: str

    @abstractmethod
    def push(
        self, keys: Sequence[Hashable], features_BF: np.ndarray, seconds_B: Sequence[float]
    ) -> list[np.ndarray | None]:
        """Takes the next features of some sources.

        Args:
            keys: of the sources, each once; one that is new starts without a past.
            features_BF: a row each.
            seconds_B: their times, rising in each source.

        Returns:
            Class probabilities ``(K,)`` float64 of each, None where nothing is said at this step.
        """

    @abstractmethod
    def forget(self, key: Hashable) -> None:
        """Drops what is carried of a source."""


class CarriedState(Streams):
    """One step of a causal network a feature; each source has its own state.

    Args:
        model: in eval mode, with ``initial_state`` and ``step``.
        multi_label: each class is decided by itself.
    """

    how = "one step a frame, with the state carried"

    def __init__(self, model: Any, *, multi_label: bool = False) -> None:
        self._model, self._multi_label = model, multi_label
        self._states: dict[Hashable, Any] = {}

    @torch.inference_mode()
    def push(
        self, keys: Sequence[Hashable], features_BF: np.ndarray, seconds_B: Sequence[float]
    ) -> list[np.ndarray | None]:
        """One step of all, in one batch; see :meth:`Streams.push`."""
        del seconds_B
        states = [self._states.get(key) or self._model.initial_state(1) for key in keys]
        x_BF = torch.from_numpy(features_BF).to(next(self._model.parameters()).device)
        scores_BK, after = self._model.step(x_BF, _joined(states))
        self._states.update(zip(keys, _apart(after, len(keys)), strict=True))
        return list(probabilities_of(scores_BK, multi_label=self._multi_label))

    def forget(self, key: Hashable) -> None:
        """Drops a source's state."""
        self._states.pop(key, None)


def _joined(states: list[Any]) -> Any:
    """States of one sequence each as that of a batch."""
    kind, before = type(states[0]), torch.cat([state.before_BF for state in states])
    parts = zip(*(state.encoder for state in states), strict=True)
    return kind(before, tuple(torch.cat(part, dim=1) for part in parts))


def _apart(state: Any, batch: int) -> list[Any]:
    """The state of a batch as those of its sequences, in memory of their own."""
    return [
        type(state)(
            state.before_BF[b : b + 1].clone(), tuple(part[:, b : b + 1].clone() for part in state.encoder)
        )
        for b in range(batch)
    ]


class SlidingWindow(Streams):
    """The last window of each source, read anew at every stride.

    Args:
        classifier: gives ``probabilities (B, K)`` of padded windows and their lengths.
        cut: how long a window is, and how far apart.
    """

    def __init__(self, classifier: Any, cut: Cut) -> None:
        self._classifier, self._cut = classifier, cut
        self._past: dict[Hashable, deque[tuple[float, np.ndarray]]] = {}
        self._start: dict[Hashable, float] = {}  # of the window that is due next
        self.how = (
            f"a window of {cut.window_seconds:.3g} s is read anew every {cut.stride_seconds:.3g} s, which is "
            f"{cut.window_seconds / cut.stride_seconds:.3g} steps for each that a causal network takes"
        )

    def push(
        self, keys: Sequence[Hashable], features_BF: np.ndarray, seconds_B: Sequence[float]
    ) -> list[np.ndarray | None]:
        """Reads the windows that are due, in one batch; see :meth:`Streams.push`."""
        due = [b for b, row in enumerate(zip(keys, features_BF, seconds_B, strict=True)) if self._keep(*row)]
        said: list[np.ndarray | None] = [None] * len(keys)
        if due:
            windows = [np.stack([x_F for _, x_F in self._past[keys[b]]]) for b in due]
            for b, probabilities_K in zip(due, self._classifier.of_windows(windows), strict=True):
                said[b] = probabilities_K
        return said

    def _keep(self, key: Hashable, x_F: np.ndarray, seconds: float) -> bool:
        """Adds a row to a source's window, and tells whether the window is whole and due."""
        past = self._past.setdefault(key, deque())
        start = self._start.setdefault(key, seconds)
        past.append((seconds, x_F))
        step = (seconds - past[0][0]) / (len(past) - 1) if len(past) > 1 else 0.0
        # The next step would lie outside; half a step of tolerance, as in segments.window_rows.
        whole = seconds + 1.5 * step >= start + self._cut.window_seconds
        if whole:  # after a gap the window is the one that ends here
            start = max(start, seconds + step / 2 - self._cut.window_seconds)
        while past[0][0] < start - step / 2 - 1e-9:
            past.popleft()
        self._start[key] = start + self._cut.stride_seconds if whole else start
        return whole

    def forget(self, key: Hashable) -> None:
        """Drops a source's window."""
        self._past.pop(key, None)
        self._start.pop(key, None)

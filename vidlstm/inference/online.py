"""What happens when, said while it happens: probabilities step by step to segments that begin and end.

The rule is hysteresis, as of a Schmitt trigger: a label begins where its probability has reached a threshold
for long enough, and is over where it falls below a lower one. Each label is judged by itself, so that several
may be there at once where a network says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from vidlstm.settings import OnlineSettings


@dataclass(frozen=True)
class Change:
    """A label begins or is over.

    Attributes:
        kind: ``start``, or ``end``.
        label: its name.
        start_seconds: when it began, in the source's own clock.
        end_seconds: when it was over; None while it lasts.
        probability: the mean over its steps so far.
    """

    kind: Literal["start", "end"]
    label: str
    start_seconds: float
    end_seconds: float | None
    probability: float


class OnlineSegments:
    """Segments of one source.

    At 2 steps a second, ``enter`` 0.6, ``leave`` 0.4 and half a second at least::

        seconds      0.0  0.5  1.0  1.5  2.0  2.5  3.0
        probability  0.1  0.7  0.8  0.5  0.5  0.3  0.1
        said                   start at 0.5   end at 2.5

    Args:
        labels: the K names.
        settings: the rule.
        silent: labels that are never said, such as a background.
    """

    def __init__(
        self, labels: tuple[str, ...], settings: OnlineSettings, silent: Collection[str] = ()
    ) -> None:
        self.labels, self._rule = labels, settings
        self._said_K = np.array([label not in silent for label in labels])
        self._since_K = np.full(len(labels), np.nan)  # when it became as likely as that
        self._lasts_K = np.zeros(len(labels), bool)
        self._sum_K, self._steps_K = np.zeros(len(labels)), np.zeros(len(labels))
        self._last_seconds: float | None = None

    @property
    def lasting(self) -> tuple[str, ...]:
        """The labels that have begun and are not over."""
        return tuple(self.labels[k] for k in np.flatnonzero(self._lasts_K))

    def push(self, seconds: float, probabilities_K: np.ndarray) -> list[Change]:
        """What the probabilities at a moment, later than the last, change."""
        self._last_seconds = seconds
        over_K = self._lasts_K & ~(probabilities_K >= self._rule.leave)  # one that is no number, too
        changes = [self._end(int(k), seconds) for k in np.flatnonzero(over_K)]
        likely_K = self._lasts_K | ((probabilities_K >= self._rule.enter) & self._said_K)
        self._since_K = np.where(likely_K, np.where(np.isnan(self._since_K), seconds, self._since_K), np.nan)
        self._sum_K = np.where(likely_K, self._sum_K + probabilities_K, 0.0)
        self._steps_K = np.where(likely_K, self._steps_K + 1, 0)
        long_K = likely_K & (seconds - self._since_K >= self._rule.minimum_seconds - 1e-9)
        begins = np.flatnonzero(long_K & ~self._lasts_K)
        self._lasts_K |= long_K
        return changes + [self._change("start", int(k), None) for k in begins]

    def finish(self, seconds: float | None = None) -> list[Change]:
        """Ends what lasts, at a moment or at the last step; the next step begins anew."""
        end = self._last_seconds if seconds is None else seconds
        changes = [self._end(int(k), end or 0.0) for k in np.flatnonzero(self._lasts_K)]
        self._since_K[:], self._sum_K[:], self._steps_K[:] = np.nan, 0.0, 0.0
        return changes

    def _end(self, k: int, seconds: float) -> Change:
        change = self._change("end", k, seconds)
        self._lasts_K[k], self._since_K[k] = False, np.nan
        self._sum_K[k] = self._steps_K[k] = 0.0
        return change

    def _change(self, kind: Literal["start", "end"], k: int, end: float | None) -> Change:
        mean = float(self._sum_K[k] / max(self._steps_K[k], 1))
        return Change(kind, self.labels[k], float(self._since_K[k]), end, mean)

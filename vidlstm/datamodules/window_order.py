"""Which windows of long sequences make up each training batch."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Window(NamedTuple):
    """A stretch of a sequence.

    Attributes:
        sequence: its number.
        first, last: its steps ``[first, last)``.
        slot: where its state is carried; windows of one slot follow each other.
    """

    sequence: int
    first: int
    last: int
    slot: int = 0


class WindowOrder(Sampler[list[Window]]):
    """The windows of each batch of one process.

    Without ``carry`` every sequence gives as many windows as would cover it, at random places and of full
    length; they are shuffled. With it (truncated back-propagation through time: Williams and Peng 1990)
    windows cover each sequence one after another; a batch holds one window of each of several sequences, and
    the next batch the windows that follow, in the same slots.

    Args:
        lengths: of the sequences.
        steps: of a window; None takes whole sequences.
        batch_size: windows per process and batch.
        carry: see above; for one process alone.
        seed: of the order; the same in all processes.
        rank, world_size: this process among all.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        steps: int | None,
        batch_size: int,
        *,
        carry: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._lengths, self._batch_size, self._carry, self._seed = list(lengths), batch_size, carry, seed
        self._steps = max(self._lengths) if steps is None else steps
        self._rank, self._world_size = rank, world_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[list[Window]]:
        return iter(self._batches())

    def __len__(self) -> int:
        return len(self._batches())

    def _batches(self) -> list[list[Window]]:
        # Mixed, not added up: else seed 0's second epoch would be seed 1's first.
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, self._epoch]))
        return self._following(rng) if self._carry else self._shuffled(rng)

    def _shuffled(self, rng: np.random.Generator) -> list[list[Window]]:
        windows = [w for s, length in enumerate(self._lengths) for w in self._scattered(s, length, rng)]
        order = [windows[i] for i in rng.permutation(len(windows))]
        order += order[: -len(order) % self._world_size]
        mine = order[self._rank :: self._world_size]
        return [mine[i : i + self._batch_size] for i in range(0, len(mine), self._batch_size)]

    def _scattered(self, sequence: int, length: int, rng: np.random.Generator) -> list[Window]:
        steps = min(self._steps, length)
        # Beyond both ends and then moved back: else the first and last steps would be seen least.
        starts = rng.integers(-(steps // 2), length - steps + steps // 2 + 1, -(-length // steps))
        return [Window(sequence, a, a + steps) for a in np.clip(starts, 0, length - steps).tolist()]

    def _following(self, rng: np.random.Generator) -> list[list[Window]]:
        waiting = deque(rng.permutation(len(self._lengths)).tolist())
        slots: list[deque[Window]] = [deque() for _ in range(min(self._batch_size, len(waiting)))]
        batches = []
        while waiting or any(slots):
            for number, slot in enumerate(slots):
                if not slot and waiting:
                    slot.extend(self._pieces(waiting.popleft(), number))
            batches.append([slot.popleft() for slot in slots if slot])
        return batches

    def _pieces(self, sequence: int, slot: int) -> list[Window]:
        length = self._lengths[sequence]
        starts = range(0, length, self._steps)
        return [Window(sequence, a, min(a + self._steps, length), slot) for a in starts]

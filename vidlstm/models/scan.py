"""One layer of any cell over whole sequences, in one direction: a loop over time around the cell's step.

Sequences come packed, as torch packs them: sorted from long to short, the rows of all sequences at step 0,
then at step 1, and so on. So a step touches valid rows only, and nothing is ever masked.

The gradient with respect to W is one matrix product over all steps at the end, not one a step. That, oneDNN's
products and the closed-form derivatives of some cells are where the speed comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vidlstm.models.products import product_with, weight_gradient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vidlstm.models.cells import Cell, Pullback, State


@dataclass(frozen=True)
class Schedule:
    """Which packed rows belong to which step, and in which order the steps are taken.

    Attributes:
        rows: of each step, how many sequences are that long; falling.
        backward: from the last step to the first. A sequence then joins with its own last valid step.
    """

    rows: tuple[int, ...]
    backward: bool = False

    def slices(self) -> list[slice]:
        """The rows of every step, in the order the steps are taken."""
        ends = list(accumulate(self.rows))
        slices = [slice(end - rows, end) for rows, end in zip(self.rows, ends, strict=True)]
        return slices[::-1] if self.backward else slices

    def packed(self, steps: Sequence[Tensor]) -> Tensor:
        """Puts tensors given in the order of the steps back into packed order, ``(N, ...)``."""
        return torch.cat(list(steps[::-1] if self.backward else steps))


def scan(
    cell: Cell, schedule: Schedule, x_NG: Tensor, W_GD: Tensor, state: State, own: Mapping[str, Tensor]
) -> tuple[Tensor, State]:
    """Runs a layer.

    Args:
        cell: the equations.
        schedule: of the packed rows.
        x_NG: the input's part of every gate, packed.
        W_GD: recurrent weight.
        state: to start from, ``(B, D)`` each, rows sorted as the sequences are.
        own: the cell's own parameters.

    Returns:
        h after every step, packed ``(N, D)``, and the state after each sequence's last step.
    """
    low = torch.get_autocast_dtype(x_NG.device.type) if torch.is_autocast_enabled(x_NG.device.type) else None
    with torch.autocast(x_NG.device.type, enabled=False):
        if torch.is_grad_enabled():
            h_ND, *last = _Scan.apply(cell, schedule, low, tuple(own), x_NG, W_GD, *state, *own.values())
        else:
            h_ND, last = _run(cell, schedule, low, x_NG, W_GD, state, own)
    return h_ND, tuple(last)


def _run(
    cell: Cell,
    schedule: Schedule,
    low: torch.dtype | None,
    x_NG: Tensor,
    W_GD: Tensor,
    state: State,
    own: Mapping[str, Tensor],
    tape: list[tuple[State, State, Pullback]] | None = None,
) -> tuple[Tensor, State]:
    """The loop. With a ``tape`` it notes the state before and after each step, and its pullback."""
    recur = product_with(W_GD, schedule.rows[0], low)
    outputs = []
    for rows in schedule.slices():
        alive = rows.stop - rows.start
        before = tuple(part[:alive] for part in state)
        r_BG = recur(before[0])
        if tape is None:
            after, _ = cell.step(x_NG[rows], r_BG, before, own)
        else:
            after, pullback = cell.step_with_pullback(x_NG[rows], r_BG, before, own)
            tape.append((before, after, pullback))
        outputs.append(after[0])
        state = tuple(_replace_head(old, new) for old, new in zip(state, after, strict=True))
    return schedule.packed(outputs), state


def _replace_head(old_BD: Tensor, new_AD: Tensor) -> Tensor:
    """The first rows anew, the others (sequences that ended, or did not begin) as they were."""
    return new_AD if len(new_AD) == len(old_BD) else torch.cat([new_AD, old_BD[len(new_AD) :]])


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        schedule: Schedule,
        low: torch.dtype | None,
        names: tuple[str, ...],
        x_NG: Tensor,
        W_GD: Tensor,
        *state_and_own: Tensor,
    ) -> tuple[Tensor, ...]:
        carried = len(cell.state_names)
        state, own = state_and_own[:carried], dict(zip(names, state_and_own[carried:], strict=True))
        ctx.cell, ctx.schedule, ctx.low, ctx.tape = cell, schedule, low, []
        ctx.save_for_backward(W_GD, *own.values())
        h_ND, last = _run(cell, schedule, low, x_NG, W_GD, state, own, ctx.tape)
        # The last state may be the very tensor that the tape holds; an output must be its own.
        return (h_ND, *(part.clone() for part in last))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_h_ND: Tensor, *d_last: Tensor) -> tuple[Tensor | None, ...]:
        W_GD, *own = ctx.saved_tensors
        schedule: Schedule = ctx.schedule
        recur_back = product_with(W_GD.t(), schedule.rows[0], ctx.low)
        d_state, d_own = tuple(d_last), [torch.zeros_like(weight) for weight in own]
        d_x_steps, d_r_steps = [], []
        for rows, (_, _, pullback) in zip(reversed(schedule.slices()), reversed(ctx.tape), strict=True):
            alive = rows.stop - rows.start
            d_after = (d_state[0][:alive] + d_h_ND[rows], *(part[:alive] for part in d_state[1:]))
            d_x, d_r, d_before, d_weights = pullback(d_after)
            d_through_W = recur_back(d_r)
            d_h = d_through_W if d_before[0] is None else d_through_W.add_(d_before[0])
            d_before = (d_h, *d_before[1:])
            d_state = tuple(_replace_head(old, new) for old, new in zip(d_state, d_before, strict=True))
            if d_weights is not None:
                for total, part in zip(d_own, d_weights, strict=True):
                    total += part
            d_x_steps.append(d_x)
            d_r_steps.append(d_r)
        d_x_NG = schedule.packed(d_x_steps[::-1])
        d_r_NG = d_x_NG if d_r_steps[0] is d_x_steps[0] else schedule.packed(d_r_steps[::-1])
        before, after, _ = zip(*ctx.tape, strict=True)
        d_W_GD = weight_gradient(d_r_NG, schedule.packed([state[0] for state in before]), ctx.low)
        if d_weights is None:
            packed = [tuple(map(schedule.packed, zip(*states, strict=True))) for states in (before, after)]
            d_own = ctx.cell.own_gradients(d_x_NG, *packed)
        return (None, None, None, None, d_x_NG, d_W_GD, *d_state, *d_own)

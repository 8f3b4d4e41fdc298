"""Every gate at every step, by replaying a stack's equations one step at a time.

Slow and plain on purpose: fused kernels keep their gates to themselves, so this walks the same equations with
the same weights, and the last ``h`` it gives must be what the kernel gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from vidlstm.models.cells import valid_steps

if TYPE_CHECKING:
    from vidlstm.models.cells import State
    from vidlstm.models.stacks import FusedStack, Layer, ScanStack

Trace: TypeAlias = dict[str, Tensor]
"""Of one layer in one direction: every gate, ``h`` and, where there is one, ``c``; ``(B, T, D)`` each, zero
at padded steps. Position t is what was computed when x_t was read, whichever way the layer reads."""


def replay(
    stack: FusedStack | ScanStack, x_BTF: Tensor, lengths_B: Tensor | None = None, state: State | None = None
) -> list[Trace]:
    """Records a stack at work, without dropout.

    Args:
        stack: of a :class:`~vidlstm.models.recurrent.RecurrentEncoder`.
        x_BTF, lengths_B, state: as the stack takes them.

    Returns:
        a trace a layer, a forward one before its backward one.
    """
    batch, steps = x_BTF.shape[:2]
    if lengths_B is None:
        lengths_B = torch.full((batch,), steps, device=x_BTF.device)
    mask_BT = valid_steps(lengths_B, steps)
    layers = stack.layers
    ways = 2 if layers[-1].backward else 1
    traces: list[Trace] = []
    for index, layer in enumerate(layers):
        if index and index % ways == 0:
            x_BTF = torch.cat([trace["h"] for trace in traces[-ways:]], dim=-1)
        start = None if state is None else tuple(part[index] for part in state)
        traces.append(_replay_layer(layer, x_BTF.masked_fill(~mask_BT[..., None], 0.0), mask_BT, start))
    return traces


def _replay_layer(layer: Layer, x_BTF: Tensor, mask_BT: Tensor, start: State | None) -> Trace:
    batch, steps = mask_BT.shape
    x_BTG = layer.project(x_BTF.flatten(0, 1)).view(batch, steps, -1)
    zeros = layer.W_GD.new_zeros(batch, layer.W_GD.shape[1])
    state = start or tuple(zeros for _ in layer.cell.state_names)
    seen: list[dict[str, Tensor]] = []
    for t in reversed(range(steps)) if layer.backward else range(steps):
        after, gates = layer.cell.step(x_BTG[:, t], layer.recur(state[0]), state, layer.own)
        valid_B1 = mask_BT[:, t, None]
        state = tuple(torch.where(valid_B1, new, old) for new, old in zip(after, state, strict=True))
        step = {**gates, **dict(zip(layer.cell.state_names, after, strict=True))}
        seen.append({name: value * valid_B1 for name, value in step.items()})
    if layer.backward:
        seen.reverse()
    return {name: torch.stack([step[name] for step in seen], dim=1) for name in seen[0]}

"""The multi-layer recurrent encoder, whatever the cell."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor, nn

from vidlstm.errors import nearest
from vidlstm.models.cells import CELLS
from vidlstm.models.stacks import FusedStack, ScanStack

if TYPE_CHECKING:
    from vidlstm.models.cells import State
    from vidlstm.models.stacks import Layer


class Start(TypedDict, total=False):
    """How recurrent weights start; see :class:`RecurrentEncoder`."""

    forget_bias: float | None
    orthogonal: bool


class RecurrentEncoder(nn.Module):
    """Reads padded sequences and gives one hidden state per step.

    Args:
        input_size: F.
        hidden_size: units per layer and direction.
        num_layers: stacked layers.
        cell: a name in ``CELLS``.
        bidirectional: a second set of layers reads each sequence's valid steps from its end (Schuster and
            Paliwal 1997, "Bidirectional recurrent neural networks").
        dropout: between layers, not after the last.
        forget_bias: where the bias of the gate that keeps the old state starts (the forget gate; in a GRU the
            update gate). 1 or more lets gradients through from the first step on: Gers et al. 1999,
            Jozefowicz et al. 2015. None leaves it to chance. Warns where a cell has no such gate.
        orthogonal: start each block of W as a random orthogonal matrix (Saxe et al. 2014).

    Raises:
        ValueError: the cell is unknown.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        cell: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        forget_bias: float | None = None,
        orthogonal: bool = False,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"no recurrent cell is called {cell!r}{nearest(cell, CELLS)}")
        self.cell = cell
        self.bidirectional = bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        self.stack = build_stack(
            cell,
            input_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        if orthogonal:
            start_orthogonal(self.stack.layers)
        if forget_bias is not None:
            start_keeping(self.stack.layers, forget_bias)

    def forward(
        self, x_BTF: Tensor, lengths_B: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Runs over whole sequences.

        Args:
            x_BTF: inputs ``(B, T, F)``.
            lengths_B: valid steps of each, at least 1; None where all T are valid.
            state: carried in from an earlier call; None starts from zeros.

        Returns:
            ``y (B, T, D * directions)``, zero at padded steps, and the state after each last valid step.
        """
        y_BTD, last = self.stack(x_BTF, lengths_B, state)
        return y_BTD, last


def build_stack(
    cell: str, input_size: int, hidden_size: int, *, num_layers: int, bidirectional: bool, dropout: float
) -> FusedStack | ScanStack:
    """A stack of layers of the named cell, on torch's fused kernels where there are any."""
    equations = CELLS[cell]()
    if equations.kernel is None:
        return ScanStack(
            equations,
            input_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
        )
    kernel = equations.kernel(
        input_size,
        hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=dropout,
        batch_first=True,
    )
    return FusedStack(equations, kernel)


@torch.no_grad()
def start_orthogonal(layers: list[Layer]) -> None:
    """Fills each block of each W with a random orthogonal matrix."""
    for layer in layers:
        for block_DD in layer.W_GD.chunk(len(layer.cell.blocks)):
            nn.init.orthogonal_(block_DD)


@torch.no_grad()
def start_keeping(layers: list[Layer], bias: float) -> None:
    """Sets the bias of the gate that keeps the old state; warns where the cell has none."""
    for layer in layers:
        if layer.cell.keep_gate is None:
            name = type(layer.cell).__name__
            warnings.warn(f"forget_bias has no effect: {name} has no gate that forgets", stacklevel=3)
            return
        block = layer.cell.blocks.index(layer.cell.keep_gate)
        layer.b_G.chunk(len(layer.cell.blocks))[block].fill_(bias)
        if layer.b_recurrent_G is not None:
            layer.b_recurrent_G.chunk(len(layer.cell.blocks))[block].zero_()

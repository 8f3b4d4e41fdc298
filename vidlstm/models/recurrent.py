"""The multi-layer recurrent encoder, whatever the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from vidlstm.errors import nearest
from vidlstm.models.cells import CELLS

if TYPE_CHECKING:
    from vidlstm.models.cells import State


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
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"no recurrent cell is called {cell!r}{nearest(cell, CELLS)}")
        self.cell = cell
        self.bidirectional = bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        self.stack = CELLS[cell](
            input_size, hidden_size, num_layers=num_layers, bidirectional=bidirectional, dropout=dropout
        )

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

"""The recurrent cells a user picks by one word, and how each is run over a whole sequence.

A *layer stack* takes ``x (B, T, F)`` and lengths and gives every hidden state and the state after each
sequence's last valid step. Cells that torch has fused kernels for use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

if TYPE_CHECKING:
    from collections.abc import Callable

State: TypeAlias = tuple[Tensor, ...]
"""What is carried from step to step: ``(h,)`` or ``(h, c)``, each ``(layers * directions, B, D)``."""


class FusedStack(nn.Module):
    """A stack of layers on torch's fused kernels (cuDNN, oneDNN).

    Args:
        kernel: ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``, already built with ``batch_first=True``.
    """

    def __init__(self, kernel: nn.RNNBase) -> None:
        super().__init__()
        assert kernel.batch_first
        self.kernel = kernel

    def forward(self, x_BTF: Tensor, lengths_B: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Runs the stack; see :class:`~vidlstm.models.recurrent.RecurrentEncoder` for shapes."""
        carried = None if state is None else state if len(state) > 1 else state[0]
        if lengths_B is None:
            y_BTD, last = self.kernel(x_BTF, carried)
        else:
            packed = pack_padded_sequence(x_BTF, lengths_B.cpu(), batch_first=True, enforce_sorted=False)
            y_packed, last = self.kernel(packed, carried)
            y_BTD, _ = pad_packed_sequence(y_packed, batch_first=True, total_length=x_BTF.shape[1])
        return y_BTD, last if isinstance(last, tuple) else (last,)


def _fused(kernel: type[nn.RNNBase], **fixed: str) -> Callable[..., nn.Module]:
    def build(
        input_size: int, hidden_size: int, *, num_layers: int, bidirectional: bool, dropout: float
    ) -> nn.Module:
        return FusedStack(
            kernel(
                input_size,
                hidden_size,
                num_layers=num_layers,
                batch_first=True,
                bidirectional=bidirectional,
                dropout=dropout if num_layers > 1 else 0.0,
                **fixed,
            )
        )

    return build


CELLS: dict[str, Callable[..., nn.Module]] = {
    "rnn_tanh": _fused(nn.RNN, nonlinearity="tanh"),
    "rnn_relu": _fused(nn.RNN, nonlinearity="relu"),
    "lstm": _fused(nn.LSTM),
    "gru": _fused(nn.GRU),
}
"""Cell name to a function that builds its layer stack."""


def valid_steps(lengths_B: Tensor, steps: int) -> Tensor:
    """The mask ``(B, T)`` that is true before each sequence's length."""
    return torch.arange(steps, device=lengths_B.device)[None, :] < lengths_B[:, None]

"""Layers of a cell above each other, and beside each other where they read from both ends.

A stack takes ``x (B, T, F)``, lengths and a state, and gives every hidden state of the last layer and the
state after each sequence's last valid step. Cells that torch has fused kernels for use them, the others share
:func:`~vidlstm.models.scan.scan`. Either way ``layers`` lists the weights one by one, for whoever wants to
start them differently or take single steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from vidlstm.models.scan import Schedule, scan

if TYPE_CHECKING:
    from vidlstm.models.cells import Cell, State


@dataclass(frozen=True)
class Layer:
    """The weights of one layer in one direction, whoever runs it.

    Attributes:
        U_GF, W_GD: weights of the input and of the last hidden state; the cell's blocks below each other.
        b_G: bias of the input's part.
        b_recurrent_G: the second bias that torch's kernels have.
        own: the cell's own parameters.
        backward: reads from the end.
    """

    cell: Cell
    U_GF: Tensor
    W_GD: Tensor
    b_G: Tensor
    b_recurrent_G: Tensor | None
    own: Mapping[str, Tensor]
    backward: bool

    def project(self, x_NF: Tensor) -> Tensor:
        """The input's part of every gate, ``(N, G)``."""
        return self.cell.project(x_NF, self.U_GF, self.b_G, self.own)

    def recur(self, h_BD: Tensor) -> Tensor:
        """The last hidden state's part of every gate, ``(B, G)``."""
        return F.linear(h_BD, self.W_GD, self.b_recurrent_G)


def single_step(layers: list[Layer], x_BF: Tensor, state: State) -> tuple[Tensor, State]:
    """One step through all layers by the cells' own equations, for streaming.

    On a CPU ``nn.LSTM`` arranges its weights anew for oneDNN on every call, which takes ten times as long as
    the step itself at 256 units; and the scan is made for many steps.
    """
    ways, last = (2 if layers[-1].backward else 1), []
    for first in range(0, len(layers), ways):
        for index in range(first, first + ways):
            layer, before = layers[index], tuple(part[index] for part in state)
            after, _ = layer.cell.step(layer.project(x_BF), layer.recur(before[0]), before, layer.own)
            last.append(after)
        x_BF = torch.cat([after[0] for after in last[-ways:]], dim=-1) if ways > 1 else last[-1][0]
    return x_BF, tuple(torch.stack(parts) for parts in zip(*last, strict=True))


def _streams(x_BTF: Tensor, lengths_B: Tensor | None) -> bool:
    one_step = x_BTF.shape[1] == 1 and lengths_B is None and x_BTF.device.type == "cpu"
    return one_step and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


class FusedStack(nn.Module):
    """A stack of layers on torch's fused kernels (cuDNN, oneDNN).

    Args:
        cell: its equations.
        kernel: ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``, already built with ``batch_first=True``.
    """

    def __init__(self, cell: Cell, kernel: nn.RNNBase) -> None:
        super().__init__()
        assert kernel.batch_first
        self.cell = cell
        self.kernel = kernel

    @property
    def layers(self) -> list[Layer]:
        """Every layer, a forward one before its backward one."""
        directions = 2 if self.kernel.bidirectional else 1
        names = [
            f"_l{layer}{'_reverse' if way else ''}"
            for layer in range(self.kernel.num_layers)
            for way in range(directions)
        ]
        return [self._layer(name) for name in names]

    def _layer(self, name: str) -> Layer:
        return Layer(
            self.cell,
            U_GF=getattr(self.kernel, f"weight_ih{name}"),
            W_GD=getattr(self.kernel, f"weight_hh{name}"),
            b_G=getattr(self.kernel, f"bias_ih{name}"),
            b_recurrent_G=getattr(self.kernel, f"bias_hh{name}"),
            own={},
            backward="_reverse" in name,
        )

    def forward(self, x_BTF: Tensor, lengths_B: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Runs the stack; see :class:`~vidlstm.models.recurrent.RecurrentEncoder` for shapes."""
        if state and isinstance(self.kernel, nn.LSTM) and not self.training and _streams(x_BTF, lengths_B):
            y_BD, last = single_step(self.layers, x_BTF[:, 0], state)
            return y_BD[:, None], last
        carried = None if state is None else state if len(state) > 1 else state[0]
        if lengths_B is None:
            y_BTD, last = self.kernel(x_BTF, carried)
        else:
            packed = pack_padded_sequence(x_BTF, lengths_B.cpu(), batch_first=True, enforce_sorted=False)
            y_packed, last = self.kernel(packed, carried)
            y_BTD, _ = pad_packed_sequence(y_packed, batch_first=True, total_length=x_BTF.shape[1])
        return y_BTD, last if isinstance(last, tuple) else (last,)


class ScanLayer(nn.Module):
    """The parameters of one layer in one direction, started as torch starts its own: U(-1/√D, 1/√D)."""

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, *, backward: bool) -> None:
        super().__init__()
        self.cell = cell
        self.backward = backward
        rows, bound = len(cell.blocks) * hidden_size, hidden_size**-0.5
        self.weight_input = nn.Parameter(torch.empty(rows, input_size).uniform_(-bound, bound))
        self.weight_hidden = nn.Parameter(torch.empty(rows, hidden_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))
        self.own = nn.ParameterDict(cell.own_parameters(hidden_size))

    def weights(self) -> Layer:
        """The same, as :class:`Layer`."""
        own = cast("Mapping[str, Tensor]", dict(self.own))
        return Layer(self.cell, self.weight_input, self.weight_hidden, self.bias, None, own, self.backward)


class ScanStack(nn.Module):
    """A stack of layers of any cell, on this project's own scan.

    Args:
        cell: its equations.
        input_size, hidden_size, num_layers, bidirectional, dropout: as in ``nn.LSTM``.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.cell, self.hidden_size, self.dropout = cell, hidden_size, dropout
        self.ways = (False, True) if bidirectional else (False,)
        self.scan_layers = nn.ModuleList(
            ScanLayer(cell, hidden_size * len(self.ways) if layer else input_size, hidden_size, backward=way)
            for layer in range(num_layers)
            for way in self.ways
        )

    @property
    def layers(self) -> list[Layer]:
        """Every layer, a forward one before its backward one."""
        return [cast("ScanLayer", layer).weights() for layer in self.scan_layers]

    def forward(self, x_BTF: Tensor, lengths_B: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Runs the stack; see :class:`~vidlstm.models.recurrent.RecurrentEncoder` for shapes."""
        if not self.training and _streams(x_BTF, lengths_B):
            y_BD, last = single_step(self.layers, x_BTF[:, 0], self._start(x_BTF, state))
            return y_BD[:, None], last
        if lengths_B is None:
            rows = (x_BTF.shape[0],) * x_BTF.shape[1]
            y_ND, last = self._run(x_BTF.transpose(0, 1).flatten(0, 1), rows, self._start(x_BTF, state))
            return y_ND.view(x_BTF.shape[1], x_BTF.shape[0], -1).transpose(0, 1), last
        packed = pack_padded_sequence(x_BTF, lengths_B.cpu(), batch_first=True, enforce_sorted=False)
        order, back = packed.sorted_indices, packed.unsorted_indices
        assert order is not None and back is not None  # enforce_sorted=False gives both
        start = tuple(part.index_select(1, order) for part in self._start(x_BTF, state))
        y_ND, last = self._run(packed.data, tuple(packed.batch_sizes.tolist()), start)
        y_packed = PackedSequence(y_ND, packed.batch_sizes, order, back)
        y_BTD, _ = pad_packed_sequence(y_packed, batch_first=True, total_length=x_BTF.shape[1])
        return y_BTD, tuple(part.index_select(1, back) for part in last)

    def _start(self, x_BTF: Tensor, state: State | None) -> State:
        if state is not None:
            return state
        like = cast("ScanLayer", self.scan_layers[0]).weight_hidden
        shape = (len(self.scan_layers), x_BTF.shape[0], self.hidden_size)
        return tuple(like.new_zeros(shape) for _ in self.cell.state_names)

    def _run(self, x_NF: Tensor, rows: tuple[int, ...], state: State) -> tuple[Tensor, State]:
        layers, ways, last = self.layers, len(self.ways), []
        for first in range(0, len(layers), ways):
            if first:
                x_NF = F.dropout(x_NF, self.dropout, self.training)
            outputs = []
            for index in range(first, first + ways):
                start = tuple(part[index] for part in state)
                y_ND, after = self._run_layer(layers[index], x_NF, rows, start)
                outputs.append(y_ND)
                last.append(after)
            x_NF = torch.cat(outputs, dim=-1) if ways > 1 else outputs[0]
        return x_NF, tuple(torch.stack(parts) for parts in zip(*last, strict=True))

    def _run_layer(
        self, layer: Layer, x_NF: Tensor, rows: tuple[int, ...], start: State
    ) -> tuple[Tensor, State]:
        schedule = Schedule(rows, layer.backward)
        return scan(self.cell, schedule, layer.project(x_NF), layer.W_GD, start, layer.own)

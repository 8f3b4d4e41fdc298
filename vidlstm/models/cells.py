"""The recurrent cells a user picks by one word: one step of each, and nothing else.

A cell is its equations. It holds no weights and runs no loop: ``stacks`` owns the weights of whole layers,
``scan`` runs them over time, ``replay`` records every gate.

Notation, as in the texts: ``U`` weighs the input x_t, ``W`` the last hidden state h_{t-1}, σ is the logistic
function, ∘ the product of elements. A weight matrix holds the ``blocks`` of its cell below each other, D rows
each, so that all gates come out of one matrix product: G = len(blocks) · D.

To add a cell: a class here, a line in ``CELLS``, and a line in ``tests/models/references.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidlstm.models.products import affine

State: TypeAlias = tuple[Tensor, ...]
"""What is carried from step to step: ``(h,)`` or ``(h, c)``. ``(B, D)`` inside a layer, and
``(layers * directions, B, D)`` for a stack."""

Gates: TypeAlias = dict[str, Tensor]
"""Every gate of one step by its letter, ``(B, D)`` each, after its squashing function."""

Gradients: TypeAlias = tuple[Tensor, Tensor, tuple[Tensor | None, ...], Sequence[Tensor] | None]
"""Of a loss with respect to what a step read: the input's part, the recurrent part, the state (None for an h
that is read through the recurrent part only), own parameters (None where ``own_gradients`` gives them)."""

Pullback: TypeAlias = Callable[[State], Gradients]
"""Turns gradients with respect to the state a step gave into those with respect to what it read."""


class Cell(ABC):
    """One step of a recurrence.

    Attributes:
        blocks: the letters of the gates, in the order of the weight rows.
        state_names: ``("h",)`` or ``("h", "c")``.
        keep_gate: the gate that keeps the old state when it is 1; a forget-gate bias goes to it.
        kernel: torch's fused layers with the same equations, where there are any.
    """

    blocks: ClassVar[tuple[str, ...]]
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    keep_gate: ClassVar[str | None] = None
    kernel: ClassVar[Callable[..., nn.RNNBase] | None] = None

    def own_parameters(self, hidden_size: int) -> dict[str, Tensor]:
        """First values of parameters beyond U, W and b, by name."""
        del hidden_size
        return {}

    def project(self, x_NF: Tensor, U_GF: Tensor, b_G: Tensor, own: Mapping[str, Tensor]) -> Tensor:
        """The part of every gate that the input decides, ``(N, G)``: x U + b, for all steps at once."""
        del own
        return affine(x_NF, U_GF, b_G)

    @abstractmethod
    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """Takes one step.

        Args:
            x_BG: what ``project`` gave for this step.
            r_BG: h_{t-1} W (plus the second bias that torch's kernels have).
            state: of the step before.
            own: the cell's own parameters.
        """

    def step_with_pullback(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Pullback]:
        """A step and its derivative. This asks autograd; a cell may give a closed form, which is faster."""
        read = [t.detach().requires_grad_() for t in (x_BG, r_BG, *state, *own.values())]
        carried = len(state)
        with torch.enable_grad():
            weights = dict(zip(own, read[2 + carried :], strict=True))
            after, _ = self.step(read[0], read[1], tuple(read[2 : 2 + carried]), weights)

        def pullback(d_after: State) -> Gradients:
            d_x, d_r, *rest = torch.autograd.grad(
                after, read, d_after, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            return d_x, d_r, tuple(rest[:carried]), rest[carried:]

        return tuple(part.detach() for part in after), pullback

    def own_gradients(self, d_x_NG: Tensor, before: State, after: State) -> Sequence[Tensor]:
        """Gradients of own parameters from all steps at once, for cells whose pullback leaves them out.

        Args:
            d_x_NG: gradients of the input's part at every step.
            before, after: the state at every step, ``(N, D)`` each, rows as in ``d_x_NG``.
        """
        raise NotImplementedError


class TanhRNN(Cell):
    """h_t = tanh(x_t U + h_{t-1} W + b).

    Elman 1990, "Finding structure in time". Its gradient vanishes or explodes with the lag: Hochreiter 1991;
    Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult".
    """

    blocks = ("h",)
    kernel = partial(nn.RNN, nonlinearity="tanh")

    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """One block, one state."""
        h = torch.tanh(x_BG + r_BG)
        return (h,), {}


class ReluRNN(Cell):
    """h_t = max(0, x_t U + h_{t-1} W + b).

    With an orthogonal W, of the kind of Le, Jaitly and Hinton 2015, "A simple way to initialize recurrent
    networks of rectified linear units" (they take the identity).
    """

    blocks = ("h",)
    kernel = partial(nn.RNN, nonlinearity="relu")

    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """One block, one state."""
        h = torch.relu(x_BG + r_BG)
        return (h,), {}


class LSTM1997(Cell):
    """Input and output gate around a constant error carousel; nothing is ever forgotten.

    Hochreiter and Schmidhuber 1997, "Long short-term memory", section 4, with memory cell blocks of size 1::

        i_t = σ(x_t U_i + h_{t-1} W_i + b_i)
        g_t = g(x_t U_g + h_{t-1} W_g + b_g)     g(a) = 4 σ(a) - 2 = 2 tanh(a / 2)
        o_t = σ(x_t U_o + h_{t-1} W_o + b_o)
        C_t = C_{t-1} + i_t ∘ g_t
        h_t = o_t ∘ h(C_t)                       h(a) = 2 σ(a) - 1 = tanh(a / 2)

    The squashing functions are the paper's (appendix A.1), not the tanh of later cells. Unlike in the paper's
    networks gates do not feed other gates, and the gradient is the full one, not cut at the gates.
    """

    blocks = ("i", "g", "o")
    state_names = ("h", "c")

    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """Three blocks, two states."""
        h, c, gates, _ = self._step(x_BG, r_BG, state[1])
        return (h, c), gates

    @staticmethod
    def _step(x_BG: Tensor, r_BG: Tensor, c_before: Tensor) -> tuple[Tensor, Tensor, Gates, Tensor]:
        i, g, o = (x_BG + r_BG).chunk(3, dim=1)
        i, g, o = torch.sigmoid(i), 2 * torch.tanh(0.5 * g), torch.sigmoid(o)
        c = torch.addcmul(c_before, i, g)
        squashed_c = torch.tanh(0.5 * c)
        return o * squashed_c, c, {"i": i, "g": g, "o": o}, squashed_c

    def step_with_pullback(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Pullback]:
        """The derivative in closed form: g' = 1 - g²/4, h' = (1 - h²)/2."""
        h, c, gates, squashed_c = self._step(x_BG, r_BG, state[1])
        i, g, o = gates.values()

        def pullback(d_after: State) -> Gradients:
            d_h, d_c = d_after
            d_o = _through_sigmoid(d_h * squashed_c, o)
            d_c = torch.add(d_c, _through_tanh(d_h * o, squashed_c), alpha=0.5)
            d_i = _through_sigmoid(d_c * g, i)
            d_g = _through_tanh(d_c * i, 0.5 * g)
            d_z = torch.cat([d_i, d_g, d_o], dim=1)
            return d_z, d_z, (None, d_c), ()

        return (h, c), pullback


class LSTM(Cell):
    """A forget gate lets the cell reset itself.

    Gers, Schmidhuber and Cummins 1999, "Learning to forget: continual prediction with LSTM", with tanh for
    both squashing functions, as in every library::

        i_t = σ(x_t U_i + h_{t-1} W_i + b_i)
        f_t = σ(x_t U_f + h_{t-1} W_f + b_f)
        g_t = tanh(x_t U_c + h_{t-1} W_c + b_c)
        o_t = σ(x_t U_o + h_{t-1} W_o + b_o)
        C_t = f_t ∘ C_{t-1} + i_t ∘ g_t
        h_t = o_t ∘ tanh(C_t)
    """

    blocks = ("i", "f", "g", "o")
    state_names = ("h", "c")
    keep_gate = "f"
    kernel = nn.LSTM

    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """Four blocks, two states."""
        i, f, g, o = (x_BG + r_BG).chunk(4, dim=1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * state[1] + i * g
        return (o * torch.tanh(c), c), {"i": i, "f": f, "g": g, "o": o}


class PeepholeLSTM(Cell):
    """The gates see the cell state.

    Gers and Schmidhuber 2000, "Recurrent nets that time and count"; one weight p a unit and gate::

        i_t = σ(x_t U_i + h_{t-1} W_i + p_i ∘ C_{t-1} + b_i)
        f_t = σ(x_t U_f + h_{t-1} W_f + p_f ∘ C_{t-1} + b_f)
        g_t = tanh(x_t U_c + h_{t-1} W_c + b_c)
        C_t = f_t ∘ C_{t-1} + i_t ∘ g_t
        o_t = σ(x_t U_o + h_{t-1} W_o + p_o ∘ C_t + b_o)
        h_t = o_t ∘ tanh(C_t)

    The paper leaves the last tanh out; it is kept here, as in Graves 2013, "Generating sequences with
    recurrent neural networks", eq. 7-11, so that the peepholes are all that differs from ``lstm``.
    """

    blocks = ("i", "f", "g", "o")
    state_names = ("h", "c")
    keep_gate = "f"

    def own_parameters(self, hidden_size: int) -> dict[str, Tensor]:
        """``peephole (3, D)``: p_i, p_f, p_o."""
        bound = hidden_size**-0.5
        return {"peephole": torch.empty(3, hidden_size).uniform_(-bound, bound)}

    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """Four blocks, two states."""
        h, c, i_f, g, o, _ = self._step(x_BG, r_BG, state[1], own["peephole"])
        return (h, c), {"i": i_f[:, 0], "f": i_f[:, 1], "g": g, "o": o}

    @staticmethod
    def _step(x_BG: Tensor, r_BG: Tensor, c_before: Tensor, p: Tensor) -> tuple[Tensor, ...]:
        """h, C, both gates that see C_{t-1} as ``(B, 2, D)``, g, o and tanh(C): few passes over memory."""
        z_B4D = (x_BG + r_BG).view(len(x_BG), 4, -1)
        i_f = torch.sigmoid(torch.addcmul(z_B4D[:, :2], c_before[:, None], p[:2]))
        g = torch.tanh(z_B4D[:, 2])
        c = torch.addcmul(i_f[:, 1] * c_before, i_f[:, 0], g)
        o = torch.sigmoid(torch.addcmul(z_B4D[:, 3], c, p[2]))
        tanh_c = torch.tanh(c)
        return o * tanh_c, c, i_f, g, o, tanh_c

    def step_with_pullback(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Pullback]:
        """The derivative in closed form, each gate's written straight to its place."""
        c_before, p = state[1], own["peephole"]
        h, c, i_f, g, o, tanh_c = self._step(x_BG, r_BG, c_before, p)

        def pullback(d_after: State) -> Gradients:
            d_h, d_c = d_after
            d_z = h.new_empty(len(h), 4, h.shape[1])
            d_i_f, d_o = d_z[:, :2], d_z[:, 3]
            _through_sigmoid(d_h * tanh_c, o, out=d_o)
            d_c = (d_c + _through_tanh(d_h * o, tanh_c)).addcmul_(d_o, p[2])
            torch.mul(d_c, g, out=d_z[:, 0])
            torch.mul(d_c, c_before, out=d_z[:, 1])
            _through_sigmoid(d_i_f, i_f, out=d_i_f)
            _through_tanh(d_c * i_f[:, 0], g, out=d_z[:, 2])
            d_c = (d_c * i_f[:, 1]).addcmul_(d_i_f[:, 0], p[0]).addcmul_(d_i_f[:, 1], p[1])
            d_z = d_z.flatten(1)
            return d_z, d_z, (None, d_c), None

        return (h, c), pullback

    def own_gradients(self, d_x_NG: Tensor, before: State, after: State) -> Sequence[Tensor]:
        """Each gate's gradient times the C that it saw, summed over all steps in one go."""
        d_i, d_f, _, d_o = d_x_NG.chunk(4, dim=1)
        seen = ((d_i, before[1]), (d_f, before[1]), (d_o, after[1]))
        return (torch.stack([torch.linalg.vecdot(d, c, dim=0) for d, c in seen]),)


class GRU(Cell):
    """Two gates and one state, in the variant of torch and cuDNN.

    Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder"; the reset gate acts after
    the recurrent product, and z keeps::

        r_t = σ(x_t U_r + h_{t-1} W_r + b_r)
        z_t = σ(x_t U_z + h_{t-1} W_z + b_z)
        n_t = tanh(x_t U_n + b_n + r_t ∘ (h_{t-1} W_n + b'_n))
        h_t = (1 - z_t) ∘ n_t + z_t ∘ h_{t-1}
    """

    blocks = ("r", "z", "n")
    keep_gate = "z"
    kernel = nn.GRU

    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """Three blocks, one state."""
        x_r, x_z, x_n = x_BG.chunk(3, dim=1)
        r_r, r_z, r_n = r_BG.chunk(3, dim=1)
        r, z = torch.sigmoid(x_r + r_r), torch.sigmoid(x_z + r_z)
        n = torch.tanh(x_n + r * r_n)
        return (torch.lerp(n, state[0], z),), {"r": r, "z": z, "n": n}


class LayerNormLSTM(Cell):
    """An LSTM whose summed inputs are normalised over the units, at every step by itself.

    Ba, Kiros and Hinton 2016, "Layer normalization", the LSTM of its supplementary material::

        (f_t, i_t, o_t, g_t) = LN(h_{t-1} W; α_1) + LN(x_t U; α_2) + b
        C_t = σ(f_t) ∘ C_{t-1} + σ(i_t) ∘ tanh(g_t)
        h_t = σ(o_t) ∘ tanh(LN(C_t; α_3, β_3))

    LN(a; α, β) = α ∘ (a - mean a) / sqrt(var a + 10⁻⁵) + β, over all four blocks together. The paper's shifts
    β_1 and β_2 are in b: their sum is all that counts. Blocks are kept in the order of ``lstm``.
    """

    blocks = ("i", "f", "g", "o")
    state_names = ("h", "c")
    keep_gate = "f"

    def own_parameters(self, hidden_size: int) -> dict[str, Tensor]:
        """Gains α_1 and α_2 ``(4 D,)``, α_3 and shift β_3 ``(D,)``."""
        return {
            "recurrent_gain": torch.ones(4 * hidden_size),
            "input_gain": torch.ones(4 * hidden_size),
            "cell_gain": torch.ones(hidden_size),
            "cell_shift": torch.zeros(hidden_size),
        }

    def project(self, x_NF: Tensor, U_GF: Tensor, b_G: Tensor, own: Mapping[str, Tensor]) -> Tensor:
        """LN(x U; α_2) + b."""
        return F.layer_norm(affine(x_NF, U_GF, None), b_G.shape, own["input_gain"], b_G)

    def step(
        self, x_BG: Tensor, r_BG: Tensor, state: State, own: Mapping[str, Tensor]
    ) -> tuple[State, Gates]:
        """Four blocks, two states."""
        z_BG = x_BG + F.layer_norm(r_BG, r_BG.shape[1:], own["recurrent_gain"])
        i, f, g, o = z_BG.chunk(4, dim=1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * state[1] + i * g
        normal_c = F.layer_norm(c, c.shape[1:], own["cell_gain"], own["cell_shift"])
        return (o * torch.tanh(normal_c), c), {"i": i, "f": f, "g": g, "o": o}


CELLS: dict[str, type[Cell]] = {
    "rnn_tanh": TanhRNN,
    "rnn_relu": ReluRNN,
    "lstm_1997": LSTM1997,
    "lstm": LSTM,
    "lstm_peephole": PeepholeLSTM,
    "gru": GRU,
    "lstm_layernorm": LayerNormLSTM,
}
"""Cell name to its equations."""


def valid_steps(lengths_B: Tensor, steps: int) -> Tensor:
    """The mask ``(B, T)`` that is true before each sequence's length."""
    return torch.arange(steps, device=lengths_B.device)[None, :] < lengths_B[:, None]


def _through_sigmoid(d_y: Tensor, y: Tensor, out: Tensor | None = None) -> Tensor:
    """d_y ∘ y ∘ (1 - y), in one pass over memory; into ``out`` where that is given."""
    if out is None:
        d_in: Tensor = torch.ops.aten.sigmoid_backward(d_y, y)
    else:
        d_in = torch.ops.aten.sigmoid_backward.grad_input(d_y, y, grad_input=out)
    return d_in


def _through_tanh(d_y: Tensor, y: Tensor, out: Tensor | None = None) -> Tensor:
    """d_y ∘ (1 - y²), in one pass over memory; into ``out`` where that is given."""
    if out is None:
        d_in: Tensor = torch.ops.aten.tanh_backward(d_y, y)
    else:
        d_in = torch.ops.aten.tanh_backward.grad_input(d_y, y, grad_input=out)
    return d_in

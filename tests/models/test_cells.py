"""Every cell against its paper. A new cell is one line in ``CELLS`` and one in ``references.py``."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch.func import functional_call

from tests.models.references import REFERENCES, run_reference
from tests.tolerance import recurrence, rounding
from vidlstm.models.cells import CELLS, Cell
from vidlstm.models.recurrent import RecurrentEncoder

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)
LENGTHS = [3, 5, 1]
WIDEST = 2 * 3 + 3 + 2
"""What a unit of the second layer reads: both directions of the first, its own layer's states, two biases."""


def encoder(cell, *, dtype=torch.float64, layers=2, bidirectional=True, seed=0) -> RecurrentEncoder:
    torch.manual_seed(seed)
    built = RecurrentEncoder(4, 3, num_layers=layers, cell=cell, bidirectional=bidirectional)
    with torch.no_grad():  # away from the ones and zeros that some parameters start with
        for parameter in built.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return built.to(dtype).eval()


def sequences(dtype=torch.float64):
    torch.manual_seed(1)
    return torch.randn(3, 5, 4, dtype=dtype), torch.tensor(LENGTHS)


def some_state(cell, layers, dtype=torch.float64):
    torch.manual_seed(2)
    return tuple(0.5 * torch.randn(layers, 3, 3, dtype=dtype) for _ in CELLS[cell].state_names)


def test_every_cell_has_a_reference() -> None:
    assert set(REFERENCES) == set(CELLS)


def error_growth(reference, parameters, x, state) -> float:
    """How many units in the last place a result moves when every number that is read moves by one.

    A layer norm divides by the spread of a few numbers, and their errors with it.
    """
    unit, generator = torch.finfo(torch.float32).eps, np.random.default_rng(0)

    def moved(numbers):
        return numbers * (1 + unit * generator.choice([-1.0, 1.0], numbers.shape))

    there = {name: moved(value) for name, value in parameters.items()}
    pairs = zip(
        flat(reference(there, moved(x), [moved(part) for part in state] if state else None)),
        flat(reference(parameters, x, state)),
        strict=True,
    )
    return max(np.abs(a - b).max() for a, b in pairs) / unit


def flat(result):
    y, last = result
    return [y, *last]


@EVERY_CELL
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_paper(cell, bidirectional, carried, dtype) -> None:
    model = encoder(cell, dtype=dtype, bidirectional=bidirectional)
    x, lengths = sequences(dtype)
    state = some_state(cell, 4 if bidirectional else 2, dtype) if carried else None
    parameters = {name: value.double().numpy() for name, value in model.state_dict().items()}
    reference = partial(
        run_reference, cell, lengths=LENGTHS, layers=2, bidirectional=bidirectional, hidden_size=3
    )
    read = parameters, x.double().numpy(), [part.double().numpy() for part in state] if state else None
    # Every number is rounded as often as a unit has operations in a step; the reference tells how that grows.
    close = rounding(recurrence(1, width=WIDEST), dtype, scale=error_growth(reference, *read))
    with torch.no_grad():
        found = model(x, lengths, state)
    for part, true in zip(flat(found), flat(reference(*read)), strict=True):
        torch.testing.assert_close(part.double(), torch.from_numpy(true), atol=close, rtol=0)


@EVERY_CELL
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradient_agrees_with_finite_differences(cell, bidirectional) -> None:
    """Of every output with respect to inputs, carried state and every parameter, with unequal lengths."""
    model = encoder(cell, bidirectional=bidirectional, layers=1).train()
    names = [name for name, _ in model.named_parameters()]
    x, lengths = sequences()[0][:2, :3], torch.tensor([3, 1])
    state = tuple(part[:, :2] for part in some_state(cell, 2 if bidirectional else 1))

    def run(x, *rest):
        carried, weights = rest[: len(state)], rest[len(state) :]
        y, last = functional_call(model, dict(zip(names, weights, strict=True)), (x, lengths, carried))
        return y, *last

    read = [t.detach().clone().requires_grad_() for t in (x, *state, *model.parameters())]
    assert torch.autograd.gradcheck(run, read, eps=1e-6, atol=1e-6, rtol=1e-5)


@EVERY_CELL
def test_closed_form_derivative_is_that_of_the_step(cell) -> None:
    torch.manual_seed(0)
    equations = CELLS[cell]()
    rows = 3 * len(equations.blocks)
    x, r = torch.randn(2, rows, dtype=torch.float64), torch.randn(2, rows, dtype=torch.float64)
    state = tuple(torch.randn(2, 3, dtype=torch.float64) for _ in equations.state_names)
    own = {name: torch.randn_like(value.double()) for name, value in equations.own_parameters(3).items()}
    after, pullback = equations.step_with_pullback(x, r, state, own)
    after_true, pullback_true = Cell.step_with_pullback(equations, x, r, state, own)
    torch.testing.assert_close(after, after_true)
    d_after = tuple(torch.randn_like(part) for part in after)
    d_x, d_r, d_state, d_own = pullback(d_after)
    if d_own is None:
        d_own = equations.own_gradients(d_x, state, after)
    d_x_true, d_r_true, d_state_true, d_own_true = pullback_true(d_after)
    torch.testing.assert_close((d_x, d_r, *d_own), (d_x_true, d_r_true, *d_own_true))
    for part, true in zip(d_state, d_state_true, strict=True):
        torch.testing.assert_close(torch.zeros_like(true) if part is None else part, true)


def test_carousel_of_1997_keeps_its_error_and_the_forget_gate_leaks_it() -> None:
    """d C_T / d C_0 with all weights zero: 1 in the cell of 1997, σ(b_f)^T in that of 1999."""

    def carried_error(cell, bias=None):
        model = RecurrentEncoder(1, 1, cell=cell, forget_bias=bias).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "bias" not in name:
                    parameter.zero_()
        c = torch.zeros(1, 1, 1, dtype=torch.float64, requires_grad=True)
        _, (_, last) = model(torch.zeros(1, 100, 1, dtype=torch.float64), None, (torch.zeros_like(c), c))
        return torch.autograd.grad(last.sum(), c)[0].item()

    assert carried_error("lstm_1997") == pytest.approx(1.0)
    assert carried_error("lstm", 1.0) == pytest.approx(0.7310585786300049**100)

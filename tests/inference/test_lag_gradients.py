"""Gradient norms by lag, against the Jacobian written out, and against what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidlstm.inference.lag_gradients import lag_gradients, lag_of_fall
from vidlstm.models.cells import CELLS
from vidlstm.models.recurrent import RecurrentEncoder


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_norms_are_those_of_the_jacobian(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(3, 4, cell=cell, num_layers=2, bidirectional=bidirectional)
    x = torch.randn(1, 6, 3)
    jacobian = torch.autograd.functional.jacobian(
        lambda x_BTE: encoder.double()(x_BTE)[0][0, -1], x.double()
    )[:, 0]
    exact = jacobian.square().sum((0, 2)).sqrt().numpy()[::-1]
    estimate = lag_gradients(encoder.float(), x, probes=20_000)
    np.testing.assert_allclose(estimate, exact, rtol=0.05, atol=1e-12)


def test_the_encoder_is_left_as_it_was() -> None:
    encoder = RecurrentEncoder(3, 4).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    lag_gradients(encoder, torch.randn(1, 5, 3))
    assert encoder.training
    torch.testing.assert_close(encoder.state_dict(), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_a_linear_recurrence_falls_by_its_weight_each_step() -> None:
    """A rectifier that is never cut off: h_t = 0.5 h_{t-1} + x_t."""
    encoder = RecurrentEncoder(2, 2, cell="rnn_relu")
    (layer,) = encoder.stack.layers
    with torch.no_grad():
        layer.U_GF.copy_(torch.eye(2))
        layer.W_GD.copy_(0.5 * torch.eye(2))
        layer.b_G.fill_(1.0)
        layer.b_recurrent_G.zero_()
    norms = lag_gradients(encoder, torch.rand(1, 12, 2))
    np.testing.assert_allclose(norms / norms[0], 0.5 ** np.arange(12), rtol=1e-9)
    assert lag_of_fall(norms, 0.1) == 4
    assert lag_of_fall(norms, 1e-9) is None


def test_the_plain_networks_forget_and_the_carousel_does_not() -> None:
    norms = {}
    for cell in ("rnn_tanh", "rnn_relu", "lstm_1997"):
        torch.manual_seed(0)
        norms[cell] = lag_gradients(RecurrentEncoder(32, 32, cell=cell), torch.randn(4, 100, 32))
    assert norms["rnn_tanh"][-1] < 1e-10 * norms["rnn_tanh"][0]
    assert norms["rnn_relu"][-1] < 1e-10 * norms["rnn_relu"][0]
    assert norms["lstm_1997"][-1] > 0.1 * norms["lstm_1997"][0]

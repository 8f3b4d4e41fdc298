"""What every encoder promises, whatever its cell."""

from __future__ import annotations

import copy
import io
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tolerance import assert_near
from vidlstm.models.cells import CELLS, valid_steps
from vidlstm.models.recurrent import RecurrentEncoder

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)
EITHER_WAY = pytest.mark.parametrize("bidirectional", [False, True])


def encoder(cell, **options) -> RecurrentEncoder:
    torch.manual_seed(0)
    return RecurrentEncoder(5, 6, cell=cell, **{"num_layers": 2, **options}).double()


def sequences(lengths=(4, 7, 1, 7)):
    torch.manual_seed(1)
    return torch.randn(len(lengths), 7, 5, dtype=torch.float64), torch.tensor(lengths)


def parameter_gradients(model):
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@EVERY_CELL
@EITHER_WAY
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30])
def test_padding_changes_nothing(cell, bidirectional, garbage) -> None:
    model = encoder(cell, bidirectional=bidirectional)
    x, lengths = sequences()
    valid = valid_steps(lengths, 7)
    results = []
    for filling in (0.0, garbage):
        model.zero_grad()
        filled = x.masked_fill(~valid[..., None], filling).requires_grad_()
        y, last = model(filled, lengths)
        y.square().sum().backward()
        assert (y[~valid] == 0).all()
        assert (filled.grad[~valid] == 0).all()
        results.append((y, last, filled.grad, parameter_gradients(model)))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


@EVERY_CELL
@EITHER_WAY
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5))
@settings(max_examples=10)
def test_batch_composition_changes_nothing(cell, bidirectional, lengths) -> None:
    """A sequence alone and cut to its length gives what it gives among others."""
    model = encoder(cell, bidirectional=bidirectional).eval()
    x, lengths_B = sequences(lengths)
    with torch.no_grad():
        y, last = model(x, lengths_B)
        for b, length in enumerate(lengths):
            y_alone, last_alone = model(x[b : b + 1, :length])
            torch.testing.assert_close(y[b : b + 1, :length], y_alone)
            for part, alone in zip(last, last_alone, strict=True):
                torch.testing.assert_close(part[:, b : b + 1], alone)


@EVERY_CELL
def test_step_by_step_equals_all_at_once(cell) -> None:
    model = encoder(cell).eval()
    x, _ = sequences()
    with torch.no_grad():
        y, last = model(x)
        state, steps = None, []
        for t in range(7):
            y_t, state = model(x[:, t : t + 1], None, state)
            steps.append(y_t)
    torch.testing.assert_close(torch.cat(steps, dim=1), y)
    torch.testing.assert_close(state, last)


@EVERY_CELL
def test_carried_state_reaches_back_through_the_gradient(cell) -> None:
    """Two halves joined by their state have the gradient of the whole."""
    model = encoder(cell)
    x, _ = sequences()
    model(x)[0].square().sum().backward()
    whole = parameter_gradients(model)
    model.zero_grad()
    y_first, state = model(x[:, :3])
    y_second, _ = model(x[:, 3:], None, state)
    torch.cat([y_first, y_second], dim=1).square().sum().backward()
    torch.testing.assert_close(parameter_gradients(model), whole)


@EVERY_CELL
def test_backward_half_sees_exactly_the_valid_steps_from_its_own_on(cell) -> None:
    model = encoder(cell, bidirectional=True, num_layers=1)
    x, lengths = sequences()
    x.requires_grad_()
    y, last = model(x, lengths)
    for b, t in [(0, 0), (0, 2), (1, 6), (2, 0)]:
        halves = {"forward": y[b, t, :6], "backward": y[b, t, 6:]}
        for half, out in halves.items():
            gradient = torch.autograd.grad(out.sum(), x, retain_graph=True)[0].abs().sum(-1)
            seen = set(torch.nonzero(gradient[b]).flatten().tolist())
            may = range(t, int(lengths[b])) if half == "backward" else range(t + 1)
            assert seen <= set(may)
            assert t in seen or cell == "rnn_relu"  # a rectified unit may be off
            assert (gradient[torch.arange(4) != b] == 0).all()
    torch.testing.assert_close(last[0][1], y[:, 0, 6:])  # the backward state has read everything at step 0


@EVERY_CELL
def test_dropout_is_between_layers_and_nowhere_else(cell) -> None:
    x, lengths = sequences()
    single = encoder(cell, num_layers=1, dropout=0.9)
    torch.testing.assert_close(single.train()(x, lengths)[0], single.eval()(x, lengths)[0])
    double = encoder(cell, dropout=1.0).train()
    y_dropped, _ = double(x, lengths)
    silent = encoder(cell, dropout=0.0).eval()
    with torch.no_grad():  # the second layer hears nothing when its input weights are zero
        silent.stack.layers[1].U_GF.zero_()
    torch.testing.assert_close(y_dropped, silent(x, lengths)[0])
    torch.testing.assert_close(double.eval()(x, lengths), encoder(cell, dropout=0.0)(x, lengths))


@EVERY_CELL
def test_dropout_follows_the_seed(cell) -> None:
    model, (x, lengths) = encoder(cell, dropout=0.5).train(), sequences()
    runs = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        runs.append(model(x, lengths)[0])
    torch.testing.assert_close(runs[0], runs[1], rtol=0, atol=0)
    assert not torch.equal(runs[0], runs[2])


@EVERY_CELL
@EITHER_WAY
def test_weights_survive_a_file(cell, bidirectional) -> None:
    model, (x, lengths) = encoder(cell, bidirectional=bidirectional), sequences()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    torch.manual_seed(9)
    other = RecurrentEncoder(5, 6, cell=cell, num_layers=2, bidirectional=bidirectional).double()
    assert not torch.equal(other(x, lengths)[0], model(x, lengths)[0])
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(x, lengths), model(x, lengths), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(model)(x, lengths), model(x, lengths), rtol=0, atol=0)


@EVERY_CELL
def test_every_parameter_learns_and_backward_can_run_twice(cell) -> None:
    """A parameter without a gradient would stop distributed training."""
    model, (x, lengths) = encoder(cell, bidirectional=True), sequences()
    loss = model(x, lengths)[0].square().sum()
    loss.backward(retain_graph=True)
    first = parameter_gradients(model)
    assert all(gradient.abs().sum() > 0 for gradient in first.values())
    model.zero_grad()
    loss.backward()
    torch.testing.assert_close(parameter_gradients(model), first)


@EVERY_CELL
@EITHER_WAY
def test_mixed_precision_stays_near(cell, bidirectional) -> None:
    model, (x, lengths) = encoder(cell, bidirectional=bidirectional).float(), sequences()
    y, _ = model(x.float(), lengths)
    y.square().sum().backward()
    exact = parameter_gradients(model)
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        y_low, _ = model(x.float(), lengths)
        loss = y_low.float().square().sum()
    loss.backward()
    assert_near(y_low.bfloat16(), y.bfloat16(), operations=7)  # the state is rounded once a step
    got = parameter_gradients(model)
    assert {gradient.dtype for gradient in got.values()} == {torch.float32}
    both = [torch.cat([g.flatten() for g in gradients.values()]) for gradients in (got, exact)]
    assert torch.cosine_similarity(*both, dim=0) > 0.99


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.kernel is None])
def test_state_of_own_cells_keeps_full_precision_under_autocast(cell) -> None:
    """In bfloat16 a carousel would stop counting at 256."""
    model, (x, lengths) = encoder(cell).float(), sequences()
    with torch.autocast("cpu", torch.bfloat16):
        y, last = model(x.float(), lengths)
    assert {part.dtype for part in (y, *last)} == {torch.float32}


def test_an_unknown_cell_names_the_nearest() -> None:
    with pytest.raises(
        ValueError, match="no recurrent cell is called 'lstm_peep'; did you mean 'lstm_peephole'"
    ):
        RecurrentEncoder(3, 4, cell="lstm_peep")


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.keep_gate])
def test_forget_bias_goes_to_the_gate_that_keeps(cell) -> None:
    model = RecurrentEncoder(5, 6, cell=cell, num_layers=2, bidirectional=True, forget_bias=2.5)
    keep, blocks = CELLS[cell].keep_gate, CELLS[cell].blocks
    for layer in model.stack.layers:
        total = layer.b_G + (layer.b_recurrent_G if layer.b_recurrent_G is not None else 0)
        for name, block in zip(blocks, total.chunk(len(blocks)), strict=True):
            assert bool((block == 2.5).all()) == (name == keep)


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if not cell.keep_gate])
def test_forget_bias_warns_where_nothing_forgets(cell) -> None:
    with pytest.warns(UserWarning, match="forget_bias has no effect"):
        RecurrentEncoder(5, 6, cell=cell, forget_bias=1.0)


@EVERY_CELL
def test_orthogonal_start(cell) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = RecurrentEncoder(5, 6, cell=cell, num_layers=2, bidirectional=True, orthogonal=True)
    for layer in model.stack.layers:
        for block in layer.W_GD.chunk(len(layer.cell.blocks)):
            assert_near(block @ block.T, torch.eye(6), operations=2 * 6 * 6)


@EVERY_CELL
@pytest.mark.gpu
def test_the_same_on_a_gpu(cell) -> None:
    model, (x, lengths) = encoder(cell, bidirectional=True), sequences()
    y, last = model(x, lengths)
    y_gpu, last_gpu = model.cuda()(x.cuda(), lengths.cuda())
    torch.testing.assert_close(y_gpu.cpu(), y)
    torch.testing.assert_close(tuple(part.cpu() for part in last_gpu), last)

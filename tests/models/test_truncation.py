"""Truncated back-propagation: the same values, and exactly the gradient that the cuts leave."""

from __future__ import annotations

import pytest
import torch

from tests.tolerance import assert_near, recurrence
from vidlstm.models.cells import CELLS
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.pooling import POOLINGS
from vidlstm.models.recurrent import RecurrentEncoder
from vidlstm.models.truncation import run_truncated

EVERY_CELL = pytest.mark.parametrize("cell", CELLS)
LENGTHS = [4, 11, 1, 8]


def made(cell: str) -> tuple[RecurrentEncoder, torch.Tensor]:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(3, 5, num_layers=2, cell=cell).double()
    return encoder, torch.randn(len(LENGTHS), 11, 3, dtype=torch.float64)


def gradients(encoder: RecurrentEncoder, y_BTD: torch.Tensor, x: torch.Tensor) -> list[torch.Tensor]:
    weights = torch.linspace(-1, 1, y_BTD.numel(), dtype=y_BTD.dtype).view_as(y_BTD)
    return list(torch.autograd.grad((weights * y_BTD.tanh()).sum(), [x, *encoder.parameters()]))


@EVERY_CELL
@pytest.mark.parametrize("steps", [11, 12, 1000])
def test_pieces_as_long_as_the_sequence_cut_nothing(cell: str, steps: int) -> None:
    encoder, x = made(cell)
    x.requires_grad_()
    y_whole, _ = encoder(x, torch.tensor(LENGTHS))
    y_cut = run_truncated(encoder, x, torch.tensor(LENGTHS), steps)
    torch.testing.assert_close(y_cut, y_whole)
    torch.testing.assert_close(gradients(encoder, y_cut, x), gradients(encoder, y_whole, x))


@EVERY_CELL
@pytest.mark.parametrize("steps", [1, 3, 4, 10])
def test_the_gradient_is_that_of_a_state_detached_at_every_border(cell: str, steps: int) -> None:
    encoder, x = made(cell)
    x.requires_grad_()
    y_cut = run_truncated(encoder, x, torch.tensor(LENGTHS), steps)
    rows = []
    for b, length in enumerate(LENGTHS):  # each sequence by itself, not padded, cut by hand
        state, parts = None, []
        for start in range(0, length, steps):
            y, state = encoder(x[b : b + 1, start : min(start + steps, length)], None, state)
            state = tuple(part.detach() for part in state)
            parts.append(y[0])
        rows.append(torch.nn.functional.pad(torch.cat(parts), (0, 0, 0, 11 - length)))
    y_hand = torch.stack(rows)
    torch.testing.assert_close(y_cut, y_hand)
    whole, _ = encoder(x, torch.tensor(LENGTHS))
    torch.testing.assert_close(y_cut, whole)
    cut = gradients(encoder, y_cut, x)
    torch.testing.assert_close(cut, gradients(encoder, y_hand, x))
    assert not torch.allclose(cut[2], gradients(encoder, whole, x)[2], rtol=1e-6, atol=1e-9)


def test_no_gradient_reaches_before_the_last_piece_of_the_last_step() -> None:
    encoder, x = made("lstm")
    x.requires_grad_()
    y = run_truncated(encoder, x, torch.tensor([11] * 4), 4)
    (d_x,) = torch.autograd.grad(y[:, -1].sum(), x)
    assert not d_x[:, :8].any()
    assert d_x[:, 8:].all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_classifier_scores_the_same_and_learns_with_dropout(pooling: str) -> None:
    """The second forward pass of a piece must draw the dropout of the first."""
    torch.manual_seed(0)
    model = SequenceClassifier(
        3, 2, bidirectional=False, pooling=pooling, hidden_size=6, projection=4, frame_difference=True
    )
    x, lengths = torch.randn(4, 11, 3), torch.tensor(LENGTHS)
    found = []
    for steps in (0, 11):
        torch.manual_seed(7)
        model.zero_grad()
        scores = model(x, lengths, steps)
        scores.square().sum().backward()
        found.append((scores.detach(), [p.grad.clone() for p in model.parameters()]))
    operations = recurrence(11, width=4 + 6 + 2)
    # Forth, back, and the sum over all steps of all sequences.
    assert_near(found[0], found[1], operations=2 * operations + 4 * 11)
    model.eval()
    assert_near(model(x, lengths, 3), model(x, lengths), operations=operations)


def test_less_is_kept_for_the_backward_pass() -> None:
    torch.manual_seed(0)
    encoder, x, lengths = (
        RecurrentEncoder(8, 64, cell="lstm"),
        torch.randn(4, 200, 8),
        torch.tensor([200] * 4),
    )
    kept = []
    for run in (lambda: encoder(x, lengths)[0], lambda: run_truncated(encoder, x, lengths, 20)):
        sizes: list[int] = []
        pack = lambda t: (sizes.append(t.numel()), t)[1]  # noqa: B023, E731
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            run()
        kept.append(sum(sizes))
    assert kept[1] < 0.5 * kept[0]


def test_what_cannot_be_cut_is_refused() -> None:
    x, lengths = torch.randn(1, 4, 3), torch.tensor([4])
    with pytest.raises(ValueError, match="bidirectional"):
        run_truncated(RecurrentEncoder(3, 5, bidirectional=True), x, lengths, 2)
    with pytest.raises(ValueError, match="at least one step"):
        run_truncated(RecurrentEncoder(3, 5), x, lengths, -1)

"""The labeller: a step and a sequence agree, pieces give what the whole gives, padding changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tolerance import assert_near, recurrence
from vidlstm.models.cells import CELLS
from vidlstm.models.labeller import SequenceLabeller
from vidlstm.models.trunk import Carried
from vidlstm.settings import SegmentationModelSettings, plain

WIDTH, CLASSES = 5, 3
OPERATIONS = recurrence(23, layers=2, width=2 * 6 + 6 + 2) + 100


def labeller(seed: int = 0, **settings: Any) -> SequenceLabeller:
    torch.manual_seed(seed)
    small: dict[str, Any] = {"hidden_size": 6, "projection": 4, "bidirectional": False}
    model = SequenceLabeller(WIDTH, CLASSES, **small | settings)
    model.norm.fit(torch.randn(WIDTH), torch.rand(WIDTH) + 0.5)
    return model.eval()


def walk(model: SequenceLabeller, x_BTF: Tensor, state: Carried | None = None) -> tuple[Tensor, Carried]:
    """Step after step."""
    state, scores = state or model.initial_state(len(x_BTF)), []
    for x_BF in x_BTF.unbind(1):
        scores_BK, state = model.step(x_BF, state)
        scores.append(scores_BK)
    return torch.stack(scores, dim=1), state


every_causal = pytest.mark.parametrize(
    "settings",
    [{"cell": cell} for cell in CELLS]
    + [
        {"num_layers": 2},
        {"projection": 0},
        {"frame_difference": True},
        {"absolute_difference": True, "frame_difference": True, "cell": "gru"},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)


@every_causal
def test_a_step_gives_bit_for_bit_what_the_sequence_gives(settings: dict[str, Any]) -> None:
    model, x = labeller(**settings), torch.randn(2, 7, WIDTH).half()
    assert model.why_not_causal() == ""
    with torch.no_grad():
        assert torch.equal(walk(model, x)[0], model(x))


@every_causal
def test_fused_kernels_agree_with_steps(settings: dict[str, Any]) -> None:
    model, x = labeller(**settings), torch.randn(2, 7, WIDTH)
    assert_near(model.whole(x), walk(model, x)[0], operations=OPERATIONS)
    assert float((model(x) - walk(model, x)[0]).detach().abs().max()) < 1e-5


@pytest.mark.parametrize("both", [False, True])
def test_a_boundary_stands_after_the_classes(both: bool) -> None:
    model, x = labeller(boundary=True, bidirectional=both), torch.randn(2, 7, WIDTH)
    with torch.no_grad():
        scores_BTK, begins_BT1 = model.split(model(x))
        assert (scores_BTK.shape, begins_BT1.shape) == ((2, 7, CLASSES), (2, 7, 1))
        if not both:  # one at a time there is none
            assert torch.equal(walk(model, x)[0], scores_BTK)
    assert labeller().split(scores_BTK)[1].shape == (2, 7, 0)


@every_causal
@pytest.mark.parametrize("gradient", [False, True])
def test_pieces_give_what_the_whole_gives(settings: dict[str, Any], gradient: bool) -> None:
    model, x = labeller(**settings), torch.randn(2, 23, WIDTH)
    with torch.set_grad_enabled(gradient):
        whole, end = model.carry(x, None, model.initial_state(2))
        pieces, state = [], model.initial_state(2)
        for piece in x.split([1, 9, 5, 8], dim=1):
            scores, state = model.carry(piece, None, state)
            pieces.append(scores)
        assert_near(torch.cat(pieces, 1), whole, operations=OPERATIONS)
    for after, other in zip(state.encoder, end.encoder, strict=True):
        assert_near(after, other, operations=OPERATIONS)


@pytest.mark.parametrize("gradient", [False, True])
def test_a_sequence_that_is_over_keeps_its_state(gradient: bool) -> None:
    model, x = labeller(frame_difference=True), torch.randn(2, 6, WIDTH)
    with torch.set_grad_enabled(gradient):
        _, both = model.carry(x, torch.tensor([6, 2]), model.initial_state(2))
        _, short = model.carry(x[1:, :2], None, model.initial_state(1))
    assert_near(both.before_BF[1:], short.before_BF, operations=OPERATIONS)
    for after, other in zip(both.encoder, short.encoder, strict=True):
        assert_near(after[:, 1:], other, operations=OPERATIONS)


def test_the_gradient_in_a_piece_is_that_of_the_whole_inside_the_piece() -> None:
    """Truncated: what the second piece's scores owe to the second piece's features, and nothing before."""
    model, x = labeller(num_layers=2), torch.randn(1, 20, WIDTH)
    _, state = model.carry(x[:, :12], None, model.initial_state(1))
    piece = x[:, 12:].clone().requires_grad_()
    scores, _ = model.carry(piece, None, state.detach())
    scores.square().sum().backward()
    whole = x.clone().requires_grad_()
    model.carry(whole, None, model.initial_state(1))[0][:, 12:].square().sum().backward()
    assert piece.grad is not None and whole.grad is not None
    assert_near(piece.grad, whole.grad[:, 12:], operations=OPERATIONS)
    assert bool(whole.grad[:, :12].any())  # which a piece cuts off


def test_a_hidden_state_starts_over_row_by_row() -> None:
    """NaN stands for no step before, so that one of several streams can begin later."""
    model, x = labeller(frame_difference=True), torch.randn(2, 4, WIDTH)
    _, state = walk(model, x[:, :2])
    fresh = model.initial_state(2)
    mixed = Carried(
        torch.stack([state.before_BF[0], fresh.before_BF[1]]),
        tuple(
            torch.stack([a[:, 0], b[:, 1]], dim=1) for a, b in zip(state.encoder, fresh.encoder, strict=True)
        ),
    )
    scores, _ = walk(model, x[:, 2:], mixed)
    with torch.no_grad():
        assert_near(scores[:1], model(x[:1])[:, 2:], operations=OPERATIONS)
        assert_near(scores[1:], model(x[1:, 2:]), operations=OPERATIONS)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("garbage", [7.0, float("nan")])
def test_padding_changes_nothing(both: bool, garbage: float) -> None:
    model = labeller(bidirectional=both, frame_difference=True)
    x = torch.randn(2, 9, WIDTH)
    x[1, 4:] = garbage
    with torch.no_grad():
        together = model(x, torch.tensor([9, 4]))
        assert_near(together[1, :4], model(x[1:, :4])[0], operations=OPERATIONS)
    assert_near(model.whole(x, torch.tensor([9, 4]))[1, :4], together[1, :4], operations=OPERATIONS)


def test_a_causal_network_does_not_know_what_comes() -> None:
    model, x = labeller(), torch.randn(1, 9, WIDTH)
    other = torch.cat([x[:, :5], torch.randn(1, 4, WIDTH)], dim=1)
    assert_near(model.whole(other)[:, :5], model.whole(x)[:, :5], operations=OPERATIONS)
    both = labeller(bidirectional=True)
    assert not torch.allclose(both(other)[:, :5], both(x)[:, :5])


def test_a_bidirectional_network_says_why_it_cannot_step() -> None:
    model = labeller(bidirectional=True)
    assert "`model.bidirectional false`" in model.why_not_causal()
    with pytest.raises(ValueError, match=r"step by step.*bidirectional"):
        model.step(torch.randn(1, WIDTH), model.initial_state(1))
    with pytest.raises(ValueError, match="bidirectional"):
        model.carry(torch.randn(1, 2, WIDTH), None, model.initial_state(1))


@pytest.mark.parametrize("both", [False, True])
def test_what_is_wide_goes_through_in_pieces(monkeypatch: pytest.MonkeyPatch, both: bool) -> None:
    model = labeller(bidirectional=both, frame_difference=True)
    x, lengths = torch.randn(2, 23, WIDTH), torch.tensor([23, 11])
    expected = model.whole(x, lengths)
    seen, read = [], model.encoder_input
    monkeypatch.setattr("vidlstm.models.labeller.PIECE_STEPS", 5)
    monkeypatch.setattr(model, "encoder_input", lambda x, *rest: seen.append(x.shape[1]) or read(x, *rest))
    with torch.no_grad():
        given = model.whole(x, lengths)
    assert seen == [5, 5, 5, 5, 3]
    for row, length in enumerate(lengths.tolist()):
        assert_near(given[row, :length], expected[row, :length], operations=OPERATIONS)


def test_defaults_are_those_of_the_settings() -> None:
    assert SequenceLabeller.__init__.__kwdefaults__ == plain(SegmentationModelSettings())

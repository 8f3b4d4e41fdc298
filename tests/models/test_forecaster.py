"""The forecaster: its frame of reference, what it starts from, padding, every option."""

import itertools
import math

import pytest
import torch

from tests.tolerance import assert_near, recurrence, rounding
from vidlstm.models.cells import CELLS
from vidlstm.models.ego_frame import ego_frame
from vidlstm.models.forecaster import DECODINGS, Forecast, PathForecaster
from vidlstm.models.kinematic import ConstantVelocity
from vidlstm.models.social import SOCIAL, DirectionalPooling, GridPooling, grid_cells

OPERATIONS = recurrence(8 + 4, width=8 + 8 + 2) + 50
"""From a position to a forecast of :func:`small`: eight steps seen, four said, into the frame and back."""
FAR = 10.0
"""What coordinates of :func:`paths` may come to."""


def paths(batch: int = 5, steps: int = 8, width: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, steps, width, generator=generator).cumsum(1)


def small(**options: object) -> PathForecaster:
    torch.manual_seed(0)
    return PathForecaster(hidden_size=8, decoder_size=8, horizon=4, **{"modes": 3, **options}).eval()  # type: ignore[arg-type]


def test_ego_frame_goes_and_comes_back() -> None:
    x = paths(width=4)
    frame = ego_frame(x, torch.full((5,), 8), 0.1)
    ego = frame.to_ego(x)
    assert_near(frame.to_world(ego), x, operations=10, largest=FAR)
    torch.testing.assert_close(ego[:, -1], torch.zeros(5, 4))
    last_move = ego[:, -1, :2] - ego[:, -2, :2]
    assert (last_move[:, 0] > 0).all()
    torch.testing.assert_close(last_move[:, 1], torch.zeros(5), atol=rounding(10, scale=FAR), rtol=0)


def test_people_who_stand_are_not_blown_up() -> None:
    frame = ego_frame(torch.zeros(1, 8, 2), torch.tensor([8]), 0.2)
    assert frame.scale_B.item() == pytest.approx(0.2)


@pytest.mark.parametrize(("decoding", "width"), [*itertools.product(DECODINGS, (2, 4))])
def test_without_correction_it_is_constant_velocity(decoding: str, width: int) -> None:
    model = small(decoding=decoding, coordinates=width)
    last = model.decoder.layers[-1] if decoding == "direct" else model.decoder.correct  # type: ignore[union-attr, index]
    torch.nn.init.zeros_(last.weight)  # type: ignore[arg-type, union-attr]
    torch.nn.init.zeros_(last.bias)  # type: ignore[arg-type, union-attr]
    x, lengths = paths(width=width), torch.full((5,), 8)
    forecast = model(x, lengths)
    expected = ConstantVelocity(4)(x, lengths)
    wanted = expected, expected[:, None].expand(-1, 3, -1, -1)
    assert_near((forecast.path_BPC, forecast.modes_BKPC), wanted, operations=50, largest=FAR)


@pytest.mark.parametrize(
    ("decoding", "social", "width"), [*itertools.product(DECODINGS, SOCIAL, (2,)), ("direct", "none", 4)]
)
def test_forecasts_turn_move_and_scale_with_the_world(decoding: str, social: str, width: int) -> None:
    model = small(decoding=decoding, social=social, coordinates=width)
    x, lengths = paths(width=width), torch.full((5,), 8)
    neighbours = torch.randn(5, 3, 8, 2) * 3 + x[:, None, :, :2]
    neighbours[:, 2, :4] = math.nan
    one = model(x, lengths, neighbours)
    c, s = math.cos(1.1), math.sin(1.1)
    turn = torch.eye(width)
    turn[:2, :2] = torch.tensor([[c, -s], [s, c]])
    shift = torch.zeros(width)
    shift[:2] = torch.tensor([7.0, -3.0])
    model.fit(2.0)
    two = model(2 * x @ turn.T + shift, lengths, 2 * neighbours @ turn[:2, :2].T + shift[:2])
    found = two.path_BPC, two.modes_BKPC, two.spread_BKPC
    wanted = (2 * one.path_BPC @ turn.T + shift, 2 * one.modes_BKPC @ turn.T + shift, 2 * one.spread_BKPC)
    assert_near(found, wanted, operations=OPERATIONS, largest=2 * FAR)


@pytest.mark.parametrize("decoding", DECODINGS)
def test_padding_changes_nothing(decoding: str) -> None:
    model, x = small(decoding=decoding), paths()
    lengths = torch.tensor([8, 5, 2, 8, 3])
    padded = x.clone()
    for b, length in enumerate(lengths.tolist()):
        padded[b, length:] = 99.0
    together = model(padded, lengths)
    for b, length in enumerate(lengths.tolist()):
        alone = model(x[b : b + 1, :length], torch.tensor([length]))
        mine = together.path_BPC[b] / FAR, together.log_weights_BK[b]
        assert_near(mine, (alone.path_BPC[0] / FAR, alone.log_weights_BK[0]), operations=OPERATIONS)


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_any_cell(cell: str) -> None:
    for decoding in DECODINGS:
        forecast = small(cell=cell, decoding=decoding, num_layers=2)(paths(), torch.full((5,), 8))
        assert forecast.modes_BKPC.isfinite().all()
        assert forecast.modes_BKPC.shape == (5, 3, 4, 2)


def test_weights_are_probabilities_and_spreads_positive() -> None:
    forecast = small()(paths(), torch.full((5,), 8))
    torch.testing.assert_close(forecast.log_weights_BK.exp().sum(1), torch.ones(5))
    assert (forecast.spread_BKPC > 0).all()


def test_no_modes() -> None:
    forecast = small(modes=0)(paths(), torch.full((5,), 8))
    assert forecast.modes_BKPC.shape == (5, 0, 4, 2)
    assert forecast.path_BPC.shape == (5, 4, 2)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'direct'"):
        PathForecaster(decoding="dirct")
    with pytest.raises(ValueError, match="did you mean 'grid'"):
        PathForecaster(social="grd")
    with pytest.raises(ValueError, match="coordinates"):
        PathForecaster(coordinates=3)
    with pytest.raises(ValueError, match="positive"):
        PathForecaster().fit(0.0)
    with pytest.raises(ValueError, match="does not fit"):
        Forecast(
            torch.zeros(1, 2, 2), torch.zeros(1, 3, 4, 2), torch.zeros(1, 3), torch.zeros(1), torch.zeros(1)
        )


def test_grid_cells_by_hand() -> None:
    offset = torch.tensor([[-0.9, -0.9], [0.9, -0.9], [0.1, 0.1], [1.1, 0.0], [math.nan, 0.0]])[None, :, None]
    cell, inside = grid_cells(offset, cells=4, reach=torch.ones(1))
    assert cell[0, :3, 0].tolist() == [0, 3, 10]
    assert inside[0, :, 0].tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("pooling", [GridPooling(6), DirectionalPooling(6)])
def test_neighbours_far_off_or_absent_do_not_matter_and_near_ones_do(pooling: torch.nn.Module) -> None:
    ego = torch.zeros(2, 5, 2)
    near = torch.randn(2, 1, 5, 2, generator=torch.Generator().manual_seed(1)) * 0.3
    far, absent = near + 100, torch.full_like(near, math.nan)
    reach = torch.ones(2)
    alone = pooling(ego, near, reach)
    assert_near(pooling(ego, torch.cat([near, far, absent], 1), reach), alone, operations=100)
    assert not torch.allclose(pooling(ego, absent, reach), alone)
    assert pooling(ego, near[:, :0], reach).shape == (2, 4, 6)


def test_order_of_neighbours_does_not_matter() -> None:
    model = small(social="directional")
    x = paths()
    neighbours = x[:, None] + torch.randn(5, 4, 8, 2)
    one, two = (model(x, torch.full((5,), 8), n) for n in (neighbours, neighbours.flip(1)))
    assert_near(one.path_BPC, two.path_BPC, operations=OPERATIONS, largest=FAR)

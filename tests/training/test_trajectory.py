"""Losses, changes to windows, calibration, and that the task learns."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning import Trainer, seed_everything
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from tests.fakes.tracks import walkers, write_ethucy
from vidlstm.cards import TrajectoryCard
from vidlstm.datamodules.trajectories import BalancedIndices, TrajectoryData
from vidlstm.datasets.ethucy import read_ethucy_file
from vidlstm.errors import DatasetError
from vidlstm.inference.forecast import forecast_windows, truth_of
from vidlstm.models.forecaster import Forecast, PathForecaster
from vidlstm.settings import TrajectoryDataSettings, TrajectoryModelSettings, TrajectoryOptimiserSettings
from vidlstm.tasks import open_checkpoint
from vidlstm.tasks.trajectory.task import TrajectoryTask
from vidlstm.training import trajectory_calibration
from vidlstm.training.path_augmentation import PathAugmentation, augment_paths
from vidlstm.training.trajectory import RecordingMeans, TrajectoryModule
from vidlstm.training.trajectory_calibration import coverage, fit_spread_scale, region_levels, sample_paths
from vidlstm.training.trajectory_loss import best_of_k_loss, likelihood_loss, mixture_log_density, path_loss


def mixture(batch: int = 400, *, spread: float = 1.0) -> Forecast:
    modes = torch.tensor([[-3.0, 0.0], [3.0, 0.0]])[None, :, None].repeat(batch, 1, 2, 1)
    weights = torch.tensor([0.3, 0.7]).log().repeat(batch, 1)
    scale = spread * torch.tensor([0.5, 1.5])[None, None, None].repeat(batch, 2, 2, 1)
    angle = torch.full((batch,), 0.7)
    turn = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], -1).unflatten(-1, (2, 2))
    return Forecast(modes[:, 0], modes, weights, scale, turn)


def test_mixture_density_equals_torch_distributions() -> None:
    flat = replace(mixture(5), heading_B22=torch.eye(2).repeat(5, 1, 1))
    points = torch.randn(5, 2, 2)
    for p in range(2):
        parts = Independent(Normal(flat.modes_BKPC[:, :, p], flat.spread_BKPC[:, :, p]), 1)
        expected = MixtureSameFamily(Categorical(logits=flat.log_weights_BK), parts).log_prob(points[:, p])
        torch.testing.assert_close(mixture_log_density(flat, points)[:, p], expected)


def test_density_integrates_to_one_whatever_the_heading() -> None:
    one = mixture(1)
    axis = torch.arange(-12, 12, 0.1)
    grid = torch.cartesian_prod(axis, axis)
    density = mixture_log_density(
        Forecast(*(getattr(one, n).expand(len(grid), *getattr(one, n).shape[1:]) for n in vars(one))),
        grid[:, None].expand(-1, 2, -1),
    ).exp()
    assert (density.sum(0) * 0.01).tolist() == pytest.approx([1.0, 1.0], abs=1e-3)


def test_a_forecast_is_calibrated_on_its_own_draws_and_scaling_finds_back() -> None:
    forecast = mixture()
    truth = sample_paths(forecast, 1, seed=3)[:, 0]
    recording = torch.zeros(len(truth), dtype=torch.int64)
    found = coverage(region_levels(forecast, truth), recording)
    assert found["coverage_50"] == pytest.approx(0.5, abs=0.05)
    assert found["coverage_90"] == pytest.approx(0.9, abs=0.03)
    too_narrow = mixture(spread=0.6)
    assert coverage(region_levels(too_narrow, truth), recording)["coverage_90"] < 0.8
    scale = fit_spread_scale(too_narrow, truth, recording)
    assert scale.tolist() == pytest.approx([1 / 0.6] * 2, rel=0.15)


def test_regions_are_the_same_however_many_draws_are_looked_at_in_one_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forecast, found = mixture(50), []
    truth = sample_paths(forecast, 1, seed=3)[:, 0]
    for at_once in (1, 3 * 2 * 2 * 50, 2**30):  # one, three, all
        monkeypatch.setattr(trajectory_calibration, "AT_ONCE", at_once)
        found.append(region_levels(forecast, truth, samples=10))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    assert 0 < found[0].mean() < 1
    assert region_levels(mixture(0), truth[:0]).shape == (0, 2)


def test_recordings_count_alike_in_coverage_and_means() -> None:
    levels = torch.tensor([[0.1], [0.1], [0.1], [0.95]])
    found = coverage(levels, torch.tensor([0, 0, 0, 1]))
    assert found == {"coverage_50": 0.5, "coverage_90": 0.5}
    means = RecordingMeans(1, 3)
    means.update(torch.tensor([[1.0], [1.0], [1.0], [5.0]]), torch.tensor([0, 0, 0, 2]))
    assert means.compute().item() == 3.0


def test_losses_by_hand() -> None:
    truth = torch.zeros(1, 2, 2)
    modes = torch.tensor([[[1.0, 0], [1, 0]], [[0, 5], [0, 0.5]]])[None]
    assert path_loss(modes[:, 0], truth).item() == 1.0
    assert best_of_k_loss(modes, truth, temperature=0, final_weight=0.5).item() == pytest.approx(1 + 0.25)
    soft = best_of_k_loss(modes, truth, temperature=1e9, final_weight=0.0).item()
    assert soft == pytest.approx((1 + 2.75) / 2)
    boxes = torch.zeros(1, 2, 4)
    boxes[..., 2:] = 3.0
    assert path_loss(torch.zeros(1, 2, 4), boxes).item() == pytest.approx(math.sqrt(18))


def test_likelihood_does_not_move_the_modes() -> None:
    forecast = mixture(3)
    modes, spread = (
        forecast.modes_BKPC.clone().requires_grad_(),
        forecast.spread_BKPC.clone().requires_grad_(),
    )
    likelihood_loss(replace(forecast, modes_BKPC=modes, spread_BKPC=spread), torch.zeros(3, 2, 2)).backward()
    assert modes.grad is None
    assert spread.grad is not None and spread.grad.abs().sum() > 0


def changed(how: PathAugmentation, width: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    whole = torch.randn(64, 20, width).cumsum(1)
    whole[..., :2] -= whole[:, 7:8, :2]
    new, _ = augment_paths(whole, None, observed=8, typical_step=1.0, how=how)
    torch.testing.assert_close(new[:, 7, :2], torch.zeros(64, 2))
    return whole, new


def test_no_change_is_no_change() -> None:
    whole, new = changed(PathAugmentation(flip=0, reverse=0, scale=0, noise=0))
    torch.testing.assert_close(new, whole)


def test_each_change_is_what_it_says() -> None:
    whole, flipped = changed(PathAugmentation(flip=1, reverse=0, scale=0, noise=0))
    torch.testing.assert_close(flipped, whole * torch.tensor([1.0, -1.0]))
    whole, back = changed(PathAugmentation(flip=0, reverse=1, scale=0, noise=0))
    torch.testing.assert_close(back, whole.flip(1) - whole.flip(1)[:, 7:8])
    whole, scaled = changed(PathAugmentation(flip=0, reverse=0, scale=0.3, noise=0), width=4)
    ratio = (scaled[:, 1:] / whole[:, 1:])[:, 10:].flatten(1)
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert ratio.log().abs().max() <= 0.3 + 1e-5


def test_noise_is_on_observed_steps_alone() -> None:
    whole, noisy = changed(PathAugmentation(flip=0, reverse=0, scale=0, noise=0.5, noisy=1))
    torch.testing.assert_close(torch.diff(noisy[:, 8:], dim=1), torch.diff(whole[:, 8:], dim=1))
    off = torch.diff(noisy[:, :8], dim=1) - torch.diff(whole[:, :8], dim=1)
    assert (off.abs().amax((1, 2)) > 0).all()


def test_neighbours_move_with_the_window() -> None:
    torch.manual_seed(0)
    whole = torch.randn(8, 20, 2).cumsum(1)
    whole -= whole[:, 7:8]
    others = whole[:, None, :8] + 1.0
    how = PathAugmentation(reverse=1.0, noise=0)
    new, moved = augment_paths(whole, others, observed=8, typical_step=1.0, how=how)
    assert moved is not None
    gap = moved[:, 0] - new[:, :8]
    torch.testing.assert_close(gap.abs(), gap[:, :1].abs().expand_as(gap))


def test_bad_changes_are_refused() -> None:
    with pytest.raises(ValueError, match="probability"):
        PathAugmentation(flip=1.5)
    with pytest.raises(ValueError, match="negative"):
        PathAugmentation(noise=-1)


def test_balance_draws_recordings_alike() -> None:
    recording = torch.tensor([0] * 900 + [1] * 100)
    for balance, share in ((1.0, 0.1), (0.0, 0.5)):
        drawn = torch.tensor(
            [i for b in BalancedIndices(recording, 100, draws=5000, balance=balance) for i in b]
        )
        assert (recording[drawn] == 1).double().mean().item() == pytest.approx(share, abs=0.03)
    halves = [
        list(BalancedIndices(recording, 50, draws=300, balance=1, rank=r, world_size=2)) for r in (0, 1)
    ]
    assert [len(h) for h in halves] == [3, 3]
    assert halves[0] != halves[1]
    with pytest.raises(ValueError, match="balance"):
        BalancedIndices(recording, 5, draws=5, balance=2)


def small_data(folder: Path, **options: int) -> TrajectoryData:
    tables = [read_ethucy_file(write_ethucy(folder / "a.txt", walkers(8, 20)))]
    return TrajectoryData(train=tables, validation=tables, batch_size=8, draws_per_epoch=64, **options)


@pytest.mark.parametrize(("decoding", "social"), [("direct", "none"), ("autoregressive", "directional")])
def test_overfits_eight_windows_and_the_checkpoint_round_trips(
    tmp_path: Path, decoding: str, social: str
) -> None:
    seed_everything(0, verbose=False)
    data = small_data(tmp_path, neighbours=0 if social == "none" else 4)
    network = TrajectoryModelSettings(
        modes=2,
        hidden_size=32,
        decoder_size=64,
        decoding=decoding,
        social=social,  # type: ignore[arg-type]
    )
    card = TrajectoryCard(
        coordinates=2, unit="metres", seconds_per_step=0.4, model=network, data=TrajectoryDataSettings()
    )
    model = TrajectoryTask().build(card)
    model.fit(data.typical_step())
    epochs = 25 if decoding == "direct" else 12
    task = TrajectoryModule(
        model,
        TrajectoryOptimiserSettings(learning_rate=1e-2),
        validation_recordings=1,
        observed=8,
        total_steps=8 * epochs,
        augmentation=PathAugmentation(flip=0, reverse=0, scale=0, noise=0),
        card=card,
    )
    before = _error(model, data)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(task, datamodule=data)
    assert _error(model, data) < 0.35 * before
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    _, loaded = open_checkpoint(tmp_path / "a.ckpt", "trajectory")
    assert loaded.card == card
    assert _error(loaded.model, data) == pytest.approx(_error(model, data))


def _error(model: PathForecaster, data: TrajectoryData) -> float:
    assert data.validation_set is not None
    forecast = forecast_windows(model.eval(), data.validation_set)
    return float((forecast.path_BPC - truth_of(data.validation_set)).norm(dim=-1).mean())


def test_data_refuses_what_cannot_be_learned(tmp_path: Path) -> None:
    table = read_ethucy_file(write_ethucy(tmp_path / "short.txt", walkers(3, 10)))
    with pytest.raises(DatasetError, match=r"no training track lasts 8 \+ 12 steps"):
        TrajectoryData(train=[table], validation=[table])
    with pytest.raises(DatasetError, match="pixels"):
        TrajectoryData(train=[table], validation=[replace(table, unit="pixels")], horizon=2)
    with pytest.raises(DatasetError, match="no recordings"):
        TrajectoryData(train=[], validation=[])

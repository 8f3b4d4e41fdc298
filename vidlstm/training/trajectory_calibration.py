"""Do the regions of a forecast hold what they promise, and what factor on its spread makes them?

The q region of a step is its highest-density region: the smallest area that the mixture gives probability q
(Hyndman 1996, "Computing and graphing highest density regions", whose sampling estimate is used).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidlstm.training.trajectory_loss import mixture_log_density

if TYPE_CHECKING:
    from vidlstm.models.forecaster import Forecast

LEVELS = (0.5, 0.9)
SCALES = tuple(0.5 * 1.1**i for i in range(20))
"""Factors tried on the spread: 0.5 to 3.06."""

AT_ONCE = 2**16
"""Densities computed in one go, so that few windows take few calls and many stay in the caches."""


def sample_paths(forecast: Forecast, count: int, *, seed: int = 0) -> Tensor:
    """``(B, S, P, 2)`` draws from each step's mixture; a draw keeps to one mode through all steps."""
    generator = torch.Generator(device="cpu").manual_seed(seed)
    weights_BK = forecast.log_weights_BK.exp().cpu()
    mode_BS = torch.multinomial(weights_BK, count, replacement=True, generator=generator)
    horizon = forecast.path_BPC.shape[1]
    noise = torch.randn(len(mode_BS), count, horizon, 2, generator=generator)
    device = forecast.path_BPC.device
    index = mode_BS.to(device)[..., None, None].expand(-1, -1, horizon, 2)
    mean = forecast.modes_BKPC[..., :2].gather(1, index)
    spread = forecast.spread_BKPC[..., :2].gather(1, index)
    off = torch.einsum("bji,bspj->bspi", forecast.heading_B22, noise.to(device) * spread)
    return mean + off


def region_levels(forecast: Forecast, truth_BPC: Tensor, *, samples: int = 100, seed: int = 0) -> Tensor:
    """The probability ``(B, P)`` of the smallest highest-density region that holds the truth; uniform on
    [0, 1] for a calibrated forecast."""
    here_BP = mixture_log_density(forecast, truth_BPC)
    above_BP = torch.zeros_like(here_BP)
    at_once = max(1, AT_ONCE // max(1, forecast.modes_BKPC[..., 0].numel()))
    for drawn_BSP2 in torch.split(sample_paths(forecast, samples, seed=seed), at_once, dim=1):
        above_BP += (density_of_draws(forecast, drawn_BSP2) > here_BP[:, None]).sum(1)
    return above_BP / samples


def density_of_draws(forecast: Forecast, drawn_BSP2: Tensor) -> Tensor:
    """Log density ``(B, S, P)`` of each draw's steps under the mixture of that step."""
    draws = drawn_BSP2.shape[1]
    if draws == 1:
        return mixture_log_density(forecast, drawn_BSP2[:, 0])[:, None]
    window_N = torch.arange(len(drawn_BSP2), device=drawn_BSP2.device).repeat_interleave(draws)
    density_NP = mixture_log_density(select(forecast, window_N), drawn_BSP2.flatten(0, 1))
    return density_NP.view(drawn_BSP2.shape[:3])


def coverage(levels_BP: Tensor, recording_B: Tensor) -> dict[str, float]:
    """The share of truths inside the 50 % and 90 % regions, mean over recordings."""
    shares = {}
    for level in LEVELS:
        inside_B = (levels_BP <= level).double().mean(-1)
        means = [inside_B[recording_B == r].mean() for r in torch.unique(recording_B)]
        shares[f"coverage_{level:.0%}".rstrip("%")] = float(torch.stack(means).mean())
    return shares


def fit_spread_scale(
    forecast: Forecast, truth_BPC: Tensor, recording_B: Tensor, *, windows: int = 1500, seed: int = 0
) -> Tensor:
    """The factor ``(P,)`` on each step's spread that brings its 50 % and 90 % regions nearest to 50 and 90.

    Args:
        forecast: of validation windows.
        truth_BPC: what happened.
        recording_B: their recordings, which count alike.
        windows: how many windows to use, drawn from all.
        seed: of that draw and of the samples.
    """
    chosen = torch.randperm(len(truth_BPC), generator=torch.Generator().manual_seed(seed))[:windows]
    chosen = chosen.to(truth_BPC.device)
    forecast, truth_BPC, recording_B = select(forecast, chosen), truth_BPC[chosen], recording_B[chosen]
    weight_B = (1.0 / torch.bincount(recording_B).double())[recording_B]
    weight_B = weight_B / weight_B.sum()
    costs = []
    for scale in SCALES:
        scaled = replace(forecast, spread_BKPC=forecast.spread_BKPC * scale)
        levels_BP = region_levels(scaled, truth_BPC, samples=60, seed=seed)
        miss = [((levels_BP <= q).double() * weight_B[:, None]).sum(0) - q for q in LEVELS]
        costs.append(torch.stack(miss).square().sum(0))
    best_P = torch.stack(costs).argmin(0)
    return torch.tensor(SCALES, device=best_P.device)[best_P]


def select(forecast: Forecast, index_B: Tensor) -> Forecast:
    """Some of the windows of a forecast."""
    names = ("path_BPC", "modes_BKPC", "log_weights_BK", "spread_BKPC", "heading_B22")
    return replace(forecast, **{name: getattr(forecast, name)[index_B] for name in names})

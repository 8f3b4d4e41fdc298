"""What a forecaster is trained by: distance of one path, best of K, and likelihood of the mixture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidlstm.training.trajectory_metrics import step_errors

if TYPE_CHECKING:
    from vidlstm.models.forecaster import Forecast


def path_loss(path_BPC: Tensor, truth_BPC: Tensor) -> Tensor:
    """Mean distance over steps, not squared: its best answer is the median path, which ADE asks for.

    For boxes the distance of (width, height) is added with the same weight.
    """
    loss = step_errors(path_BPC[:, None], truth_BPC).mean()
    if truth_BPC.shape[-1] == 4:
        loss = loss + torch.linalg.vector_norm(path_BPC[..., 2:] - truth_BPC[..., 2:], dim=-1).mean()
    return loss


def best_of_k_loss(
    modes_BKPC: Tensor, truth_BPC: Tensor, *, temperature: float, final_weight: float
) -> Tensor:
    """The distance of the best of K paths, with the choice softened by a temperature.

    Winner takes all (Guzmán-Rivera et al. 2012, "Multiple choice learning") lets a path that never wins die;
    with weights softmax_k(-error_k / temperature), annealed to zero, every path is drawn in before they part
    (Perera et al. 2024, "Annealed multiple choice learning"). The mean and the final distance choose
    separately, as the best-of-K metric does.

    Args:
        modes_BKPC: K paths.
        truth_BPC: the truth.
        temperature: in the positions' unit; 0 takes the winner alone.
        final_weight: of the final distance beside the mean one.
    """
    error_BKP = step_errors(modes_BKPC, truth_BPC)
    mean_BK, final_BK = error_BKP.mean(-1), error_BKP[..., -1]
    if truth_BPC.shape[-1] == 4:
        size_BKP = torch.linalg.vector_norm(modes_BKPC[..., 2:] - truth_BPC[:, None, :, 2:], dim=-1)
        mean_BK = mean_BK + size_BKP.mean(-1)
    return _soft_minimum(mean_BK, temperature) + final_weight * _soft_minimum(final_BK, temperature)


def _soft_minimum(error_BK: Tensor, temperature: float) -> Tensor:
    if temperature <= 0:
        return error_BK.amin(1).mean()
    weight_BK = torch.softmax(-error_BK.detach() / temperature, dim=1)
    return (weight_BK * error_BK).sum(1).mean()


def component_log_densities(forecast: Forecast, points_BPC: Tensor) -> Tensor:
    """Log density ``(B, K, P)`` of x, y at each step under each Gaussian of the mixture."""
    off_BKP2 = points_BPC[:, None, :, :2] - forecast.modes_BKPC[..., :2]
    turned_BKP2 = torch.einsum("bij,bkpj->bkpi", forecast.heading_B22, off_BKP2)
    spread_BKP2 = forecast.spread_BKPC[..., :2]
    white_BKP2 = turned_BKP2 / spread_BKP2
    return -0.5 * white_BKP2.square().sum(-1) - spread_BKP2.log().sum(-1) - math.log(2 * math.pi)


def mixture_log_density(forecast: Forecast, points_BPC: Tensor) -> Tensor:
    """Log density ``(B, P)`` of x, y at each step under the mixture: log Σ_k w_k N(y_p; μ_kp, σ_kp).

    Bishop 1994, "Mixture density networks", with one set of weights for all steps.
    """
    return torch.logsumexp(
        component_log_densities(forecast, points_BPC) + forecast.log_weights_BK[..., None], dim=1
    )


def likelihood_loss(forecast: Forecast, truth_BPC: Tensor) -> Tensor:
    """Negative log-likelihood of each step under the mixture, mean over steps, for weights and spreads only.

    The modes are detached: likelihood alone pulls them together in the middle. Sizes of boxes get the
    likelihood of the path nearest to the truth.
    """
    fixed = replace(forecast, modes_BKPC=forecast.modes_BKPC.detach())
    loss = -mixture_log_density(fixed, truth_BPC).mean()
    if truth_BPC.shape[-1] == 4:
        spread = fixed.spread_BKPC[..., 2:]
        off = (truth_BPC[:, None, :, 2:] - fixed.modes_BKPC[..., 2:]) / spread
        size_BK = (0.5 * off.square() + spread.log()).sum(-1).mean(-1)
        nearest_BK1 = step_errors(fixed.modes_BKPC, truth_BPC).mean(-1).argmin(1, keepdim=True)
        loss = loss + size_BK.gather(1, nearest_BK1).mean()
    return loss

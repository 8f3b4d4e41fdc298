"""How wrong a forecast is: pure functions on tensors, a value per window, each with its source.

Every function takes the truth ``(B, P, C)`` and uses x and y only; ``box_iou`` uses all four values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def step_errors(paths_BKPC: Tensor, truth_BPC: Tensor) -> Tensor:
    """Distance ``(B, K, P)`` of each path from the truth at each step."""
    difference: Tensor = paths_BKPC[..., :2] - truth_BPC[:, None, :, :2]
    error_BKP: Tensor = torch.linalg.vector_norm(difference, dim=-1)
    return error_BKP


def displacement_errors(path_BPC: Tensor, truth_BPC: Tensor) -> dict[str, Tensor]:
    """``ade``, the mean distance over steps, and ``fde``, the distance at the last step; each ``(B,)``.

    Pellegrini et al. 2009; Alahi et al. 2016, "Social LSTM", section 4.
    """
    error_BP = step_errors(path_BPC[:, None], truth_BPC)[:, 0]
    return {"ade": error_BP.mean(-1), "fde": error_BP[:, -1]}


def best_of_k(paths_BKPC: Tensor, truth_BPC: Tensor) -> dict[str, Tensor]:
    """The best of K paths under both rules in use; each value ``(B,)``.

    ``min_ade`` and ``min_fde`` take each minimum on its own, for each person: the rule of EigenTrajectory's
    ``compute_batch_ade`` and ``compute_batch_fde``. (Social GAN's script too takes them on their own, but one
    sample for all people of a scene, which is harder.) ``joint_ade`` and ``joint_fde`` are those of the one
    path with the least ADE; ``endpoint_ade`` is that of the path with the least FDE (Argoverse).
    """
    error_BKP = step_errors(paths_BKPC, truth_BPC)
    ade_BK, fde_BK = error_BKP.mean(-1), error_BKP[..., -1]
    by_ade, by_fde = ade_BK.argmin(1, keepdim=True), fde_BK.argmin(1, keepdim=True)
    return {
        "min_ade": ade_BK.amin(1),
        "min_fde": fde_BK.amin(1),
        "joint_ade": ade_BK.gather(1, by_ade)[:, 0],
        "joint_fde": fde_BK.gather(1, by_ade)[:, 0],
        "endpoint_ade": ade_BK.gather(1, by_fde)[:, 0],
    }


def missed(paths_BKPC: Tensor, truth_BPC: Tensor, *, radius: float = 2.0) -> Tensor:
    """1 where no path ends within ``radius`` (the positions' unit) of the truth, else 0; ``(B,)``.

    Chang et al. 2019, "Argoverse"; its radius is 2 metres.
    """
    return (step_errors(paths_BKPC, truth_BPC)[..., -1].amin(1) > radius).to(truth_BPC.dtype)


def collides(path_BPC: Tensor, scene_B: Tensor, *, distance: float = 0.1, parts: int = 2) -> Tensor:
    """1 where a forecast comes nearer than ``distance`` to another forecast of the same scene; ``(B,)``.

    Forecasts of different windows meet only where ``scene_B`` agrees, which means one recording and one
    first frame. ``parts`` - 1 points are put between two steps. Kothari et al. 2021, "Human trajectory
    forecasting in crowds", Col-I; their distance is 0.1 metres.
    """
    fine_BQ2 = _between(path_BPC[..., :2], parts)
    hit_B = torch.zeros(len(path_BPC), dtype=path_BPC.dtype, device=path_BPC.device)
    order = torch.argsort(scene_B, stable=True)
    counts = torch.unique_consecutive(scene_B[order], return_counts=True)[1].tolist()
    for members in torch.split(order, counts):
        if len(members) > 1:
            group_NQ2 = fine_BQ2[members]
            gap_NN = torch.linalg.vector_norm(group_NQ2[:, None] - group_NQ2[None], dim=-1).amin(-1)
            gap_NN.fill_diagonal_(math.inf)
            hit_B[members] = (gap_NN.amin(1) < distance).to(hit_B.dtype)
    return hit_B


def _between(path_BP2: Tensor, parts: int) -> Tensor:
    share_Q = torch.arange(parts, device=path_BP2.device, dtype=path_BP2.dtype) / parts
    before, after = path_BP2[:, :-1, None], path_BP2[:, 1:, None]
    filled = (before + share_Q[:, None] * (after - before)).flatten(1, 2)
    return torch.cat([filled, path_BP2[:, -1:]], dim=1)


def kde_nll(samples_BSPC: Tensor, truth_BPC: Tensor, *, floor: float = -20.0) -> Tensor:
    """Negative log-likelihood under a Gaussian kernel density of the samples, mean over steps; ``(B,)``.

    Ivanovic and Pavone 2019, "The Trajectron", section 5: the bandwidth is Scott's rule on the samples' own
    covariance, log densities are cut below at -20. Needs more than two samples.
    """
    x_BPS2 = samples_BSPC[..., :2].transpose(1, 2).double()
    count = x_BPS2.shape[2]
    centred = x_BPS2 - x_BPS2.mean(2, keepdim=True)
    covariance = centred.transpose(-1, -2) @ centred / (count - 1)
    # Scott's factor for two dimensions is n^(-1/6); a tiny ridge keeps samples on one line invertible.
    kernel = covariance * count ** (-1.0 / 3.0) + 1e-9 * torch.eye(
        2, dtype=x_BPS2.dtype, device=x_BPS2.device
    )
    factor = torch.linalg.cholesky(kernel)
    off = truth_BPC[:, :, None, :2].double() - x_BPS2
    white = torch.linalg.solve_triangular(factor, off.transpose(-1, -2), upper=False)
    log_norm = math.log(2 * math.pi) + factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    log_BP = torch.logsumexp(-0.5 * white.square().sum(-2), -1) - math.log(count) - log_norm
    nll_B: Tensor = -log_BP.clamp_min(floor).mean(-1)
    return nll_B.to(truth_BPC.dtype)


def box_iou(path_BP4: Tensor, truth_BP4: Tensor) -> Tensor:
    """Intersection over union ``(B, P)`` of boxes (centre x, centre y, width, height) at each step."""
    half_a, half_b = path_BP4[..., 2:].clamp_min(0) / 2, truth_BP4[..., 2:].clamp_min(0) / 2
    low = torch.maximum(path_BP4[..., :2] - half_a, truth_BP4[..., :2] - half_b)
    high = torch.minimum(path_BP4[..., :2] + half_a, truth_BP4[..., :2] + half_b)
    overlap = (high - low).clamp_min(0).prod(-1)
    union = 4 * half_a.prod(-1) + 4 * half_b.prod(-1) - overlap
    return overlap / union.clamp_min(torch.finfo(union.dtype).tiny)


def speed(x_BTC: Tensor) -> Tensor:
    """Mean distance per observed step ``(B,)``."""
    step_BU: Tensor = torch.linalg.vector_norm(torch.diff(x_BTC[..., :2], dim=1), dim=-1)
    return step_BU.mean(1)


def curvature(truth_BPC: Tensor) -> Tensor:
    """How far the path bows from its chord, as a share of its length; ``(B,)``.

    The largest distance from the line through both ends, over the length of the path; 0 for a straight line
    and for one that does not move.
    """
    start_B2, end_B2 = truth_BPC[:, 0, :2], truth_BPC[:, -1, :2]
    chord_B2 = end_B2 - start_B2
    length_B: Tensor = torch.linalg.vector_norm(torch.diff(truth_BPC[..., :2], dim=1), dim=-1).sum(1)
    chord_length_B1 = torch.linalg.vector_norm(chord_B2, dim=-1).clamp_min(1e-9)[:, None]
    off_BP2 = truth_BPC[..., :2] - start_B2[:, None]
    cross_BP = off_BP2[..., 0] * chord_B2[:, None, 1] - off_BP2[..., 1] * chord_B2[:, None, 0]
    bow_B: Tensor = (cross_BP / chord_length_B1).abs().amax(1)
    return (bow_B / length_B.clamp_min(1e-9)).clamp_max(1.0)

"""How right forecasts were, where their future is known, beside going on at constant velocity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from vidlstm.training.trajectory_metrics import best_of_k, displacement_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vidlstm.structures import PathForecast


def score_forecasts(forecasts: Sequence[PathForecast]) -> dict[str, object]:
    """Mean errors over the forecasts whose whole future is known.

    Returns:
        ``forecasts``, how many; ``unit``; ``network`` and ``constant_velocity``, each with ``ade`` and
        ``fde``, the network also with ``min_ade`` and ``min_fde`` of its K futures; and, for boxes, the
        same in ``box_heights`` (the height of the last observed box).
    """
    known = [f for f in forecasts if np.isfinite(f.truth_PC).all()]
    if not known:
        return {"forecasts": 0}
    truth = _stack([f.truth_PC for f in known])
    network = displacement_errors(_stack([f.path_PC for f in known]), truth)
    if len(known[0].modes_KPC):
        best = best_of_k(_stack([f.modes_KPC for f in known]), truth)
        network |= {name: best[name] for name in ("min_ade", "min_fde")}
    straight = displacement_errors(_stack([f.straight_PC for f in known]), truth)
    rows = {"network": network, "constant_velocity": straight}
    scores: dict[str, object] = {"forecasts": len(known), "unit": known[0].unit}
    scores |= {name: _means(errors) for name, errors in rows.items()}
    if known[0].observed_TC.shape[1] == 4:
        height_N = torch.tensor([float(f.observed_TC[-1, 3]) for f in known])
        scores["box_heights"] = {
            name: _means({key: value / height_N for key, value in errors.items()})
            for name, errors in rows.items()
        }
    return scores


def _stack(paths: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(paths)).float()


def _means(errors: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(value.mean()) for name, value in errors.items()}

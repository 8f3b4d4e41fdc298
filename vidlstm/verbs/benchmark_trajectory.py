"""The ETH/UCY benchmark: every scene held out once, several seeds, beside the models without learning."""

from __future__ import annotations

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from vidlstm.datasets.ethucy import SCENES
from vidlstm.settings import TrajectoryDataSettings, TrajectoryModelSettings, TrajectoryOptimiserSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PUBLISHED: dict[str, dict[str, Any]] = {
    "LSTM, one path, as printed in the Social GAN paper": {
        "kind": "deterministic",
        "eth": (1.09, 2.41),
        "hotel": (0.86, 1.91),
        "univ": (0.61, 1.31),
        "zara1": (0.41, 0.88),
        "zara2": (0.52, 1.11),
        "average": (0.70, 1.52),
    },
    "EigenTrajectory-LB-EBM (ICCV 2023), best of 20": {"kind": "best_of_20", "average": (0.21, 0.34)},
}
"""Rows of others, each as printed; a scene that we could not verify is left out."""

KINDS = {
    "deterministic": ("ade", "fde"),
    "best_of_20": ("min_ade", "min_fde"),
    "best_of_20_joint": ("joint_ade", "joint_fde"),
}
"""Row of the result to the two metrics it is made of."""


def benchmark_ethucy(
    root: Path,
    out: Path,
    *,
    seeds: int = 3,
    scenes: Iterable[str] = SCENES,
    epochs: int = 60,
    workers: int = 2,
    data: TrajectoryDataSettings | None = None,
    model: TrajectoryModelSettings | None = None,
    optimiser: TrajectoryOptimiserSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Trains and scores each scene with each seed.

    Args:
        root: the ETH/UCY folder.
        out: takes one folder a run, ``<scene>_<seed>``.
        seeds: 0 to ``seeds`` - 1.
        scenes: which scenes to hold out.
        epochs: of every run.
        workers: processes, one thread each.
        data, model, optimiser: the same for all scenes.
        progress: told of every finished run in a line.

    Returns:
        ``deterministic``, ``best_of_20``, ``best_of_20_joint``, ``constant_velocity``, ``least_squares``,
        each with ``ade``, ``fde`` (mean over scenes), ``scenes`` and, for the network, ``ade_std`` and
        ``fde_std`` over seeds; ``runs`` holds everything measured in each run.
    """
    data, names = replace(data or TrajectoryDataSettings(), format="ethucy", root=Path(root)), list(scenes)
    jobs = [
        (replace(data, scene=scene), model, optimiser, Path(out) / f"{scene}_{seed}", epochs, seed)
        for seed in range(seeds)
        for scene in names
    ]
    # Spawned, not forked: a fork of a process that has run torch may hang.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    runs = []
    with pool:
        for job, run in zip(jobs, pool.map(_one_run, jobs), strict=True):
            runs.append({"scene": job[0].scene, "seed": job[5], **run})
            if progress is not None:
                progress(_line(runs[-1]))
    return summarise(runs, names)


def _line(run: dict[str, Any]) -> str:
    numbers = "  ".join(f"{key} {run[key]:.3f}" for key in ("ade", "fde", "min_ade", "min_fde") if key in run)
    return f"{run['scene']:<6} seed {run['seed']}  {numbers}  (epoch {run['best_epoch']})"


def _one_run(job: tuple[Any, ...]) -> dict[str, Any]:
    import torch

    from vidlstm.verbs.train import train

    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    data, model, optimiser, out, epochs, seed = job
    return train(
        "trajectory",
        data=data,
        model=model,
        optimiser=optimiser,
        out=out,
        max_epochs=epochs,
        trainer={"accelerator": "cpu", "enable_progress_bar": False, "logger": False},
        seed=seed,
    )


def summarise(runs: list[dict[str, Any]], scenes: list[str]) -> dict[str, Any]:
    """Means over scenes of the means over seeds, and the spread over seeds of the mean over scenes."""
    summary: dict[str, Any] = {}
    for kind, keys in KINDS.items():
        if keys[0] in runs[0]:
            summary[kind] = _row(
                [{"scene": r["scene"], "seed": r["seed"], "of": r} for r in runs], keys, scenes
            )
    for name in runs[0]["baselines"]:
        rows = [{"scene": r["scene"], "seed": r["seed"], "of": r["baselines"][name]} for r in runs]
        summary[name] = _row([r for r in rows if r["seed"] == runs[0]["seed"]], ("ade", "fde"), scenes)
    return {**summary, "validation": _validation(runs), "runs": runs}


def _row(rows: list[dict[str, Any]], keys: tuple[str, str], scenes: list[str]) -> dict[str, Any]:
    seeds = sorted({row["seed"] for row in rows})
    result: dict[str, Any] = {"scenes": {scene: {} for scene in scenes}}
    for name, key in zip(("ade", "fde"), keys, strict=True):
        value = {(row["scene"], row["seed"]): float(row["of"][key]) for row in rows}
        for scene in scenes:
            result["scenes"][scene][name] = fmean(value[scene, seed] for seed in seeds)
        by_seed = [fmean(value[scene, seed] for scene in scenes) for seed in seeds]
        result[name] = fmean(by_seed)
        if len(seeds) > 1:
            result[f"{name}_std"], result[f"{name}_by_seed"] = stdev(by_seed), by_seed
    return result


def _validation(runs: list[dict[str, Any]]) -> dict[str, float]:
    keys = ("ade", "fde", "min_ade", "min_fde", "coverage_50", "coverage_90")
    return {key: fmean(r["validation"][key] for r in runs) for key in keys if key in runs[0]["validation"]}

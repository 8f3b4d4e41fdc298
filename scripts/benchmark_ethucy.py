"""Five scenes, N seeds: the forecaster beside published rows, constant velocity and least squares.

python scripts/benchmark_ethucy.py --root DIR --seeds 3 --json result.json [--markdown table.md]
"""

import argparse
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from vidlstm.datasets.ethucy import SCENES
from vidlstm.files import write_json, write_text
from vidlstm.settings import (
    TrajectoryDataSettings,
    TrajectoryModelSettings,
    TrajectoryOptimiserSettings,
    plain,
)

CHOSEN = """\
Chosen where: the epoch and the scale of the spread, for each run, on the validation files of its own fold.
The recipe (changes to training windows, annealing, width, epochs): see docs/trajectory.md."""

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
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False}
    return train(
        "trajectory",
        data=data,
        model=model,
        optimiser=optimiser,
        out=out,
        max_epochs=epochs,
        trainer=quiet,
        seed=seed,
        overwrite=True,
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


ROWS = {
    "constant_velocity": "constant velocity",
    "least_squares": "least-squares line",
    "deterministic": "**vidlstm, one path**",
    "best_of_20": "**vidlstm, best of 20** (independent minima)",
    "best_of_20_joint": "vidlstm, best of 20 (final error of the path with the least mean error)",
}


def ethucy_table(result: Mapping[str, Any], published: Mapping[str, Mapping[str, Any]]) -> str:
    """ADE / FDE by scene and on average; ± is the standard deviation over seeds of the average.

    Args:
        result: what ``benchmark_ethucy`` returned.
        published: rows of others, scene or ``average`` to a pair; what is missing is left blank.
    """
    scenes = list(result["deterministic"]["scenes"])
    lines = [
        "| ADE/FDE, metres | " + " | ".join(s.upper() for s in scenes) + " | average |",
        "|---" * (len(scenes) + 2) + "|",
    ]
    for key in ("constant_velocity", "least_squares"):
        lines.append(_ours(ROWS[key], result[key], scenes))
    lines += [_theirs(name, row, scenes) for name, row in published.items() if row["kind"] == "deterministic"]
    lines.append(_ours(ROWS["deterministic"], result["deterministic"], scenes))
    lines += [_theirs(name, row, scenes) for name, row in published.items() if row["kind"] != "deterministic"]
    lines += [_ours(ROWS[k], result[k], scenes) for k in ("best_of_20", "best_of_20_joint") if k in result]
    return "\n".join(lines)


def _pair(ade: float, fde: float, digits: int = 3) -> str:
    return f"{ade:.{digits}f}/{fde:.{digits}f}"


def _ours(name: str, row: Mapping[str, Any], scenes: list[str]) -> str:
    cells = [_pair(row["scenes"][s]["ade"], row["scenes"][s]["fde"]) for s in scenes]
    average = _pair(row["ade"], row["fde"])
    if "ade_std" in row:
        average += f" ± {_pair(row['ade_std'], row['fde_std'])}"
    return "| " + " | ".join([name, *cells, average]) + " |"


def _theirs(name: str, row: Mapping[str, Any], scenes: list[str]) -> str:
    cells = [_pair(row[s][0], row[s][1], 2) if s in row else "" for s in (*scenes, "average")]
    return "| " + " | ".join([name, *cells]) + " |"


def main() -> None:
    """Parses, runs, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of <scene>/{train,val,test}/*.txt")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument("--out", type=Path, help="keep checkpoints here; a temporary folder without it")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--social", default="none", help="none, grid or directional")
    given = parser.parse_args()
    model = TrajectoryModelSettings(social=given.social)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = benchmark_ethucy(
            given.root,
            given.out or Path(folder),
            seeds=given.seeds,
            epochs=given.epochs,
            workers=given.workers,
            model=model,
            progress=lambda line: print(line, flush=True),
        )
    result["minutes"] = (time.monotonic() - started) / 60
    result["settings"] = {
        "data": plain(TrajectoryDataSettings()),
        "model": plain(model),
        "optimiser": plain(TrajectoryOptimiserSettings()),
        "epochs": given.epochs,
    }
    result["chosen"] = CHOSEN
    table = ethucy_table(result, PUBLISHED)
    print(f"\n{table}\n\n{CHOSEN}\n{result['minutes']:.1f} minutes")
    if given.json:
        write_json(result, given.json)
    if given.markdown:
        write_text(table + "\n", given.markdown)


if __name__ == "__main__":
    main()

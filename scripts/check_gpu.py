"""What this project claims of a GPU, run on this machine, in under eight minutes.

    scripts/check_gpu.sh --out DIR
    scripts/check_gpu.sh --out DIR --videos clips/ --weights mobilenet_v2-b0353104.pth

    tests        those that need a GPU (``pytest -m gpu``)
    extraction   frames a second from file to store, against the slower of decoding and the backbone alone
    training     an epoch at batch 1,024 and at 32 against the bare model: 2 x 256 BiLSTM, clips of 32 x 512
    cells        a training step of the project's own cells against ``torch.nn.LSTM`` (cuDNN), in bfloat16

Each stage is one of the other scripts in a process of its own, which is ended when its time is over; one that
fails does not stop the others. ``DIR/check_gpu.json`` names the hardware and holds the figures, each with
its limit and whether it is met; beside it lie what each stage printed and measured. The exit status is 1
where a stage failed, ran out of time, or missed its limit. Without ``--videos`` clips are drawn; without
``--weights`` the backbone's are random, which takes as long.

Without a GPU every stage is run in small on the CPU, to see that it runs, and nothing is judged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch
import yaml

from vidlstm.backbones.cpu import available_cores
from vidlstm.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCRIPTS = Path(__file__).parent
OWN_CELLS = ("lstm_1997", "lstm_peephole", "lstm_layernorm")
MODEL = {"hidden_size": 256, "num_layers": 2, "bidirectional": True, "projection": 0}
NO_GPU, MET, MISSED, FAILED, LATE = "no GPU", "met", "not met", "failed", "out of time"
NOTHING_COLLECTED = 5
"""What pytest exits with where no test was run."""


@dataclass
class Figure:
    """One number.

    Attributes:
        name: what it is.
        value: as measured.
        at_least: its limit; None where it is shown to understand the others.
    """

    name: str
    value: float
    at_least: float | None = None


@dataclass
class Stage:
    """One of the things that are checked.

    Attributes:
        name: of its files.
        command: what is run.
        most_seconds: when it is ended.
        read: finds its figures in the JSON that it wrote.
        status: how it went.
        took_seconds: wall time.
        figures: what was measured.
    """

    name: str
    command: Sequence[str]
    most_seconds: float
    read: Callable[[Any], list[Figure]]
    status: str = ""
    took_seconds: float = 0.0
    figures: list[Figure] = field(default_factory=list)

    def run(self, out: Path, *, judged: bool) -> None:
        """Runs it; what it prints goes to ``NAME.log`` and what it measures to ``NAME.json``."""
        began, found = time.monotonic(), out / f"{self.name}.json"
        found.unlink(missing_ok=True)
        command = [sys.executable, *self.command, *([] if self.name == "tests" else ["--json", str(found)])]
        with (out / f"{self.name}.log").open("w") as log:
            try:
                done = subprocess.run(
                    command,
                    stdout=log,
                    stderr=log,
                    timeout=self.most_seconds,
                    cwd=SCRIPTS.parent,
                    env=os.environ | {"PYTHONPATH": str(SCRIPTS.parent)},
                )
            except subprocess.TimeoutExpired:
                self.status = LATE
            else:
                empty = self.name == "tests" and done.returncode == NOTHING_COLLECTED
                self.status = FAILED if done.returncode and not empty else MET
        self.took_seconds = time.monotonic() - began
        if self.status == MET:
            self.judge(json.loads(found.read_text()) if found.exists() else None, judged=judged)

    def judge(self, measured: Any, *, judged: bool) -> None:
        """Takes its figures, and says whether all are within their limits."""
        try:
            self.figures = self.read(measured)
        except (LookupError, TypeError, ValueError):
            self.status = FAILED
            return
        missed = [f for f in self.figures if f.at_least is not None and not f.value >= f.at_least]
        self.status = (MISSED if missed else MET) if judged else NO_GPU


def extraction(bench: Any) -> list[Figure]:
    """Of what ``vidlstm bench --json`` wrote."""
    best: dict[str, float] = {}
    for stage in bench["stages"]:
        best[stage["stage"]] = max(best.get(stage["stage"], 0.0), stage["frames_per_second"])
    limit = min(best["decode"], best["backbone"])
    return [
        Figure("end to end, of the slower of decode and backbone", best["end to end"] / limit, 0.9),
        Figure("end to end, frames/s", best["end to end"]),
        Figure("decode alone, frames/s", best["decode"]),
        Figure("backbone alone, frames/s", best["backbone"]),
    ]


def training(most: float) -> Callable[[Any], list[Figure]]:
    """Of what ``benchmark_training.py --json`` wrote; an epoch may take ``most`` times the bare model's."""

    def read(measured: Any) -> list[Figure]:
        (config,) = measured["configs"].values()
        return [
            Figure(f"an epoch, bare model over training (1/{most})", measured["ratio_to_bare"], 1 / most),
            Figure("clips/s", config["clips_per_second"]),
            Figure("clips/s, bare model", config["bare_clips_per_second"]),
        ]

    return read


def cells(measured: Any) -> list[Figure]:
    """Of what ``benchmark_cells.py --json`` wrote."""
    return [
        Figure(f"{cell}, of torch.nn.LSTM", measured[cell]["train_ratio_to_torch_lstm"], 0.5)
        for cell in OWN_CELLS
    ]


def stages(given: argparse.Namespace, *, gpu: bool) -> list[Stage]:
    """All of them; their times add up to less than eight minutes."""
    config = given.out / "bilstm.yaml"
    config.write_text(yaml.safe_dump({"model": MODEL}))
    train = [str(SCRIPTS / "benchmark_training.py"), "--configs", str(config), "--steps", "32", "32"]
    train += ["--width", "512"]
    large = ("--batch_size", "1024", "--clips", "12288", "--epochs", "5")
    small = ("--batch_size", "32", "--clips", "12800", "--epochs", "2")
    if not gpu:
        large = small = ("--batch_size", "32", "--clips", "64", "--epochs", "1")
    bench = ["-m", "vidlstm", "bench", str(given.videos or given.out / "videos")]
    bench += ["--backbone.weights", given.weights, "--seconds", "40" if gpu else "1"]
    bench += ["--device", "cuda"] if gpu else ["--device", "cpu"]
    cell = [str(SCRIPTS / "benchmark_cells.py"), "--parts", "speed", "--cells", *OWN_CELLS, "--steps", "20"]
    cell += ["--device", "cuda", "--bfloat16", "--rounds", "20"] if gpu else ["--rounds", "2"]
    tests = ["-m", "pytest", "-q", "-n", "0", "-m", "gpu", "tests"]
    return [
        Stage("tests", tests, 100, lambda measured: []),
        Stage("extraction", bench, 120, extraction),
        Stage("training_1024", [*train, *large], 80, training(1.25)),
        Stage("training_32", [*train, *small], 100, training(1.15)),
        Stage("cells", cell, 50, cells),
    ]


def draw(folder: Path, count: int, seconds: int) -> None:
    """Videos of a texture that drifts, 320 x 240 at 25 frames a second."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(number: int) -> None:
        rng = np.random.default_rng(number)
        coarse = rng.integers(0, 256, (30, 40, 3), np.uint8)
        picture = coarse.repeat(8, 0).repeat(8, 1)
        with VideoWriter(folder / f"{number:02d}.mp4", fps=25, height=240, width=320) as writer:
            for frame in range(25 * seconds):
                writer.write(np.ascontiguousarray(np.roll(picture, (frame, 2 * frame), (0, 1))))

    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(one, range(count)))


def hardware() -> dict[str, Any]:
    """What this machine is."""
    return {
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else NO_GPU,
        "processor": platform.processor() or platform.machine(),
        "cores": available_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }


def main() -> int:
    """Runs all stages; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=Path("check_gpu"), help="takes check_gpu.json and the logs"
    )
    parser.add_argument("--videos", type=Path, help="a folder of real ones; minutes of each are used")
    parser.add_argument("--weights", default="random", help="of the backbone, mobilenet_v2")
    given = parser.parse_args()
    given.out = given.out.resolve()
    given.out.mkdir(parents=True, exist_ok=True)
    gpu = torch.cuda.is_available()
    if given.videos is None:
        draw(given.out / "videos", *((16, 40) if gpu else (2, 2)))
    checked, about = stages(given, gpu=gpu), hardware()
    for stage in checked:
        print(f"{stage.name}: at most {stage.most_seconds:.0f} s", flush=True)
        stage.run(given.out, judged=gpu)
        print(f"  {stage.status} after {stage.took_seconds:.0f} s")
        for figure in stage.figures:
            limit = "" if figure.at_least is None else f"  (at least {figure.at_least:.3g})"
            print(f"  {figure.value:12.3f}  {figure.name}{limit}")
    failed = [stage.name for stage in checked if stage.status not in (MET, NO_GPU)]
    report = {"hardware": about, "failed": failed, "stages": [plain(stage) for stage in checked]}
    (given.out / "check_gpu.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"{about['gpu']}: {'failed: ' + ', '.join(failed) if failed else 'nothing failed'}")
    print(given.out / "check_gpu.json")
    return 1 if failed else 0


def plain(stage: Stage) -> dict[str, Any]:
    """A stage as it goes to JSON; each figure says whether it is within its limit."""
    kept = ("name", "status", "took_seconds", "most_seconds")
    judged = stage.status in (MET, MISSED)
    rows = [
        asdict(f) | {"met": f.value >= f.at_least if judged and f.at_least is not None else None}
        for f in stage.figures
    ]
    return {name: getattr(stage, name) for name in kept} | {"command": [*stage.command], "figures": rows}


if __name__ == "__main__":
    sys.exit(main())

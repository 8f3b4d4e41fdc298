"""How much memory a training takes on an hour-long video, and on one of two and of four hours.

    python scripts/benchmark_long_training.py --json FILE

Drawn features (256 a step, 10 steps a second) with a label for every ten seconds; a causal LSTM, windows of
20 s that carry their state, one epoch, a process a row. ``table`` is what the features themselves take, which
are mapped from a file where they have no room; ``beside`` is the peak of the resident memory without them,
less that of the same training on three minutes. The last row trains on the whole hour at once, to compare.
Linux only.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console

import vidlstm
from vidlstm.files import write_csv
from vidlstm.render.table.results_table import results_table
from vidlstm.training.trainer import quieten_lightning

FPS, WIDTH, LABEL_SECONDS = 10, 256, 10.0
HOURS = (0.0, 1.0, 2.0, 4.0)
SHORT_HOURS = 0.05


def draw(folder: Path, hours: float) -> None:
    """A long sequence to train on and a short one to validate on, and their labels."""
    rng, rows = np.random.default_rng(0), []
    for fold, length in enumerate((hours, SHORT_HOURS)):
        steps = round(length * 3600 * FPS)
        np.save(folder / f"{fold}.npy", rng.standard_normal((steps, WIDTH), np.float32))
        for n, start in enumerate(np.arange(0, steps / FPS, LABEL_SECONDS)):
            rows.append((f"{fold}.npy", start, min(start + LABEL_SECONDS, steps / FPS), "ab"[n % 2], fold))
    write_csv(("path", "start_seconds", "end_seconds", "label", "fold"), rows, folder / "segments.csv")


def train(folder: Path, *, carried: bool) -> None:
    """One epoch on what was drawn."""
    quieten_lightning()
    where = {"annotations": folder / "segments.csv", "root": folder, "fold": 1, "batch_size": 1}
    given = {"format": "features", "features_fps": FPS, "features_layout": "TF"}
    how = {"window_seconds": 20.0 if carried else None, "carry_state": carried}
    vidlstm.train(
        "segmentation",
        out=folder / "run",
        data={**where, **given, **how},
        model={"bidirectional": False},
        max_epochs=1,
        device="cpu",
        trainer={"enable_progress_bar": False},
    )


def measured(hours: float, *, carried: bool = True) -> dict[str, float]:
    """Megabytes of a process that trains."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), max(hours, SHORT_HOURS))
        command = [sys.executable, __file__, "--child", folder, *([] if carried else ["--whole"])]
        peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
    steps = (max(hours, SHORT_HOURS) + SHORT_HOURS) * 3600 * FPS
    return {"peak": peak, "table": steps * WIDTH * 4 / 1e6}


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        train(given.child, carried=not given.whole)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
        return
    rows = {f"{hours:g} h, in pieces" if hours else "3 minutes": measured(hours) for hours in HOURS}
    rows["1 h, whole"] = measured(1.0, carried=False)
    least = rows["3 minutes"]["peak"] - rows["3 minutes"]["table"]
    for row in rows.values():
        row["beside"] = row["peak"] - row["table"] - least
    Console().print(results_table(rows, title="megabytes"))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

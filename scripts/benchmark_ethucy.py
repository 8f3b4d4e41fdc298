"""Five scenes, N seeds: the forecaster beside published rows, constant velocity and least squares.

python scripts/benchmark_ethucy.py --root DIR --seeds 3 --json result.json [--markdown table.md]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from vidlstm.render.benchmark import ethucy_table
from vidlstm.settings import (
    TrajectoryDataSettings,
    TrajectoryModelSettings,
    TrajectoryOptimiserSettings,
    plain,
)
from vidlstm.verbs.benchmark_trajectory import PUBLISHED, benchmark_ethucy

CHOSEN = """\
Chosen where: the epoch and the scale of the spread, for each run, on the validation files of its own fold.
The recipe (changes to training windows, annealing, width, epochs): see docs/trajectory.md."""


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
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

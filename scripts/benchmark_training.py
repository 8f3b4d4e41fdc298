"""How fast training runs on stored features, against the bare model stepping on one resident batch.

    python scripts/benchmark_training.py --json FILE

Fills a feature store with noise (300 clips of 30 to 150 steps, 1280 wide, in the store's own format) and
trains on it with the settings of each ``configs/action/*.yaml``, through the data module, the task and the
trainer that ``vidlstm train`` uses, progress bar, logger and metrics included. After every epoch the same
number of steps is made by the bare model: forward, loss, backward and AdamW on one batch that lies ready,
with no loader, no logging and no gradient clipping. So both meet whatever else the machine does.

``ratio_to_bare`` is the median over epochs of clips per second against the bare model's, for the slowest
config. Validation and the writing of checkpoints are left out of it; ``ratio_with_validation`` counts them.
``cpu_ratio_to_bare`` compares CPU-seconds and holds on a busy machine as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from lightning import Callback, LightningModule, Trainer

from vidlstm.cli.progress import quieten_lightning
from vidlstm.datamodules.actions import ActionData
from vidlstm.datasets import ClipRecord
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.settings import ActionDataSettings, ActionModelSettings, OptimiserSettings, plain
from vidlstm.structures import SequenceBatch
from vidlstm.workflows.train_action import build_task, build_trainer

CONFIGS = Path(__file__).parents[1] / "configs" / "action"
LABELS = ("one", "two")
WIDTH, FPS = 1280, 10.0


def fill(root: Path, clips: int) -> tuple[FeatureStore, list[ClipRecord], dict[Path, str]]:
    """A store of noise, 30 to 150 steps a clip, with a record and a hash for each."""
    spec = FeatureSpec(fps=FPS, image_fps=25.0, backbone={"backbone": "noise", "feature_dim": WIDTH})
    store, rng = FeatureStore(root, spec), np.random.default_rng(0)
    records, hashes = [], {}
    for number in range(clips):
        steps = int(rng.integers(30, 151))
        path = Path(f"{number}.mp4")
        hashes[path] = hashlib.sha256(path.name.encode()).hexdigest()
        with store.writer(hashes[path]) as writer:
            writer.append(rng.standard_normal((steps, WIDTH), np.float32), (np.arange(steps) / FPS).tolist())
            writer.commit()
        records.append(ClipRecord(path, LABELS[number % 2]))
    return store, records, hashes


class Bare:
    """The model, the loss and AdamW on one batch that lies ready."""

    def __init__(self, model: SequenceClassifier, batch: SequenceBatch, optimiser: OptimiserSettings) -> None:
        self._model, self._batch = model.train(), batch
        self._loss = torch.nn.CrossEntropyLoss(
            weight=torch.ones(len(LABELS), device=batch.x_BTF.device),
            label_smoothing=optimiser.label_smoothing,
        )
        self._optimiser = torch.optim.AdamW(model.parameters(), optimiser.learning_rate)

    def step(self) -> None:
        """One training step."""
        self._optimiser.zero_grad()
        loss = self._loss(self._model(self._batch.x_BTF, self._batch.lengths_B), self._batch.targets)
        loss.backward()
        self._optimiser.step()


class Clock(Callback):
    """Times the training steps of each epoch, the whole epoch, and as many steps of the bare model."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self.epochs: list[dict[str, tuple[float, float]]] = []
        self._now: dict[str, tuple[float, float]] = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._now = {"start": clock()}

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        """Notes the end of the last step."""
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._now["steps"] = clock()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lets the bare model step; checkpoints were written before."""
        self._now["end"] = clock()
        for _ in range(int(trainer.num_training_batches)):
            self._bare.step()
        self._now["bare"] = clock()
        self.epochs.append(self._now)


def clock() -> tuple[float, float]:
    """Wall and CPU seconds, when all that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def measure(config: dict[str, Any], data: ActionData, epochs: int, out: Path, **trainer: Any) -> Clock:
    """Trains with one config; the first epoch warms up and is not counted."""
    model = ActionModelSettings(**config.get("model", {}))
    optimiser = OptimiserSettings(**config.get("optimiser", {}))
    middling = sorted(data.train_dataloader(), key=lambda batch: (len(batch), int(batch.lengths_B.sum())))
    full = [batch for batch in middling if len(batch) == len(middling[-1])]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    bare = Bare(
        SequenceClassifier(WIDTH, len(LABELS), **plain(model)).to(device),
        full[len(full) // 2].to(device),
        optimiser,
    )
    watch = Clock(bare)
    arguments = {**config.get("trainer", {}), "max_epochs": epochs + 1, "callbacks": [watch], **trainer}
    lightning = build_trainer(out, arguments, monitor="val_loss", mode="min", patience=optimiser.patience)
    task = build_task(data, WIDTH, model, optimiser, lightning, {}, seed=0)
    lightning.fit(task, datamodule=data)
    watch.epochs = watch.epochs[1:]
    return watch


def summarise(watch: Clock, clips: int, batch_size: int) -> dict[str, float]:
    """Ratios of clips per second, medians over epochs."""
    steps = -(-clips // batch_size)
    bare_clips = steps * batch_size

    def seconds(first: str, last: str, which: int) -> list[float]:
        return [epoch[last][which] - epoch[first][which] for epoch in watch.epochs]

    def ratio(last: str, which: int) -> float:
        pairs = zip(seconds("end", "bare", which), seconds("start", last, which), strict=True)
        return median(bare / bare_clips * clips / ours for bare, ours in pairs)

    return {
        "clips_per_second": clips / median(seconds("start", "steps", 0)),
        "bare_clips_per_second": bare_clips / median(seconds("end", "bare", 0)),
        "ratio_to_bare": ratio("steps", 0),
        "cpu_ratio_to_bare": ratio("steps", 1),
        "ratio_with_validation": ratio("end", 0),
    }


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, default=320, help="to train on; a quarter more to validate on")
    parser.add_argument("--epochs", type=int, default=10, help="epochs that count, for each config")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    quieten_lightning()
    figures: dict[str, Any] = {"configs": {}}
    with tempfile.TemporaryDirectory() as folder:
        store, records, hashes = fill(Path(folder) / "features", given.clips + given.clips // 4)
        for path in sorted(CONFIGS.glob("*.yaml")):
            config = yaml.safe_load(path.read_text())
            settings = ActionDataSettings(**config.get("data", {}))
            data = ActionData(
                store,
                hashes,
                LABELS,
                train=records[: given.clips],
                validation=records[given.clips :],
                batch_size=settings.batch_size,
                max_seconds=settings.max_seconds,
            )
            watch = measure(config, data, given.epochs, Path(folder) / path.stem)
            figures["configs"][path.stem] = summarise(watch, given.clips, settings.batch_size)
    for name in ("ratio_to_bare", "cpu_ratio_to_bare", "ratio_with_validation"):
        figures[name] = min(config[name] for config in figures["configs"].values())
    figures["threads"] = torch.get_num_threads()
    print(json.dumps(figures, indent=1))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""How fast training runs on stored features, against the bare model stepping on one resident batch.

    python scripts/benchmark_training.py --json FILE

Fills a feature store with noise (320 clips of 30 to 150 steps, 1280 wide, in the store's own format) and
trains on it with the settings of each ``configs/action/*.yaml``, through the data module, the task and the
trainer that ``vidlstm train`` uses, progress bar, logger and metrics included. After every step the bare
model makes one: forward, loss, backward and AdamW on one batch that lies ready, with no loader, no logging
and no gradient clipping. So both meet whatever else the machine does.

``ratio_to_bare`` is the median over steps of clips per second against the bare model's, for the slowest
config. Validation and the writing of checkpoints are left out; ``ratio_with_validation`` counts them.
``cpu_ratio_to_bare`` compares CPU-seconds and holds on a busy machine as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from lightning import Callback, LightningModule, Trainer

from vidlstm.backbones.cpu import keep_freed_memory
from vidlstm.cards import ActionCard
from vidlstm.datamodules.actions import ActionData
from vidlstm.datasets import ClipRecord
from vidlstm.features.spec import FeatureSpec
from vidlstm.features.store import FeatureStore
from vidlstm.models.fusion import Classifier, streams_of
from vidlstm.settings import ActionDataSettings, OptimiserSettings
from vidlstm.structures import SequenceBatch
from vidlstm.tasks import TASKS
from vidlstm.training.trainer import build_trainer, quieten_lightning
from vidlstm.verbs.train import KEPT_MEGABYTES, task_settings

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

    def __init__(self, model: Classifier, batch: SequenceBatch, optimiser: OptimiserSettings) -> None:
        self._model, self._batch = model.train(), batch
        self._loss = torch.nn.CrossEntropyLoss(
            weight=torch.ones(len(LABELS), device=batch.x_BTF.device),
            label_smoothing=optimiser.label_smoothing,
        )
        self._optimiser = torch.optim.AdamW(model.parameters(), optimiser.learning_rate)

    def step(self) -> None:
        """One training step."""
        self._optimiser.zero_grad()
        streams, lengths_B = streams_of(self._model, self._batch.x_BTF), self._batch.lengths_B
        losses = [self._loss(s.model(s.x_BTF, lengths_B), self._batch.targets) for s in streams]
        loss = torch.stack(losses).mean()
        loss.backward()
        self._optimiser.step()


class Clock(Callback):
    """Lets the bare model step after every training step; times both, and whole epochs without it."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self.steps: list[tuple[Seconds, Seconds]] = []
        self.epochs: list[tuple[Seconds, Seconds]] = []
        self._last = self._epoch = Seconds()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock; the first epoch warmed everything up."""
        if trainer.current_epoch == 1:
            self.steps, self.epochs = [], []
        self._last = self._epoch = clock()

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        """Ends a step, which began where the bare model's last one ended: logging and loading are in it."""
        ours = clock()
        self._bare.step()
        bare = clock()
        self.steps.append((ours - self._last, bare - ours))
        self._last = bare

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends an epoch; checkpoints were written before."""
        steps = self.steps[-int(trainer.num_training_batches) :]
        bare = sum((bare for _, bare in steps), Seconds())
        self.epochs.append((clock() - self._epoch - bare, bare))


@dataclass(frozen=True)
class Seconds:
    """Wall and CPU seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    def __sub__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)


def clock() -> Seconds:
    """Now, when all that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Seconds(time.perf_counter(), time.process_time())


def measure(config: dict[str, Any], data: ActionData, epochs: int, out: Path, **trainer: Any) -> Clock:
    """Trains with one config; the first epoch warms up and is not counted."""
    task = TASKS["action"]
    settings = task_settings(task.name, {name: config.get(name) for name in ("model", "optimiser")})
    middling = sorted(data.train_dataloader(), key=lambda batch: (len(batch), int(batch.lengths_B.sum())))
    full = [batch for batch in middling if len(batch) == len(middling[-1])]
    parts = config["backbone"]["name"].count("+") + 1
    card = ActionCard(
        labels=LABELS,
        feature_dim=WIDTH,
        part_dims=(WIDTH // parts,) * parts,
        backbone={"backbone": "noise"},
        fps=FPS,
        window_seconds=data.median_seconds(),
        model=settings.model,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = task.build(card)
    bare = Bare(model.to(device), full[len(full) // 2].to(device), settings.optimiser)
    watch = Clock(bare)
    arguments = {**config.get("trainer", {}), "max_epochs": epochs + 1, "callbacks": [watch], **trainer}
    lightning = build_trainer(out, arguments, monitor=task.monitor, patience=settings.optimiser.patience)
    lightning.fit(task.module(settings, card, data, lightning), datamodule=data)
    return watch


def summarise(watch: Clock, batch_size: int) -> dict[str, float]:
    """Medians: a step that something else on the machine got in the way of does not count."""
    return {
        "clips_per_second": batch_size / median(ours.wall for ours, _ in watch.steps),
        "bare_clips_per_second": batch_size / median(bare.wall for _, bare in watch.steps),
        "ratio_to_bare": median(bare.wall / ours.wall for ours, bare in watch.steps),
        "cpu_ratio_to_bare": median(bare.cpu / ours.cpu for ours, bare in watch.steps),
        "ratio_with_validation": median(bare.wall / ours.wall for ours, bare in watch.epochs),
    }


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--clips", type=int, default=320, help="to train on, whole batches; a quarter more to validate on"
    )
    parser.add_argument("--epochs", type=int, default=10, help="epochs that count, for each config")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    quieten_lightning()
    keep_freed_memory(KEPT_MEGABYTES)  # as ``vidlstm train`` does; the bare model gains by it too
    figures: dict[str, Any] = {"configs": {}}
    with tempfile.TemporaryDirectory() as folder:
        store, records, hashes = fill(Path(folder) / "features", given.clips + given.clips // 4)
        for path in sorted(CONFIGS.glob("*.yaml")):
            config = yaml.safe_load(path.read_text())
            settings = ActionDataSettings(**config.get("data", {}))
            if given.clips % settings.batch_size:
                parser.error(f"--clips must be a multiple of {settings.batch_size}")
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
            figures["configs"][path.stem] = summarise(watch, settings.batch_size)
    for name in ("ratio_to_bare", "cpu_ratio_to_bare", "ratio_with_validation"):
        figures[name] = min(config[name] for config in figures["configs"].values())
    figures["threads"] = torch.get_num_threads()
    print(json.dumps(figures, indent=1))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

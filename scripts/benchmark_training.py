"""How fast training runs on stored features, against the bare model stepping on the same batches.

    python scripts/benchmark_training.py --json FILE
    python scripts/benchmark_training.py --growth --json FILE

Fills a feature store with noise (320 clips of 30 to 150 steps, 1280 wide, in the store's own format) and
trains on it with the settings of each ``configs/action/*.yaml``, through the data module, the task and the
trainer that ``vidlstm train`` uses, progress bar, logger and metrics included. The bare model steps on the
same batches when they lie ready: forward, loss, backward and AdamW, with no loader, no logging and no
gradient clipping, in the same precision. On a CPU the two take turns after every step, so both meet whatever
else the machine does; on a GPU after every epoch, because to stop the clock is to wait for it.

``ratio_to_bare`` is the median of clips per second against the bare model's, for the slowest config.
Validation and the writing of checkpoints are left out; ``ratio_with_validation`` counts them.
``cpu_ratio_to_bare`` compares CPU-seconds and holds on a busy machine as well.

``--growth`` trains on 1, 2, 4 and 8 times the clips instead, and gives the CPU-seconds until the first step
and of an epoch, validation included. A straight line is a column whose milliseconds a clip stay alike.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from zlib import crc32

import numpy as np
import torch
import yaml
from lightning import Callback, LightningModule, Trainer

from vidlstm.backbones.cpu import keep_freed_memory
from vidlstm.cards import ActionCard
from vidlstm.datamodules.actions import ActionData
from vidlstm.datasets import ClipRecord
from vidlstm.features.features_file import header_of
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
FPS = 10.0
TIMES = (1, 2, 4, 8)
"""So many times the clips with ``--growth``."""


@dataclass(frozen=True)
class Clips:
    """A store of noise, with a record and a hash for each clip."""

    store: FeatureStore
    records: list[ClipRecord]
    hashes: dict[Path, str]

    def data(self, train: int, validation: int, settings: ActionDataSettings) -> ActionData:
        """The first ``train`` to train on and ``validation`` others, gathered as ``vidlstm train`` does."""
        return ActionData(
            self.store,
            self.hashes,
            LABELS,
            train=self.records[:train],
            validation=self.records[train : train + validation],
            batch_size=settings.batch_size,
            max_seconds=settings.max_seconds,
        )


def fill(root: Path, clips: int, width: int, steps: tuple[int, int]) -> Clips:
    """So many clips of so many steps, from the least to the most."""
    spec = FeatureSpec(fps=FPS, image_fps=25.0, backbone={"backbone": "noise", "feature_dim": width})
    store, rng = FeatureStore(root, spec), np.random.default_rng(0)
    records, hashes = [], {}
    for number in range(clips):
        count = int(rng.integers(steps[0], steps[1] + 1))
        path = Path(f"{number}.mp4")
        hashes[path] = hashlib.sha256(path.name.encode()).hexdigest()
        features = rng.standard_normal((count, width), np.float32).astype("<f2")
        data = features.tobytes() + (np.arange(count) / FPS).astype("<f8").tobytes()
        metadata = {"spec": spec.canonical, "video": hashes[path], "truncated": ""}
        place = store.path_of(hashes[path])
        place.parent.mkdir(parents=True, exist_ok=True)
        # The store's own writer waits for the disk at every file.
        place.write_bytes(header_of(count, width, metadata, crc32(data)) + data)
        records.append(ClipRecord(path, LABELS[number % 2]))
    return Clips(store, records, hashes)


class Bare:
    """The model, the loss and AdamW on batches that lie ready."""

    def __init__(
        self, model: Classifier, device: torch.device, optimiser: OptimiserSettings, precision: str
    ) -> None:
        self._model = model.to(device).train()
        self._loss = torch.nn.CrossEntropyLoss(
            weight=torch.ones(len(LABELS), device=device), label_smoothing=optimiser.label_smoothing
        )
        fused = True if device.type == "cuda" else None  # as ours
        self._optimiser = torch.optim.AdamW(model.parameters(), optimiser.learning_rate, fused=fused)
        low = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)
        self._autocast = partial(torch.autocast, device.type, low, enabled=low is not None)

    def step(self, batch: SequenceBatch) -> None:
        """One training step."""
        self._optimiser.zero_grad()
        with self._autocast():
            streams, lengths_B = streams_of(self._model, batch.x_BTF), batch.lengths_B
            losses = [self._loss(s.model(s.x_BTF, lengths_B), batch.targets) for s in streams]
            loss = torch.stack(losses).mean()
        loss.backward()
        self._optimiser.step()


class Clock(Callback):
    """Times a training, and the bare model, where it takes turns with it."""

    def __init__(self) -> None:
        self._bare: Bare | None = None
        self._every = 1
        self._batches: list[SequenceBatch] = []
        self.turns: list[tuple[Seconds, Seconds]] = []
        self.epochs: list[tuple[Seconds, Seconds]] = []
        self.started = clock()
        self._last = self._epoch = self._bare_in_epoch = Seconds()

    def take_turns(self, bare: Bare, *, every: int) -> None:
        """Lets the bare model make as many steps after so many of the training; 0 for those of an epoch."""
        self._bare, self._every = bare, every

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock; the first epoch warmed everything up."""
        if trainer.current_epoch == 0:
            self.started = clock() - self.started
        if trainer.current_epoch == 1:
            self.turns, self.epochs = [], []
        self._last = self._epoch = clock()
        self._bare_in_epoch = Seconds()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ends a turn, which began where the bare model's last one ended: logging and loading are in it."""
        steps = self._every or int(trainer.num_training_batches)
        if self._bare is None:
            return
        self._batches.append(batch)
        if (batch_idx + 1) % steps:
            return
        ours = clock()
        for ready in self._batches:
            self._bare.step(ready)
        bare = clock()
        self._batches.clear()
        self.turns.append((over(ours - self._last, steps), over(bare - ours, steps)))
        self._bare_in_epoch += bare - ours
        self._last = bare

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends an epoch; checkpoints were written before."""
        self.epochs.append((clock() - self._epoch - self._bare_in_epoch, self._bare_in_epoch))


@dataclass(frozen=True)
class Seconds:
    """Wall and CPU seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    def __sub__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)


def over(seconds: Seconds, steps: int) -> Seconds:
    """Of each of so many steps."""
    return Seconds(seconds.wall / steps, seconds.cpu / steps)


def clock() -> Seconds:
    """Now, when all that was asked of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Seconds(time.perf_counter(), time.process_time())


def train(
    config: dict[str, Any], data: ActionData, epochs: int, out: Path, *, against_bare: bool
) -> tuple[Clock, str]:
    """Trains with one config, an epoch more than is counted; gives what it took and the precision."""
    task = TASKS["action"]
    settings = task_settings(task.name, {name: config.get(name) for name in ("model", "optimiser")})
    parts, width = config.get("backbone", {}).get("name", "").count("+") + 1, data.table.rows_NF.shape[1]
    card = ActionCard(
        labels=LABELS,
        feature_dim=width,
        part_dims=(width // parts,) * parts,
        backbone={"backbone": "noise"},
        fps=FPS,
        window_seconds=data.median_seconds(),
        model=settings.model,
    )
    watch = Clock()
    arguments = {**config.get("trainer", {}), "max_epochs": epochs + 1, "callbacks": [watch]}
    lightning = build_trainer(out, arguments, monitor=task.monitor, patience=settings.optimiser.patience)
    if against_bare:
        device, model = lightning.strategy.root_device, task.build(card)
        bare = Bare(model, device, settings.optimiser, str(lightning.precision))  # type: ignore[arg-type]
        watch.take_turns(bare, every=1 if device.type == "cpu" else 0)
    watch.started = clock()
    lightning.fit(task.module(settings, card, data, lightning), datamodule=data)
    return watch, str(lightning.precision)


def summarise(watch: Clock, batch_size: int) -> dict[str, float]:
    """Medians: a step that something else on the machine got in the way of does not count."""
    return {
        "clips_per_second": batch_size / median(ours.wall for ours, _ in watch.turns),
        "bare_clips_per_second": batch_size / median(bare.wall for _, bare in watch.turns),
        "ratio_to_bare": median(bare.wall / ours.wall for ours, bare in watch.turns),
        "cpu_ratio_to_bare": median(bare.cpu / ours.cpu for ours, bare in watch.turns),
        "ratio_with_validation": median(bare.wall / ours.wall for ours, bare in watch.epochs),
    }


def against_bare(given: argparse.Namespace, configs: list[Path], folder: Path) -> dict[str, Any]:
    """Every config beside the bare model."""
    figures: dict[str, Any] = {"configs": {}}
    clips = fill(folder / "features", given.clips + given.clips // 4, given.width, given.steps)
    for path in configs:
        config = yaml.safe_load(path.read_text())
        settings = data_settings(config, given)
        data = clips.data(given.clips, given.clips // 4, settings)
        watch, precision = train(config, data, given.epochs, folder / path.stem, against_bare=True)
        found = summarise(watch, settings.batch_size) | {"precision": precision}
        figures["configs"][path.stem] = found
        print(
            f"{path.stem:24} {found['clips_per_second']:8.0f} clips/s"
            f"  bare {found['bare_clips_per_second']:8.0f}  ratio {found['ratio_to_bare']:.3f}"
            f"  of CPU {found['cpu_ratio_to_bare']:.3f}"
            f"  with validation {found['ratio_with_validation']:.3f}",
            flush=True,
        )
    for name in ("ratio_to_bare", "cpu_ratio_to_bare", "ratio_with_validation"):
        figures[name] = min(config[name] for config in figures["configs"].values())
    return figures


def growth(given: argparse.Namespace, configs: list[Path], folder: Path) -> dict[str, Any]:
    """The first config on more and more clips."""
    config = yaml.safe_load(configs[0].read_text())
    most = TIMES[-1] * given.clips
    clips, rows = fill(folder / "features", most + most // 4, given.width, given.steps), []
    for times in TIMES:
        count, settings = times * given.clips, data_settings(config, given)
        began = clock()
        data = clips.data(count, count // 4, settings)
        gathered = clock() - began
        watch, _ = train(config, data, given.epochs, folder / str(times), against_bare=False)
        row = {
            "clips": count + count // 4,
            "gather_cpu_seconds": gathered.cpu,
            "start_cpu_seconds": watch.started.cpu,
            "epoch_cpu_seconds": median(ours.cpu for ours, _ in watch.epochs),
            "epoch_wall_seconds": median(ours.wall for ours, _ in watch.epochs),
        }
        rows.append(row)
        a_clip = {
            name: 1000 * row[f"{name}_cpu_seconds"] / row["clips"] for name in ("gather", "start", "epoch")
        }
        print(
            f"{row['clips']:6} clips  CPU-ms a clip: "
            + "  ".join(f"{name} {value:.3f}" for name, value in a_clip.items()),
            flush=True,
        )
    return {"growth": rows, "config": configs[0].stem}


def data_settings(config: dict[str, Any], given: argparse.Namespace) -> ActionDataSettings:
    """Those of a config, but for the batch size where one is given."""
    asked = {} if given.batch_size is None else {"batch_size": given.batch_size}
    settings = ActionDataSettings(**{**config.get("data", {}), **asked})
    if given.clips % settings.batch_size:
        raise SystemExit(f"--clips must be a multiple of {settings.batch_size}")
    return settings


def main() -> None:
    """Parses, measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--clips", type=int, default=320, help="to train on, whole batches; a quarter more to validate on"
    )
    parser.add_argument("--steps", type=int, nargs=2, default=(30, 150), help="of a clip, least and most")
    parser.add_argument("--width", type=int, default=1280, help="of the features")
    parser.add_argument("--epochs", type=int, default=10, help="epochs that count, for each config")
    parser.add_argument("--batch_size", type=int, help="instead of the configs'")
    parser.add_argument(
        "--configs", nargs="+", type=Path, help="files, or names in configs/action; all of those otherwise"
    )
    parser.add_argument("--growth", action="store_true", help="1, 2, 4 and 8 times the clips, first config")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    names = given.configs or sorted(CONFIGS.glob("*.yaml"))
    configs = [path if path.is_file() else CONFIGS / f"{path}.yaml" for path in names]
    quieten_lightning()
    keep_freed_memory(KEPT_MEGABYTES)  # as ``vidlstm train`` does; the bare model gains by it too
    with tempfile.TemporaryDirectory() as folder:
        figures = (growth if given.growth else against_bare)(given, configs, Path(folder))
    figures["threads"] = torch.get_num_threads()
    figures["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    print(json.dumps({name: value for name, value in figures.items() if name not in ("configs", "growth")}))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

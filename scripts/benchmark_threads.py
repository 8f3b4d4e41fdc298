"""How many threads pay for training a recurrent network on a processor, alone and beside busy processes.

    python scripts/benchmark_threads.py [--busy 2] [--json FILE]

One training step (forward, loss, backward, AdamW) of the classifier and of the forecaster in several sizes,
with one thread, two, and so on up to the cores there are; the settings take turns, so that all meet whatever
else the machine does. ``recurrent work`` is what ``vidlstm.training.threads`` chooses by: multiply-adds of
the largest matrix product of one time step. ``--busy N`` keeps N other processes at work meanwhile.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch

from vidlstm.backbones.cpu import available_cores, keep_freed_memory
from vidlstm.models.classifier import SequenceClassifier
from vidlstm.models.forecaster import PathForecaster
from vidlstm.training.threads import recurrent_work

Step = Callable[[], None]
WIDTH, STEPS, CLASSES = 1280, 40, 7
CLASSIFIERS = [
    {"hidden_size": hidden, "num_layers": layers, "bidirectional": True, "projection": projection}
    for hidden, layers, projection in [
        (64, 1, 64),
        (128, 2, 128),
        (512, 1, 512),
        (1024, 1, 512),
    ]
]
FORECASTERS = [{"hidden_size": 96, "batch": 256}, {"hidden_size": 256, "batch": 1024}]


def stepping(model: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Step:
    """One training step, as a function."""
    optimiser = torch.optim.AdamW(model.parameters())

    def step() -> None:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return step


def classifier(batch: int, **settings: Any) -> tuple[torch.nn.Module, Step]:
    """A classifier on clips of up to 40 steps."""
    model = SequenceClassifier(WIDTH, CLASSES, **settings)
    x_BTF, lengths_B = torch.randn(batch, STEPS, WIDTH), torch.randint(STEPS // 2, STEPS + 1, (batch,))
    targets_B = torch.randint(CLASSES, (batch,))
    return model, stepping(
        model, lambda: torch.nn.functional.cross_entropy(model(x_BTF, lengths_B), targets_B)
    )


def forecaster(batch: int, **settings: Any) -> tuple[torch.nn.Module, Step]:
    """A forecaster of 12 steps from 8."""
    model = PathForecaster(modes=20, horizon=12, coordinates=2, **settings)
    x_BTC, lengths_B = torch.randn(batch, 8, 2).cumsum(1), torch.full((batch,), 8)

    def loss() -> torch.Tensor:
        forecast = model(x_BTC, lengths_B)
        return forecast.path_BPC.square().mean() + forecast.modes_BKPC.square().mean()

    return model, stepping(model, loss)


def cases() -> Iterator[tuple[str, int, torch.nn.Module, Step]]:
    """Name, batch, network and its step."""
    for settings, batch in product(CLASSIFIERS, (16, 32, 128)):
        model, step = classifier(batch, **settings)
        yield f"classifier {settings['num_layers']} x {settings['hidden_size']}", batch, model, step
    for settings in FORECASTERS:
        sizes = dict(settings)
        batch = sizes.pop("batch")
        model, step = forecaster(batch, **sizes)
        yield f"forecaster 1 x {sizes['hidden_size']}", batch, model, step


def timed(step: Step, counts: list[int], *, repeats: int) -> dict[int, tuple[float, float, float]]:
    """Milliseconds a step by threads, of turns: the least and the median wall time, the median CPU time."""
    turns: dict[int, list[tuple[float, float]]] = {count: [] for count in counts}
    for turn, count in product(range(repeats + 1), counts):
        torch.set_num_threads(count)
        step()
        wall, cpu = time.perf_counter(), time.process_time()
        step()
        if turn:  # the first warmed everything up
            turns[count].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        n: (1000 * min(taken)[0], 1000 * median(w for w, _ in taken), 1000 * median(c for _, c in taken))
        for n, taken in turns.items()
    }


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Other processes at work."""
    others = [multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) for _ in range(count)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.terminate()


def _spin() -> None:
    while True:
        pass


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--busy", type=int, default=0, help="other processes at work meanwhile")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = available_cores()
    counts = sorted({*(2**n for n in range(cores.bit_length()) if 2**n <= cores), cores})
    keep_freed_memory(1024)
    torch.manual_seed(0)
    print(
        "| network | batch | recurrent work |"
        + "".join(f" {n} threads: least, median (CPU) ms |" for n in counts)
    )
    print("|---|---|---|" + "---|" * len(counts))
    rows = []
    with busy(options.busy):
        for name, batch, model, step in cases():
            times, work = timed(step, counts, repeats=options.repeats), recurrent_work(model, batch)
            shown = "".join(f" {least:.1f}, {wall:.1f} ({cpu:.1f}) |" for least, wall, cpu in times.values())
            print(f"| {name} | {batch} | {work / 1e6:.2f} M |{shown}", flush=True)
            rows.append({"network": name, "batch": batch, "recurrent_work": work, "ms_by_threads": times})
    if options.json:
        options.json.write_text(json.dumps({"cores": cores, "busy": options.busy, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()

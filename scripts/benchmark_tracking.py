"""How fast a video becomes tracks, against the bare network alone and against the library's own loop.

    python scripts/benchmark_tracking.py VIDEO --weights FILE --json FILE

Timed in turn on the same first frames, round after round, so that whatever else the machine does meets all
alike: the bare network in its fastest arrangement here (frames scaled and in memory already; one thread a
core, and all cores on one batch), ``vidlstm track`` from the file to the table, and ``YOLO.track`` from the
file. ``ratio_to_network`` is what decoding, scaling, suppression and the tracker leave of the bare
network's rate.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidlstm.backbones.cpu import available_cores, keep_freed_memory
from vidlstm.backbones.yolo.model import load_yolo
from vidlstm.backbones.yolo.ultralytics_quiet import ultralytics_module
from vidlstm.tracking.detector import Detector
from vidlstm.tracking.lanes import BATCH
from vidlstm.tracking.track_video import track_video
from vidlstm.video.reader import open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vidlstm.structures import Frame


def frames_per_second(work: Callable[[], int]) -> float:
    """The rate of something that returns how many frames it did."""
    started = time.monotonic()
    return work() / (time.monotonic() - started)


@torch.inference_mode()
def forward(module: torch.nn.Module, images_BHWC: np.ndarray) -> None:
    """The network and nothing else."""
    module(torch.from_numpy(images_BHWC).permute(0, 3, 1, 2).float().div_(255))


def in_lanes(module: torch.nn.Module, batches: list[np.ndarray]) -> int:
    """Batches through the network, a thread a core."""
    with ThreadPoolExecutor(available_cores(), initializer=partial(torch.set_num_threads, 1)) as pool:
        list(pool.map(partial(forward, module), batches))
    return sum(map(len, batches))


def all_together(module: torch.nn.Module, batches: list[np.ndarray]) -> int:
    """One batch after the other, all cores on each."""
    torch.set_num_threads(available_cores())
    for batch in batches:
        forward(module, batch)
    torch.set_num_threads(1)
    return sum(map(len, batches))


class Beginning:
    """A reader of the first frames of a video, and of no more."""

    def __init__(self, path: Path, count: int) -> None:
        self._reader, self._count = open_video(path), count
        self.info, self.decoded_frames, self.truncated = self._reader.info, count, ""

    def __enter__(self) -> Beginning:
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.close()

    def __iter__(self) -> Iterator[Frame]:
        return islice(self._reader, self._count)


def ours(path: Path, detector: Detector, tracker: str, count: int, batch_size: int) -> int:
    """The whole way, for the first frames."""
    opened: Any = partial(Beginning, path, count)
    return track_video(opened, path.name, detector, tracker=tracker, batch_size=batch_size)[1].frames


def library_loop(path: Path, model: Any, tracker: str, count: int, image_size: int) -> int:
    """Frame by frame through ``YOLO.track``, as in its manual, decoding included."""
    torch.set_num_threads(available_cores())
    with Beginning(path, count) as reader:
        for frame in reader:
            image = np.ascontiguousarray(frame.image[..., ::-1])
            how: dict[str, Any] = {"persist": True, "conf": 0.1, "imgsz": image_size, "verbose": False}
            model.track(image, tracker=f"{tracker}.yaml", **how)
    torch.set_num_threads(1)
    return count


def library_model(weights: Path) -> Any:
    """The library's own object around the network."""
    found = load_yolo(weights)
    model: Any = ultralytics_module("ultralytics").YOLO("yolo11n.yaml", task=found.task, verbose=False)
    model.model = found.module
    return model


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--tracker", default="bytetrack")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--frames", type=int, default=120, help="of the video, a round")
    parser.add_argument("--image_size", type=int, default=640, help="longest side that frames are scaled to")
    parser.add_argument("--batch_size", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    given = parser.parse_args()
    detector = Detector(load_yolo(given.weights), image_size=given.image_size)
    module, model = detector._module, library_model(given.weights)
    size = given.batch_size or BATCH["cpu"]
    keep_freed_memory()
    rates: dict[str, list[float]] = {
        "network_lanes": [],
        "network_together": [],
        "vidlstm": [],
        "library": [],
    }
    with Beginning(given.video, given.frames) as reader:
        images = [detector.prepare(frame.image) for frame in reader]
    batches = [np.stack(images[i : i + size]) for i in range(0, len(images), size)]
    for number in range(given.rounds + 1):
        measured = {
            "network_lanes": frames_per_second(partial(in_lanes, module, batches)),
            "network_together": frames_per_second(partial(all_together, module, batches)),
            "vidlstm": frames_per_second(
                partial(ours, given.video, detector, given.tracker, given.frames, size)
            ),
            "library": frames_per_second(
                partial(library_loop, given.video, model, given.tracker, given.frames, given.image_size)
            ),
        }
        for name, rate in measured.items() if number else ():  # the first round warms up
            rates[name].append(rate)
    result: dict[str, Any] = {name: float(np.median(values)) for name, values in rates.items()}
    network = np.maximum(rates["network_lanes"], rates["network_together"])
    result["ratio_to_network"] = float(np.median(np.array(rates["vidlstm"]) / network))
    result["ratio_to_library"] = float(np.median(np.array(rates["vidlstm"]) / rates["library"]))
    result |= {"rounds": rates, "cores": available_cores(), "batch_size": size, "tracker": given.tracker}
    print(json.dumps(result, indent=1))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

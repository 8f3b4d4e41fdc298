"""What tests of the rooms above features and backbones need not pay for anew every time.

A decode process costs a third of a second of imports, a network a tenth to be folded and laid out, one of
YOLO half a second to be read, a verb's parser a tenth to be made of its settings. Here a process that has
done its jobs waits for those of the next pool, and a network or a parser that is built again is the one there
is. None changes what is computed: the process is the real one, and a killed one is not used again.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from matplotlib.figure import Figure

from vidlstm.backbones.build import build_network
from vidlstm.backbones.network import FrozenNetwork
from vidlstm.backbones.plugins import FACTORIES
from vidlstm.features.decode_process import DecodeProcess
from vidlstm.features.decode_worker import END, FAILED
from vidlstm.tasks import TASKS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from vidlstm.backbones.network import Network
    from vidlstm.backbones.parts import Part
    from vidlstm.cli.parsing import Parser
    from vidlstm.settings import BackboneSettings

WAITING: list[subprocess.Popen[bytes]] = []
NETWORKS: dict[tuple[Any, ...], FrozenNetwork] = {}
READ: dict[tuple[Any, ...], Network] = {}
PARSERS: dict[tuple[Any, ...], Parser] = {}
VERBS = ("bench", "evaluate", "extract", "predict", "track", "train", "watch")
"""Whose parsers are of many settings."""


class KeptProcess(DecodeProcess):
    """A decode process that goes to ``WAITING`` when it is ended between two jobs."""

    _between_jobs = False

    def start(self, job: dict[str, Any]) -> None:
        if self.is_fresh and WAITING:
            self.close()
            self._killed_because = ""
            self._process = WAITING.pop()
        self._between_jobs = False
        super().start(job)

    def receive(self) -> tuple[int, dict[str, Any]]:
        message = super().receive()
        self._between_jobs = message[0] in (END, FAILED) or bool(message[1].get("have"))
        return message

    def kill(self, because: str = "") -> None:
        process = self._process
        if process is not None and process.poll() is None and self._between_jobs and not because:
            self._process = None
            WAITING.append(process)
        else:
            super().kill(because)


def shared_network(network: Network, **how: Any) -> FrozenNetwork:
    """The frozen network there is of the same weights, run alike; code of a test's own is frozen anew."""
    if network.foreign:
        return FrozenNetwork(network, **how)
    fed = (network.size, network.mean, network.std, network.view, json.dumps(network.settings))
    key = (network.name, network.weights_sha256, *fed, *map(str, how.values()))
    if key not in NETWORKS:
        NETWORKS[key] = FrozenNetwork(network, **how)
    return NETWORKS[key]


def read_once(part: Part, settings: BackboneSettings) -> Network:
    """The network there is of the same YOLO file, or of the same drawn weights.

    Reading and tracing the one takes half a second, drawing and settling the other a quarter.
    """
    if part.weights == "random" and ":" not in part.name and part.name not in FACTORIES:
        key: tuple[Any, ...] = (repr(part), repr(settings))
    elif part.name.startswith("yolo:") and Path(part.weights or "").is_file():
        file = Path(str(part.weights)).stat()
        key = (repr(part), repr(settings), file.st_ino, file.st_mtime_ns, file.st_size)
    else:
        return build_network(part, settings)
    if key not in READ:
        READ[key] = build_network(part, settings)
    return READ[key]


def made_once(verb: str) -> Callable[..., Parser]:
    """Gives the verb's parser that there is; one that has shown its short help has lost the rest."""
    make = getattr(import_module(f"vidlstm.cli.{verb}"), f"{verb}_parser")

    def made(*of: Any) -> Parser:
        key = (verb, *of, *TASKS.items())
        if key not in PARSERS or PARSERS[key].epilog:
            PARSERS[key] = make(*of)
        return PARSERS[key]

    return made


SHARED: dict[str, Any] = {
    "vidlstm.features.decode_pool.DecodeProcess": KeptProcess,
    "vidlstm.backbones.base.FrozenNetwork": shared_network,
    "vidlstm.backbones.build.build_network": read_once,
    "vidlstm.backbones.restore.build_network": read_once,
    **{f"vidlstm.cli.{verb}.{verb}_parser": made_once(verb) for verb in VERBS},
}
"""What stands in whose place."""


def small_figure(figsize: tuple[float, float], dpi: int, layout: str | None) -> Figure:
    """A figure of few pixels, its parts where they come to stand."""
    return Figure(figsize=figsize, dpi=min(dpi, 60))


SMALL_PICTURES = {**SHARED, "vidlstm.render.plot.canvas.Figure": small_figure}
"""For tests that ask only whether there is a picture: making one whole takes half a second."""


class InPlace:
    """What stands in place of what tests would start, build or draw."""

    def __init__(self) -> None:
        self._patches = ExitStack()
        self._now: dict[str, Any] = {}

    def put(self, wanted: dict[str, Any]) -> None:
        """Puts it there, where it is not so already."""
        if wanted is not self._now:
            self._patches.close()
            for place, shared in wanted.items():
                self._patches.enter_context(patch(place, shared))
            self._now = wanted


IN_PLACE = InPlace()


def end_processes() -> None:
    """Ends those that wait."""
    while WAITING:
        process = WAITING.pop()
        process.kill()
        process.communicate()

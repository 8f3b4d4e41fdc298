"""What tests of the rooms above features and backbones need not pay for anew every time.

A decode process costs a third of a second of imports, a network a tenth to be folded and laid out, one of
YOLO half a second to be read. Here a process that has done its jobs waits for those of the next pool, and a
network that is built again is the one there is. Neither changes what is computed: the process is the real
one, and a killed one is not used again.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from vidlstm.backbones.build import build_network
from vidlstm.backbones.network import FrozenNetwork
from vidlstm.features.decode_process import DecodeProcess
from vidlstm.features.decode_worker import END, FAILED

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from vidlstm.backbones.network import Network
    from vidlstm.backbones.parts import Part
    from vidlstm.settings import BackboneSettings

WAITING: list[subprocess.Popen[bytes]] = []
NETWORKS: dict[tuple[Any, ...], FrozenNetwork] = {}
READ: dict[tuple[Any, ...], Network] = {}


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

    def receive(self, shape: tuple[int, int, int]) -> Any:
        message = super().receive(shape)
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


def shared_yolo(part: Part, settings: BackboneSettings) -> Network:
    """The YOLO network there is of the same file: reading and tracing one takes half a second."""
    if not part.name.startswith("yolo:") or not Path(part.weights or "").is_file():
        return build_network(part, settings)
    file = Path(str(part.weights)).stat()
    key = (repr(part), repr(settings), file.st_ino, file.st_mtime_ns, file.st_size)
    if key not in READ:
        READ[key] = build_network(part, settings)
    return READ[key]


@contextmanager
def sharing() -> Iterator[None]:
    """Inside, decode processes and networks are kept for the next who needs them."""
    with (
        patch("vidlstm.features.decode_pool.DecodeProcess", KeptProcess),
        patch("vidlstm.backbones.base.FrozenNetwork", shared_network),
        patch("vidlstm.backbones.build.build_network", shared_yolo),
        patch("vidlstm.backbones.restore.build_network", shared_yolo),
    ):
        yield


def end_processes() -> None:
    """Ends those that wait."""
    while WAITING:
        process = WAITING.pop()
        process.kill()
        process.communicate()

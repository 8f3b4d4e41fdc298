"""Real servers: RTSP, MPEG-TS and MJPEG, which go away while they are watched and come back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import vidlstm
from tests.verbs.test_watch import predictor

pytestmark = pytest.mark.skipif(
    not shutil.which("ffmpeg"), reason="needs the program ffmpeg (Debian: ffmpeg)"
)

PICTURES = ("-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-pix_fmt", "yuv420p")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Camera:
    """One camera behind a real server, which can be switched off and on."""

    def __init__(self, kind: str, log: Path) -> None:
        self.kind, self._port, self._source_port, self._log = kind, free_port(), free_port(), log
        self._running: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        scheme, path = ("rtsp", "hall") if self.kind == "rtsp" else ("http", f"hall.{self.kind}")
        return f"{scheme}://127.0.0.1:{self._port}/{path}"

    @property
    def is_on(self) -> bool:
        return bool(self._running)

    def on(self) -> None:
        if self.kind == "rtsp":
            self._start(
                *("rtsp-server-perl", "-c", str(self._port), "-s", str(self._source_port)),
                *("--client_listen_address", "127.0.0.1", "--source_listen_address", "127.0.0.1"),
            )
            self._wait_for(self._source_port)
            self._send(*H264, "-f", "rtsp", f"rtsp://127.0.0.1:{self._source_port}/hall")
        elif self.kind == "ts":
            self._send(*H264, "-f", "mpegts", "-listen", "1", self.address)
        else:
            self._send("-c:v", "mjpeg", "-f", "mpjpeg", "-listen", "1", self.address)

    def off(self) -> None:
        for process in reversed(self._running):
            process.kill()
            process.wait()
        self._running.clear()

    def _send(self, *how: str) -> None:
        self._start("ffmpeg", "-nostdin", "-loglevel", "error", *PICTURES, "-an", *how)

    def _start(self, *command: str) -> None:
        with self._log.open("ab") as log:
            self._running.append(subprocess.Popen(command, stdout=log, stderr=log))

    @staticmethod
    def _wait_for(port: int) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"nothing listens on {port}")


@contextmanager
def camera(kind: str, log: Path) -> Iterator[Camera]:
    if kind == "rtsp" and not shutil.which("rtsp-server-perl"):
        pytest.skip("needs an RTSP server (Debian: rtsp-server-perl)")
    made = Camera(kind, log)
    try:
        yield made
    finally:
        made.off()


@pytest.mark.parametrize("kind", ["rtsp", "ts", "mjpeg"])
def test_a_camera_that_goes_away_and_comes_back(kind: str, tmp_path: Path) -> None:
    model = predictor(tmp_path, bidirectional=False, pooling="last")
    events: list[dict[str, Any]] = []
    with camera(kind, tmp_path / "log") as hall:

        def listen(event: dict[str, Any]) -> None:
            """Off after some steps, on again when that is told, and after some more off for good."""
            events.append(event)
            steps = [e["event"] for e in events].count("step")
            if event["event"] == "step" and steps in (5, 12):
                hall.off()
            if event["event"] == "lost" and 5 <= steps < 12 and not hall.is_on:
                hall.on()

        hall.on()
        settings = {"timeout_seconds": 2, "reconnect_seconds": 6, "steps": True, "seconds": 60}
        report = vidlstm.watch(model, hall.address, on_event=listen, settings=settings)
    kinds = [e["event"] for e in events]
    said = (tmp_path / "log").read_text()
    assert kinds.count("opened") >= 2 and "lost" in kinds and kinds[-1] == "failed", (
        [(e["event"], e.get("detail")) for e in events],
        said,
    )
    seconds = [e["seconds"] for e in events if e["event"] == "step"]
    assert len(seconds) >= 12 and report.sources[0].failure
    assert all(b > a for a, b in pairwise(seconds[:5]))

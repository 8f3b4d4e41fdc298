"""The page: what it serves, to whom, and that a slow viewer delays nobody."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from tests.render.live.shots import began, over, shot
from vidlstm.errors import OutputError
from vidlstm.render.live import web
from vidlstm.render.live.annotate import from_jpeg
from vidlstm.render.live.web import WebServer


@pytest.fixture
def server() -> Iterator[WebServer]:
    pytest.importorskip("aiohttp", reason="the serve extra is not installed")
    one = WebServer("127.0.0.1", 0, ["rtsp://camera/<1>", "two"])
    yield one
    one.close()
    one.close()
    with pytest.raises(OSError):
        get(one, "")


def get(server: WebServer, path: str, **headers: str) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(server.address + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_state_events_and_pictures(server: WebServer) -> None:
    assert get(server, "sources/0.jpg")[0] == 503  # nothing yet
    opened = {"event": "opened", "source": "rtsp://camera/<1>", "detail": "64x36 h264", "utc": "x"}
    told = [opened, began("fall", 0.5), began("walk", 0.7), over("walk", 0.7, 1.0), {"event": "step"}]
    for event in told:
        server.on_event(event, 0)
    server.on_event({"event": "note", "source": None, "surface": "mqtt", "detail": "gone"}, None)
    server.on_shot(shot(1.5, age_seconds=0.2, likeliest=("fall", float("nan"))))
    first, second = json.loads(get(server, "sources")[2])
    assert (first["status"], first["detail"], first["label"]) == ("opened", "64x36 h264", "fall")
    assert (first["seconds"], first["age_seconds"], first["dropped_frames"]) == (1.5, 0.2, 2)
    assert first["probability"] is None and [e["label"] for e in first["open"]] == ["fall"]
    assert second["status"] == "waiting" and second["seconds"] is None
    kinds = [event["event"] for event in json.loads(get(server, "events")[2])]
    assert kinds == ["opened", "start", "start", "end", "note"]
    status, headers, data = get(server, "sources/0.jpg")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/jpeg", "no-store")
    assert abs(int(np.median(from_jpeg(data)[:200])) - 128) <= 2
    assert get(server, "sources/7.jpg")[0] == 404 and get(server, "sources/../x")[0] == 404


def test_the_events_that_are_kept_are_bounded(server: WebServer) -> None:
    for number in range(web.MOST_EVENTS + 50):
        server.on_event({"event": "lost", "source": "two", "detail": str(number)}, 1)
    events = json.loads(get(server, "events")[2])
    assert len(events) == web.MOST_EVENTS and events[-1]["detail"] == str(number)


def test_the_page_is_whole_escaped_and_fetches_nothing_from_elsewhere(server: WebServer) -> None:
    status, headers, body = get(server, "")
    text = body.decode()
    assert status == 200 and "rtsp://camera/&lt;1&gt;" in text and "<1>" not in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not [word for word in ("http://", "https://", "//cdn", "@import") if word in text]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_a_page_from_elsewhere_does_not_reach_it_under_another_name(server: WebServer, host: str) -> None:
    assert get(server, "sources", Host=host)[0] == 403
    assert get(server, "sources", Host="localhost:1")[0] == 200


def test_a_stream_gives_the_newest_frame_and_slow_viewers_delay_nobody(server: WebServer) -> None:
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    server.on_shot(shot(0.0))
    with (
        socket.create_connection((host, int(port))) as slow,
        socket.create_connection((host, int(port))) as one,
    ):
        for viewer in (slow, one):
            viewer.sendall(b"GET /sources/0.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream = one.makefile("rb")
        assert b"multipart/x-mixed-replace; boundary=vidlstm-frame" in b"".join(lines(stream))
        frame(stream)
        for number in range(300):  # the slow one never reads; nothing waits for it
            server.on_shot(shot(number / 10, grey=number % 100))
        server.on_shot(shot(99.0, grey=250))
        brightest = 0
        while brightest < 240:
            brightest = int(np.median(frame(stream)[:200]))


def lines(stream: Any) -> Iterator[bytes]:
    while (line := stream.readline()).strip():
        yield line


def frame(stream: Any) -> np.ndarray:
    """The next picture of a stream, in which pieces of HTTP may stand between lines."""
    while not (line := stream.readline()).startswith(b"Content-Length: "):
        assert line
    stream.readline()
    length, data = int(line.split()[1]), b""
    while not data.endswith(b"\xff\xd9"):
        data += stream.read(1)
    assert length >= len(data)
    return from_jpeg(data)


def test_an_address_that_is_taken_is_told_before_anything_begins(server: WebServer) -> None:
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(OutputError, match=f"`http` 127.0.0.1:{port}: cannot be listened at"):
        WebServer("127.0.0.1", port, ["x"])


def test_pictures_are_made_only_while_somebody_looks(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = shot(0.0)
    for number in range(20):
        server.on_shot(shot(number / 10))
    server.on_shot(looked)
    assert get(server, "sources")[0] == 200 and "jpeg" not in looked.__dict__
    get(server, "sources/0.jpg")
    assert "jpeg" in looked.__dict__


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("LOCALHOST", 200),
        ("[::1]:80", 200),
        ("evil.test", 403),
        ("127.0.0.1.evil.test:80", 403),
    ],
)
def test_the_name_that_a_browser_looks_for_decides_with_or_without_a_port(
    server: WebServer, host: str, status: int
) -> None:
    assert get(server, "sources", Host=host)[0] == status


def test_what_anybody_sends_is_no_news_and_takes_no_files(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(web, "MOST_CONNECTIONS", 3)
    address = ("127.0.0.1", int(server.address.rstrip("/").rpartition(":")[2]))
    with socket.create_connection(address, timeout=20) as one:
        one.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n")
        with one.makefile("rb") as answer:
            assert b"400" in answer.read()
    with ExitStack() as kept:
        for _ in range(3):
            one = kept.enter_context(socket.create_connection(address, timeout=20))
            one.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert one.recv(1) == b"H"
        assert kept.enter_context(socket.create_connection(address, timeout=20)).recv(1) == b""
    server.close()
    assert capfd.readouterr().err == ""

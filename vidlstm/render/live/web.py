"""A page, pictures and JSON over HTTP, for whoever looks at what is watched.

The server has a thread and an event loop of its own. It is handed each frame and each event, and keeps the
last; pictures are drawn and encoded while somebody looks. Every viewer is given the newest frame when it has
taken the one before, so that a slow one delays nobody.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vidlstm.errors import OutputError, SettingsError
from vidlstm.files import plain_json
from vidlstm.render.live.listener import Event, Shot, TellingListener, note
from vidlstm.render.live.page import page
from vidlstm.settings.live import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiohttp import web

PIP_LINE = "pip install 'vidlstm[serve]'"
MOST_EVENTS = 200
"""The latest, that ``/events`` gives."""
MOST_CONNECTIONS = 128
"""At a time; further ones are closed."""
MOST_VIEWERS = 32
"""Of streams of pictures at a time."""
PATIENCE_SECONDS = 20.0
"""A viewer that takes nothing for so long is let go."""
LOOK_SECONDS = 2.0
"""How often it is looked whether a viewer is still there that waits for a frame."""
LOCAL_NAMES = ("localhost", LOOPBACK, "::1")
HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:]*))(?::\d*)?")
"""What a browser says it looks for, with or without a port."""
_BOUNDARY = "vidlstm-frame"


@dataclass
class _State:
    """What is known of one source.

    Attributes:
        name: what it is called.
        status: ``waiting``, or the last of ``opened``, ``lost``, ``ended``, ``failed``; ``detail`` says why.
        open: what lasts, by track and label.
        shot: the newest frame.
        changed: set, and replaced, when there is another.
        heartbeat: the last.
    """

    name: str
    status: str = "waiting"
    detail: str = ""
    open: dict[tuple[Any, str], Event] = field(default_factory=dict)
    shot: Shot | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    heartbeat: Event = field(default_factory=dict)

    def as_json(self, number: int) -> dict[str, Any]:
        label, probability = (self.shot and self.shot.likeliest) or (None, None)
        shot = self.shot
        return {
            "number": number,
            "source": self.name,
            "status": self.status,
            "detail": self.detail,
            "label": label,
            "probability": probability,
            "seconds": shot and shot.seconds,
            "utc": shot and shot.utc,
            "age_seconds": shot and shot.age_seconds,
            "age_p50_seconds": self.heartbeat.get("age_p50_seconds"),
            "age_p99_seconds": self.heartbeat.get("age_p99_seconds"),
            "dropped_frames": shot.dropped_frames if shot else 0,
            "open": list(self.open.values()),
        }


def check_web() -> None:
    """Raises a SettingsError where the extra is not installed."""
    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        raise SettingsError(f"`http` needs the serve extra: {PIP_LINE} ({error})", setting="http") from error


class WebServer(TellingListener):
    """Serves until it is closed.

    ``/`` is the page; ``/sources`` the state of all as JSON, ``/sources/N.jpg`` the last annotated frame of
    one and ``/sources/N.mjpeg`` all that follow; ``/events`` the latest events.

    Args:
        host, port: where; port 0 takes a free one.
        names: of the sources.

    Attributes:
        address: where it listens.

    Raises:
        OutputError: it cannot listen there.
    """

    takes_shots = True

    def __init__(self, host: str, port: int, names: Sequence[str]) -> None:
        super().__init__()
        self._host, self._port = host, port
        self._states = [_State(name) for name in names]
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._viewers, self._closing = 0, False
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failures: list[OSError | ValueError] = []
        self.address = ""
        self._thread = threading.Thread(target=self._run, name="web server", daemon=True)
        self._thread.start()
        self._ready.wait()
        for failure in self._failures:
            self._thread.join()
            why = getattr(failure, "strerror", None) or failure
            raise OutputError(f"`http` {host}:{port}: cannot be listened at: {why}")
        self._news.put(note("http", f"the page is at {self.address}"))

    def on_event(self, event: Event, source: int | None) -> None:
        """Hands an event over to the server's thread."""
        if event["event"] not in ("step", "forecast"):
            self._soon(self._take_event, event, source)

    def on_shot(self, shot: Shot) -> None:
        """Hands a frame over to the server's thread."""
        self._soon(self._take_shot, shot)

    def close(self) -> None:
        """Ends every stream and the server."""
        if self._thread.is_alive():
            self._soon(self._stop.set)
            self._thread.join()

    def _soon(self, call: Callable[..., Any], *what: Any) -> None:
        with suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(call, *what)

    def _take_event(self, event: Event, source: int | None) -> None:
        kind = event["event"]
        if kind != "heartbeat":
            self._events.append(event)
        if source is None:
            return
        state = self._states[source]
        if kind in ("opened", "lost", "ended", "failed"):
            state.status, state.detail = kind, event["detail"]
        elif kind == "start":
            state.open[event.get("track"), event["label"]] = event
        elif kind == "end":
            state.open.pop((event.get("track"), event["label"]), None)
        elif kind == "heartbeat":
            state.heartbeat = event

    def _take_shot(self, shot: Shot) -> None:
        state = self._states[shot.source]
        state.shot = shot
        before, state.changed = state.changed, asyncio.Event()
        before.set()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except (OSError, ValueError) as error:  # a name that is none is a ValueError
            self._failures.append(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        from aiohttp import web

        self._stop = asyncio.Event()
        how: dict[str, Any] = {
            "access_log": None,
            "shutdown_timeout": 1.0,
            "handle_signals": False,
            "logger": _quiet(),
        }
        runner = web.AppRunner(self._app(), **how)
        await runner.setup()
        try:
            server = await self._loop.create_server(_few(runner), self._host, self._port)
            host, port = server.sockets[0].getsockname()[:2]
            self.address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
            self._ready.set()
            await self._stop.wait()
            server.close()
            self._closing = True
            for state in self._states:
                state.changed.set()
        finally:
            await runner.cleanup()

    def _app(self) -> web.Application:
        from aiohttp import web

        app = web.Application(middlewares=[self._guard()])
        app.router.add_get("/", self._page)
        app.router.add_get("/sources", self._sources)
        app.router.add_get("/events", self._latest)
        app.router.add_get(r"/sources/{number:\d+}.jpg", self._picture)
        app.router.add_get(r"/sources/{number:\d+}.mjpeg", self._stream)
        return app

    def _guard(self) -> Any:
        """For this machine alone: under a name of its own (DNS rebinding) no other page may reach it."""
        from aiohttp import web

        local = self._host in LOCAL_NAMES or self._host.startswith("127.")

        @web.middleware
        async def guard(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            host = HOST.fullmatch(request.host.lower())
            if local and (host is None or (host[1] or host[2]) not in (*LOCAL_NAMES, self._host)):
                raise web.HTTPForbidden(text="this page is for the machine that it runs on\n")
            response = await handler(request)
            if not response.prepared:
                response.headers.update({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
            return response

        return guard

    async def _page(self, request: web.Request) -> web.Response:
        from aiohttp import web

        nonce = secrets.token_urlsafe(16)
        policy = f"default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'nonce-{nonce}'; "
        headers = {"Content-Security-Policy": policy + f"script-src 'nonce-{nonce}'; frame-ancestors 'none'"}
        text = page([state.name for state in self._states], nonce)
        return web.Response(
            body=text.encode(errors="replace"), content_type="text/html", charset="utf-8", headers=headers
        )

    async def _sources(self, request: web.Request) -> web.Response:
        return _json([state.as_json(number) for number, state in enumerate(self._states)])

    async def _latest(self, request: web.Request) -> web.Response:
        return _json(list(self._events))

    def _state(self, request: web.Request) -> _State:
        from aiohttp import web

        number = int(request.match_info["number"][:9])
        if number >= len(self._states):
            raise web.HTTPNotFound(text=f"the sources are 0 to {len(self._states) - 1}\n")
        return self._states[number]

    async def _picture(self, request: web.Request) -> web.Response:
        from aiohttp import web

        state = self._state(request)
        if state.shot is None:
            raise web.HTTPServiceUnavailable(text=f"no frame yet: {state.status}\n")
        return web.Response(body=await _encoded(state.shot), content_type="image/jpeg")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        state = self._state(request)
        if self._viewers >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VIEWERS} are looking already\n")
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_type = "multipart/x-mixed-replace"
        response.headers["Content-Type"] += f"; boundary={_BOUNDARY}"
        self._viewers += 1
        try:
            await response.prepare(request)
            await self._write_frames(request, response, state)
        except (ConnectionError, TimeoutError):
            pass  # whoever looked is gone, or takes nothing
        finally:
            self._viewers -= 1
        return response

    async def _write_frames(self, request: web.Request, response: web.StreamResponse, state: _State) -> None:
        written: Shot | None = None
        while not self._closing and request.transport and not request.transport.is_closing():
            changed, shot = state.changed, state.shot
            if shot is None or shot is written:
                await asyncio.wait([asyncio.ensure_future(changed.wait())], timeout=LOOK_SECONDS)
                continue
            data, written = await _encoded(shot), shot
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            await asyncio.wait_for(response.write(head.encode() + data + b"\r\n"), PATIENCE_SECONDS)


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ends it."""
        transport.close()


def _few(runner: web.AppRunner) -> Callable[[], asyncio.Protocol]:
    """What answers a connection: each takes a file of the process, and those who watch need some, too."""
    server = runner.server
    assert server is not None
    return lambda: server() if len(server.connections) < MOST_CONNECTIONS else _Refused()


def _quiet() -> logging.Logger:
    """A log of our own faults: what anybody sends that is no request is none of them."""
    log = logging.getLogger(__name__)
    log.addFilter(_is_ours)
    return log


def _is_ours(record: logging.LogRecord) -> bool:
    from aiohttp.http_exceptions import HttpProcessingError

    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _encoded(shot: Shot) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(None, lambda: shot.jpeg)


def _json(value: Any) -> web.Response:
    from aiohttp import web

    return web.json_response(text=json.dumps(plain_json(value), allow_nan=False))

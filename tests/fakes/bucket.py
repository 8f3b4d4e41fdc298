"""A bucket on this machine: moto's server, and before it a proxy that counts what passes and does harm."""

from __future__ import annotations

import http.client
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

NAME = "bucket"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
SIGNED = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request"
Fault = Callable[[str, str, int], str]
"""Of a method, a path and how often it was asked for: 500, 403, cut, slow, hang, or an empty text."""


class Server(ThreadingHTTPServer):
    """One whose clients may hang up: that is no news for the tests that come later."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Bucket:
    """An empty bucket, and its endpoint.

    Attributes:
        requests: how often each method and path was asked for.
        sent: bytes of bodies of GET by path.
        fault: what happens to a request.
    """

    def __init__(self, moto: int) -> None:
        self._moto = moto
        self.requests: Counter[tuple[str, str]] = Counter()
        self.sent: Counter[str] = Counter()
        self.fault: Fault = lambda method, path, before: ""
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def handle_any(self) -> None:
                bucket.answer(self)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any

        self._closed = threading.Event()
        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def clear(self) -> None:
        """Empties it and forgets what was counted."""
        self._ask("POST", "/moto-api/reset")
        self._ask("PUT", f"/{NAME}")
        self.requests.clear()
        self.sent.clear()
        self.fault = lambda method, path, before: ""

    def put(self, key: str, data: bytes) -> None:
        self._ask("PUT", f"/{NAME}/{key}", data)

    def fill(self, folder: Path, prefix: str) -> None:
        """Puts every file of a folder below a prefix."""
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(f"{prefix}/{file.relative_to(folder).as_posix()}", file.read_bytes())

    def objects(self, prefix: str) -> dict[str, bytes]:
        """Names below a prefix, and their bytes."""
        import xml.etree.ElementTree as ElementTree

        listed = self._ask("GET", f"/{NAME}?list-type=2&max-keys=1000&prefix={prefix}/")
        keys = [node.text or "" for node in ElementTree.fromstring(listed).iter() if node.tag.endswith("Key")]
        return {key.removeprefix(f"{prefix}/"): self._ask("GET", f"/{NAME}/{key}") for key in keys}

    def asked(self, method: str, part: str = "") -> int:
        """How often a method was used on paths that hold these letters."""
        return sum(n for (used, path), n in self.requests.items() if used == method and part in path)

    def _ask(self, method: str, path: str, data: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._moto)
        connection.request(method, path, data, {"Authorization": SIGNED})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status < 300, (method, path, answer.status, body[:300])
        connection.close()
        return body

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(handler.path.partition("?")[0])
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        before = self.requests[handler.command, path]
        self.requests[handler.command, path] += 1
        fault = self.fault(handler.command, path, before)
        if fault.isdecimal():
            handler.send_response(int(fault))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if fault == "hang":
            self._closed.wait(60)
            handler.close_connection = True
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._moto)
        connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "server", "date"):
                handler.send_header(name, value)
        shown = answer.getheader("Content-Length") if handler.command == "HEAD" else str(len(data))
        handler.send_header("Content-Length", shown or "0")
        handler.end_headers()
        self._send(handler, data, fault, path)

    def _send(self, handler: BaseHTTPRequestHandler, data: bytes, fault: str, path: str) -> None:
        if fault == "cut":
            self.sent[path] += len(data) // 2
            handler.wfile.write(data[: len(data) // 2])
            handler.close_connection = True
            return
        if handler.command == "GET":
            self.sent[path] += len(data)
        step = max(1, len(data) // 5) if fault == "slow" else max(1, len(data))
        for start in range(0, len(data), step):
            handler.wfile.write(data[start : start + step])
            time.sleep(0.02 if fault == "slow" else 0)


@contextmanager
def running() -> Iterator[Bucket]:
    """Starts the server and the proxy; both end with the block."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # which prints every request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    bucket = Bucket(server.get_host_and_port()[1])
    try:
        yield bucket
    finally:
        bucket.close()
        server.stop()

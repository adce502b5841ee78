"""HTTP: reads a request, lets the server answer it, sends the answer; carries out what tests ordered to go wrong."""

from __future__ import annotations

import contextlib
import io
import select
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from . import uploads
from .answers import PIECE, Answer, Request
from .faults import Fault
from .routes import find

if TYPE_CHECKING:
    from .server import HubServer

UNRECORDED = ("/api/agent-harnesses", "/api/telemetry/")  # the client asks these of its own accord
KEPT = 1024 * 1024  # bytes of a request's body that stay with it after it is answered
TOO_MUCH = 64 * 1024 * 1024  # bytes that come after the end of a file, where a test orders it


class HungUp(Exception):
    """The connection is at its end: by order of a test, or because the client has gone."""


class Listener(ThreadingHTTPServer):
    """One port and its open connections."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: HubServer, host: str, port: int) -> None:
        self.hub, self.host = hub, host
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Connection)

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            hang_up(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests; a real error is answered with 500 before it comes here."""


def hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was faster
        connection.shutdown(socket.SHUT_RDWR)


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer goes out at once, not 40 ms later
    server: Listener

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        request = self._request()
        try:
            self._serve(request)
        except (HungUp, OSError):
            self.close_connection = True
            hang_up(self.connection)
        finally:
            if request.upload:
                request.upload.unlink(missing_ok=True)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self, request: Request) -> None:
        hub = self.server.hub
        route = find(request)
        if not request.path.startswith(UNRECORDED):
            hub.requests.append(request)
        fault = hub.faults.take(request)
        request.fault = kind = fault.kind if fault else None
        self._read(request, fault)
        if fault is not None and kind == "silence":
            self._wait(fault)
            raise HungUp
        if fault is not None and (kind == "garbage" or isinstance(kind, int)):
            answer = fault.answer()
        else:
            if kind == "stale head":
                uploads.overtake(hub, request)
            answer = hub.twist(request, hub.answer(route, request))
        if len(request.body) > KEPT:
            request.body = b""
        if fault is not None and kind == "lost answer":
            if "status" not in fault.options:
                raise HungUp
            answer = fault.answer()
        request.status = answer.status
        self._send(answer, fault)

    def _read(self, request: Request, fault: Fault | None) -> None:
        """The body of the request; what is uploaded goes to the disk."""
        kind, got, size = fault.kind if fault else None, 0, int(self.headers.get("Content-Length") or 0)
        request.upload = self.server.hub.incoming / uuid4().hex if request.endpoint == "upload" else None
        out = request.upload.open("wb") if request.upload else io.BytesIO()
        with out:
            for piece in self._incoming():
                out.write(piece)
                got += len(piece)
                if fault is not None and kind == "slow":
                    self.server.hub.closing.wait(fault.options.get("seconds", 0.1))
                if kind == "cut" and self.command != "GET" and got * 2 >= size:
                    raise HungUp
            if isinstance(out, io.BytesIO):
                request.body = out.getvalue()
        if kind == "cut" and self.command != "GET":
            raise HungUp

    def _incoming(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self._exactly(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self._exactly(min(left, PIECE))
            left -= len(piece)
            yield piece

    def _exactly(self, size: int) -> bytes:
        piece = self.rfile.read(size)
        if len(piece) < size:
            raise HungUp
        return piece

    def _request(self) -> Request:
        url = urlsplit(self.path)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        known = self.server.hub.known(token)
        return Request(
            self.command,
            url.path,
            parse_qs(url.query, keep_blank_values=True),
            token or None,
            known.user if known else None,
            self.server.host,
            {name.lower(): value for name, value in self.headers.items()},
        )

    def _wait(self, fault: Fault) -> None:
        """Say nothing for so long, or until the client has gone or the server stops."""
        end = time.monotonic() + fault.options.get("seconds", 3600)
        while time.monotonic() < end and not self.server.hub.closing.wait(0.02):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        kind = fault.kind if fault else None
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if kind == "too much":
            self.send_header("Connection", "close")
        elif answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.status != 204 and "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(answer.size))
        self.send_header("X-Request-Id", f"Root={len(self.server.hub.requests)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        left = answer.size // 2 if kind == "cut" else answer.size
        for piece in answer.pieces():
            if fault is not None and kind == "slow":
                self.server.hub.closing.wait(fault.options.get("seconds", 0.1))
            if kind == "wrong bytes":
                piece = piece[:-1] + bytes([piece[-1] ^ 1])
            piece = piece[:left]
            left -= len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked and piece else piece)
        if kind == "too much":
            for _ in range(TOO_MUCH // PIECE):
                self.wfile.write(bytes(PIECE))
        if kind in ("cut", "too much"):
            raise HungUp
        if answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

"""A web server on loopback that answers as its paths say, and remembers what it was asked."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable
from typing import NamedTuple


class Request(NamedTuple):
    """What a client asked: method, target, headers by lower-case name, body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request], "bytes | None"]


class WebServer:
    """`answer(request)` gives the bytes of the whole response; None cuts the connection."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                if tls is not None:
                    try:
                        self.request = tls.wrap_socket(self.request, server_side=True)
                    except (ssl.SSLError, OSError):
                        return
                    self.setup()
                line = self.rfile.readline().decode("latin-1").split()
                if len(line) < 2:
                    return
                headers = {}
                while (text := self.rfile.readline().decode("latin-1").strip()) != "":
                    name, _, value = text.partition(":")
                    headers[name.lower()] = value.strip()
                body = self.rfile.read(int(headers.get("content-length", 0)))
                request = Request(line[0], line[1], headers, body)
                outer.requests.append(request)
                try:
                    self.wfile.write(answer(request) or b"")
                    self.wfile.flush()
                except OSError:
                    pass  # the client has gone

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Nothing on standard error."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def response(
    body: bytes = b"", status: str = "200 OK", *headers: str, length: int | None = None
) -> bytes:
    """The bytes of a response with a length."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body

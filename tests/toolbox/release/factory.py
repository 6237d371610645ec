"""Releases for tests, made of any bytes, and a web server that can be told to misbehave."""

from __future__ import annotations

import hashlib
import io
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from toolbox.release import manifest, pack, signed
from toolbox.release.manifest import Blob, Manifest, Target
from toolbox.trust.minisign import SecretKey

KEY = SecretKey(b"release!", bytes(range(32)))
NEXT = SecretKey(b"nextkey!", bytes(range(1, 33)))
FOREIGN = SecretKey(b"release!", bytes(range(2, 34)))
KEYS = [KEY.public, NEXT.public]

TARGET = Target("hello", "x86_64", "pc")
CREATED = 1_700_000_000


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that don't compress."""
    return random.Random(seed).randbytes(size)


def parts(seed: int = 1) -> dict[str, bytes]:
    """A small boot area and a root of some 40 chunks, a part of which compresses."""
    return {"boot": noise(50_000, seed), "root": noise(300_000, seed + 1) + b"words " * 50_000}


def release(
    contents: dict[str, bytes] | None = None,
    key: SecretKey = KEY,
    version: str = "1.2",
    target: Target = TARGET,
    floor: str = "0",
    index: Callable[[bytes], bytes] = bytes,
    mounts: str = "",
    **changes: Any,
) -> bytes:
    """The file of a release.

    index: changes it before it is signed    mounts: manifest.MOUNTS; "" for none, as older releases have it
    changes: of the signed message
    """
    contents = parts() if contents is None else contents
    stored = io.BytesIO()
    files = {name: io.BytesIO(data) for name, data in contents.items()}
    packed = pack.write(files, {name: len(data) for name, data in contents.items()}, stored)
    entries = index(packed.index)
    blob = Blob(len(entries), hashlib.sha256(entries).hexdigest())
    made = Manifest(target, version, 7, CREATED, packed.parts, blob, packed.pack, floor, "Notes\n")
    message = {**made.encode(), **changes}
    more = {manifest.MOUNTS: mounts} if mounts else {}
    return signed.seal(message, key, CREATED, made.file, more) + entries + stored.getvalue()


def file_name(version: str = "1.2") -> str:
    return manifest.file_name(TARGET, version)


class Server:
    """files: path -> bytes    log: (path, Range header) of each request    answer: may answer in its own way"""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self.sent = 0
        self.ranges = True
        self.answer: Callable[[Any], bool] = lambda handler: False
        self.url = ""
        #: Set at the end: a handler that stalls waits for it.
        self.over = threading.Event()


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on a port of 127.0.0.1, of HTTP or of HTTPS."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.log.append((self.path, self.headers.get("Range", "")))
            if not state.answer(self):
                self.whole_or_range(state.files.get(self.path))

        def whole_or_range(self, data: bytes | None) -> None:
            wanted = self.headers.get("Range", "").removeprefix("bytes=")
            if data is None:
                self.reply(404, b"")
            elif wanted and state.ranges:
                first, _, last = wanted.partition("-")
                start, stop = int(first), min(int(last) + 1 if last else len(data), len(data))
                if start >= len(data):
                    self.reply(416, b"")
                else:
                    span = f"bytes {start}-{stop - 1}/{len(data)}"
                    self.reply(206, data[start:stop], {"Content-Range": span})
            else:
                self.reply(200, data)

        def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
                state.sent += len(body)
            except OSError:
                self.close_connection = True  # the client has what it wanted

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that goes away

    server = Quiet(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
        thread.join()

"""Talk to init: one JSON object a line over a Unix socket.

request("list")["services"]                            one question, one answer
for line in stream("logs", services=["httpd"], follow=True): ...

The socket is $SNAKEROOT_CONTROL, else /run/init.sock.  Fatal says why init cannot be reached or what it
refused; OSError never escapes.
"""

from __future__ import annotations

import json
import os

from toolbox.errors import Fatal
from toolbox.waits import bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from typing import Any

#: Where init listens on a box.
SOCKET = "/run/init.sock"

#: Seconds that an answer may take, unless init was told to wait for something.
TIMEOUT = 10.0

#: Connections that stay open until this process ends.
_held: list[socket.socket] = []

#: Longest line that init sends: a list of many services.
MAX_LINE = 1 << 22


def path() -> str:
    """The control socket of the init that supervises this process, or of the box."""
    return os.environ.get("SNAKEROOT_CONTROL") or SOCKET


def request(verb: str, *, timeout: float | None = TIMEOUT, **arguments: object) -> dict[str, Any]:
    """Ask one thing and return the answer, an object with "ok": true.

    timeout: seconds to wait for it; None: as long as it takes.  Fatal when init answers with an error,
    not at all, or is not there.
    """
    for answer in stream(verb, timeout=timeout, **arguments):
        return answer
    raise Fatal("init closed the connection without an answer")


def when_ended(verb: str, **arguments: object) -> None:
    """Ask for something that init is to do when this process has ended, with all that it had to say.

    Fatal as for `request`.
    """
    sock = _connect(TIMEOUT)
    try:
        sock.sendall(json.dumps({"verb": verb, "when": "closed", **arguments}).encode() + b"\n")
        with sock.makefile("rb") as lines:
            _answer(lines.readline(MAX_LINE))
    except OSError as error:
        sock.close()
        raise Fatal(f"{path()}: {error.strerror or error}") from error
    except Fatal:
        sock.close()
        raise
    _held.append(sock)  # the kernel closes it


def stream(
    verb: str, *, timeout: float | None = None, **arguments: object
) -> Iterator[dict[str, Any]]:
    """Ask for something that goes on (logs, watch) and yield its objects until init ends it."""
    sock = _connect(timeout)
    try:
        with sock:
            sock.sendall(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
            with sock.makefile("rb") as lines:
                while line := lines.readline(MAX_LINE):
                    yield _answer(line)
    except TimeoutError:
        raise Fatal(f"init does not answer (waited {timeout:g} s)") from None
    except OSError as error:
        raise Fatal(f"{path()}: {error.strerror}") from error


def _connect(timeout: float | None) -> socket.socket:
    import socket

    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.settimeout(bounded(timeout))
        sock.connect(path())
    except FileNotFoundError:
        sock.close()
        raise Fatal(f"init cannot be reached: there is no {path()}") from None
    except ConnectionRefusedError:
        sock.close()
        raise Fatal(f"init cannot be reached: nobody listens at {path()}") from None
    except OSError as error:
        sock.close()
        raise Fatal(f"init cannot be reached at {path()}: {error.strerror or error}") from None
    return sock


def _answer(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Fatal(f"init's answer cannot be understood: {line[:60]!r}")
    if "error" in answer:
        raise Fatal(str(answer["error"]))
    return answer

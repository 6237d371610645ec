"""A stand-in for init's control socket: JSON lines, as the box's page and the applets use them.

`FakeInit(path)` answers in a thread; `asked` holds the requests, `services` what `list` answers,
`log(service, text)` adds a line that followers get at once.  Run as a program it makes a lively box.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from typing import Any


def service(name: str, state: str = "running", **more: Any) -> dict[str, Any]:
    """A SERVICE object of the control protocol."""
    return {
        "name": name,
        "state": state,
        "ready": state == "running",
        "pid": 100 if state == "running" else None,
        "restarts": 0,
        "since": time.time() - 100,
        "status": "",
        "exit": None,
        "command": [name],
        **more,
    }


class FakeInit:
    """Listens on the Unix socket at `path` until closed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.services: dict[str, dict[str, Any]] = {}
        self.lines: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.refuse: str | None = None
        self.stuck: set[str] = set()  # services that stay as they are
        self.changed = threading.Condition()
        self.closed = False
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.closed = True
        self.socket.close()
        with self.changed:
            self.changed.notify_all()

    def log(self, name: str, text: str) -> None:
        with self.changed:
            seq = len(self.lines) + 1
            self.lines.append({"seq": seq, "time": time.time(), "service": name, "text": text})
            self.changed.notify_all()

    def _accept(self) -> None:
        while not self.closed:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as file:
                request = json.loads(file.readline())
                self.asked.append(request)
                for answer in self._answers(request):
                    file.write(json.dumps(answer).encode() + b"\n")
                    file.flush()
        except (OSError, ValueError):
            pass  # it does not listen any more

    def _answers(self, request: dict[str, Any]) -> Any:
        verb = request["verb"]
        if self.refuse:
            yield {"error": self.refuse}
        elif verb == "list":
            count = request.get("log")
            found = [dict(one) for one in self.services.values()]
            for one in found if count is not None else ():
                lines = [line for line in self.lines if line["service"] == one["name"]]
                one["log"] = lines[len(lines) - min(len(lines), count) :]
            yield {"ok": True, "services": found}
        elif verb == "logs":
            yield from self._logs(request)
        elif verb in ("start", "stop", "restart"):
            for name in request["names"]:
                if name not in self.services:
                    yield {"error": f"no such service: {name}"}
                    return
                state = "stopped" if verb == "stop" else "running"
                if name not in self.stuck:
                    self.services[name] = service(name, state, since=time.time())
            yield {"ok": True, "services": [self.services[name] for name in request["names"]]}
        else:
            yield {"ok": True}

    def _logs(self, request: dict[str, Any]) -> Any:
        wanted = request.get("services") or []

        def after(place: int) -> list[dict[str, Any]]:
            lines = [line for line in self.lines if line["seq"] > place]
            return [line for line in lines if not wanted or line["service"] in wanted]

        found = after(request.get("since") or 0)
        if request.get("lines") is not None:
            found = found[len(found) - min(len(found), request["lines"]) :]
        place = len(self.lines)
        yield from found
        while request.get("follow") and not self.closed:
            with self.changed:
                self.changed.wait(1)
                found, place = after(place), len(self.lines)
            yield from found


if __name__ == "__main__":
    init = FakeInit(sys.argv[1])
    now = time.time()
    for one in (
        service(
            "dhcp",
            status="192.168.1.23/24 from 192.168.1.1",
            since=now - 86400 * 3.2,
            command=["dhcp", "-i", "eth0"],
        ),
        service("ntp", status="offset -0.4 ms, 3 servers", since=now - 86400 * 3.2, restarts=1),
        service("httpd", since=now - 86400 * 3.2, command=["httpd", "--box"]),
        service("breakglass", "listening", since=now - 7200, command=["breakglass"]),
        service(
            "hello",
            "backoff",
            restarts=14,
            exit="exit 1",
            since=now - 12,
            command=["python3", "-m", "hello", "--port", "8000"],
        ),
        service("thermometer", "stopped", since=now - 4000),
        service("database", "waiting", status="waiting for clock", since=now - 40),
    ):
        init.services[one["name"]] = one
    init.log("dhcp", "eth0: bound to 192.168.1.23, renewal in 21600 s")
    init.log("ntp", "clock stepped by +1.204 s")
    init.log("kernel", "virtio_net virtio0 eth0: link up")
    init.log("hello", "Traceback (most recent call last):")
    init.log("hello", "ConnectionRefusedError: [Errno 111] Connection refused <b>not bold</b>")
    for number in range(100000):
        time.sleep(3)
        init.log("ntp", f"offset {number % 7 / 10} ms, delay 12.{number % 10} ms")

"""A daemon under test: started as a process, its log read as it comes, stopped at the end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any


class Daemon:
    """`with Daemon([*toolbox_argv, "httpd", "-p", "127.0.0.1:0", ...], env) as d: d.port`.

    With listens=True it is waited for until it says `listening on ADDRESS:PORT` on standard error.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        listens: bool = True,
        **more: Any,
    ) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            argv, env=dict(env), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **more
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0
        if listens:
            try:
                found = self.wait_log(r"listening on .*:(\d+)$", 30)
            except AssertionError:
                self.stop()
                raise
            self.port = int(found.group(1))

    def _read(self) -> None:
        if self.process.stderr is None:
            return
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_log(self, pattern: str, seconds: float = 20, after: int = 0) -> re.Match[str]:
        """The first match of `pattern` in a line of the log from the `after`th on."""
        until = time.monotonic() + seconds
        seen = after
        with self._news:
            while True:
                for line in self.lines[seen:]:
                    if found := re.search(pattern, line):
                        return found
                seen = len(self.lines)
                left = until - time.monotonic()
                ended = self.process.poll() is not None and not self._reader.is_alive()
                if left <= 0 or ended:
                    raise AssertionError(f"no line {pattern!r} in the log: {self.lines}")
                self._news.wait(min(left, 0.2))

    def wait_end(self, seconds: float = 20) -> int:
        """The exit status; the log is complete then."""
        status = self.process.wait(seconds)
        self._reader.join(5)
        return status

    def stop(self) -> int:
        """SIGTERM, and its exit status; SIGKILL when it takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.wait_end()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()


#: A program that passes a listening socket on as a supervisor does: FD COMMAND...
PASS_ON = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


def with_socket(sock: socket.socket, argv: Sequence[str], env: Mapping[str, str]) -> Daemon:
    """A daemon that gets `sock` from its supervisor (sd_listen_fds(3))."""
    fd = sock.fileno()
    return Daemon([sys.executable, "-c", PASS_ON, str(fd), *argv], env, pass_fds=[fd])


def wait_until(condition: Any, seconds: float = 10) -> Any:
    """Poll `condition` until it is true, and return its value."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            raise AssertionError("the condition did not become true in time")
        time.sleep(0.01)
    return value

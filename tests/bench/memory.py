"""Memory of idle processes, and the time from the start of a server until it serves.

private: Private_Dirty of smaps_rollup: what one more such process costs.  anon: Anonymous.  In kB.
listening: until a connection is accepted.  answer: until the server has said its first byte.  In ms from
posix_spawn; a try every 0.2 ms, each a new connection.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.programs import commands
from tests.bench.table import Table, least, middle

#: Starts of a server; of one that takes long, fewer.
RUNS, SLOW_RUNS = 30, 5

#: Seconds that a server has to listen, and an idle process to stop to change.
PATIENCE = 20.0

ASYNCIO = """
import asyncio
async def main():
    server = await asyncio.start_server(lambda r, w: w.write(b"hi"), "127.0.0.1", PORT)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass
class Server:
    """Words for each program, and how to ask it: a request, to which it says something."""

    name: str
    port: int
    commands: dict[str, list[str]]
    request: bytes = b""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(argv: list[str]) -> Iterator[int]:
    """A process in the background, killed at the end; its id."""
    actions = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    pid = os.posix_spawn(argv[0], argv, {}, file_actions=actions)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def usage(pid: int) -> dict[str, int]:
    """kB of smaps_rollup."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", text, re.M)}


def settled(pid: int) -> dict[str, int]:
    """What an idle process uses, when it has not changed for half a second."""
    until = time.monotonic() + PATIENCE
    found, same = usage(pid), 0
    while same < 5 and time.monotonic() < until:
        time.sleep(0.1)
        now = usage(pid)
        same = same + 1 if now == found else 0
        found = now
    return found


def connected(port: int) -> socket.socket:
    """A connection, as soon as it is accepted."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise SystemExit(f"nobody listens on port {port}") from None
            time.sleep(0.0002)


def serve_once(argv: list[str], server: Server) -> tuple[float, float, dict[str, int]]:
    """One start: listening and answer in ms, memory at the moment when it listened."""
    begun = time.perf_counter()
    with running(argv) as pid, connected(server.port) as peer:
        listening = time.perf_counter()
        used = usage(pid)
        peer.sendall(server.request)
        if not peer.recv(1):
            raise SystemExit(f"{' '.join(argv)}: it says nothing")
        answer = time.perf_counter()
    return (listening - begun) * 1000, (answer - begun) * 1000, used


def servers(folder: Path) -> list[Server]:
    """The servers, on ports that are free."""
    asyncio_port, http, ssh = (free_port() for _ in range(3))
    (folder / "index.html").write_text("hello\n")
    keys = folder / "authorized_keys"
    keys.touch(0o600)
    key = folder / "host_key"
    code = ASYNCIO.replace("PORT", str(asyncio_port))
    httpd = commands(folder, "httpd", "-f", "-p", f"127.0.0.1:{http}", "-h", str(folder))
    where = ("-a", "127.0.0.1", "-p", str(ssh), f"--keys={keys}", f"--host-key={key}")
    httpd.pop("toybox", None)  # its httpd is one for inetd
    breakglass = {n: a for n, a in commands(folder, "breakglass", *where).items() if len(a) > 2}
    breakglass = {name: breakglass[name] for name in ("ours", "plain") if name in breakglass}
    return [
        Server("asyncio server", asyncio_port, commands(folder, "python", "-c", code)),
        Server("httpd", http, httpd, b"GET /index.html HTTP/1.0\r\n\r\n"),
        Server("breakglass (SSH)", ssh, breakglass),
    ]


def measure() -> list[Table]:
    """Two tables: idle processes, and starts of servers."""
    idle = Table("memory of an idle process (kB)")
    starts = Table(
        f"servers: ms from exec, {RUNS} or {SLOW_RUNS} runs, alternating; kB when listening"
    )

    def row(task: str, name: str, used: dict[str, int]) -> None:
        figures = {"private": used["Private_Dirty"], "anon": used["Anonymous"]}
        idle.add(task=task, program=name, **figures, Rss=used["Rss"])

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, argv in commands(folder, "sleep", "1000").items():
            with running(argv) as pid:
                row("sleep", name, settled(pid))
        for server in servers(folder):
            seen: dict[str, list[tuple[float, float, dict[str, int]]]] = {}
            for name, argv in server.commands.items():
                serve_once(argv, server)  # warms up; breakglass makes its key
                with running(argv) as pid:
                    with connected(server.port) as peer:
                        peer.sendall(server.request)
                        peer.recv(1)
                    row(server.name, name, settled(pid))
                seen[name] = []
            for turn in range(RUNS):
                for name, argv in server.commands.items():
                    if turn < SLOW_RUNS or seen[name][0][1] < 50:
                        seen[name].append(serve_once(argv, server))
            for name, runs in seen.items():
                starts.add(
                    server=server.name,
                    program=name,
                    listening=middle(run[0] for run in runs),
                    answer=middle(run[1] for run in runs),
                    least=least(run[1] for run in runs),
                    private=int(middle(run[2]["Private_Dirty"] for run in runs) or 0),
                )
    for base in ("busybox", "plain"):
        idle.compare("private", "task", base)
        starts.compare("answer", "server", base)
    return [idle, starts]

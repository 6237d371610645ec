"""Benchmarks, in one run, as ratios.  Never a test: a slow machine fails nothing.

    python tests/bench/run.py [start] [size] [boot] [memory]      (./dev bench)

start   whole processes, started one by one in turn with their rivals: median and minimum of milliseconds,
        and user instructions by callgrind where valgrind is installed
size    the program, a squashfs with it alone, the initramfs
boot    seconds from the kernel's "Run /init" to the lease on the wire, HTTP 200 or 401, the SSH banner
memory  private memory of each of the box's processes when idle

The boots are timed by the host's clock: the marker when it arrives on the serial line, the lease when its
packet is in QEMU's dump, HTTP and SSH by a new connection every 20 ms (QEMU's own network accepts at once
and retries slowly, so one connection that waits would tell too much).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from snakeroot import config, image, new, qemu, remote  # noqa: E402

PROGRAM = ROOT / "build" / "toolbox"


def milliseconds(argv: list[str]) -> float:
    """The wall time of one run of a program."""
    start = time.perf_counter()
    pid = os.posix_spawn(
        argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", 1, 0)]
    )
    os.waitpid(pid, 0)
    return (time.perf_counter() - start) * 1000


def instructions(argv: list[str]) -> str:
    """User instructions of one run, by callgrind."""
    if not shutil.which("valgrind"):
        return "-"
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *argv]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stderr
    found = re.search(r"Collected : (\d+)", said)
    return f"{int(found[1]):,}" if found else "-"


def start() -> None:
    """Start-up of small programs against others'."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("true", "echo", "ls", "python"):
            os.symlink(PROGRAM, f"{folder}/{name}")
        many = Path(folder) / "many"
        many.mkdir()
        for number in range(1100):
            (many / f"file{number:04}").touch()
        # The distribution's own: a python3 of a version manager starts by a shell script.
        python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
        box = shutil.which("busybox")
        tasks = {
            "true": (
                [f"{folder}/true"],
                [box, "true"],
                ["/bin/true"],
                [python, "-I", "-S", "-c", ""],
            ),
            "echo hi": ([f"{folder}/echo", "hi"], [box, "echo", "hi"], ["/bin/echo", "hi"], None),
            "ls -l, 1100 files": (
                *([f"{folder}/ls", "-l", str(many)], [box, "ls", "-l", str(many)]),
                *(["/bin/ls", "-l", str(many)], None),
            ),
            "python -c pass": (
                [f"{folder}/python", "-c", "pass"],
                None,
                None,
                [python, "-c", "pass"],
            ),
            "import asyncio, ssl": (
                *([f"{folder}/python", "-c", "import asyncio, ssl, http.server, json"], None, None),
                [python, "-c", "import asyncio, ssl, http.server, json"],
            ),
        }
        print("\nstart (ms, median / minimum; instructions)")
        for task, rivals in tasks.items():
            names = ("ours", "busybox", "GNU", "python3")
            present = {
                n: [str(w) for w in a] for n, a in zip(names, rivals, strict=True) if a and a[0]
            }
            times: dict[str, list[float]] = {name: [] for name in present}
            for _ in range(40):
                for name, argv in present.items():
                    times[name].append(milliseconds(argv))
            ours = statistics.median(times["ours"])
            for name, argv in present.items():
                median = statistics.median(times[name])
                ratio = "" if name == "ours" else f"ours/{name} {ours / median:.2f}"
                print(
                    f"  {task:<20} {name:<8} {median:7.2f} / {min(times[name]):6.2f}"
                    f"   {ratio:<20} {instructions(argv):>14}"
                )


def size() -> None:
    """Bytes of the program and of what it is shipped in."""
    print("\nsize (bytes)")
    print(f"  {'program':<24} {PROGRAM.stat().st_size:>12,}")
    if shutil.which("mksquashfs"):
        with tempfile.TemporaryDirectory() as folder:
            for name, words in {
                "squashfs xz": ["-comp", "xz", "-Xbcj", "x86", "-b", "1M"],
                "squashfs zstd": ["-comp", "zstd", "-Xcompression-level", "19", "-b", "128K"],
            }.items():
                packed = f"{folder}/{name.replace(' ', '.')}"
                subprocess.run(
                    ["mksquashfs", str(PROGRAM), packed, *words, "-quiet", "-no-progress"],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                print(f"  {name:<24} {os.stat(packed).st_size:>12,}")


def boot(runs: int = 5) -> None:
    """Boot a new instance several times, watched from outside; then look at its memory."""
    with instance() as one:
        built = image.build(one)
        print(
            f"\nboot ({qemu.accelerator()}, seconds from 'Run /init', median / minimum of {runs})"
        )
        print(f"  {'initramfs':<24} {built.initramfs.stat().st_size:>12,} bytes")
        print(f"  {'root':<24} {built.root.stat().st_size:>12,} bytes")
        rows: dict[str, list[float]] = {}
        for _ in range(runs):
            for name, seconds in watched_boot(one, built).items():
                rows.setdefault(name, []).append(seconds)
        for name, found in rows.items():
            print(f"  {name:<24} {statistics.median(found):6.2f} / {min(found):5.2f}")


def memory() -> None:
    """Private memory of each process of an idle box."""
    with instance() as one:
        ports = qemu.forwarded(one)
        argv = qemu.command(one, image.build(one), ports)
        (one.output / "ports").write_text("".join(f"{g} {h}\n" for h, g in ports.items()))
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as machine:
            try:
                words = remote.ssh(one, [MEMORY])
                for _ in range(60):
                    said = subprocess.run(words, capture_output=True, text=True, check=False)
                    if said.returncode == 0:
                        time.sleep(5)  # let it become idle
                        said = subprocess.run(words, capture_output=True, text=True, check=False)
                        break
                    time.sleep(1)
                print("\nmemory of the idle box (kB: private dirty, private clean, Rss)")
                print(said.stdout + said.stderr)
            finally:
                machine.kill()


MEMORY = """
for p in /proc/[0-9]*; do
  test -r $p/smaps_rollup && n=$(tr '\\0' ' ' <$p/cmdline) && test -n "$n" || continue
  set -- $(grep -E '^(Rss|Private_Clean|Private_Dirty):' $p/smaps_rollup | tr -s ' ' | cut -d' ' -f2)
  printf '  %-40.40s %8s %8s %8s\\n' "$n" "$3" "$2" "$1"
done
grep -E '^Mem(Total|Available)' /proc/meminfo
"""


class instance:
    """A new instance of the template in a scratch folder."""

    def __enter__(self) -> config.Instance:
        self.scratch = tempfile.TemporaryDirectory()
        folder = Path(self.scratch.name) / "bench"
        new.create(folder)
        return config.load(folder)

    def __exit__(self, *error: object) -> None:
        self.scratch.cleanup()


def watched_boot(one: config.Instance, built: image.Image) -> dict[str, float]:
    """One boot: what was seen -> seconds after the kernel ran /init."""
    ports = qemu.forwarded(one)
    to = {guest: host for host, guest in ports.items()}
    dump = one.output / "net.pcap"
    dump.unlink(missing_ok=True)
    argv = qemu.command(one, built, ports)
    argv[argv.index("-append") + 1] += " loglevel=7"  # the marker is an informational message
    argv += ["-object", f"filter-dump,id=dump,netdev=net,file={dump}"]
    seen: dict[str, float] = {}
    over = threading.Event()

    def when(name: str, true: Callable[[], bool]) -> None:
        while not over.is_set():
            begun = time.monotonic()
            if true():
                seen[name] = time.monotonic()
                return
            over.wait(max(0.0, 0.02 - (time.monotonic() - begun)))

    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as machine:
        watchers = [
            threading.Thread(target=when, args=("lease (DHCPACK)", lambda: acknowledged(dump))),
            threading.Thread(
                target=when,
                args=("HTTP", lambda: said(to[80], b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/1")),
            ),
            threading.Thread(
                target=when, args=("SSH banner", lambda: said(to[22], b"", b"SSH-2.0"))
            ),
        ]
        try:
            started = marker(machine, b"Run /init")
            for watcher in watchers:
                watcher.start()
            for watcher in watchers:
                watcher.join(timeout=60)
        finally:
            over.set()
            machine.kill()
    return {name: at - started for name, at in sorted(seen.items(), key=lambda item: item[1])}


def marker(machine: subprocess.Popen[bytes], words: bytes) -> float:
    """Wait until the console says `words`; the rest of its output is read and thrown away."""
    assert machine.stdout
    held = b""
    while words not in held:
        block = os.read(machine.stdout.fileno(), 4096)
        if not block:
            raise SystemExit(f"the machine ended before {words!r}")
        held = held[-200:] + block
    now = time.monotonic()
    threading.Thread(target=drain, args=(machine.stdout.fileno(),), daemon=True).start()
    return now


def drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass  # closed at the end


def said(port: int, request: bytes, answer: bytes) -> bool:
    """Whether a new connection to 127.0.0.1:port gets `answer` at once."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2) as peer:
            peer.sendall(request)
            return peer.recv(16).startswith(answer)
    except OSError:
        return False


def acknowledged(dump: Path) -> bool:
    """Whether the packet dump holds a DHCPACK (option 53 = 5)."""
    return dump.exists() and b"\x63\x82\x53\x63\x35\x01\x05" in dump.read_bytes()


def parts() -> Iterator[Callable[[], None]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    known = {"start": start, "size": size, "boot": boot, "memory": memory}
    parser.add_argument("part", nargs="*", default=list(known), help=" ".join(known))
    for name in parser.parse_args().part:
        yield known[name]


if __name__ == "__main__":
    for part in parts():
        part()

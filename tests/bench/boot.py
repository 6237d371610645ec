"""Boots of a new box, watched from outside; and what its memory holds when all of its daemons are idle.

Seconds count from the kernel's "Run /init".  They are timed by the host's clock: the marker when it arrives on the
serial line, the lease when its packet is in QEMU's dump, HTTP and SSH by a new connection every 50 ms (QEMU's own
network accepts at once and retries slowly, so one connection that waits would tell too much).  HTTP is asked for from
the lease on, without which nobody answers, and SSH from HTTP's answer on: its server is started by the first
connection, and would be timed with the page.

BusyBox's box is an initramfs: the modules of the network card, a lease by udhcpc, and httpd.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from snakeroot import config, cpio, image, kernel, qemu, remote
from snakeroot.tree import Tree

from tests.bench.instances import instance
from tests.bench.programs import PLAIN, PROGRAM
from tests.bench.table import Table, least, middle

RUNS = 5

#: Seconds that a boot may take.
PATIENCE = 90

INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for m in MODULES; do $b insmod /modules/$m; done
$b ip link set lo up; $b ip link set eth0 up
$b udhcpc -q -n -i eth0 -s /script
$b httpd -p 80 -h /www
$b sleep 6
$b grep -E '^Mem(Total|Available)' /proc/meminfo
exec $b sleep 1000
"""

SCRIPT = """#!/bin/busybox sh
test "$1" = bound && /bin/busybox ip addr add $ip/$mask dev $interface
exit 0
"""


@dataclass
class Watched:
    """seen: what -> when, in seconds of the host's clock.  used: kB of memory, if that was asked."""

    seen: dict[str, float] = field(default_factory=dict)
    used: int | None = None
    console: bytearray = field(default_factory=bytearray)


def busybox_initramfs(release: kernel.Kernel) -> bytes:
    """The baseline's archive.  SystemExit without busybox."""
    box = shutil.which("busybox")
    if box is None:
        raise SystemExit("boot: busybox is not installed")
    tree = Tree()
    tree.device("dev/console", 5, 1)
    tree.file("bin/busybox", Path(box).read_bytes(), 0o755)
    names = []
    for name, data in release.modules(("virtio_pci", "virtio_net", "af_packet")).items():
        names.append(Path(name).name)
        tree.file(f"modules/{names[-1]}", data)
    for folder in ("proc", "sys"):
        tree.folder(folder)
    tree.file("www/index.html", b"hello\n")
    tree.file("script", SCRIPT.encode(), 0o755)
    tree.file("init", INIT.replace("MODULES", " ".join(names)).encode(), 0o755)
    return cpio.archive(tree)


def watched(
    argv: list[str], dump: Path, page: int, ssh: int, finish: Callable[[Watched], None]
) -> Watched:
    """One boot: `finish` is called when everything has been seen, before the machine is switched off.

    page, ssh: ports of 127.0.0.1; 0: not asked; ssh only together with page.
    """
    dump.unlink(missing_ok=True)
    argv = list(argv)
    argv[argv.index("-append") + 1] += " loglevel=7"  # the marker is an informational message
    argv += ["-object", f"filter-dump,id=dump,netdev=net,file={dump}"]
    found, over = Watched(), threading.Event()

    def when(name: str, wait: Callable[[], bool]) -> None:
        if wait():
            found.seen[name] = time.monotonic()

    def polled(true: Callable[[], bool]) -> bool:
        while not true():
            if over.wait(0.02):
                return False
        return True

    conditions: dict[str, Callable[[], bool]] = {
        "Run /init": lambda: polled(lambda: b"Run /init" in found.console),
        "lease (DHCPACK)": lambda: polled(lambda: acknowledged(dump)),
    }
    if page:
        head = b"HEAD / HTTP/1.0\r\n\r\n"
        conditions["HTTP"] = lambda: (
            polled(lambda: "lease (DHCPACK)" in found.seen)
            and answered(page, head, b"HTTP/1", over)
        )
    if ssh:
        conditions["SSH banner"] = lambda: (
            polled(lambda: "HTTP" in found.seen) and answered(ssh, b"", b"SSH-2.0", over)
        )
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as machine:
        reader = threading.Thread(target=read_all, args=(machine, found.console), daemon=True)
        reader.start()
        watchers = [threading.Thread(target=when, args=item) for item in conditions.items()]
        try:
            for watcher in watchers:
                watcher.start()
            for watcher in watchers:
                watcher.join(timeout=PATIENCE)
            missing = conditions.keys() - found.seen.keys()
            if missing:
                raise SystemExit(f"boot: never seen: {', '.join(sorted(missing))}")
            finish(found)
        finally:
            over.set()
            machine.kill()
    return found


def read_all(machine: subprocess.Popen[bytes], into: bytearray) -> None:
    """Keep what the console says."""
    assert machine.stdout
    try:
        while block := os.read(machine.stdout.fileno(), 4096):
            into += block
    except OSError:
        pass  # closed at the end


def answered(port: int, request: bytes, answer: bytes, over: threading.Event) -> bool:
    """Wait until one of many connections to 127.0.0.1:port gets `answer`; False if it is over before.

    They are short, since one that QEMU takes too early is lost; but a slow box has its time.
    """
    patience = 0.2
    peers: dict[socket.socket, float] = {}  # since when
    with contextlib.ExitStack() as closing:
        while not over.is_set():
            begun = time.monotonic()
            with contextlib.suppress(OSError):
                peer = closing.enter_context(socket.create_connection(("127.0.0.1", port), 1))
                peer.sendall(request)
                peers[peer] = begun
            while (left := begun + 0.05 - time.monotonic()) > 0:
                ready = select.select(list(peers), [], [], left)[0]
                for peer in ready:
                    with contextlib.suppress(OSError):
                        if peer.recv(16).startswith(answer):
                            return True
                    del peers[peer]
                    peer.close()
            for peer in [peer for peer, since in peers.items() if since < begun - patience]:
                del peers[peer]
                peer.close()
            patience *= 1.01
    return False


def acknowledged(dump: Path) -> bool:
    """Whether the packet dump holds a DHCPACK (option 53 = 5)."""
    return dump.exists() and b"\x63\x82\x53\x63\x35\x01\x05" in dump.read_bytes()


def used(text: str) -> int | None:
    """kB of MemTotal - MemAvailable in a text with lines of /proc/meminfo."""
    found = dict(re.findall(r"(MemTotal|MemAvailable): +(\d+) kB", text))
    return int(found["MemTotal"]) - int(found["MemAvailable"]) if len(found) == 2 else None


def ask_nothing(found: Watched) -> None:
    """Only the times are of interest."""


def ask_box(one: config.Instance, ports: dict[int, int], found: Watched) -> None:
    """The memory of a booted box, 5 seconds later: when it is idle."""
    (one.output / "ports").write_text("".join(f"{g} {h}\n" for h, g in ports.items()))
    time.sleep(5)
    words = remote.ssh(one, ["cat /proc/meminfo"])
    for _ in range(3):
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        found.used = used(done.stdout)
        if found.used is not None:
            return
    print(f"boot: no memory, ssh says: {done.stdout}{done.stderr}", file=sys.stderr)


def ask_busybox(found: Watched) -> None:
    """Wait until its init has printed its memory."""
    until = time.monotonic() + PATIENCE
    while found.used is None and time.monotonic() < until:
        time.sleep(0.2)
        found.used = used(found.console.decode(errors="replace"))


def measure() -> list[Table]:
    """Two tables: times and memory."""
    with instance(PROGRAM) as ours, instance(PLAIN) as plain:
        one = ours[0]
        release = kernel.find(one.settings.kernel.package)
        small = one.output / "busybox.initramfs"
        small.write_bytes(busybox_initramfs(release))
        boxes: dict[str, tuple[config.Instance, image.Image]] = {"ours": ours, "plain": plain}
        times: dict[tuple[str, str], list[float]] = {}
        memory: dict[str, int] = {}

        def note(name: str, found: Watched) -> None:
            for event, at in found.seen.items():
                if event != "Run /init":
                    times.setdefault((event, name), []).append(at - found.seen["Run /init"])
            if found.used is not None:
                memory[name] = found.used

        for turn in range(RUNS):
            last = turn == RUNS - 1
            for name, (box, its) in boxes.items():
                ports = qemu.forwarded(box)
                to = {guest: host for host, guest in ports.items()}
                argv = qemu.command(box, its, ports)
                finish = functools.partial(ask_box, box, ports) if last else ask_nothing
                found = watched(argv, box.output / "net.pcap", to[80], to[22], finish)
                note(name, found)
            argv[argv.index("-initrd") + 1] = str(small)
            finish = ask_busybox if last else ask_nothing
            found = watched(argv, one.output / "net.pcap", to[80], 0, finish)
            note("busybox", found)
    table = Table(f"boot ({qemu.accelerator()}): s from 'Run /init', {RUNS} runs, alternating")
    for (event, name), found_times in sorted(times.items()):
        table.add(until=event, program=name, s=middle(found_times), least=least(found_times))
    for base in ("busybox", "plain"):
        table.compare("s", "until", base)
    booted = Table("memory of the booted box, idle (kB, MemTotal - MemAvailable)")
    for name, kilobytes in memory.items():
        over = kilobytes - memory["busybox"] if "busybox" in memory else None
        booted.add(program=name, used=kilobytes, over_busybox=over)
    return [table, booted]

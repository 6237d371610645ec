"""A virtual machine for tests of the first stage: the real kernel, a root made of BusyBox and a script.

Such a boot takes two seconds under software emulation.  The machine powers off or reboots by itself.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from snakeroot import cpio, first_stage, kernel, qemu, squashfs
from snakeroot.kernel import Kernel
from snakeroot.tree import Tree

#: What every test's kernel is told: everything on the console; after a failure at once the next boot.
WORDS = f"console={kernel.CONSOLE} panic=-1 loglevel=7 rootwait=0"

#: Seconds that a boot may take on a busy machine; it takes two.
LIMIT = 60.0


def root(path: Path, script: str, compression: str = "zstd", init: str = "sbin/init") -> Path:
    """A root whose init is BusyBox's shell with a script; it ends with power-off.

    The kernel says nothing more meanwhile: a message of its own may fall between two lines, or into one.
    """
    busybox = shutil.which("busybox")
    assert busybox
    tree = Tree()
    for name in ("dev", "proc", "sys", "tmp"):
        tree.folder(name)
    tree.file("bin/busybox", Path(busybox).read_bytes(), 0o755)
    for name in (
        "sh",
        "cat",
        "echo",
        "ls",
        "poweroff",
        "mount",
        "touch",
        "sleep",
        "env",
        "wc",
        "grep",
    ):
        tree.link(f"bin/{name}", "busybox")
    silence = "echo 1 >/proc/sys/kernel/printk"
    text = f"#!/bin/sh\nexport PATH=/bin\n{silence}\n{script}\necho END\nexec poweroff -f\n"
    tree.file(init, text, 0o755)
    squashfs.write(tree, path, compression)
    return path


def with_files(packed: bytes, files: Mapping[str, bytes]) -> bytes:
    """An initramfs with more files, or others in their place: a second archive."""
    tree = Tree()
    for name, data in files.items():
        tree.file(name, data, 0o755)
    return packed + cpio.archive(tree)


def partitions(path: Path, parts: Mapping[str, bytes]) -> Path:
    """A disk with a GPT (UEFI 2.10, 5.3): label -> what is in the partition of that name."""
    first, sectors = 2048, b""
    entries = b""
    for label, data in parts.items():
        data += bytes(-len(data) % (1 << 20))
        last = first + len(data) // 512 - 1
        kind, own = (
            uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"),
            uuid.uuid5(uuid.NAMESPACE_DNS, label),
        )
        entries += kind.bytes_le + own.bytes_le + struct.pack("<QQQ", first, last, 0)
        entries += label.encode("utf-16le").ljust(72, b"\0")
        first, sectors = last + 1, sectors + data
    entries = entries.ljust(128 * 128, b"\0")
    total = first + 33

    def header(here: int, other: int, table: int) -> bytes:
        def packed(crc: int) -> bytes:
            return struct.pack(
                "<8sIIIIQQQQ16sQIII",
                *(b"EFI PART", 0x10000, 92, crc, 0, here, other, 34, total - 34),
                *(uuid.NAMESPACE_DNS.bytes_le, table, 128, 128, zlib.crc32(entries)),
            )

        return packed(zlib.crc32(packed(0))).ljust(512, b"\0")

    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, total - 1)
    mbr = bytes(446) + protective + bytes(48) + b"\x55\xaa"
    start = mbr + header(1, total - 1, 2) + entries
    end = entries + header(total - 1, 1, total - 33)
    path.write_bytes(start.ljust(2048 * 512, b"\0") + sectors + end)
    return path


class Machine:
    """One kernel with the files that a test gives it."""

    def __init__(self, chosen: Kernel, folder: Path) -> None:
        self.kernel = chosen
        self.folder = folder
        self.program = first_stage.program()

    def modules(self, *more: str) -> dict[str, bytes]:
        """Those for a squashfs on a virtio disk, and more."""
        return self.kernel.modules((*kernel.DISKS["virtio"], *more, "squashfs"))

    def initramfs(self, *more: str) -> bytes:
        """One with these modules."""
        return first_stage.initramfs(self.program, self.modules(*more))

    def command(self, initramfs: bytes, words: str, disk: Path | None, memory: int) -> list[str]:
        packed = self.folder / "initramfs"
        packed.write_bytes(initramfs)
        argv = [
            *(qemu.program(), "-accel", "tcg,thread=multi", "-cpu", "max", "-m", str(memory)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"),
            *("-no-reboot", "-kernel", str(self.kernel.image), "-initrd", str(packed)),
            *("-append", f"{WORDS} {words}"),
        ]
        if disk:
            argv += ["-drive", f"file={disk},format=raw,if=virtio,readonly=on"]
        return argv

    def boot(
        self, initramfs: bytes, words: str = "", disk: Path | None = None, memory: int = 128
    ) -> str:
        """The console's text from power on until the machine is off or would start again."""
        argv = self.command(initramfs, words, disk, memory)
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode(errors="replace").replace("\r", "")

    @contextlib.contextmanager
    def monitored(self, argv: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], Monitor]]:
        """The machine while it runs, and its monitor."""
        path = self.folder / "monitor"
        argv = [*argv, "-monitor", f"unix:{path},server=on,wait=off"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
            try:
                yield machine, Monitor(path)
            finally:
                machine.kill()


class Monitor:
    """QEMU's monitor for humans, on a Unix socket."""

    def __init__(self, path: Path) -> None:
        deadline = time.monotonic() + LIMIT
        self.peer = socket.socket(socket.AF_UNIX)
        self.peer.settimeout(LIMIT)
        while True:
            try:
                self.peer.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):  # not made, or not listening yet
                assert time.monotonic() < deadline, "QEMU has no monitor"
                time.sleep(0.01)
        self._answer()

    def tell(self, command: str) -> str:
        """What it answers to a command."""
        self.peer.sendall(f"{command}\n".encode())
        return self._answer()

    def _answer(self) -> str:
        text = b""
        while not text.endswith(b"(qemu) "):
            block = self.peer.recv(4096)
            assert block, text
            text += block
        return text.decode()


def lines(console: str) -> list[str]:
    """What the first stage said, without the kernel's time stamps."""
    said = [line.partition("first stage: ")[2] for line in console.splitlines()]
    return [line for line in said if line]

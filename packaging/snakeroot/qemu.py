"""Boot an image in QEMU: the accelerator that works, the ports that lead in, the console on the terminal."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import platform
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from snakeroot.config import Instance
from snakeroot.disk import QUOTA_FEATURES, QUOTA_OPTION
from snakeroot.host import BuildError, cache, missing, private_folder, replace, run
from snakeroot.image import Image
from snakeroot.kernel import CONSOLE

#: Seconds that an accelerator has to run the firmware and three instructions.  One that works needs a
#: tenth; nested in another virtual machine it may work so slowly that software is faster.
PROBE_SECONDS = 1.5

#: A boot sector that ends QEMU with status 33: mov dx,0xf4; mov al,0x10; out dx,al; hlt.
PROBE_SECTOR = bytes.fromhex("baf400b010eef4").ljust(510, b"\0") + b"\x55\xaa"
PROBE_STATUS = 33

#: The first QEMU that emulates several processors without fault.  Those before it translate code that another processor
#: is replacing, and may keep what they have read: a kernel that patches itself then meets an old breakpoint for ever.
#: One boot of a hundred hung so.
PARALLEL = (8, 1)

#: Seconds that a box has to answer, and then to power off, when nobody watches it: emulated on a busy machine.
ANSWER_SECONDS, OFF_SECONDS = 600.0, 120.0

#: Size of the disk for /perm that a new instance gets; the file is sparse.
PERM_BYTES = 1 << 30


#: Which machine, of each architecture.  Linux takes 0.1 s under emulation to find the interrupt of each device of
#: QEMU's older one for PCs (its ACPI table of them is a program).
MACHINES = {"x86_64": "q35", "aarch64": "virt"}


def program() -> str:
    """The QEMU for this machine's own architecture."""
    return f"qemu-system-{platform.machine()}"


def accelerator() -> str:
    """ "kvm" when it works here, else "tcg" (software).  What was found holds until the host reboots."""
    device = Path("/dev/kvm")
    if not os.access(device, os.R_OK | os.W_OK) or platform.machine() != "x86_64":
        return "tcg"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    found = cache() / "accelerator" / boot
    if not found.exists():
        replace(found, (b"kvm" if _works("kvm") else b"tcg"))
    return found.read_text()


def _works(name: str) -> bool:
    """Whether an accelerator runs a boot sector in time.  /dev/kvm can be there and yet hang."""
    with tempfile.NamedTemporaryFile() as sector:
        sector.write(PROBE_SECTOR)
        sector.flush()
        argv = [
            *(
                program(),
                "-accel",
                name,
                "-cpu",
                _processor(name),
                "-display",
                "none",
                "-nodefaults",
                "-m",
                "16",
            ),
            *("-drive", f"file={sector.name},format=raw,if=ide,snapshot=on"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
        ]
        try:
            done = subprocess.run(argv, timeout=PROBE_SECONDS, capture_output=True, check=False)
        except subprocess.TimeoutExpired:
            return False
        except FileNotFoundError:
            raise missing(program()) from None
        return done.returncode == PROBE_STATUS


def emulated(processors: int) -> list[str]:
    """QEMU's words for a machine in software; it has one processor where several are not safe (PARALLEL)."""
    several = version() >= PARALLEL
    return ["-accel", "tcg,thread=multi", "-smp", str(processors if several else 1)]


@functools.cache
def version() -> tuple[int, ...]:
    """QEMU's major and minor version."""
    said = run([program(), "--version"]).decode(errors="replace")
    found = re.search(r"version (\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0, 0)


def _processor(accel: str) -> str:
    return "host" if accel == "kvm" else "max"


def command(instance: Instance, image: Image, ports: dict[int, int]) -> list[str]:
    """QEMU's command line for the image alone: it gives the kernel and the initramfs itself, as netboot would.

    `ports` of 127.0.0.1 -> ports of the box.  The console is standard input/output.
    """
    # The root's disk is the first one.
    words = [f"console={CONSOLE}", "quiet", *image.command_line("/dev/vda")]
    return [
        *_machine(instance, ports),
        *("-kernel", str(image.kernel), "-initrd", str(image.initramfs)),
        *("-append", " ".join(words)),
        *("-drive", f"{file(image.root)},format=raw,if=none,id=root,readonly=on"),
        *("-device", "virtio-blk-pci,drive=root"),
        *(
            "-drive",
            f"{file(perm_disk(instance, quotas=image.quotas))},format=raw,if=none,id=perm,discard=unmap",
        ),
        *("-device", "virtio-blk-pci,drive=perm"),
    ]


def disk_command(instance: Instance, disk: Path, ports: dict[int, int]) -> list[str]:
    """QEMU's command line for a disk: the firmware finds the boot loader on it, as a device's does."""
    return [
        *_machine(instance, ports),
        *("-drive", f"{file(disk)},format=raw,if=none,id=disk,discard=unmap"),
        *("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
    ]


def file(path: Path) -> str:
    """The file of a drive, as QEMU's options have it: a comma would end it."""
    return f"file={str(path).replace(',', ',,')}"


def _machine(instance: Instance, ports: dict[int, int]) -> list[str]:
    """The machine without its disks."""
    machine = instance.settings.machine
    accel = accelerator()
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{h}-:{g}" for h, g in sorted(ports.items()))
    return [
        program(),
        *(
            emulated(machine.processors)
            if accel == "tcg"
            else ("-accel", accel, "-smp", str(machine.processors))
        ),
        *("-cpu", _processor(accel)),
        *("-machine", MACHINES.get(platform.machine(), "none")),
        *("-m", str(machine.memory)),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile="),
        # Ctrl-C is the guest's (signal=off); Ctrl-A X is the way out.
        *("-chardev", "stdio,id=console,mux=on,signal=off"),
        *("-serial", "chardev:console", "-mon", "chardev=console"),
    ]


def perm_disk(instance: Instance, *, quotas: bool) -> Path:
    """The disk that keeps /perm between runs; made when it is not there, to count what users have if it may."""
    path = instance.output / "perm.img"
    if not path.exists():
        private_folder(path.parent)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.truncate(PERM_BYTES)
        counting = ("-O", QUOTA_FEATURES, "-E", QUOTA_OPTION) if quotas else ()
        run(["mkfs.ext4", "-q", "-F", "-L", "perm", *counting, part])
        part.replace(path)
    return path


def forwarded(instance: Instance) -> dict[int, int]:
    """Ports of 127.0.0.1 -> ports of the box: page, SSH, services.  A taken port gives way to the next free."""
    machine = instance.settings.machine
    wanted = [(machine.page_port, 80), (machine.ssh_port, 22)]
    wanted += [(p, p) for s in instance.settings.services.values() for p in s.ports]
    ports: dict[int, int] = {}
    for host, guest in wanted:
        while host in ports or not is_free(host):
            host += 1
            if host > 65535:
                raise BuildError(f"no free port of 127.0.0.1 for port {guest} of the box")
        ports[host] = guest
    return ports


def is_free(port: int) -> bool:
    """Whether a program of this user's may listen on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def boot(
    instance: Instance, prepare: Callable[[], Path], power_off: Callable[[], None] | None = None
) -> int:
    """Run the box on this terminal until it powers off; returns QEMU's status.

    prepare: makes its disk ready and says where it is; called when no other machine has it.
    power_off: called when the box answers, for a run without a user; BuildError when it does not answer, or stays on.

    Where it answers is printed when it does; `snakeroot ssh` finds the port in a file meanwhile.
    """
    with _alone(instance):
        return _boot(instance, prepare(), power_off)


def _boot(instance: Instance, disk: Path, power_off: Callable[[], None] | None) -> int:
    ports = forwarded(instance)
    argv = disk_command(instance, disk, ports)
    if accelerator() == "tcg":
        print("  no working hardware accelerator: software emulation", file=sys.stderr)
    if power_off is None:
        print("  way out: Ctrl-A X, or `poweroff` in the box", file=sys.stderr)
    with _announced(instance, ports):
        try:
            qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL if power_off else None)
        except FileNotFoundError:
            raise missing(argv[0]) from None
        over, told = threading.Event(), threading.Event()
        words = (instance, ports, over, told)
        threading.Thread(target=_tell, args=words, daemon=True).start()
        try:
            if power_off:
                _check(instance.settings.hostname, qemu, told, power_off)
            return qemu.wait()
        finally:
            over.set()
            if qemu.poll() is None:
                qemu.terminate()
                qemu.wait()


def _check(
    name: str, qemu: subprocess.Popen[bytes], told: threading.Event, power_off: Callable[[], None]
) -> None:
    """Wait until the box has answered, and power it off.  BuildError when one of both takes too long."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while not told.wait(0.2):
        if qemu.poll() is not None:
            raise BuildError(f"{name} ended before it answered")
        if time.monotonic() > deadline:
            raise BuildError(f"{name} does not answer after {ANSWER_SECONDS:.0f} s")
    started = time.monotonic()
    power_off()
    try:
        qemu.wait(OFF_SECONDS)
    except subprocess.TimeoutExpired:
        raise BuildError(f"{name} does not power off") from None
    print(f"{name} is off after {time.monotonic() - started:.1f} s", file=sys.stderr)


@contextlib.contextmanager
def _alone(instance: Instance) -> Iterator[None]:
    """Keep a second machine from the disk of one that runs.  BuildError when there is one."""
    private_folder(instance.output)
    with (instance.output / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(
                f"{instance.settings.hostname} is running already",
                f"look into it: {_own_name()} -C {_relative(instance.path)} ssh",
            ) from None
        yield


@contextlib.contextmanager
def _announced(instance: Instance, ports: dict[int, int]) -> Iterator[None]:
    """While the box runs, a file says which ports of 127.0.0.1 lead to it."""
    path = instance.output / "ports"
    replace(path, "".join(f"{guest} {host}\n" for host, guest in ports.items()).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def port_of(instance: Instance, guest: int) -> int:
    """The port of 127.0.0.1 that leads to a port of the running box.  BuildError when it is not running."""
    path = instance.output / "ports"
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except FileNotFoundError:
        raise BuildError(
            f"{instance.settings.hostname} is not running",
            f"start it: snakeroot -C {shlex.quote(str(instance.path))} run",
        ) from None
    for found, host in lines:
        if int(found) == guest:
            return int(host)
    raise BuildError(
        f"no port of this machine leads to port {guest} of {instance.settings.hostname}",
        "it was not in 'ports' when the box began to run: run it again, or use snakeroot forward",
    )


def _tell(
    instance: Instance, ports: dict[int, int], over: threading.Event, told: threading.Event
) -> None:
    """Print the addresses, and once the new password, when the box's page answers."""
    by_guest = {guest: host for host, guest in ports.items()}
    started = time.monotonic()
    while not _answers(by_guest[80]):
        if over.wait(0.1):
            return
    seconds = time.monotonic() - started
    lines = [f"{instance.settings.hostname} answers after {seconds:.1f} s:"]
    lines.append(f"  page      http://127.0.0.1:{by_guest[80]}/")
    lines.append(f"  shell     {_own_name()} -C {_relative(instance.path)} ssh")
    for name, service in instance.settings.services.items():
        lines += [f"  {name:<9} http://127.0.0.1:{by_guest[port]}/" for port in service.ports]
    secret = instance.path / "first-password"
    if secret.exists():
        lines.append(f"  password  {secret.read_text().strip()}   (shown this once; keep it)")
        secret.unlink()
    # The terminal is in raw mode: a line feed alone does not return to the first column.
    text = "".join(f"\r\n{line}" for line in lines)
    print(f"{text}\r\n", end="", file=sys.stderr, flush=True)
    told.set()


def _relative(path: str | os.PathLike[str]) -> str:
    """A path from here, as a shell takes it."""
    return shlex.quote(os.path.relpath(path))


def _own_name() -> str:
    """How this program is called again from here."""
    return "snakeroot" if shutil.which("snakeroot") else _relative(sys.argv[0])


def _answers(port: int) -> bool:
    """Whether an HTTP server answers.  Each try is a new connection: QEMU accepts at once and retries slowly."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as peer:
            peer.sendall(b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return peer.recv(5) == b"HTTP/"
    except OSError:
        return False

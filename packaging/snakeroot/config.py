"""snakeroot.toml: what one box is.  The dataclasses below are its whole grammar and its manual.

`load(DIR)` reads and checks everything before anything is built: types, names, files, ports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from snakeroot.settings import SettingError, line_of, read, setting
from toolbox.harmless import harmless

FILE = "snakeroot.toml"

#: RFC 1123 2.1, one label.
HOSTNAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Service:
    """[services.NAME]: a program that the box runs and restarts."""

    python: str = setting(
        "", help="a Python program: its folder (./hello) or a requirement (golink==1.2)"
    )
    module: str = setting(
        "",
        help="the module to run as `python -m`, module:function as an entry point is written, or __main__ for"
        " a folder with __main__.py; by default the folder's name",
    )
    binary: str = setting(
        "",
        help="a program of any language, instead of `python`: a file, or its path in one of `packages`"
        " (/usr/bin/nebula); what it loads comes along",
    )
    packages: list[str] = setting(
        [],
        help="the distribution's packages that have a binary or its libraries; by default those are this"
        " machine's",
    )
    runtime: Literal["auto", "static", "dynamic"] = setting(
        "auto",
        help="the Python that runs it: static starts from a snapshot and has pure packages, dynamic loads"
        " compiled ones (numpy) and the C library by ctypes; auto: what it needs",
    )
    arguments: list[str] = setting([], help="arguments of the program")
    environment: dict[str, str] = setting({}, help="environment variables")
    user: str = setting("", help="the user it runs as; by default one of its own; root if it must")
    uid: int = setting(
        0, help="the number of its own user; by default one that is made from the service's name"
    )
    wait_for: list[str] = setting([], help="services or conditions (network, clock) to wait for")
    provides: list[str] = setting([], help="conditions that hold while it is ready")
    restart: Literal["always", "on-failure", "never"] = setting("always", help="when it ends")
    ready: Literal["start", "notify"] = setting(
        "start", help="notify: it says READY=1 by sd_notify"
    )
    stop_timeout: float = setting(10.0, help="seconds from TERM to KILL")
    ports: list[int] = setting(
        [],
        help="ports it listens on, which `snakeroot run` forwards; those below 1024 it may only"
        " listen on when they are named here",
    )
    capabilities: list[str] = setting(
        [], help='of root\'s powers those that it has as its user: "net_admin" (capabilities(7))'
    )
    devices: list[str] = setting(
        [], help='devices that its user may read and write: "/dev/net/tun"'
    )
    modules: list[str] = setting([], help='kernel modules that it needs: "tun"')
    limits: dict[str, int | str | list[int | str]] = setting(
        {}, help='resource limits (setrlimit): nofile = 1024, "unlimited" or [SOFT, HARD]'
    )
    cgroup: dict[str, str | int] = setting(
        {},
        help='control group limits: "memory.max" = "64M", or a share of the machine\'s: "50%"; what a'
        " service may use by default is in services.py (SHARES)",
    )
    disk: str | int = setting(
        "",
        help='what its user may have on /perm: "200M", a share ("50%") or "max"; by default 90 %',
    )
    files: str | int = setting(
        "", help='how many files that may be: 50000, a share ("50%") or "max"; by default half'
    )
    oom_score_adj: int = setting(
        500,
        help="-1000 to 1000: the higher, the sooner it is killed when the box has no memory left",
    )


@dataclass(frozen=True, kw_only=True)
class FileSetting:
    """{ source = "FILE", owner = "hello", mode = "0600" } in [files]."""

    source: str = setting(help="file or folder")
    owner: str = setting("root", help="a service, whose user it belongs to, or root")
    mode: str = setting(
        "", help='of its files, in octal: "0600"; by default as the source may be read'
    )


@dataclass(frozen=True, kw_only=True)
class KernelSettings:
    """[kernel]: which kernel, and what is told to it."""

    package: str = setting(
        "", help="the distribution's package; by default the smallest for virtual machines"
    )
    arguments: list[str] = setting([], help="words for the kernel's command line")
    modules: list[str] = setting([], help="modules to load besides those for a virtual machine")
    disks: list[Literal["virtio", "scsi", "sata", "nvme", "usb"]] = setting(
        [],
        help="kinds of disks that the root may lie on besides virtio's; their drivers come early",
    )


@dataclass(frozen=True, kw_only=True)
class ReleaseSettings:
    """[release]: what releases are called, which boxes take them, and where those look for them."""

    name: str = setting(
        "", help="boxes take releases of their own name only; by default the host name"
    )
    board: str = setting("pc", help="which board it is made for")
    version: str = setting(
        "", help="of the next release: 1.4.2, 2.0~rc1; by default the time of its newest input"
    )
    floor: str = setting(
        "0", help="boxes that had this release never again take one below that version"
    )
    url: str = setting("", help="the folder of releases, as boxes see it (or a path, for show)")
    channel: str = setting("stable", help="which of its channels boxes follow")


@dataclass(frozen=True, kw_only=True)
class UpdateSettings:
    """[update]: when a release that was just installed is healthy, and whether the box looks for new ones."""

    check: str = setting("", help="a shell command that must succeed in a healthy box")
    healthy_after: float = setting(
        3.0, help="seconds for which all must have been well before a release is kept"
    )
    healthy_within: float = setting(
        60.0, help="seconds after which a release that is not healthy is left"
    )
    poll: float = setting(
        0.0, help="seconds between two looks for a new release, about; 0: the box never looks"
    )
    window: str = setting(
        "", help='when (UTC) the box may install what it found: "02:00-04:30"; by default always'
    )


@dataclass(frozen=True, kw_only=True)
class Machine:
    """[machine]: the virtual machine that `snakeroot run` makes."""

    memory: int = setting(512, help="MiB of memory")
    processors: int = setting(
        2, help="how many processors; one where QEMU before 8.1 emulates them"
    )
    page_port: int = setting(8080, help="port of 127.0.0.1 that leads to the box's page")
    ssh_port: int = setting(8022, help="port of 127.0.0.1 that leads to its SSH server")


@dataclass(frozen=True, kw_only=True)
class DiskSettings:
    """[disk]: the box's disk.  What is chosen here holds for the disk's whole life."""

    boot: int = setting(32, help="MiB for each slot's kernel and initramfs")
    root: int = setting(512, help="MiB for each slot's root file system")
    perm: int = setting(
        64, help="MiB for /perm in the image; on the device it grows to the disk's end"
    )
    seed: str = setting(
        "",
        help="what the identifiers of the disk's partitions are made from; two disks in one machine"
        " want different ones, and `snakeroot new` draws one",
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The top of snakeroot.toml."""

    hostname: str = setting(help="the box's name in the network")
    password: str = setting("", help="scrypt hash of the page's password (snakeroot new makes one)")
    update_tokens: list[str] = setting(
        [],
        help="hashes of tokens with which programs may push releases (snakeroot token makes one)",
    )
    authorized_keys: list[str] = setting(
        [], help="SSH public keys, or files of them, that are let in"
    )
    ntp: list[str] = setting(
        [], help="time servers; by default those that DHCP names, else a public pool"
    )
    near: list[str] = setting(
        [],
        help="networks besides the private ones from which the page may be seen, and which SSH may forward"
        ' to: "100.64.0.0/10" of an overlay',
    )
    sysctl: dict[str, str] = setting({}, help='kernel settings: "net.ipv4.ip_forward" = "1"')
    console: Literal["shell", "none"] = setting(
        "shell",
        help="a root shell on the serial console, for whoever holds its cable, without a password; none:"
        " only messages are there",
    )
    root: Literal["disk", "ram"] = setting(
        "disk",
        help="where the root file system is read from while the box runs; ram: it is copied to memory"
        " by the boot, and the disk may be pulled",
    )
    compression: Literal["zstd", "lz4"] = setting(
        "zstd", help="the root's; lz4 is a third larger and starts programs faster"
    )
    services: dict[str, Service] = setting({}, help="the programs that the box runs")
    files: dict[str, str | FileSetting] = setting(
        {},
        help='"/path/in/the/image" = "file or folder"; who may not read it here may not there, and'
        ' { source = "FILE", owner = "hello", mode = "0600" } gives it to a service',
    )
    kernel: KernelSettings = setting(KernelSettings(), help="which kernel")
    disk: DiskSettings = setting(DiskSettings(), help="the box's disk")
    release: ReleaseSettings = setting(ReleaseSettings(), help="releases of what the box runs")
    update: UpdateSettings = setting(
        UpdateSettings(), help="what a box does with new releases by itself"
    )
    machine: Machine = setting(Machine(), help="the virtual machine of `snakeroot run`")

    @property
    def modules(self) -> list[str]:
        """The kernel modules that the box and its services name, each once."""
        own = (name for service in self.services.values() for name in service.modules)
        return list(dict.fromkeys((*self.kernel.modules, *own)))


@dataclass(frozen=True)
class Instance:
    """A checked instance: the folder `path` and its settings."""

    path: Path
    settings: Settings

    @property
    def output(self) -> Path:
        """Where what is built for it lies."""
        return self.path / ".build"

    def files(self) -> dict[str, FileSetting]:
        """[files], each with its owner and mode."""
        found = self.settings.files.items()
        return {t: FileSetting(source=s) if isinstance(s, str) else s for t, s in found}

    def place(self, name: str) -> Path:
        """A file or folder that the settings name."""
        return (self.path / name).expanduser()

    def keys(self) -> list[str]:
        """The SSH public keys that are let in, one line each."""
        lines: list[str] = []
        for entry in self.settings.authorized_keys:
            text = entry if is_key(entry) else (self.path / entry).expanduser().read_text()
            lines += [line.strip() for line in text.splitlines() if line.strip()]
        return lines


def load(folder: Path, path: Path | None = None) -> Instance:
    """The instance in `folder`.  SettingError names file, line and cure for the first thing wrong.

    path: read the settings from this file instead, which may take snakeroot.toml's place
    """
    path = path or folder / FILE
    instance = Instance(folder.resolve(), read(path, Settings))
    from snakeroot import check  # which stands on this module

    for keys, text in check.problems(instance):
        raise SettingError(f"{path}:{line_of(path.read_text(), keys)}: {harmless(text)}")
    return instance


def is_key(entry: str) -> bool:
    """Whether this is an SSH public key, and not the name of a file of them."""
    return entry.startswith(("ssh-", "ecdsa-", "sk-"))

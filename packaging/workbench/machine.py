"""What the machine must have for a command, and how it gets it from the distribution."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from interpreter.workshop import BuildError, run
from snakeroot import host, needs
from snakeroot.host import step
from snakeroot.needs import missing

#: For what: what must be there (a program, or a file of a development package) and the package that brings it.
NEEDS = {
    "lint": {
        "gcc": "gcc",
        "ensurepip": "python3-venv",
        "Python.h": "python3-dev",
        "/usr/include/stdlib.h": "libc6-dev",
    },
    "build": {
        "make": "make",
        "perl": "perl",
        "pkg-config": "pkg-config",
        "dpkg-source": "dpkg-dev",
        "setarch": "util-linux",
        "valgrind": "valgrind",
        "xz": "xz-utils",
        "/usr/include/zlib.h": "zlib1g-dev",
        "/usr/include/bzlib.h": "libbz2-dev",
        "/usr/include/lzma.h": "liblzma-dev",
        "/usr/include/curses.h": "libncurses-dev",
        "/usr/include/sqlite3.h": "libsqlite3-dev",
        "/usr/include/uuid/uuid.h": "uuid-dev",
        "/usr/include/*/ffi.h": "libffi-dev",
        "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
        "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
    },
    "run": needs.BOXES,
    "test": {
        "busybox": "busybox-static",
        "chronyd": "chrony",
        "cpio": "cpio",
        "curl": "curl",
        "dash": "dash",
        "dnsmasq": "dnsmasq-base",
        "ip": "iproute2",
        "minisign": "minisign",
        "sftp": "openssh-client",
        "dbclient": "dropbear-bin",
        "plink": "putty-tools",
        "qemu-x86_64": "qemu-user",
        "unshare": "util-linux",
        "sgdisk": "gdisk",
        "sfdisk": "fdisk",
        "strace": "strace",
        "fsck.fat": "dosfstools",
        "qemu-img": "qemu-utils",
        "/usr/share/OVMF/OVMF_CODE*.fd": "ovmf",
        "chromium": "chromium",
        "chromedriver": "chromium-driver",
    },
    "bench": {"toybox": "toybox"},
    "fresh": {
        "debootstrap": "debootstrap",
        "git": "git",
        "setpriv": "util-linux",
        "unshare": "util-linux",
        "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    },
}

#: What a command needs beside its own: the rows of NEEDS.
PURPOSES = {
    "lint": ["lint"],
    "build": ["lint", "build"],
    "run": ["lint", "build", "run"],
    "test": ["lint", "build", "run", "test"],
    "bench": ["lint", "build", "run", "test", "bench"],
    "wheel": ["lint", "build"],
    "sources --update": ["lint"],
    "fresh": ["fresh"],
}

#: cryptography's oldest Rust, and the distributions' packages that may be recent enough, best first.
RUST = (1, 83)
RUST_PACKAGES = (("rustc", "cargo"), ("rustc-web", "cargo-web"), ("rustc-1.83", "cargo-1.83"))


def purposes(command: str, options: Iterable[str]) -> list[str]:
    """The rows of NEEDS for a command with these options."""
    with_option = (PURPOSES.get(f"{command} {option}") for option in options)
    return PURPOSES.get(command) or next(filter(None, with_option), [])


def lacks() -> list[str]:
    """A line for everything that is missing for some command."""
    found = [
        f"for ./dev {purpose}: {thing} is missing (package {package})"
        for purpose, wanted in NEEDS.items()
        for thing, package in missing(wanted).items()
    ]
    if not rust_is_there():
        found.append(f"for ./dev build: Rust {RUST[0]}.{RUST[1]} or newer is missing")
    return found


def provide(purposes: list[str], yes: bool, log: Path) -> None:
    """Install what the purposes need and the machine lacks."""
    wanted: dict[str, str] = {}
    for purpose in purposes:
        wanted.update(missing(NEEDS[purpose]))
    for thing, package in wanted.items():
        print(f"  {thing} is missing: package {package}", file=sys.stderr)
    rust = "build" in purposes and not rust_is_there()
    if rust:
        print(f"  Rust {RUST[0]}.{RUST[1]} or newer is missing", file=sys.stderr)
    if wanted or rust:
        install(sorted(set(wanted.values())), rust, yes, log)


def rust_is_there() -> bool:
    """Whether rustc is recent enough and cargo is there."""
    try:
        text = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout
    except OSError:
        return False
    return shutil.which("cargo") is not None and recent(text)


def recent(text: str) -> bool:
    """Whether the version in a text is recent enough a Rust."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return found is not None and (int(found[1]), int(found[2])) >= RUST


def add_rust_to_path() -> None:
    """Look where rustup and the distributions' versioned packages put Rust, after where it should be."""
    folders = [Path.home() / ".cargo/bin", *sorted(Path("/usr/lib").glob("rust-*/bin"))]
    for folder in folders:
        if not rust_is_there() and (folder / "rustc").exists():
            os.environ["PATH"] = f"{folder}:{os.environ.get('PATH', os.defpath)}"


def install(packages: list[str], rust: bool, yes: bool, log: Path) -> None:
    """Install packages with apt-get, as root or through sudo, after asking."""

    def call(argv: list[str]) -> None:
        run(argv, log=log)

    try:
        root = needs.ask(yes, "./dev --yes ...")
    except host.BuildError as error:
        raise BuildError(str(error)) from None
    with step("package lists"):
        needs.update(root, call)
    if rust:
        packages = [*packages, *rust_packages()]
    with step(f"installing {len(packages)} packages"):
        needs.install(root, packages, call)
    add_rust_to_path()
    if rust and not rust_is_there():
        raise BuildError(f"the installed Rust cannot be used; its log: {log}")


def rust_packages() -> tuple[str, str]:
    """The first of the distribution's Rust packages that is recent enough."""
    for pair in RUST_PACKAGES:
        policy = ["apt-cache", "policy", pair[0]]
        text = subprocess.run(policy, capture_output=True, text=True, check=True).stdout
        candidate = re.search(r"Candidate: (?:\d+:)?(\S+)", text)
        if candidate and recent(candidate[1]):
            return pair
    raise BuildError(
        f"the distribution has no Rust {RUST[0]}.{RUST[1]} or newer: install one (rustup)"
    )

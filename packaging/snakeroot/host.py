"""The developer's machine: the one door to its programs, progress lines, and errors that name a cure."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO


class BuildError(Exception):
    """Something the user can mend; `hint` says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ToolError(BuildError):
    """A program that failed; `said` is all that it wrote about that."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


class OfflineError(BuildError):
    """A server that cannot be reached."""


#: Which distribution package brings a program that we call.
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "zstd": "zstd",
    "ssh": "openssh-client",
    "scp": "openssh-client",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
    "mkfs.ext4": "e2fsprogs",
    "mksquashfs": "squashfs-tools",
    "grub-mkimage": "grub-common",
    "mformat": "mtools",
}


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> bytes:
    """Run a program of the host to its end and return its standard output.

    BuildError names a missing program and its package, or the failed command and its last words.
    """
    words = [os.fspath(word) for word in argv]
    # mkfs and friends live in sbin, which is not in every user's PATH.
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            input=stdin,
            env={**os.environ, "PATH": path, **(env or {})},
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise missing(words[0]) from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"{shlex.join(words)}: no end after {timeout:g} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        if is_offline(said):
            raise OfflineError(
                f"no network: {shlex.join(words[:2])} reaches no server",
                "connect, and run it again",
            )
        last = "\n".join(said.splitlines()[-8:])
        message = f"{shlex.join(words)} ended with status {done.returncode}\n{last}"
        raise ToolError(message, said)
    return done.stdout


#: What says in the words of apt, cargo, pip, uv and git that a server cannot be reached.
_OFFLINE = (
    "Could not resolve",
    "Temporary failure resolving",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Failed to establish a new connection",
    "Network is unreachable",
    "Connection timed out",
    "dns error",
)


def is_offline(said: str) -> bool:
    """Whether a tool failed because it could not reach its server, by what it said."""
    return any(sign in said for sign in _OFFLINE)


def missing(program: str) -> BuildError:
    """The error for a program that the host lacks."""
    package = PACKAGES.get(program, program)
    return BuildError(
        f"{program}: not found",
        f"install it: apt-get install {package} (snakeroot doctor names all that is missing)",
    )


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """A line on standard error for what goes on: its title and the seconds, which a terminal sees passing."""
    live = sys.stderr.isatty()
    started = time.monotonic()
    over = threading.Event()

    def show(end: str) -> None:
        seconds = time.monotonic() - started
        print(f"  {title:<48} {seconds:6.1f} s", end=end, file=sys.stderr, flush=True)

    def tick() -> None:
        while not over.wait(0.5):
            show("\r")

    ticker = threading.Thread(target=tick, daemon=True)
    if live:
        show("\r")
        ticker.start()
    try:
        yield
    finally:
        over.set()
        if live:
            ticker.join()
        show("\n")


def cache() -> Path:
    """The folder for what is costly to make or fetch again ($SNAKEROOT_CACHE, or XDG's cache home)."""
    own = os.environ.get("SNAKEROOT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "snakeroot"


def replace(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that an interruption leaves the old one or the new one whole.

    private: nobody else may read it
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with fresh(path, private=private) as file:
        file.write(data)


@contextlib.contextmanager
def fresh(path: Path, *, private: bool) -> Iterator[BinaryIO]:
    """A new file to write to, which takes the place of `path` at the end, and is gone after an error.

    private: nobody else may read it.  A disk or a root has the hash of the page's password in it, and what else
    the box keeps secret.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    try:
        with open(part, "xb", opener=_private if private else None) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def private_folder(path: Path) -> Path:
    """Make the folder, into which nobody else may look, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path

"""Into a running box by the host's own SSH client."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snakeroot.config import Instance
from snakeroot.host import BuildError, missing, private_folder
from snakeroot.qemu import port_of

#: Seconds that a box whose page answers has until its shell does, and between two tries.
SHELL_SECONDS, PAUSE = 60.0, 0.5


@dataclass(frozen=True)
class Address:
    """Where an SSH server is.  port: 0 for the client's own choice"""

    host: str
    port: int = 0
    user: str = "root"


def parse(text: str) -> Address:
    """[USER@]HOST[:PORT], the host a name or an address, one of IPv6 in brackets before a port.  BuildError."""
    user, at, host = text.rpartition("@")
    bracketed = re.fullmatch(r"\[([^]]+)\](?::(.*))?", host)
    if bracketed:
        host, port = bracketed[1], bracketed[2]
    elif host.count(":") == 1:
        host, port = host.split(":")
    else:
        port = None
    fits = re.fullmatch(r"[\w:][\w.:%-]*", host) and re.fullmatch(
        r"[\w.][\w.-]*" if at else "", user
    )
    if not fits or (port is not None and not re.fullmatch(r"[0-9]{1,5}", port)):
        raise BuildError(f"--to {text}: is no address of a box", "it looks so: 192.168.1.20")
    if port is not None and not 0 < int(port) < 65536:
        raise BuildError(f"--to {text}: {port} is no port", "it is 1 to 65535")
    return Address(host, int(port or 0), user or "root")


def options(instance: Instance | None, *, named: bool = False) -> list[str]:
    """Options for ssh, scp and sftp: the instance's key and its own list of known hosts.

    named: the box is one with an address of its own, not that of `run`
    """
    found = [
        *("-o", "LogLevel=ERROR"),
        # A box that lost its power says no goodbye, and QEMU's network takes connections to one that boots.
        *("-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10"),
    ]
    if instance is None:
        return found
    own_key = instance.path / "ssh_key"
    known = instance.output / "known_hosts"
    if own_key.exists():
        found += ["-o", _file("IdentityFile", own_key)]
    # The first key seen is kept: it lies on /perm, so a changed one is a changed disk.
    found += ["-o", "StrictHostKeyChecking=accept-new", "-o", _file("UserKnownHostsFile", known)]
    if not named:
        found += ["-o", f"HostKeyAlias={instance.settings.hostname}"]
    return found


def _file(name: str, path: Path) -> str:
    """A setting of the client that names a file: blanks divide its words, and a per cent sign begins a token."""
    text = re.sub(r'["\\]', r"\\\g<0>", str(path)).replace("%", "%%")
    return f'{name}="{text}"'


def ssh(
    instance: Instance | None,
    command: list[str],
    *,
    terminal: bool = False,
    to: str = "",
    options: Sequence[str] = (),
) -> list[str]:
    """The command line for a shell in the box, or for one command there.

    to: the box's address, by default that of `run`    options: more of the client's
    BuildError when the box of `run` does not run, or the client is missing.
    """
    program, address, found = _client("ssh", instance, to)
    tty = ["-t"] if terminal else []
    port = ["-p", str(address.port)] if address.port else []
    destination = f"{address.user}@{address.host}"
    return [program, *found, *tty, *port, *options, "--", destination, *command]


def scp(
    instance: Instance | None, paths: Sequence[str], options: Sequence[str] = (), *, to: str = ""
) -> list[str]:
    """The command line that copies the first paths to the last one; those of the box begin with "box:"."""
    program, address, found = _client("scp", instance, to)
    host = f"[{address.host}]" if ":" in address.host else address.host
    words = []
    for path in paths:
        if path.startswith("box:"):
            words.append(f"{address.user}@{host}:{path.removeprefix('box:')}")
        else:
            # A colon in a name is no host's, and a dash no option's.
            words.append(path if path.startswith("/") else f"./{path}")
    port = ["-P", str(address.port)] if address.port else []
    return [program, *found, *port, *options, "--", *words]


def _client(name: str, instance: Instance | None, to: str) -> tuple[str, Address, list[str]]:
    """A client's program, where it is to go, and its options."""
    program = shutil.which(name)
    if program is None:
        raise missing(name)
    if instance is not None:
        private_folder(instance.output)  # the list of known hosts is in it
    if to:
        return program, parse(to), options(instance, named=True)
    if instance is None:
        raise BuildError("there is no instance here", "name its folder: snakeroot -C DIR")
    return program, Address("127.0.0.1", port_of(instance, 22)), options(instance)


def power_off(instance: Instance) -> None:
    """Power the running box off from its shell.  BuildError, with ssh's words, when there is none."""
    deadline = time.monotonic() + SHELL_SECONDS
    while (done := _ssh(instance, "true")).returncode:
        if time.monotonic() > deadline:
            said = done.stderr.decode(errors="replace").strip()
            raise BuildError(f"no shell in {instance.settings.hostname}: {said}")
        time.sleep(PAUSE)
    _ssh(instance, "poweroff")  # the connection may end before its status comes


def _ssh(instance: Instance, command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(ssh(instance, [command]), capture_output=True, check=False)

"""Into a running box by the host's own SSH client."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from snakeroot.config import Instance
from snakeroot.host import BuildError, missing
from snakeroot.qemu import port_of

#: Seconds that a box whose page answers has until its shell does, and between two tries.
SHELL_SECONDS, PAUSE = 60.0, 0.5


def options(instance: Instance) -> list[str]:
    """Options for ssh, scp and sftp: the instance's key and its own list of known hosts."""
    own_key = instance.path / "ssh_key"
    known = instance.output / "known_hosts"
    return [
        *(("-o", _file("IdentityFile", own_key)) if own_key.exists() else ()),
        # The first key seen is kept: it lies on /perm, so a changed one is a changed disk.
        *("-o", "StrictHostKeyChecking=accept-new", "-o", _file("UserKnownHostsFile", known)),
        *("-o", f"HostKeyAlias={instance.settings.hostname}", "-o", "LogLevel=ERROR"),
        # A box that lost its power says no goodbye, and QEMU's network takes connections to one that boots.
        *("-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10"),
    ]


def _file(name: str, path: Path) -> str:
    """A setting of the client that names a file: blanks divide its words, and a per cent sign begins a token."""
    text = re.sub(r'["\\]', r"\\\g<0>", str(path)).replace("%", "%%")
    return f'{name}="{text}"'


def ssh(instance: Instance, command: list[str], *, terminal: bool = False) -> list[str]:
    """The command line for a shell in the box, or for one command there."""
    program = shutil.which("ssh")
    if program is None:
        raise missing("ssh")
    port = str(port_of(instance, 22))
    tty = ["-t"] if terminal else []
    return [program, *options(instance), *tty, "-p", port, "root@127.0.0.1", *command]


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

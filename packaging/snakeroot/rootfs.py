"""Instance -> root file system: the one place that says what lies where on a box.

The root is read-only.  What is written at run time lies in memory (/run, /tmp, /dev; init mounts them) or
in /perm; files of /etc that change are links to /run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import applets
from snakeroot import binaries, packages, programs, release, services, shared, users
from snakeroot import keys as release_keys
from snakeroot.check import is_there
from snakeroot.config import Instance, Settings
from snakeroot.first_stage import RAM_DISK
from snakeroot.kernel import ALWAYS, DISKS, QUOTA, Kernel
from snakeroot.tree import Tree
from toolbox import VERSION
from toolbox.linux.module_file import normalize

#: Folders that are mount points or must be there before anything is mounted.
FOLDERS = {
    **dict.fromkeys(
        ("dev", "proc", "sys", "run", "perm", "etc", "lib", "bin", "var", "mnt"), 0o755
    ),
    "tmp": 0o1777,
    "root": 0o700,
}

#: The kernel's own watchdog.
WATCHDOG = "softdog"

#: IANA's names that getservbyname(3) and getprotobyname(3) of ordinary programs ask for.
SERVICES = {
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "http": 80,
    "pop3": 110,
    "ntp": 123,
    "imap2": 143,
    "snmp": 161,
    "https": 443,
    "syslog": 514,
    "imaps": 993,
    "mqtt": 1883,
    "postgresql": 5432,
    "http-alt": 8080,
}
PROTOCOLS = {"ip": 0, "icmp": 1, "tcp": 6, "udp": 17, "ipv6": 41, "ipv6-icmp": 58}


def early_modules(kernel: Kernel, settings: Settings) -> dict[str, bytes]:
    """The modules that lead to the root (see Kernel.modules); those of the first stage."""
    # A virtual machine's always: `snakeroot run` boots every box.
    wanted = [module for kind in ("virtio", *settings.kernel.disks) for module in DISKS[kind]]
    if settings.root == "ram":
        wanted.append(RAM_DISK)
    # A release on trial is watched from here on, by the machine's own watchdog if it is named.
    watchdogs = [m for m in settings.modules if _is_watchdog(kernel, m)]
    if WATCHDOG in kernel.module_files():
        watchdogs.append(WATCHDOG)  # the last one: it is for machines on which nothing else is
    return kernel.modules((*wanted, "squashfs", *watchdogs))


def _is_watchdog(kernel: Kernel, module: str) -> bool:
    path = kernel.module_files().get(normalize(module))
    return path is not None and path.parent.name == "watchdog"


def root(
    instance: Instance,
    toolbox: Path,
    kernel: Kernel,
    early: Mapping[str, bytes],
    made: Mapping[str, programs.Program],
) -> Tree:
    """The whole of it.

    early: the modules that are loaded when it is mounted    made: the services' programs
    """
    tree = Tree()
    _add_base(tree, toolbox)
    _add_modules(tree, kernel, instance.settings.modules, early)
    dynamic = [name for name, program in made.items() if program.runtime == "dynamic"]
    others = binaries.every(instance, lambda path: is_there(instance, path))
    system = {name: path for one in others.values() for name, path in one.system.items()}
    if dynamic:
        system |= programs.dynamic_files(toolbox)
        tree.link(f"{programs.DYNAMIC_PYTHON}/python", f"/bin/{programs.DYNAMIC}")
    for name, path in system.items():
        tree.file(name, path.read_bytes(), 0o755)
    if system:
        tree.file("etc/nsswitch.conf", shared.NSSWITCH)
    _add_own(tree, instance, made, others)
    return tree


def _add_base(tree: Tree, toolbox: Path) -> None:
    """What every box with this program has."""
    for name, mode in FOLDERS.items():
        tree.folder(name, mode)
    tree.file("bin/toolbox", toolbox.read_bytes(), 0o755)
    for name in applets.MODULES:
        tree.link(f"bin/{name}", "toolbox")
    tree.link("sbin", "bin")
    tree.link("usr/bin", "../bin")
    tree.link("usr/sbin", "../bin")
    tree.link("var/run", "../run")
    tree.link("var/tmp", "../tmp")
    tree.file("etc/ssl/certs/ca-certificates.crt", packages.certificates())
    tree.link("etc/ssl/cert.pem", "certs/ca-certificates.crt")
    tree.file("etc/services", _table(SERVICES, ("tcp", "udp")))
    tree.file("etc/protocols", "".join(f"{n}\t{p}\t{n.upper()}\n" for n, p in PROTOCOLS.items()))
    tree.link("etc/resolv.conf", "../run/resolv.conf")
    tree.link("etc/mtab", "../proc/self/mounts")


def _add_modules(tree: Tree, kernel: Kernel, wanted: list[str], early: Mapping[str, bytes]) -> None:
    """The kernel's modules that the box needs, and the list of those that init loads."""
    folder = f"lib/modules/{kernel.release}"
    quota = (QUOTA,) if kernel.counts_for_users else ()
    loaded = kernel.modules((*quota, *ALWAYS, *wanted))
    # All of them are there to be looked at and to be depended on, as modprobe does.
    for name, data in {**early, **loaded}.items():
        tree.file(f"{folder}/{name}", data)
    late = "".join(f"/{folder}/{name}\n" for name in loaded if name not in early)
    tree.file("etc/snakeroot/modules", late)


def _add_own(
    tree: Tree,
    instance: Instance,
    made: Mapping[str, programs.Program],
    others: Mapping[str, binaries.Binary],
) -> None:
    """What makes this box this box."""
    settings = instance.settings
    host = settings.hostname
    numbers = users.numbers(services.users_of(settings))
    page = numbers["httpd"]
    tree.file("etc/hostname", f"{host}\n")
    tree.file("etc/hosts", f"127.0.0.1\tlocalhost {host}\n::1\tlocalhost {host}\n")
    tree.file("etc/os-release", _os_release())
    tree.file("etc/passwd", _passwd(numbers))
    tree.file("etc/group", "root:x:0:\n" + "".join(f"{n}:x:{i}:\n" for n, i in _ids(numbers)))
    tree.file("etc/profile", PROFILE)
    if settings.password:
        tree.file("etc/snakeroot/password", f"{settings.password}\n", 0o600, *(page, page))
    if hashes := settings.update_tokens:
        lines = "".join(f"{line}\n" for line in hashes)
        tree.file("etc/snakeroot/update-tokens", lines, 0o600, *(page, page))
    if keys := instance.keys():
        tree.file("etc/snakeroot/authorized_keys", "".join(f"{k}\n" for k in keys), 0o600)
    if trusted := release_keys.public(instance.path):
        for name, data in release.own_files(instance, trusted).items():
            tree.file(f"etc/snakeroot/{name}", data)
    for name, service in settings.services.items():
        folder = f"{programs.FOLDER}/{name}"
        if service.python:
            # Its user reads all of it, also what was installed here under a umask of 077.
            tree.copy(folder, made[name].folder, shared=True)
        else:
            tree.file(f"{folder}/{name}", others[name].program.read_bytes(), 0o755)
            for library, path in others[name].own.items():
                tree.file(f"{folder}/{binaries.FOLDER}/{library}", path.read_bytes(), 0o755)
        # A program may have secrets in its folder: only its own user looks into it.
        gids = {**numbers, "nobody": users.NOBODY}
        tree.folder(folder, 0o750, gid=gids.get(service.user or name, 0))
    # It has every service's environment, and init alone reads it.
    dynamic = [name for name, program in made.items() if program.runtime == "dynamic"]
    linked = [name for name, binary in others.items() if binary.own]
    written = json.dumps(services.contents(instance, dynamic, linked), indent=1) + "\n"
    tree.file("etc/snakeroot/services.json", written, 0o600)
    # Last, so that they can take the place of any other file.
    for target, file in instance.files().items():
        owner = numbers.get(file.owner, 0)
        mode = int(file.mode, 8) if file.mode else None
        tree.copy(target, instance.place(file.source), uid=owner, gid=owner, mode=mode)


PROFILE = """\
export PATH=/bin
export PS1='\\u@\\h:\\w\\$ '
"""


def _os_release() -> str:
    return (
        f'NAME=Snakeroot\nID=snakeroot\nPRETTY_NAME="Snakeroot {VERSION}"\nVERSION_ID={VERSION}\n'
    )


def _passwd(numbers: dict[str, int]) -> str:
    lines = "".join(f"{n}:x:{i}:{i}::/perm/home/{n}:/bin/false\n" for n, i in _ids(numbers))
    return f"root:x:0:0:root:/root:/bin/sh\n{lines}"


def _ids(numbers: dict[str, int]) -> list[tuple[str, int]]:
    return [*numbers.items(), ("nobody", users.NOBODY)]


def _table(entries: dict[str, int], protocols: tuple[str, ...]) -> str:
    return "".join(f"{name}\t{port}/{p}\n" for name, port in entries.items() for p in protocols)

"""Instance -> services.json: what the box runs, as whom, and with which shares of it.  init reads that file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from snakeroot import binaries, programs
from snakeroot import keys as release_keys
from snakeroot.config import Instance, Service, Settings
from snakeroot.kernel import CONSOLE
from toolbox.linux.becoming import PATH

#: The priority of the way into the box: it stays open when a program of the user's is busy.
NETWORK_NICE = -10

#: When memory runs out: what leads into the box goes last.
NETWORK_OOM = -900

#: What each service of the user's may use of the box, unless `cgroup` says otherwise: one that leaks or forks
#: without end stops itself, and neither the others nor the box.  There is no memory.high: a box has no swap, so one
#: that leaks would not be slowed down to be put right, but hang there for ever instead of being started again.
SHARES = {
    "memory.max": "70%",
    "memory.oom.group": "1",
    "pids.max": "15%",
}

#: What each service's user may have on /perm, unless `disk` and `files` say otherwise: one that leaks does not
#: stop the others.  Space is what a box's main service needs nearly all of, files hardly anybody does: an ext4 has one
#: for each 16 KiB.  The box's own users keep a few small files.
DISK, FILES = "90%", "50%"
OWN_SHARE = {"disk": "1%", "files": "1%"}

#: What distributions set for a machine on which programs of several users run (systemd's sysctl.d, Debian's kernel).
SYSCTL = {
    # Files of others in /tmp are not opened, linked to or followed by mistake.
    "fs.protected_fifos": "1",
    "fs.protected_regular": "1",
    "fs.protected_hardlinks": "1",
    "fs.protected_symlinks": "1",
    # Nobody in the network tells the box other ways, or speaks for addresses that lie elsewhere.
    "net.ipv4.conf.*.accept_redirects": "0",
    "net.ipv4.conf.*.secure_redirects": "0",
    "net.ipv4.conf.*.accept_source_route": "0",
    "net.ipv4.conf.*.rp_filter": "2",
    "-net.ipv6.conf.*.accept_redirects": "0",
    # Where the kernel lies in memory, and what it says, is not for services.
    "kernel.kptr_restrict": "1",
    "-kernel.dmesg_restrict": "1",
    # A user that is root in a name space of its own reaches parts of the kernel that are root's else.
    "user.max_user_namespaces": "0",
}

#: Services of the box that are users of their own.
OWN_USERS = ("httpd", "ntp")

#: Where ntp keeps the time.
NTP_STATE = "/perm/home/ntp"

#: Ports below this one are for services that name them in `ports` (ip_unprivileged_port_start's default).
FIRST_FREE_PORT = 1024

#: Seconds for which what is not on the way to the page lets the others start first.
IDLE = 2.0


def users_of(settings: Settings) -> dict[str, int]:
    """The users of the box: name -> the number that was chosen for it, 0 for none."""
    own = dict.fromkeys(OWN_USERS, 0)
    return {**own, **{name: service.uid for name, service in settings.services.items()}}


def contents(
    instance: Instance, dynamic: Collection[str] = (), linked: Collection[str] = ()
) -> dict[str, Any]:
    """The contents of services.json, which init reads (applets/init/config.py has its grammar).

    dynamic: services that the dynamic program runs    linked: binaries that have libraries of their own
    """
    settings = instance.settings
    near = [f"--near={network}" for network in settings.near]
    box: dict[str, Any] = {
        # RNDADDENTROPY, which credits the seed, is sys_admin's.
        "randomd": {"command": ["/bin/randomd"], **_only("sys_admin")},
        # Addresses and routes, packets below IP, port 68, and the host name, which is sys_admin's.
        "dhcp": {
            "command": ["/bin/dhcp"],
            "ready": "notify",
            "provides": ["network"],
            "nice": NETWORK_NICE,
            **_only("net_admin", "net_raw", "net_bind_service", "sys_admin"),
        },
        "ntp": {
            "command": [
                *("/bin/ntp", f"--save={NTP_STATE}/clock"),
                *(("--", *settings.ntp) if settings.ntp else ()),
            ],
            "ready": "notify",
            "provides": ["clock"],
            "idle": IDLE,
            "user": "ntp",
            "state_directory": NTP_STATE,
            **OWN_SHARE,
            **_only("sys_time"),
        },
        # It reads the password's hash, which is its own, asks init for these things, and the updater to install a
        # release; neither is root's socket.
        "httpd": {
            "command": ["/bin/httpd", "--box", *near],
            "ready": "notify",
            "nice": NETWORK_NICE,
            "user": "httpd",
            "control": ["list", "status", "start", "stop", "restart", "power", "logs"],
            **OWN_SHARE,
            **_only("net_bind_service"),
        },
        # Its shells are root's: whoever comes in by it is the owner, who may do everything.
        "breakglass": {"command": ["/bin/breakglass", *near], "listen": ["[::]:22"]},
    }
    if settings.console == "shell":
        box["console"] = {
            "command": ["/bin/sh", "-l"],
            "tty": f"/dev/{CONSOLE}",
            "idle": IDLE,
            "environment": {"HOME": "/root", "TERM": "linux"},
            "directory": "/root",
        }
    if release_keys.public(instance.path):
        box["update"] = {"command": _update(settings), "ready": "notify", "provides": ["committed"]}
        box["update"]["idle"] = IDLE
    for name, entry in box.items():
        if name != "console":  # a shell, from which anything may be run
            entry["oom_score_adj"] = NETWORK_OOM
    own = {
        name: _service(name, service, name in dynamic, name in linked)
        for name, service in settings.services.items()
    }
    return {
        "hostname": settings.hostname,
        # The updater itself says no in time; init does when that says nothing.
        "trial": settings.update.healthy_within + 30,
        "sysctl": {**SYSCTL, **settings.sysctl},
        "services": {**box, **own},
    }


def _capabilities(service: Service) -> list[str]:
    """What a service has besides being a user; of root's, which has all, what it is left with if it names any."""
    low = any(port < FIRST_FREE_PORT for port in service.ports)
    return list(dict.fromkeys((*service.capabilities, *(["net_bind_service"] if low else []))))


def _shares(service: Service) -> dict[str, str | int]:
    """The service's limits: what is not set is its share."""
    return {**SHARES, **service.cgroup}


def _disk(service: Service, user: str) -> dict[str, str | int]:
    """What its user may have on /perm; nobody limits root."""
    if user == "root":
        return {}
    own = {"disk": service.disk, "files": service.files}
    default: dict[str, str | int] = {"disk": DISK, "files": FILES}
    return {key: default[key] if value == "" else value for key, value in own.items()}


def _only(*capabilities: str) -> dict[str, Any]:
    """Of root's powers these alone, whoever it runs as, and never others."""
    return {"capabilities": list(capabilities), "no_new_privs": True}


def _update(settings: Settings) -> list[str]:
    """The updater, for a box that takes releases."""
    update = settings.update
    return [
        *("/bin/update", "--daemon", "--for=httpd"),
        *(f"--after={update.healthy_after:g}", f"--within={update.healthy_within:g}"),
        *((f"--check={update.check}",) if update.check else ()),
        *((f"--poll={update.poll:g}",) if update.poll else ()),
        *((f"--window={update.window}",) if update.window else ()),
    ]


def python_options(name: str, module: str, folder: str) -> list[str]:
    """Python's options that run a module, or a function as the script of an entry point does.

    "__main__" stands for the folder itself, whose __main__.py Python runs.
    """
    module, _, function = module.partition(":")
    if not function:
        return [folder] if module == "__main__" else ["-m", module]
    first, _, rest = function.partition(".")
    call = f"main.{rest}()" if rest else "main()"
    return [
        "-c",
        f"import sys; sys.argv[0] = {name!r}; from {module} import {first} as main; sys.exit({call})",
    ]


def _service(name: str, service: Service, dynamic: bool, linked: bool) -> dict[str, Any]:
    folder = f"/{programs.FOLDER}/{name}"
    environment = dict(service.environment)
    if service.python:
        python = [f"/bin/{programs.DYNAMIC}", "python"] if dynamic else ["/bin/python"]
        command = [
            *python,
            *python_options(name, programs.module(service), folder),
            *service.arguments,
        ]
        path = {"PATH": f"/{programs.DYNAMIC_PYTHON}:{PATH}"} if dynamic else {}
        environment = {"PYTHONPATH": folder, "PYTHONUNBUFFERED": "1", **path, **environment}
    else:
        command = [f"{folder}/{name}", *service.arguments]
        if linked:
            places = (binaries.library_path(name), environment.get("LD_LIBRARY_PATH", ""))
            environment["LD_LIBRARY_PATH"] = ":".join(filter(None, places))
    user = service.user or name
    return {
        "command": command,
        "environment": {"HOME": f"/perm/home/{name}", **environment},
        "user": user,
        "no_new_privs": user != "root",
        "capabilities": _capabilities(service) if user != "root" or service.capabilities else None,
        "state_directory": f"/perm/home/{name}",
        "wait_for": service.wait_for,
        "provides": service.provides,
        "restart": service.restart,
        "ready": service.ready,
        "stop_timeout": service.stop_timeout,
        "limits": service.limits,
        "cgroup": _shares(service),
        "oom_score_adj": service.oom_score_adj,
        **({"devices": service.devices} if service.devices else {}),
        **_disk(service, user),
    }

"""What is wrong with an instance, beyond the types of its settings: names, files, ports."""

from __future__ import annotations

import re

from snakeroot import users
from snakeroot.config import HOSTNAME, Instance, Settings, is_key
from toolbox.trust import tokens

WINDOW = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
SERVICE = re.compile(r"[a-z][a-z0-9_-]{0,30}")

#: Folders that something is mounted over at run time: what the image has there would not be seen.
COVERED = ("dev", "perm", "proc", "root", "run", "sys", "tmp")

#: The box's own services: a service of the user's must not take their names.
OWN = ("init", "kernel", "dhcp", "ntp", "randomd", "httpd", "breakglass", "console", "update")


def problems(instance: Instance) -> list[tuple[tuple[str, ...], str]]:
    """What types alone do not show: (key, what is wrong with it)."""
    settings = instance.settings
    found: list[tuple[tuple[str, ...], str]] = []
    if not HOSTNAME.fullmatch(settings.hostname):
        found.append(
            (("hostname",), f"'{settings.hostname}' is no host name (letters, digits, '-')")
        )
    if settings.password and not settings.password.startswith("$scrypt$"):
        found.append(
            (
                ("password",),
                "must be a scrypt hash, never the password: make one with `snakeroot password`",
            )
        )
    for line in settings.update_tokens:
        try:
            tokens.parse(line)
        except ValueError as error:
            text = f"{error}, never the token: make one with `snakeroot token`"
            found.append((("update_tokens",), text))
    for entry in settings.authorized_keys:
        if not is_key(entry) and not (instance.path / entry).expanduser().is_file():
            found.append((("authorized_keys",), f"'{entry}' is neither a public key nor a file"))
    for target, source in settings.files.items():
        if not target.startswith("/"):
            found.append((("files", target), f"'{target}' must be an absolute path in the image"))
        if (top := target.strip("/").partition("/")[0]) in COVERED:
            text = f"'{target}' would not be seen: /{top} is in memory or on its own disk"
            found.append((("files", target), text))
        if not (instance.path / source).expanduser().exists():
            found.append((("files", target), f"'{source}': no such file or folder"))
    # The journal of an ext4 that is to grow; GRUB's and our own numbers of sectors have ten digits.
    for name, least in (("boot", 1), ("root", 1), ("perm", 16)):
        if not least <= (size := getattr(settings.disk, name)) <= 1 << 20:
            found.append((("disk", name), f"{size} MiB: must be {least} to {1 << 20}"))
    if settings.update.window and not WINDOW.fullmatch(settings.update.window):
        found.append(
            (("update", "window"), f"'{settings.update.window}' is no window: 02:00-04:30")
        )
    taken: dict[int, str] = {settings.machine.page_port: "machine.page_port"}
    for name, text in users.problems({n: s.uid for n, s in settings.services.items()}):
        found.append((("services", name, "uid"), text))
    for name, service in settings.services.items():
        keys = ("services", name)
        if not SERVICE.fullmatch(name):
            found.append(
                (keys, f"'{name}' is no service name (lower case letters, digits, '-', '_')")
            )
        if name in OWN:
            found.append((keys, f"'{name}' is a service of the box itself; choose another name"))
        if service.uid and service.user not in ("", name):
            text = f"'uid' is its own user's, and it runs as '{service.user}'"
            found.append(((*keys, "uid"), text))
        if bool(service.python) == bool(service.binary):
            found.append((keys, f"[services.{name}] needs either 'python' or 'binary'"))
        if service.binary and not (instance.path / service.binary).is_file():
            found.append(((*keys, "binary"), f"'{service.binary}': no such file"))
        if service.python.startswith((".", "/")) and not (instance.path / service.python).is_dir():
            found.append(((*keys, "python"), f"'{service.python}': no such folder"))
        for wanted in service.wait_for:
            if wanted not in _conditions(settings):
                known = ", ".join(sorted(_conditions(settings)))
                found.append(
                    ((*keys, "wait_for"), f"nothing provides '{wanted}'; known are: {known}")
                )
        for port in service.ports:
            if not 0 < port < 65536:
                found.append(((*keys, "ports"), f"{port} is no port (1 to 65535)"))
            elif port in taken:
                found.append(((*keys, "ports"), f"port {port} is taken by {taken[port]}"))
            taken[port] = f"services.{name}"
    return found


def _conditions(settings: Settings) -> set[str]:
    provided = {c for service in settings.services.values() for c in service.provides}
    return {"network", "clock", "dhcp", "ntp", "httpd", *settings.services, *provided}

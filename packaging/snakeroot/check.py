"""What is wrong with an instance, beyond the types of its settings.

What the box reads is asked of the box's own parsers: init's of services.json, the daemons' of their command lines,
the boot loader's of the kernel's words.  So what is accepted here is accepted there.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Iterator

import applets
from applets.breakglass import keys as box_keys
from applets.init import config as init_config
from snakeroot import binaries, executable, programs, release, services, users
from snakeroot.config import HOSTNAME, FileSetting, Instance, Service, is_key
from snakeroot.host import BuildError
from toolbox.errors import UsageError
from toolbox.net.address import parse_network
from toolbox.release import manifest
from toolbox.storage import slot
from toolbox.trust import password, tokens

WINDOW = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)")

#: Debian's policy, 5.6.1.
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
SERVICE = re.compile(r"[a-z][a-z0-9_-]{0,30}")
MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")
MODE = re.compile(r"0?[4-7][0-7][0-7]")

#: A host name or an address of a time server; never an option.
SERVER = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_%-]{0,254}")

#: Folders that something is mounted over at run time: what the image has there would not be seen.
COVERED = ("dev", "perm", "proc", "root", "run", "sys", "tmp", "var/run", "var/tmp")

#: The box's own services: a service of the user's must not take their names.
OWN = ("init", "kernel", "dhcp", "ntp", "randomd", "httpd", "breakglass", "console", "update")

#: What never becomes ready before a release is committed, which waits for all services.
NEVER_IN_TIME = ("update", "committed")

#: Ports that the box itself listens on.
PORTS = {22: "the box's SSH server", 80: "the box's page"}

#: Folders of the image that are the same one.
PROGRAMS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")

#: A key of snakeroot.toml, and what is wrong with its value.
Problem = tuple[tuple[str, ...], str]


def problems(instance: Instance) -> Iterator[Problem]:
    """What types alone do not show, in the order in which it is to be told."""
    yield from _secrets(instance)
    yield from _files(instance)
    yield from _numbers(instance)
    yield from _release(instance)
    for name, text in users.problems(services.users_of(instance.settings)):
        yield ("services", name, "uid"), text
    for name, service in instance.settings.services.items():
        for key, text in _service(instance, name, service):
            yield ("services", name, *key), text
    yield from _ports(instance)
    yield from _as_the_box_sees_it(instance)


def _secrets(instance: Instance) -> Iterator[Problem]:
    """Names and keys."""
    settings = instance.settings
    if not HOSTNAME.fullmatch(settings.hostname):
        yield ("hostname",), f"'{settings.hostname}' is no host name (letters, digits, '-')"
    if settings.password:
        try:
            password.parse(settings.password)
        except ValueError as error:
            text = f"{error}; never the password: make one with `snakeroot password`"
            yield ("password",), f"must be a scrypt hash: {text}"
    for line in settings.update_tokens:
        try:
            tokens.parse(line)
        except ValueError as error:
            text = f"{error}, never the token: make one with `snakeroot token`"
            yield ("update_tokens",), text
    for entry in settings.authorized_keys:
        if not is_key(entry) and not instance.place(entry).is_file():
            yield ("authorized_keys",), f"'{entry}' is neither a public key nor a file"
            continue
        # What the box would refuse is refused here, where its owner can still get in.
        place = "" if is_key(entry) else str(instance.place(entry))
        text = entry if not place else instance.place(entry).read_text(errors="replace")
        wrong: list[str] = []
        box_keys.select(text, place, wrong.append)
        for said in wrong:
            yield ("authorized_keys",), said if place else f"'{entry[:60]}': {said[2:]}"
    for network in settings.near:
        try:
            parse_network(network)
        except ValueError as error:
            yield ("near",), str(error)
    for server in settings.ntp:
        if not SERVER.fullmatch(server):
            yield ("ntp",), f"'{server}' is neither a host name nor an address"


def _files(instance: Instance) -> Iterator[Problem]:
    for target, file in instance.files().items():
        for text in _file(instance, target, file):
            yield ("files", target), text


def _file(instance: Instance, target: str, file: FileSetting) -> Iterator[str]:
    if not target.startswith("/"):
        yield f"'{target}' must be an absolute path in the image"
    elif target == "/" or "\0" in target or os.path.normpath(target) != target:
        yield f"{target!r} is no plain path of a file or folder in the image, such as '/etc/motd'"
    for top in COVERED:
        if f"{target.strip('/')}/".startswith(f"{top}/"):
            yield f"'{target}' would not be seen: /{top} is in memory or on its own disk"
    source = instance.place(file.source)
    if "\0" in file.source or not source.exists():
        yield f"{file.source!r}: no such file or folder"
    elif instance.path.is_relative_to(source.resolve()):
        yield f"'{file.source}' has the instance's keys in it, which must not get into the image"
    elif source.resolve().parent == instance.path and source.name in release.SECRETS:
        yield f"'{file.source}' is a secret of whoever builds, and must not get into the image"
    if file.owner not in {"root", *instance.settings.services}:
        yield f"owner: '{file.owner}' is neither root nor a service"
    if file.mode and not MODE.fullmatch(file.mode):
        yield f"mode: '{file.mode}' is no mode of a file that its owner may read, such as \"0600\""


def _numbers(instance: Instance) -> Iterator[Problem]:
    """Sizes, times, ports of this machine."""
    settings = instance.settings
    # The journal of an ext4 that is to grow; GRUB's and our own numbers of sectors have ten digits.
    for name, least in (("boot", 1), ("root", 1), ("perm", 16)):
        if not least <= (size := getattr(settings.disk, name)) <= 1 << 20:
            yield ("disk", name), f"{size} MiB: must be {least} to {1 << 20}"
    update, machine = settings.update, settings.machine
    if update.window and not WINDOW.fullmatch(update.window):
        yield ("update", "window"), f"'{update.window}' is no window: 02:00-04:30"
    for name, most in (("healthy_after", 3600.0), ("healthy_within", 86370.0)):
        if not 0 <= (seconds := getattr(update, name)) <= most:
            yield ("update", name), f"{seconds:g} s: must be 0 to {most:g}"
    if not (update.poll == 0 or 1 <= update.poll <= 366 * 86400):
        text = f"{update.poll:g} s: must be 0, for never, or 1 to {366 * 86400}"
        yield ("update", "poll"), text
    for name, least, most in (
        *(("memory", 64, 1 << 20), ("processors", 1, 255)),
        *(("page_port", 1, 65535), ("ssh_port", 1, 65535)),
    ):
        if not least <= (number := getattr(machine, name)) <= most:
            yield ("machine", name), f"{number}: must be {least} to {most}"
    for word in settings.kernel.arguments:
        if not slot.WORD.fullmatch(word):
            text = f"{word!r} cannot be passed on by the boot loader: letters, digits and _.,:;=/@%+^~!-"
            yield ("kernel", "arguments"), text


def _release(instance: Instance) -> Iterator[Problem]:
    settings = instance.settings.release
    try:
        release.target(instance)
    except BuildError as error:
        yield ("release",), f"{error}: {error.hint}"
    for name in ("version", "floor"):
        if (text := getattr(settings, name)) and not manifest.VERSION.fullmatch(text):
            yield ("release", name), f"'{text}' is no version: 1.4.2, 2.0~rc1"
    if not manifest.WORD.fullmatch(settings.channel):
        yield (
            ("release", "channel"),
            f"'{settings.channel}': use small letters, digits, '-' and '_'",
        )
    if "\0" in settings.url or any(c.isspace() for c in settings.url):
        yield ("release", "url"), f"{settings.url!r} is neither a URL nor a path"


def _service(instance: Instance, name: str, service: Service) -> Iterator[Problem]:
    """The keys are those below [services.NAME]."""
    if not SERVICE.fullmatch(name):
        yield (), f"'{name}' is no service name (lower case letters, digits, '-', '_')"
    if name in OWN:
        yield (), f"'{name}' is a service of the box itself; choose another name"
    if service.uid and service.user not in ("", name):
        yield ("uid",), f"'uid' is its own user's, and it runs as '{service.user}'"
    for key in ("disk", "files"):
        if getattr(service, key) != "" and service.user not in ("", name):
            yield (key,), f"'{key}' is its own user's, and it runs as '{service.user}'"
    known = {"root", "nobody", *instance.settings.services}
    if service.user and service.user not in known and "/etc/passwd" not in instance.files():
        yield ("user",), f"there is no user '{service.user}': root, nobody, or a service's name"
    if bool(service.python) == bool(service.binary):
        yield (), f"[services.{name}] needs either 'python' or 'binary'"
    elif service.binary:
        yield from ((("binary",), text) for text in _binary(instance, service))
        if service.runtime != "auto":
            yield ("runtime",), "'runtime' is for 'python'; a binary runs by itself"
    else:
        yield from _python(instance, service)
        if service.packages:
            yield ("packages",), "'packages' is for 'binary'; Python's are in requirements.txt"
    for package in service.packages:
        if not PACKAGE.fullmatch(package):
            yield ("packages",), f"{package!r} is no name of a package of the distribution"
    for wanted in service.wait_for:
        if wanted in NEVER_IN_TIME:
            text = f"'{wanted}' comes when all services are ready: it would wait for itself"
            yield ("wait_for",), text


def _binary(instance: Instance, service: Service) -> Iterator[str]:
    if binaries.of_a_package(service):
        return  # which is fetched when the image is made
    path = instance.place(service.binary)
    if "\0" in service.binary or not path.is_file():
        yield f"{service.binary!r}: no such file"
        return
    if why := executable.problem(path, lambda name: is_there(instance, name)):
        yield f"'{service.binary}' {why}"


def is_there(instance: Instance, path: str) -> bool:
    """Whether the image has a file at an absolute path: an applet, or something of [files]."""
    path = _unlinked(path)
    folder, _, name = path.rpartition("/")
    if folder == PROGRAMS[0] and (name in applets.MODULES or name == "toolbox"):
        return True
    for target, file in instance.files().items():
        target = _unlinked(target)
        source = instance.place(file.source)
        if path == target or (path.startswith(f"{target}/") and source.is_dir()):
            return source.joinpath(path.removeprefix(target).lstrip("/")).exists()
    return False


def _unlinked(path: str) -> str:
    """The path without the links that stand for /bin."""
    for link in PROGRAMS[1:]:
        if path == link or path.startswith(f"{link}/"):
            return PROGRAMS[0] + path.removeprefix(link)
    return path


def _python(instance: Instance, service: Service) -> Iterator[Problem]:
    if "\0" in service.python or service.python.startswith("-"):
        yield ("python",), f"{service.python!r} is neither a folder nor a requirement"
        return
    named = service.python.startswith((".", "/", "~"))
    if named and not instance.place(service.python).is_dir():
        yield ("python",), f"'{service.python}': no such folder"
        return
    if not MODULE.fullmatch(programs.module(service)):
        text = f"'{programs.module(service)}' is no name of a module: set 'module'"
        yield ("module" if service.module else "python",), text


def _ports(instance: Instance) -> Iterator[Problem]:
    machine = instance.settings.machine
    if machine.page_port == machine.ssh_port:
        yield ("machine", "ssh_port"), f"port {machine.ssh_port} is taken by machine.page_port"
    taken = {
        machine.page_port: "machine.page_port",
        machine.ssh_port: "machine.ssh_port",
        **PORTS,
    }
    for name, service in instance.settings.services.items():
        for port in service.ports:
            key = ("services", name, "ports")
            if not 0 < port < 65536:
                yield key, f"{port} is no port (1 to 65535)"
            elif port in taken:
                yield key, f"port {port} is taken by {taken[port]}"
            taken[port] = f"services.{name}"


# -- the box's own parsers ---------------------------------------------------------------------------------

#: Keys of services.json that are called otherwise in snakeroot.toml.
_TOP = {"trial": ("update", "healthy_within"), "": ()}
_IN_SERVICE = {"command": "arguments"}


def _as_the_box_sees_it(instance: Instance) -> Iterator[Problem]:
    written = services.contents(instance)
    read = init_config.parse(json.dumps(written).encode())
    yield from _conditions(instance, read)
    for key, why in read.wrong.items():
        yield _TOP.get(key, (key,)), why
    for name, found in read.services.items():
        for key, why in found.wrong.items():
            if name in instance.settings.services:
                yield ("services", name, *((_IN_SERVICE.get(key, key),) if key else ())), why
            else:
                yield (name,), why
    for name, service in written["services"].items():
        if name not in instance.settings.services and name in applets.MODULES:
            options = importlib.import_module(applets.MODULES[name]).options
            try:
                options.parse(service["command"][1:])
            except UsageError as error:
                yield (name,), str(error)


def _conditions(instance: Instance, read: init_config.Config) -> Iterator[Problem]:
    """What is waited for and nobody provides, with all that there is; cycles are init's to name."""
    known = {*init_config.OUTSIDE, *init_config.provided(read), *read.services} - {*NEVER_IN_TIME}
    for name, service in instance.settings.services.items():
        for wanted in service.wait_for:
            if wanted not in known:
                text = f"nothing provides '{wanted}'; known are: {', '.join(sorted(known))}"
                yield ("services", name, "wait_for"), text

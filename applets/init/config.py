"""services.json: what to run.  Read strictly, survived always.

An unknown key, a wrong type or a wrong value is a problem that names the service and the key; that
service alone is left out (it is listed as failed, with the reason).  A file that is no JSON gives a box
without services but with a control socket.  `load` and `parse` never raise for what the file holds.

{"hostname": NAME, "modules": [NAME or PATH...], "sysctl": {NAME: VALUE}, "services": {NAME: SERVICE},
 "trial": seconds in which a release on trial must be committed (applets/init/health.py)}

SERVICE, all keys but `command` optional:
    command          program and arguments; a program without a slash is looked for in PATH
    environment      {NAME: VALUE}, added to init's own set
    directory        working directory (/)
    user, group      name or number (root)
    wait_for         services that must be ready, conditions that must hold
    provides         conditions that hold from the first time it is ready; who provides "network" is stopped last
    idle             seconds for which it lets the others start first, as long as one of them is starting (0)
    restart          "always", "on-failure" (not after exit 0), "never"
    ready            "start": as soon as the program runs; "notify": when it says READY=1 (sd_notify(3));
                     "exit": when it has ended well, after which it is not started again
    start_timeout    seconds to become ready in before it is killed and started again (none)
    listen           addresses: init listens, a connection starts the program (sd_listen_fds(3))
    stop_timeout     seconds from TERM to KILL (10)
    no_new_privs     true: no program of it gains privileges by setuid or file capabilities
    capabilities     those that it keeps, whatever its user; null: the user's usual ones
    nice             its priority, -20 is first and 19 last (nice(2)); as far as init may set it
    limits           {"nofile": N or "unlimited" or [SOFT, HARD]} (setrlimit(2))
    cgroup           {"memory.max": "64M"}, written to its control group
    tty              terminal that it leads as a session, instead of logging: a shell on the console
    state_directory  made for its user alone before the first start, given to it when another user owns it
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Check = Callable[[Any], Any]

#: A services file is written by a builder; anything larger is not one.
MAX_BYTES = 1 << 20

#: Conditions that the world outside may fulfil: when no service provides them they hold.
OUTSIDE = ("clock", "network")

#: Names in the logs that are no services.
RESERVED = ("init", "kernel")

_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-")

LIMITS = frozenset(
    {
        *("as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile"),
        *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
    }
)


class Problem(ValueError):
    """A value that may not stand there; the text says what is wrong with it."""


class ServiceConfig:
    """One service's entry, checked.  `problem` says why it may not run; empty when it may."""

    def __init__(self, name: str, command: list[str] | None = None, problem: str = "") -> None:
        self.name = name
        self.command: list[str] = command or []
        self.problem = problem
        self.environment: dict[str, str] = {}
        self.directory = "/"
        self.user: str | int | None = None
        self.group: str | int | None = None
        self.wait_for: list[str] = []
        self.provides: list[str] = []
        self.idle = 0.0
        self.restart = "always"
        self.ready = "start"
        self.start_timeout: float | None = None
        self.listen: list[str] = []
        self.stop_timeout = 10.0
        self.no_new_privs = False
        self.capabilities: list[str] | None = None
        self.nice = 0
        self.limits: dict[str, tuple[int, int]] = {}
        self.cgroup: dict[str, str] = {}
        self.tty: str | None = None
        self.state_directory: str | None = None


class Config:
    """The file, checked: services by name in its order, and what was wrong (lines for the log)."""

    def __init__(self) -> None:
        self.services: dict[str, ServiceConfig] = {}
        self.hostname: str | None = None
        self.modules: list[str] = []
        self.sysctl: dict[str, str] = {}
        self.trial = 90.0
        self.problems: list[str] = []


def load(path: str) -> Config:
    """Read and check the file at `path`; what is wrong with it is in `problems`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            data = b""
            while len(data) <= MAX_BYTES and (block := os.read(fd, 1 << 16)):
                data += block
        finally:
            os.close(fd)
    except OSError as error:
        config = Config()
        config.problems.append(f"{path}: {error.strerror}")
        return config
    config = parse(data)
    config.problems = [f"{path}: {problem}" for problem in config.problems]
    return config


def parse(data: bytes) -> Config:
    """Check the bytes of a services file."""
    config = Config()
    if len(data) > MAX_BYTES:
        config.problems.append(f"larger than {MAX_BYTES} bytes")
        return config
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            names = [name for name, _ in items]
            repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return found

    try:
        top = json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        config.problems.append(f"not JSON: {error}")
        return config
    config.problems += [f"{name!r} is given twice; the last one counts" for name in repeated]
    if not isinstance(top, dict):
        config.problems.append("not a JSON object")
        return config
    services: dict[str, Any] = {}
    for key, value in top.items():
        try:
            if key == "services":
                services = _dict(value)
            elif key == "hostname":
                config.hostname = None if value is None else _host_name(value)
            elif key == "modules":
                config.modules = _strings(value)
            elif key == "sysctl":
                config.sysctl = _sysctl(value)
            elif key == "trial":
                config.trial = _seconds(value)
            else:
                known = ("services", "hostname", "modules", "sysctl", "trial")
                raise Problem(f"unknown key{_near(key, known)}")
        except Problem as problem:
            config.problems.append(f"{key!r}: {problem}")
    for name, entry in services.items():
        service = check_service(name, entry)
        if service.problem:
            config.problems.append(f"service {name!r}: {service.problem}")
        config.services[name] = service
    _check_dependencies(config)
    return config


def check_service(name: str, entry: object) -> ServiceConfig:
    """One entry; what is wrong with it is its `problem`."""
    service = ServiceConfig(name)
    try:
        if not 0 < len(name) <= 64 or not _NAME_LETTERS.issuperset(name) or name[0] in ".-":
            raise Problem("a name is up to 64 letters, digits and _ . @ -")
        if name in RESERVED:
            raise Problem("the name is reserved")
        fields = _dict(entry)
    except Problem as problem:
        service.problem = str(problem)
        return service
    problems = []
    for key, value in fields.items():
        check = CHECKS.get(key)
        if check is None:
            problems.append(f"{key!r}: unknown key{_near(key, tuple(CHECKS))}")
            continue
        try:
            setattr(service, key, check(value))
        except Problem as problem:
            problems.append(f"{key!r}: {problem}")
    if "command" not in fields:
        problems.append("'command' is missing")
    service.problem = "; ".join(problems)
    return service


def parse_address(text: str) -> tuple[str, str, int]:
    """A listening address: ("unix", path, 0), or ("tcp", host, port); host "" is every address.

    `0.0.0.0:22`, `[::]:22`, `:22`, `/run/x.sock`, `@abstract`.  Problem when it is none of these.
    """
    if text.startswith(("/", "@")) and len(text) > 1:
        if len(os.fsencode(text)) > 107:
            raise Problem(f"{text!r}: a socket's path has at most 107 bytes")
        return "unix", text, 0
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise Problem(f"{text!r}: an IPv6 address stands in brackets")
    if not colon or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise Problem(f"{text!r} is not ADDRESS:PORT")
    return "tcp", host, int(port)


def provided(config: Config) -> dict[str, list[str]]:
    """Who provides each condition: condition -> names of services."""
    found: dict[str, list[str]] = {}
    for service in config.services.values():
        for condition in service.provides:
            found.setdefault(condition, []).append(service.name)
    return found


def dependencies(config: Config, name: str) -> list[str]:
    """The services that `name` waits for, directly or as providers of a condition."""
    providers = provided(config)
    found = []
    for wanted in config.services[name].wait_for:
        if wanted in config.services:
            found.append(wanted)
        found += providers.get(wanted, [])
    return [other for other in dict.fromkeys(found) if other in config.services]


def stopped_before(config: Config, name: str) -> list[str]:
    """The services that a shutdown stops before `name`: those that wait for it, directly.

    Before one that provides the network it stops all that it does not need itself, so that whoever is
    connected is told of the end while there still is an address to tell it from.
    """
    others = [other for other in config.services if name in dependencies(config, other)]
    if "network" in config.services[name].provides:
        needed = {name}
        while more := {d for n in needed for d in dependencies(config, n)} - needed:
            needed |= more
        providers = provided(config)["network"]
        others += [o for o in config.services if o not in needed and o not in providers]
    return list(dict.fromkeys(others))


def _check_dependencies(config: Config) -> None:
    """Names that nobody bears, and cycles: a problem of the services that they concern."""
    providers = provided(config)
    for service in config.services.values():
        unknown = [
            name
            for name in service.wait_for
            if name not in config.services and name not in providers and name not in OUTSIDE
        ]
        if unknown and not service.problem:
            known = (*config.services, *providers, *OUTSIDE)
            service.problem = (
                f"'wait_for': {unknown[0]!r} is no service, and none provides it"
                f"{_near(unknown[0], known)}"
            )
            config.problems.append(f"service {service.name!r}: {service.problem}")
    for name in config.services:
        cycle = _cycle(config, name)
        if cycle and not config.services[name].problem:
            config.services[name].problem = f"'wait_for': a cycle: {' -> '.join(cycle)}"
            config.problems.append(f"service {name!r}: {config.services[name].problem}")


def _cycle(config: Config, start: str) -> list[str]:
    """The shortest way from `start` back to itself along `wait_for`; empty when there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        longer = []
        for way in ways:
            for other in dependencies(config, way[-1]):
                if other == start:
                    return [*way, start]
                if other not in seen:
                    seen.add(other)
                    longer.append([*way, other])
        ways = longer
    return []


# -- checks of values: each returns the value or raises Problem -------------------------------------


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Problem(f"a string is wanted, not {_shown(value)}")
    if "\0" in value:
        raise Problem("contains a null character")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise Problem(f"{_shown(value)} cannot be encoded") from None
    return value


def _strings(value: object) -> list[str]:
    if not isinstance(value, list):
        raise Problem(f"a list of strings is wanted, not {_shown(value)}")
    return [_string(item) for item in value]


def _dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Problem(f"an object is wanted, not {_shown(value)}")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Problem(f"true or false is wanted, not {_shown(value)}")
    return value


def _command(value: object) -> list[str]:
    words = _strings(value)
    if not words or not words[0]:
        raise Problem("a program is wanted")
    return words


def _environment(value: object) -> dict[str, str]:
    found = {}
    for key, text in _dict(value).items():
        if not key or "=" in _string(key):
            raise Problem(f"{key!r} is no name of a variable")
        found[key] = _string(text)
    return found


def _path(value: object) -> str:
    path = _string(value)
    if not path.startswith("/"):
        raise Problem(f"an absolute path is wanted, not {_shown(value)}")
    return path


def _account(value: object) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    return _string(value)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86400:
        raise Problem(f"seconds from 0 to 86400 are wanted, not {_shown(value)}")
    return float(value)


def _one_of(*words: str) -> Check:
    def check(value: object) -> str:
        if value not in words:
            raise Problem(f"one of {', '.join(words)} is wanted, not {_shown(value)}")
        return str(value)

    return check


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _addresses(value: object) -> list[str]:
    addresses = _strings(value)
    for address in addresses:
        parse_address(address)
    return addresses


def _capabilities(value: object) -> list[str] | None:
    from toolbox.linux.capability import NUMBERS

    if value is None:
        return None
    names = []
    for name in _strings(value):
        short = name.lower().removeprefix("cap_")
        if short not in NUMBERS:
            raise Problem(f"{name!r} is no capability{_near(short, tuple(NUMBERS))}")
        names.append(short)
    return names


def _nice(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -20 <= value <= 19:
        raise Problem(f"a number from -20 to 19 is wanted, not {_shown(value)}")
    return value


def _limit(value: object) -> int:
    if value == "unlimited":
        return -1  # resource.RLIM_INFINITY
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise Problem(f'a number or "unlimited" is wanted, not {_shown(value)}')
    return value


def _limits(value: object) -> dict[str, tuple[int, int]]:
    found = {}
    for name, bound in _dict(value).items():
        if name not in LIMITS:
            raise Problem(f"{name!r} is no limit{_near(name, tuple(LIMITS))}")
        both = bound if isinstance(bound, list) else [bound, bound]
        if len(both) != 2:
            raise Problem(f"{name!r}: [SOFT, HARD] is wanted, not {_shown(bound)}")
        found[name] = (_limit(both[0]), _limit(both[1]))
    return found


def _cgroup(value: object) -> dict[str, str]:
    found = {}
    for name, setting in _dict(value).items():
        controller, dot, rest = name.partition(".")
        if (
            not dot
            or not rest
            or not controller.isalnum()
            or not name.replace(".", "").replace("_", "").isalnum()
            or controller == "cgroup"
        ):
            raise Problem(f"{name!r} is no setting of a control group, such as 'memory.max'")
        if isinstance(setting, bool) or not isinstance(setting, (str, int)):
            raise Problem(f"{name!r}: a string or number is wanted, not {_shown(setting)}")
        found[name] = _string(str(setting))
    return found


def _host_name(value: object) -> str:
    name = _string(value)
    letters = name.replace("-", "").replace(".", "")
    if not 0 < len(name) <= 64 or not (letters.isascii() and letters.isalnum()):
        raise Problem(f"{_shown(value)} is no host name")
    return name


def _sysctl(value: object) -> dict[str, str]:
    found = {}
    for name, setting in _dict(value).items():
        if not name or ".." in name or name.startswith(("/", ".")):
            raise Problem(f"{name!r} is no name of a kernel parameter")
        if isinstance(setting, bool) or not isinstance(setting, (str, int)):
            raise Problem(f"{name!r}: a string or number is wanted, not {_shown(setting)}")
        found[name] = _string(str(setting))
    return found


def _near(wrong: str, known: tuple[str, ...]) -> str:
    """`; did you mean NAME?`, or nothing.  difflib is slow to import and rarely needed."""
    import difflib

    near = difflib.get_close_matches(wrong, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


#: What each key of a service must be.
CHECKS: dict[str, Check] = {
    "command": _command,
    "environment": _environment,
    "directory": _path,
    "user": _account,
    "group": _account,
    "wait_for": _strings,
    "provides": _strings,
    "idle": _seconds,
    "restart": _one_of("always", "on-failure", "never"),
    "ready": _one_of("start", "notify", "exit"),
    "start_timeout": _optional(_seconds),
    "listen": _addresses,
    "stop_timeout": _seconds,
    "no_new_privs": _boolean,
    "capabilities": _capabilities,
    "nice": _nice,
    "limits": _limits,
    "cgroup": _cgroup,
    "tty": _optional(_path),
    "state_directory": _optional(_path),
}

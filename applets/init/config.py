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
    cgroup           {"memory.max": "64M"}, written to its control group; of memory and pids "50%" is a share of
                     what the machine has
    oom_score_adj    -1000 to 1000: the higher, the sooner it is killed when the machine's memory is used up
    control          what its user may ask of init, by a socket of its own: ["list", "logs"] (control.py)
    disk, files      what its user may have on /perm: bytes ("64M") and how many files, a share of all that is there
                     ("50%"), or "max" (null: "max", if none of both is given to any service of that user)
    devices          devices that its user may read and write, besides those who may already
    tty              terminal that it leads as a session, instead of logging: a shell on the console
    state_directory  made for its user alone before the first start, given to it when another user owns it
"""

from __future__ import annotations

import json
import os

from applets.init import checks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: A services file is written by a builder; anything larger is not one.
MAX_BYTES = 1 << 20

#: Conditions that the world outside may fulfil: when no service provides them they hold.
OUTSIDE = ("clock", "network")

#: Names in the logs that are no services.
RESERVED = ("init", "kernel")

_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-")


class ServiceConfig:
    """One service's entry, checked.  `problem` says why it may not run; empty when it may.

    `wrong` has the same by key, "" for the service as a whole.
    """

    def __init__(self, name: str, command: list[str] | None = None, problem: str = "") -> None:
        self.name = name
        self.command: list[str] = command or []
        self.wrong: dict[str, str] = {"": problem} if problem else {}
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
        self.oom_score_adj = 0
        self.control: list[str] = []
        self.disk: str | None = None
        self.files: str | None = None
        self.devices: list[str] = []
        self.tty: str | None = None
        self.state_directory: str | None = None

    @property
    def problem(self) -> str:
        """What is wrong with it, in one line."""
        return "; ".join(f"{key!r}: {why}" if key else why for key, why in self.wrong.items())


class Config:
    """The file, checked: services by name in its order, and what was wrong (lines for the log).

    wrong: the same for the keys that are no service's, by key; "" for the file as a whole
    """

    def __init__(self) -> None:
        self.services: dict[str, ServiceConfig] = {}
        self.hostname: str | None = None
        self.modules: list[str] = []
        self.sysctl: dict[str, str] = {}
        self.trial = 90.0
        self.problems: list[str] = []
        self.wrong: dict[str, str] = {}

    def refuse(self, key: str, why: str) -> None:
        """Something is wrong with a key, "" for the file."""
        self.wrong[key] = why
        self.problems.append(f"{key!r}: {why}" if key else why)


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
        config.refuse("", f"{path}: {error.strerror}")
        return config
    config = parse(data)
    config.problems = [f"{path}: {problem}" for problem in config.problems]
    return config


def parse(data: bytes) -> Config:
    """Check the bytes of a services file."""
    config = Config()
    if len(data) > MAX_BYTES:
        config.refuse("", f"larger than {MAX_BYTES} bytes")
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
        config.refuse("", f"not JSON: {error}")
        return config
    config.problems += [f"{name!r} is given twice; the last one counts" for name in repeated]
    if not isinstance(top, dict):
        config.refuse("", "not a JSON object")
        return config
    services: dict[str, Any] = {}
    for key, value in top.items():
        try:
            if key == "services":
                services = checks.mapping(value)
            elif key == "hostname":
                config.hostname = None if value is None else checks.host_name(value)
            elif key == "modules":
                config.modules = checks.strings(value)
            elif key == "sysctl":
                config.sysctl = checks.sysctl(value)
            elif key == "trial":
                config.trial = checks.seconds(value)
            else:
                known = ("services", "hostname", "modules", "sysctl", "trial")
                raise checks.Problem(f"unknown key{checks.near(key, known)}")
        except checks.Problem as problem:
            config.refuse(key, str(problem))
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
            raise checks.Problem("a name is up to 64 letters, digits and _ . @ -")
        if name in RESERVED:
            raise checks.Problem("the name is reserved")
        fields = checks.mapping(entry)
    except checks.Problem as problem:
        service.wrong[""] = str(problem)
        return service
    for key, value in fields.items():
        check = checks.CHECKS.get(key)
        if check is None:
            service.wrong[key] = f"unknown key{checks.near(key, tuple(checks.CHECKS))}"
            continue
        try:
            setattr(service, key, check(value))
        except checks.Problem as problem:
            service.wrong[key] = str(problem)
    if "command" not in fields:
        service.wrong[""] = "'command' is missing"
    return service


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
            service.wrong["wait_for"] = (
                f"{unknown[0]!r} is no service, and none provides it{checks.near(unknown[0], known)}"
            )
            config.problems.append(f"service {service.name!r}: {service.problem}")
    for name in config.services:
        cycle = _cycle(config, name)
        if cycle and not config.services[name].problem:
            config.services[name].wrong["wait_for"] = f"a cycle: {' -> '.join(cycle)}"
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

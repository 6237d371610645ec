"""How init begins and ends: on a machine, in a container, on a developer's machine.

machine     the first process of the initial process-id namespace: mounts, modules, reboot(2)
container   process 1 of another namespace: services, orphans, no changes to the system
developer   any other process: services only
"""

from __future__ import annotations

import os
import signal
import time

from applets.init import config as configuration
from applets.init import groups, health
from applets.init.console import Console, say_on_standard_error
from applets.init.shutdown import Ending
from applets.init.supervisor import Clocks, Supervisor
from toolbox import control
from toolbox.errors import UsageError
from toolbox.linux import cgroup
from toolbox.linux.becoming import PATH
from toolbox.signals import Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from applets.init.config import Config
    from toolbox.options import Options

CONFIG = "/etc/snakeroot/services.json"

#: What services find on a machine; the kernel's own environment is not theirs.
ENVIRONMENT = {"PATH": PATH, "HOME": "/root", "USER": "root", "LOGNAME": "root", "LANG": "C.UTF-8"}

MACHINE = "machine"
CONTAINER = "container"
DEVELOPER = "developer"

#: The inode of the initial process-id namespace (PROC_PID_INIT_INO of the kernel's proc_ns.h).
INITIAL_PIDS = 0xEFFFFFFC

#: What the signals ask for: USR1, USR2 and INT as BusyBox's and sysvinit's init have them; TERM is what
#: container engines and hypervisors' agents send to end a guest.
SIGNALS: dict[int, str] = {
    signal.SIGTERM: "reboot",
    signal.SIGUSR2: "poweroff",
    signal.SIGINT: "reboot",
    signal.SIGUSR1: "halt",
}

#: Signals that would end a process that does not catch them, and that mean nothing to init.
IGNORED = (
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


def run(argv: list[str], options: Options) -> int:
    """Init as the applet; returns its exit status, on a machine never."""
    where = place()
    if where == MACHINE:
        machine()
    opt, operands = options.parse(argv)
    if operands:
        raise UsageError(f"extra operand {operands[0]!r}")
    control_path = os.path.abspath(opt.control or control.path())
    environment = dict(os.environ)
    if control_path != control.SOCKET:
        environment["SNAKEROOT_CONTROL"] = control_path
    box = Supervisor(_clocks(), say_on_standard_error, environment)
    if where == CONTAINER:
        box.log("not the first process of a machine: mounts, modules and host name are left alone")
    config = configuration.load(opt.config or CONFIG)
    return supervise(box, where, config, control_path)


def machine() -> NoReturn:
    """The first process of a machine.  Arguments and environment are the kernel's words: ignored."""
    from applets.init import early

    lines: list[str] = []
    try:
        config = early.prepare(lines.append, lambda: configuration.load(CONFIG))
    except Exception as error:
        lines.append(f"early boot: {type(error).__name__}: {error}")
        config = configuration.load(CONFIG)
    console = Console()
    box = Supervisor(_clocks(), console.say, dict(ENVIRONMENT))
    for line in lines:
        box.log(line)
    if not config.services and config.problems:
        box.log("no services: a shell on the console instead")
        config.services["rescue"] = rescue()
    while True:
        # Whatever happens, the first process goes on: without it the kernel panics.
        try:
            supervise(box, MACHINE, config, control.SOCKET)
        except BaseException as error:
            console.say(f"internal error: {type(error).__name__}: {error}")
            time.sleep(1)


def rescue(active: str = "/sys/class/tty/console/active") -> configuration.ServiceConfig:
    """A shell on the console, for a box whose services file cannot be read: there is no other way in."""
    try:
        with open(active) as file:
            terminal = file.read().split()[-1]
    except (OSError, IndexError):
        terminal = "console"
    shell = configuration.ServiceConfig("rescue", ["/bin/sh", "-l"])
    shell.tty = f"/dev/{terminal}"
    return shell


def supervise(box: Supervisor, where: str, config: Config, control_path: str) -> int:
    """Wire signals, sockets and services to the loop, and turn it until the end."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    ending: list[Ending] = []
    actions = dict(SIGNALS)
    if where == DEVELOPER:
        actions[signal.SIGHUP] = "poweroff"  # its terminal was closed
    with Signals([signal.SIGCHLD, signal.SIGHUP, *SIGNALS]) as signals:

        def signalled(events: int) -> None:
            for number in signals.take():
                if number in actions:
                    box.leave(actions[number])
            box.reap()
            for end in ending:
                end.look()

        def finish(action: str) -> None:
            if where == DEVELOPER:
                box.loop.stop(0)
            elif not ending:
                ending.append(
                    Ending(box.loop, box.log, action, _reboot if where == MACHINE else None)
                )
                if box.former is not None and not health.committed(box):
                    ending[0].undo = box.former.give_back
                box.on_reap = ending[0].reaped
                ending[0].begin()

        box.finish = finish
        box.loop.watch(signals.fileno(), box.loop.READ, signalled)
        if where == DEVELOPER:
            box.server.listen(control_path)  # without it nobody could end what this would start
        else:
            _attempt_socket(box, "control socket", lambda: box.server.listen(control_path))
        notify_path = f"{control_path.removesuffix('.sock')}.notify"
        _attempt_socket(box, "notification socket", lambda: box.receive_notifications(notify_path))
        if where == MACHINE:
            box.read_kernel_log()
            _attempt_socket(box, "health", lambda: health.begin(box, config.trial))
            _attempt_socket(box, "quotas", lambda: _watch_quotas(box))
        _open_groups(box, where, config)
        if not box.services:
            box.add_services(config)
        box.settle()
        box.reap()  # the first stage's child may have ended before its end was a signal to us
        status = box.loop.run()
        box.close()
        return status


def place() -> str:
    """Where this process is init."""
    if os.getpid() != 1:
        return DEVELOPER
    try:
        return MACHINE if os.stat("/proc/self/ns/pid").st_ino == INITIAL_PIDS else CONTAINER
    except OSError:
        # No /proc yet: no container engine starts a container so.
        return MACHINE


def _open_groups(box: Supervisor, where: str, config: Config) -> None:
    """Use control groups where they are ours: on a machine, and in a container that has its own."""
    if where == DEVELOPER or not cgroup.is_group():
        return
    needed = {
        key.partition(".")[0] for service in config.services.values() for key in service.cgroup
    }
    try:
        if where == CONTAINER:
            if not groups.in_own_namespace():
                return
            groups.leave_root()
        box.groups.open(cgroup.ROOT, needed)
    except OSError as error:
        box.log(f"control groups: {error.filename or ''}: {error.strerror}")


def _watch_quotas(box: Supervisor) -> None:
    from applets.init import quotas

    quotas.watch(box.loop, box.log, lambda: box.config.services.values())


def _attempt_socket(box: Supervisor, what: str, step: Callable[[], None]) -> None:
    try:
        step()
    except OSError as error:
        box.log(f"{what}: {error.filename or ''}: {error.strerror}")


def _reboot(action: str) -> None:
    from toolbox.linux import power

    if action == "reboot":
        power.restart(power.arranged())
    else:
        {"poweroff": power.power_off, "halt": power.halt}[action]()


def _clocks() -> Clocks:
    return Clocks(time.monotonic, time.time, _chance)


def _chance() -> float:
    """A number in [0, 1) for jitter; the random pool may not be ready and is not needed."""
    return (time.monotonic_ns() * 2654435761 % (1 << 32)) / (1 << 32)

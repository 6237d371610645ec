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
from applets.init.supervisor import Clocks, Supervisor
from toolbox import control
from toolbox.errors import UsageError, say
from toolbox.signals import Signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Options

CONFIG = "/etc/snakeroot/services.json"

MACHINE = "machine"
CONTAINER = "container"
DEVELOPER = "developer"

#: The inode of the initial process-id namespace (PROC_PID_INIT_INO of the kernel's proc_ns.h).
INITIAL_PIDS = 0xEFFFFFFC

#: What the signals ask for, as BusyBox's and sysvinit's init have them.
SIGNALS = {
    signal.SIGTERM: "poweroff",
    signal.SIGUSR2: "poweroff",
    signal.SIGINT: "reboot",
    signal.SIGUSR1: "halt",
}


def run(argv: list[str], options: Options) -> int:
    """Init as the applet; returns its exit status, on a machine never."""
    where = place()
    config_path, control_path = CONFIG, control.path()
    if where != MACHINE:
        opt, operands = options.parse(argv)
        if operands:
            raise UsageError(f"extra operand {operands[0]!r}")
        config_path = opt.config or config_path
        control_path = os.path.abspath(opt.control or control_path)
    environment = dict(os.environ)
    if control_path != control.SOCKET:
        environment["SNAKEROOT_CONTROL"] = control_path
    clocks = Clocks(time.monotonic, time.time, _chance)
    box = Supervisor(clocks, _console, environment)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with Signals([signal.SIGCHLD, signal.SIGHUP, *SIGNALS]) as signals:

        def signalled(events: int) -> None:
            for number in signals.take():
                if number in SIGNALS:
                    box.leave(SIGNALS[signal.Signals(number)])
            box.reap()

        box.loop.watch(signals.fileno(), box.loop.READ, signalled)
        try:
            box.server.listen(control_path)
        except OSError as error:
            box.log(f"control socket: {error.filename}: {error.strerror}")
        try:
            box.receive_notifications(f"{control_path.removesuffix('.sock')}.notify")
        except OSError as error:
            box.log(f"notification socket: {error.filename}: {error.strerror}")
        box.add_services(configuration.load(config_path))
        box.settle()
        status = box.loop.run()
        box.server.close()
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


def _console(text: str) -> None:
    say(f"init: {text}")


def _chance() -> float:
    """A number in [0, 1) for jitter; the random pool may not be ready and is not needed."""
    return (time.monotonic_ns() * 2654435761 % (1 << 32)) / (1 << 32)

"""Init at work: services, their processes, logs and readiness, tied together by one loop.

Nothing here waits for anything but the loop.  What a service should do next is decided by its state
machine (service.py); here it is done: processes started and signalled, pipes read, exits noticed.
"""

from __future__ import annotations

import os
import signal

from applets.init import config as configuration
from applets.init import idle
from applets.init.control import Server
from applets.init.groups import Groups, kinship
from applets.init.listeners import Listeners
from applets.init.log_pipe import LogPipe
from applets.init.logs import Logs, readable
from applets.init.loop import Loop
from applets.init.notifications import Notifications
from applets.init.restart import Restart
from applets.init.service import KILL, SPAWN, STARTING, STOPPING, TERM, WAITING, Service
from applets.init.spawn import Surroundings, outcome, spawn, user_id
from applets.init.state import Former
from toolbox.harmless import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from applets.init.config import Config, ServiceConfig
    from applets.init.logs import Line
    from applets.init.loop import Timer

#: Seconds until the kernel's messages are read: while the box starts there is better to do, and they keep.
KERNEL_LOG_AFTER = 2.0

#: How often a process that does not go is killed before a shutdown goes on without it.
KILLS = 3


class Unit:
    """What the supervisor holds for one service besides its state."""

    __slots__ = (
        "deadline",
        "error_fd",
        "executed",
        "kills",
        "log",
        "pidfd",
        "shown",
        "sockets",
        "timer",
    )

    def __init__(self, sockets: Listeners) -> None:
        self.sockets = sockets
        self.log: LogPipe | None = None
        self.pidfd = -1
        self.error_fd = -1
        self.executed = False  # its program runs
        self.timer: Timer | None = None
        self.deadline: float | None = None
        self.kills = 0
        self.shown: object = None  # the state that watchers and the log were last told


class Clocks:
    """Where the supervisor's times and chances come from."""

    __slots__ = ("monotonic", "random", "time")

    def __init__(
        self,
        monotonic: Callable[[], float],
        time: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.monotonic = monotonic
        self.time = time
        self.random = random


class Supervisor:
    """All services.  `console(text)` shows init's own lines; `finish(action)` ends the whole."""

    def __init__(
        self,
        clocks: Clocks,
        console: Callable[[str], None],
        environment: dict[str, str],
    ) -> None:
        self.clocks = clocks
        self.console = console
        self.environment = environment
        self.logs = Logs()
        self.loop = Loop(clocks.monotonic, self._report)
        self.server = Server(self, self.loop)
        self.groups = Groups(self.log)
        self.config = configuration.Config()
        self.services: dict[str, Service] = {}
        self.units: dict[str, Unit] = {}
        self.stopped_before: dict[str, list[str]] = {}
        self.providers: dict[str, list[str]] = {}
        self.conditions: set[str] = set()
        self.begun = clocks.monotonic()
        self.starts: set[float] = set()  # when idle services may start: the loop turns then
        self.leaving: str | None = None
        self.finish: Callable[[str], None] = lambda action: self.loop.stop(0)
        self.on_reap: Callable[[int], None] = lambda pid: None
        self.former: Former | None = None  # while a release is on trial
        self._kernel_timer: Timer | None = None
        self.notifications: dict[str, Notifications] = {}  # by service; "": of all
        self.loop.each_turn = self.turn_done

    # -- beginnings -----------------------------------------------------------------------------

    def log(self, text: str) -> None:
        """A line of init's own, in the logs and on the console."""
        self.logs.add("init", text.encode("utf-8", "surrogateescape"), self.clocks.monotonic())
        self.console(text)

    def add_services(self, config: Config) -> None:
        """Take over the services of a checked file."""
        self.config = config
        self.providers = configuration.provided(config)
        now = self.clocks.monotonic()
        for name, entry in config.services.items():
            service = self.services[name] = Service(entry, Restart(self.clocks.random), now)
            self.units[name] = Unit(Listeners(name, service, self.loop, self.log))
            self.stopped_before[name] = configuration.stopped_before(config, name)
        for problem in config.problems:
            self.log(problem)
        for unit in self.units.values():
            unit.sockets.open()

    def receive_notifications(self, path: str) -> None:
        """Listen for the services' READY=1 at `path`, and for each at one that begins so.  OSError as bind(2)."""
        self.notifications[""] = Notifications(self.loop, path, self._notified)

    def environment_of(self, name: str) -> dict[str, str]:
        """What a service finds in its environment besides its own variables."""
        return {**self.environment, **self._control_of(name, self.services[name].config)}

    def _control_of(self, name: str, config: ServiceConfig) -> dict[str, str]:
        """The way to init of a service that may ask for something; what cannot be had is logged."""
        uid = user_id(config)
        if not config.control or uid is None:
            return {}  # root may come by everybody's
        try:
            return {"SNAKEROOT_CONTROL": self.server.listen_for(name, uid, config.control)}
        except OSError as error:
            self.log(f"{name}: {error.filename}: {error.strerror}")
            return {}

    def _notify_path(self, name: str, config: ServiceConfig) -> str | None:
        """Where a service may say READY=1; None where that cannot be had at all."""
        if "" not in self.notifications:
            return None
        if name not in self.notifications:
            common = self.notifications[""].path
            try:
                made = Notifications(self.loop, f"{common}.{name}", self._notified, user_id(config))
            except OSError as error:
                self.log(f"{name}: {error.filename}: {error.strerror}")
                return common
            self.notifications[name] = made
        return self.notifications[name].path

    def read_kernel_log(self) -> None:
        """Merge the kernel's messages into the logs, soon, or as soon as somebody asks."""
        self._kernel_timer = self.loop.at(
            self.clocks.monotonic() + KERNEL_LOG_AFTER, self.kernel_log_now
        )

    def kernel_log_now(self) -> None:
        """Begin to read the kernel's messages, if that is still to be done."""
        if self._kernel_timer is None:
            return
        self._kernel_timer.cancel()
        self._kernel_timer = None
        from applets.init.kernel_log import KernelLog

        try:
            KernelLog(self.loop, self.logs).catch_up()
        except OSError as error:
            self.log(f"kernel messages: {error.strerror}")

    def close(self) -> None:
        """Give back what others could see: the sockets' names."""
        self.server.close()
        for one in self.notifications.values():
            one.close()

    # -- what others ask ------------------------------------------------------------------------

    def describe(self, name: str) -> dict[str, Any]:
        """A service as the control protocol shows it."""
        service = self.services[name]
        status = service.status
        if service.state == WAITING and not status:
            missing = [wanted for wanted in service.config.wait_for if not self.holds(wanted)]
            status = f"waits for {', '.join(missing)}" if missing else ""
        return {
            "name": name,
            "state": service.state,
            "ready": service.ready,
            "pid": service.pid,
            "restarts": service.restarts,
            "since": round(self.epoch() + service.since, 3),
            "status": status,
            "exit": service.exit,
            "command": service.config.command,
        }

    def log_line(self, line: Line, epoch: float) -> dict[str, Any]:
        """A line as the control protocol shows it; all lines of an answer with one `epoch()`."""
        return {
            "seq": line.seq,
            "time": round(epoch + line.time, 6),
            "service": line.service,
            "text": readable(line.text),
        }

    def change(self, verb: str, name: str) -> None:
        """start, stop or restart a service."""
        service, now = self.services[name], self.clocks.monotonic()
        if verb == "start":
            service.start(now)
        else:
            self._act(name, service.stop(now) if verb == "stop" else service.restart(now))

    def settled(self, name: str) -> bool:
        """Whether nothing is about to happen to a service by itself soon."""
        service = self.services[name]
        if service.state == STOPPING:
            return False
        return service.state != STARTING or self.units[name].executed

    def leave(self, action: str) -> None:
        """Stop everything, dependents first, and then reboot, poweroff or halt.  The first one counts."""
        if self.leaving is None:
            self.leaving = action
            self.log(f"{action}: stopping the services")

    def holds(self, wanted: str) -> bool:
        """Whether what a service waits for is there: a service that is ready, or a condition.

        A condition holds from the first time that a provider was ready: a network does not go away
        when the client that configured it crashes.  A condition of the outside that no service of
        ours provides is not ours to wait for.
        """
        service = self.services.get(wanted)
        if service is not None and (service.ready or service.done):
            return True
        return wanted in self.conditions or (
            service is None and wanted in configuration.OUTSIDE and not self.providers.get(wanted)
        )

    # -- the turn -------------------------------------------------------------------------------

    def turn_done(self) -> None:
        """After each turn of the loop: do what is due, then tell those who listen."""
        self.settle()
        self.server.pump()

    def settle(self) -> None:
        """Let every service do what is due, until nothing changes any more."""
        now = self.clocks.monotonic()
        for _ in range(len(self.services) + 1):
            if self.leaving:
                self._stop_next(now)
            acted = False
            for name, service in self.services.items():
                try:
                    acted = self._advance(name, service, now) or acted
                except Exception as error:
                    # A fault of ours in one service's care is the end of that service alone.
                    self._report(name, error)
                    service.give_up(f"internal error: {error}", now)
            if not acted:
                break
        if self.leaving and not any(self._remains(name) for name in self.services):
            self.finish(self.leaving)

    def _advance(self, name: str, service: Service, now: float) -> bool:
        """Let one service do what is due; whether it did anything."""
        held = not self.leaving and all(map(self.holds, service.config.wait_for))
        held = held and not self._lets_others_start(service, now)
        action = service.advance(now, held)
        if action is not None:
            self._act(name, action)
        self._show(name, service)
        return action is not None

    def _lets_others_start(self, service: Service, now: float) -> bool:
        """Whether it gives way to services that are starting: a console that is quick makes the rest slow."""
        if not service.config.idle:
            return False
        start = idle.start(service.config.idle, self.begun, self.services.values(), self.holds)
        if now < start and start not in self.starts:
            self.starts.add(start)
            self.loop.at(start, _nothing)
        return now < start

    def _remains(self, name: str) -> bool:
        """Whether a shutdown waits for it."""
        return self.services[name].pid is not None and self.units[name].kills < KILLS

    def _stop_next(self, now: float) -> None:
        """In a shutdown: stop those before whom nobody is left to stop."""
        for name, service in self.services.items():
            if not any(self._remains(other) for other in self.stopped_before[name]):
                self._act(name, service.stop(now))
            else:
                service.wanted = False

    def _show(self, name: str, service: Service) -> None:
        """Tell log and watchers of a change, and have the loop call at its deadline."""
        unit = self.units[name]
        if service.deadline != unit.deadline:
            unit.deadline = service.deadline
            if unit.timer is not None:
                unit.timer.cancel()
            unit.timer = (
                self.loop.at(service.deadline, _nothing) if service.deadline is not None else None
            )
        unit.sockets.watch()
        shown = (service.state, service.pid, service.ready, service.status, service.restarts)
        if shown == unit.shown:
            return
        unit.shown = shown
        if service.ready or service.done:
            self.conditions.update(service.config.provides)
        self.server.changed(name)

    # -- processes ------------------------------------------------------------------------------

    def _act(self, name: str, action: str | None) -> None:
        service = self.services[name]
        if action == SPAWN:
            self._spawn(name, service)
        elif action == TERM:
            # An interactive shell ignores TERM and goes when its terminal hangs up.
            hang_up = (signal.SIGHUP,) if service.config.tty else ()
            self._signal(name, signal.SIGTERM, *hang_up, signal.SIGCONT)
        elif action == KILL:
            self.units[name].kills += 1
            if self.units[name].kills == 1:
                self.log(f"{name} does not stop: killed")
            self._signal(name, signal.SIGKILL)

    def _spawn(self, name: str, service: Service) -> None:
        unit, now = self.units[name], self.clocks.monotonic()
        unit.kills, unit.executed = 0, False
        try:
            if unit.log is None:
                unit.log = LogPipe(self.loop, self.logs, name)
            if self.former is not None and service.config.state_directory is not None:
                self.former.remember(service.config.state_directory)
            given = Surroundings(
                unit.log.writer(),
                unit.sockets.descriptors(),
                self.environment_of(name),
                self._notify_path(name, service.config),
                self.groups.prepare(name, service.config.cgroup),
            )
            pid, unit.error_fd = spawn(service.config, given)
        except OSError as error:
            service.not_started(f"cannot start a process: {error.strerror}", now)
            self.log(f"{name}: {service.status}")
            return
        service.spawned(pid, now)
        error_fd = unit.error_fd
        self.loop.watch(error_fd, self.loop.READ, lambda events: self._outcome(name, error_fd))
        try:
            unit.pidfd = os.pidfd_open(pid)
            self.loop.watch(unit.pidfd, self.loop.READ, lambda events: self.reap())
        except OSError:
            unit.pidfd = -1  # a kernel or sandbox without pidfds: SIGCHLD tells as well

    def _outcome(self, name: str, fd: int) -> None:
        """The program runs, or the child said why it does not."""
        said = outcome(fd)
        if said is None:
            return
        self._close_error(name)
        now = self.clocks.monotonic()
        if said:
            self.services[name].spawn_failed(said, now)
        else:
            self.units[name].executed = True
            self.services[name].executed(now)

    def _close_error(self, name: str) -> None:
        unit = self.units[name]
        if unit.error_fd >= 0:
            self.loop.unwatch(unit.error_fd)
            os.close(unit.error_fd)
            unit.error_fd = -1

    def reap(self) -> None:
        """Collect every child that ended: services, and orphans that the kernel gave to us."""
        while True:
            try:
                # Looked at first and collected last: as long as it is there its number is its own.
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            name = self._name_of(pid)
            if name is not None:
                # What it left behind must not hold its ports or files when it comes again.
                self.groups.send(name, pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if name is not None:
                self._exited(name, self.services[name], status)
            self.on_reap(pid)

    def _name_of(self, pid: int) -> str | None:
        """The service whose process this is."""
        return next((name for name, s in self.services.items() if s.pid == pid), None)

    def _exited(self, name: str, service: Service, status: int) -> None:
        unit = self.units[name]
        if unit.error_fd >= 0:
            # It may be that the program ended before the loop saw that it began.
            self._outcome(name, unit.error_fd)
            self._close_error(name)
        if unit.pidfd >= 0:
            self.loop.unwatch(unit.pidfd)
            os.close(unit.pidfd)
            unit.pidfd = -1
        if unit.log is not None:
            unit.log.drain()
        before, now = service.state, self.clocks.monotonic()
        service.exited(status, now)
        if before != STOPPING:
            # The status says why it did not start, if it did not.
            how = f"cannot start: {service.status}" if service.status else f"ended: {service.exit}"
            again = f", again in {service.deadline - now:.1f} s" if service.deadline else ""
            self.log(f"{name} {how}{again}")

    def _signal(self, name: str, *numbers: int) -> None:
        """Send signals to all processes of a service.  The first one is not yet collected: its number holds."""
        pid = self.services[name].pid
        if pid is not None:
            for number in numbers:
                self.groups.send(name, pid, number)

    # -- readiness ------------------------------------------------------------------------------

    def _notified(self, pid: int, said: dict[str, str]) -> None:
        """A message of a process; strangers are not listened to."""
        name = self.service_of(pid)
        if name is None:
            return
        service = self.services[name]
        if "STATUS" in said:
            service.status = one_line(said["STATUS"])
        if said.get("READY") == "1" and service.config.ready == "notify":
            service.became_ready(self.clocks.monotonic())

    def service_of(self, pid: int) -> str | None:
        """The service that a process belongs to: by its group, or its own, its session's or an ancestor's number."""
        name = self.groups.service_of(pid)
        if name in self.services:
            return name
        for member in kinship(pid):
            name = self._name_of(member)
            if name is not None:
                return name
        return None

    # -- odds and ends --------------------------------------------------------------------------

    def epoch(self) -> float:
        """The wall time at which the monotonic clock was 0: Unix seconds.

        Two calls differ by microseconds or more: times that will be compared need the same one.
        """
        return self.clocks.time() - self.clocks.monotonic()

    def _report(self, what: str, error: BaseException) -> None:
        import traceback

        last = traceback.extract_tb(error.__traceback__)[-1:]
        where = f" at {last[0].filename}:{last[0].lineno}" if last else ""
        self.log(f"internal error ({what}): {type(error).__name__}: {error}{where}")


def _nothing() -> None:
    """A timer's callback: that the loop turns is enough."""

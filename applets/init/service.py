"""One service as a state machine, without processes, sockets or clocks.

    events in:    start stop restart spawned executed ready exited connection, each with the time
    actions out:  SPAWN, TERM or KILL, and `deadline`, the time at which `advance` wants to be called

            start           conditions hold        executed, ready
    stopped -----> waiting -----------------> starting ---------> running
       ^              ^  \\  listens: listening -^  |                |
       |              |                            v exited         v
       |              +--------- backoff <---------+----------------+
       +-- stopping <-- stop, from any state with a process

`advance` is level-triggered: it may be called at any time and as often as one likes; it looks at the
state and does what is due.  Times are seconds of a monotonic clock.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.init.config import ServiceConfig
    from applets.init.restart import Restart

WAITING = "waiting"
STARTING = "starting"
RUNNING = "running"
BACKOFF = "backoff"
STOPPING = "stopping"
STOPPED = "stopped"
FAILED = "failed"
LISTENING = "listening"

#: Actions: start a process; ask it to end; end the whole group.
SPAWN = "spawn"
TERM = "term"
KILL = "kill"

#: Seconds after which KILL is sent again to a process that has not gone (it sleeps in the kernel).
KILL_AGAIN = 5.0


class Service:
    """The state of one service.

    configuration: config, policy
    what is wanted: wanted (up or down), activated (a connection came)
    what is: state, pid, ready, since, deadline, restarts, status, exit
    """

    def __init__(self, config: ServiceConfig, policy: Restart, now: float) -> None:
        self.config = config
        self.policy = policy
        self.wanted = True
        self.activated = False
        self.state = WAITING
        self.pid: int | None = None
        self.ready = False
        self.done = False  # it has done what it had to do and ended well ("ready": "exit")
        self.since = now
        self.started = now
        self.deadline: float | None = None
        self.restarts = 0
        self.status = ""
        self.exit: str | None = None
        if config.problem:
            self.wanted = False
            self._become(FAILED, now, config.problem)

    # -- what somebody wants ------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Somebody wants it up.  Its failures are forgotten."""
        if self.config.problem:
            return
        self.wanted = True
        self.policy.reset()
        if self.state in (STOPPED, FAILED, BACKOFF):
            # A socket-activated service that is started by hand does not wait for a connection.
            self.activated = True
            self._become(WAITING, now)

    def stop(self, now: float) -> str | None:
        """Somebody wants it down; TERM when there is a process to end."""
        self.wanted = False
        self.activated = False
        if self.pid is None:
            if self.state != FAILED:
                self._become(STOPPED, now)
            return None
        if self.state == STOPPING:
            return None
        self._become(STOPPING, now)
        self.ready = False
        self.deadline = now + self.config.stop_timeout
        return TERM

    def restart(self, now: float) -> str | None:
        """Down and up again."""
        if self.config.problem:
            return None
        action = self.stop(now)
        self.wanted = True
        self.policy.reset()
        if self.pid is None:
            self._become(WAITING, now)
        return action

    # -- what happened --------------------------------------------------------------------------

    def connection(self) -> None:
        """Somebody connects to one of its sockets."""
        self.activated = True

    def spawned(self, pid: int, now: float) -> None:
        """The process exists; whether its program does is not known yet."""
        self.pid = pid
        self.started = now
        if self.config.start_timeout is not None:
            self.deadline = now + self.config.start_timeout

    def executed(self, now: float) -> None:
        """The program was found and runs."""
        if self.state == STARTING and self.config.ready == "start":
            self.became_ready(now)

    def became_ready(self, now: float) -> None:
        """It says (READY=1), or we may assume, that it does its work."""
        if self.state == STARTING:
            self.ready = True
            self._become(RUNNING, now, self.status)

    def spawn_failed(self, reason: str, now: float) -> None:
        """No process could be made, or its program could not be executed; `reason` says why."""
        self.status = reason

    def exited(self, wait_status: int, now: float) -> None:
        """The process ended with this status of waitpid(2)."""
        self.pid = None
        self.exit = describe_exit(wait_status)
        self._ended(wait_status == 0, now)

    def not_started(self, reason: str, now: float) -> None:
        """No process came to be (fork failed): as a process that ended in failure."""
        self.status = reason
        self.started = now  # it has not run, however long the one before it did
        self._ended(False, now)

    def give_up(self, reason: str, now: float) -> None:
        """It cannot be cared for; `reason` says why.  A start by hand tries again."""
        self.wanted = False
        self._become(FAILED, now, reason)
        if self.pid is not None:
            self._become(STOPPING, now, reason)
            self.deadline = now  # killed without being asked

    def _ended(self, good: bool, now: float) -> None:
        stopping, self.ready, self.activated = self.state == STOPPING, False, False
        self.done = good and self.config.ready == "exit" and not stopping
        # A status that the program gave of itself is stale; why it could not start is news.
        status = self.status if self.state == STARTING and not good else ""
        if not self.wanted:
            self._become(STOPPED, now)
        elif stopping:  # a restart
            self._become(WAITING, now)
            self.activated = True
        elif (
            self.done
            or self.config.restart == "never"
            or (self.config.restart == "on-failure" and good)
        ):
            self.wanted = False
            self._become(STOPPED if good else FAILED, now, status)
        elif self.config.listen and good and now - self.started >= 1:
            # It was idle and went; the next connection brings it back.
            self.policy.reset()
            self._become(WAITING, now)
        else:
            self._become(BACKOFF, now, status)
            self.deadline = now + self.policy.delay(now - self.started)

    # -- what is due ----------------------------------------------------------------------------

    def advance(self, now: float, held: bool) -> str | None:
        """Do what is due; `held`: whether all that it waits for is there.  Returns an action or None."""
        due = self.deadline is not None and now >= self.deadline
        if self.state == BACKOFF and due:
            self.restarts += 1
            self._become(WAITING, now, self.status)
        if self.state == WAITING and held:
            if self.config.listen and not self.activated:
                self._become(LISTENING, now)
            else:
                self._become(STARTING, now)
                return SPAWN
        elif self.state == LISTENING and self.activated:
            self._become(STARTING, now)
            return SPAWN
        elif self.state == STOPPING and due:
            self.deadline = now + KILL_AGAIN
            return KILL
        elif self.state == STARTING and due and self.pid is not None:
            self.status = f"not ready within {self.config.start_timeout:g} s"
            self.deadline = now + KILL_AGAIN
            return KILL
        return None

    def _become(self, state: str, now: float, status: str = "") -> None:
        self.state = state
        self.since = now
        self.deadline = None
        self.status = status


def describe_exit(wait_status: int) -> str:
    """`exit 3` or `signal 9` for a status of waitpid(2)."""
    code = os.waitstatus_to_exitcode(wait_status)
    return f"exit {code}" if code >= 0 else f"signal {-code}"


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; the number itself for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)

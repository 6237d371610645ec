"""Starting the process of a service: fork, and what the child does before its program takes over.

The child never returns and never raises into init's loop.  Each of its steps has a name; a step that
fails sends `STEP: reason` through a pipe that closes by itself when the program is executed, so the
parent learns the outcome from one descriptor: end of file means that the program runs.

Steps, in order: signals, session, control group, terminal or log, sockets, priority, limits, state directory,
devices, user, capabilities, working directory, environment, program.
"""

from __future__ import annotations

import os
import signal

from toolbox.linux.becoming import PATH, become, limit
from toolbox.linux.becoming import account as account_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from applets.init.config import ServiceConfig

#: The first descriptor of a passed socket (sd_listen_fds(3)).
FIRST_SOCKET = 3


class Surroundings:
    """What the parent gives the child.

    log: write end of the service's log pipe      sockets: listening sockets to pass
    environment: of every service                 notify: path of the readiness socket, or None
    cgroup: directory of its control group, or None
    """

    __slots__ = ("cgroup", "environment", "log", "notify", "sockets")

    def __init__(
        self,
        log: int,
        sockets: list[int],
        environment: dict[str, str],
        notify: str | None,
        cgroup: str | None,
    ) -> None:
        self.log = log
        self.sockets = sockets
        self.environment = environment
        self.notify = notify
        self.cgroup = cgroup


def spawn(config: ServiceConfig, given: Surroundings) -> tuple[int, int]:
    """Start a process.  Returns its pid and the non-blocking descriptor of its outcome (`outcome`).

    OSError when no pipe or process can be had.
    """
    reading, writing = os.pipe()  # both close on exec
    os.set_blocking(reading, False)
    # No handler of the parent's may run in the child.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _child(config, given, writing)
    except OSError:
        os.close(reading)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        os.close(writing)
    return pid, reading


def outcome(fd: int) -> str | None:
    """What the child said: "" when its program runs, else why not; None: nothing is known yet."""
    try:
        return os.read(fd, 4096).decode("utf-8", "replace")
    except BlockingIOError:
        return None


def _child(config: ServiceConfig, given: Surroundings, report: int) -> NoReturn:
    step = ["start"]
    try:
        _become(config, given, step)
    except OSError as error:
        name = f" {os.fsdecode(error.filename)}:" if error.filename is not None else ""
        text = f"{step[0]}:{name} {error.strerror}"
    except BaseException as error:
        text = f"{step[0]}: {error or type(error).__name__}"
    try:
        os.write(report, os.fsencode(text)[:4000])
    finally:
        os._exit(127)


def _become(config: ServiceConfig, given: Surroundings, step: list[str]) -> NoReturn:
    """Turn this process into the service; `step` names for the caller what is being done."""
    step[0] = "signals"
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # a signal that the C library keeps for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    step[0] = "session"
    os.setsid()
    if given.cgroup is not None:
        step[0] = "cgroup"
        _write(os.path.join(given.cgroup, "cgroup.procs"), "0")
    step[0] = "tty" if config.tty else "log"
    _standard_descriptors(config.tty, given.log)
    step[0] = "listen"
    _pass_sockets(given.sockets)
    if config.nice:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, config.nice)
        except PermissionError:
            pass  # init of a container may not be allowed to, and the service works without
    if config.oom_score_adj:
        try:
            _write("/proc/self/oom_score_adj", str(config.oom_score_adj))
        except OSError:
            pass  # the same; and without /proc
    step[0] = "limits"
    if config.limits:
        limit(config.limits)
    step[0] = "user"
    account = account_of(config.user, config.group)
    if config.state_directory is not None:
        step[0] = "state_directory"
        from applets.init.state import prepare

        prepare(config.state_directory, account.uid, account.gid, _tell)
    if config.devices and account.uid:
        step[0] = "devices"
        from applets.init.devices import give

        for path in config.devices:
            give(path, account.uid)
    become(account, config.capabilities, step)
    step[0] = "no_new_privs"
    if config.no_new_privs:
        from toolbox.linux.capability import no_new_privileges

        no_new_privileges()
    step[0] = "directory"
    os.chdir(config.directory)
    environment = dict(given.environment)
    environment.setdefault("PATH", PATH)
    if account.name is not None:
        environment.update(USER=account.name, LOGNAME=account.name, HOME=account.home)
    if config.tty:
        environment.setdefault("TERM", "linux" if _is_virtual(config.tty) else "vt220")
    if given.notify is not None:
        environment["NOTIFY_SOCKET"] = given.notify
    if given.sockets:
        environment["LISTEN_FDS"] = str(len(given.sockets))
        environment["LISTEN_PID"] = str(os.getpid())
    environment.update(config.environment)
    step[0] = "exec"
    _execute(config.command, environment)


def _standard_descriptors(tty: str | None, log: int) -> None:
    if tty is not None:
        # Without O_NONBLOCK the open of a serial line may wait for a carrier for ever.
        fd = os.open(tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        os.set_blocking(fd, True)
        import fcntl
        import termios

        fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
        for standard in (0, 1, 2):
            os.dup2(fd, standard)
        return
    os.dup2(log, 1)
    os.dup2(log, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    if null != 0:
        os.dup2(null, 0)
    else:
        os.set_inheritable(0, True)


def _pass_sockets(sockets: list[int]) -> None:
    """Put the sockets at descriptors 3, 4, ...; first out of the way of one another."""
    import fcntl

    above = FIRST_SOCKET + len(sockets)
    lifted = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above) for fd in sockets]
    for target, fd in enumerate(lifted, FIRST_SOCKET):
        os.dup2(fd, target)


def user_id(config: ServiceConfig) -> int | None:
    """The number of the user that a service runs as all its life; None for root, who may become another."""
    if config.user is None or os.geteuid() != 0:
        return None
    if isinstance(config.user, int):
        return config.user or None
    import pwd

    try:
        return pwd.getpwnam(config.user).pw_uid or None
    except KeyError:
        return None  # the start will say so


def _execute(command: list[str], environment: dict[str, str]) -> NoReturn:
    """exec, looking through PATH for a name without a slash.  OSError names the program."""
    program = command[0]
    if "/" in program:
        os.execve(program, command, environment)
    reason: OSError = FileNotFoundError(2, os.strerror(2), program)
    for folder in environment["PATH"].split(":"):
        try:
            os.execve(os.path.join(folder or ".", program), command, environment)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            reason = error  # "permission denied" says more than "not found" further on
    raise reason


def _tell(text: str) -> None:
    """A line in the service's log, before its program runs."""
    try:
        os.write(2, os.fsencode(f"init: {text}\n"))
    except OSError:
        pass  # nobody reads it; the service is to start all the same


def _is_virtual(tty: str) -> bool:
    """Whether a terminal is one of the kernel's screens (tty1) rather than a serial line."""
    return tty.startswith("/dev/tty") and tty[8:9].isdecimal()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(fd)

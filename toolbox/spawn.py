"""Run other programs: posix_spawn(3) where it can, without the cost of the subprocess module.

pid = spawn(["ls", "-l"])         OSError when there is no such program
status = wait(pid)                exit status; -N: ended by signal N
"""

from __future__ import annotations

import _signal  # `signal` costs an import of enum
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

#: Exit statuses for commands that could not be run (POSIX: env, xargs, nice, ...).
NOT_FOUND = 127
CANNOT_RUN = 126


def spawn(
    argv: list[str],
    *,
    directory: int | None = None,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    default_signals: Sequence[int] = (),
) -> int:
    """Start a program found by $PATH; returns its process id.

    directory: descriptor of the directory to start it in; stdin: a file for its standard input;
    environment: None: ours; default_signals: those that we ignore, and it shall not.  OSError (with the
    program's name) when it cannot be started; with `directory` the child ends with 127 or 126 instead.
    """
    check(argv)
    environment = usable(os.environ if environment is None else environment)
    if directory is None:
        actions = [] if stdin is None else [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0)]
        return os.posix_spawnp(
            argv[0], argv, environment, file_actions=actions, setsigdef=default_signals
        )
    pid = os.fork()
    if pid:
        return pid
    status = CANNOT_RUN
    try:
        for number in default_signals:
            _signal.signal(number, _signal.SIG_DFL)
        os.fchdir(directory)
        if stdin is not None:
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
        os.execvpe(argv[0], argv, environment)
    except OSError as error:
        from toolbox.errors import say

        status = failure_status(error)
        say(f"{argv[0]}: {error.strerror}")
    except ValueError as error:
        from toolbox.errors import say

        say(f"{argv[0]}: {error}")
    finally:
        os._exit(status)


def execute(argv: list[str], environment: Mapping[str, str]) -> NoReturn:
    """Become a program found by the environment's $PATH.  OSError when it cannot be run."""
    check(argv)
    os.execvpe(argv[0], argv, usable(environment))


def check(argv: Sequence[str]) -> None:
    """OSError for what no program can be called with: an empty name, a NUL in a word."""
    if not argv[0]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "''")
    for word in argv:
        if "\0" in word:
            raise OSError(errno.EINVAL, "an argument with a NUL byte", argv[0])


def usable(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment without an entry that has no name (`=x`), which some parents leave and execve(3) refuses."""
    if "" not in environment:
        return environment
    return {name: value for name, value in environment.items() if name}


def wait(pid: int) -> int:
    """The exit status of a child; -N when signal N ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def failure_status(error: OSError) -> int:
    """127 for a program that does not exist, 126 for one that cannot be run."""
    return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN


def argument_room() -> int:
    """Bytes for arguments and environment of a new program that are sure to fit: ARG_MAX less the
    environment and the 2048 bytes of headroom that POSIX asks of xargs."""
    used = sum(len(k) + len(v) + 2 + 8 for k, v in os.environb.items())
    return max(os.sysconf("SC_ARG_MAX") - used - 2048, 4096)


def argument_size(text: str) -> int:
    """What an argument takes of that room: its bytes, the zero byte, the pointer."""
    return len(os.fsencode(text)) + 9

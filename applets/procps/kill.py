"""kill [-s SIGNAL | -SIGNAL] PID...
kill -l [SIGNAL]...

Send a signal (usually TERM) to processes.

  -s, --signal=SIGNAL  by name (HUP, SIGHUP) or number; 0 only tests whether the process is there
  -n SIGNAL            the same
  -l, --list           the names of all signals, or name or number of each SIGNAL (or status)
  -L, --table          names and numbers in a table

A PID of 0 is the caller's process group, -1 all processes but the first, -N the process group N.
%JOB is for the shell's own kill.
"""

from __future__ import annotations

import errno
import os

from toolbox.errors import UsageError, warn
from toolbox.options import Options, whole
from toolbox.signal_names import name_of, names, parse
from toolbox.streams import stdout

options = Options(__doc__)

_TERM = 15


def main(argv: list[str]) -> int:
    # Not getopt's grammar: `-9` and `-HUP` are a signal, a later `-5` is a process group.
    options.standard(argv)
    words = argv[1:]
    first = words[0] if words else ""
    if first in ("-l", "--list"):
        return _list(words[1:])
    if first.startswith("--list="):
        return _list([first[7:]])
    if first in ("-L", "--table"):
        return _table()
    number, words = _signal(words)
    if "--" in words:  # may stand before any of them
        words.remove("--")
    if not words:
        raise UsageError("no process ID specified")
    # All are read before the first is sent to: a slip of the pen kills nothing.
    for pid in [_target(word) for word in words]:
        try:
            os.kill(pid, number)
        except OverflowError:
            warn(f"({pid}): {os.strerror(errno.ESRCH)}")
        except OSError as error:
            warn(f"({pid}): {error.strerror}")
    return 0


def _signal(words: list[str]) -> tuple[int, list[str]]:
    """The signal to send, and the words after it."""
    first = words[0] if words else ""
    if first in ("-s", "-n", "--signal"):
        if len(words) < 2:
            raise UsageError(f"option requires an argument -- {first.lstrip('-')!r}")
        return parse(words[1]), words[2:]
    if first.startswith("--signal="):
        return parse(first[9:]), words[1:]
    if first.startswith(("-s", "-n")) and len(first) > 2 and first[2:].isupper():
        return parse(first[2:]), words[1:]
    if first.startswith("-") and first not in ("-", "--"):
        return parse(first[1:]), words[1:]
    return _TERM, words


def _target(word: str) -> int:
    digits = word.removeprefix("-")
    if word.startswith("%"):
        raise UsageError(f"{word}: only the shell knows its jobs")
    if not (digits.isascii() and digits.isdecimal()):
        raise UsageError(f"failed to parse argument: {word!r}")
    # A process id is an int of C; -1 and less stand for groups.
    return whole(word, "process id", least=1 - (1 << 31), most=(1 << 31) - 1)


def _list(words: list[str]) -> int:
    out = stdout()
    for word in words:
        if word.isascii() and word.isdecimal():
            # POSIX: an exit status of a shell that stands for a signal is one too.
            number = int(word)
            number = number - 128 if 128 < number < 256 else number
            name = name_of(number)
            if name.isdecimal():
                raise UsageError(f"unknown signal {word!r}")
            out.write(name.encode() + b"\n")
        else:
            out.write(b"%d\n" % parse(word))
    if not words:
        out.write(" ".join(map(name_of, _numbers())).encode() + b"\n")
    return 0


def _table() -> int:
    cells = [f"{number:2d} {name_of(number):<9}" for number in _numbers()]
    for at in range(0, len(cells), 7):
        stdout().write(" ".join(cells[at : at + 7]).rstrip().encode() + b"\n")
    return 0


def _numbers() -> list[int]:
    import _signal as numbers

    return [*names(), *range(int(numbers.SIGRTMIN), int(numbers.SIGRTMAX) + 1)]

r"""time [-apqv] [-f FORMAT] [-o FILE] COMMAND [ARG]...

Run COMMAND and say how long it took, on standard error.

  -p, --portability    as POSIX wants it: seconds only
  -f, --format=FORMAT  what to say, in the place of the environment's TIME
  -o, --output=FILE    say it in FILE
  -a, --append         at the end of FILE, and keep what it holds
  -v, --verbose        all that the kernel has counted
  -q, --quiet          say nothing of a status or a signal

FORMAT may hold \\ \n \t and
  %C command    %x its status  %e seconds  %E hours:minutes:seconds
  %U user's and %S the system's seconds    %P percent of a processor
  %M largest resident size in KiB          %Z size of a page in bytes
  %F and %R major and minor page faults    %w and %c voluntary and other switches
  %I and %O reads and writes of blocks     %W swaps  %k signals
  %s and %r messages sent and received     %D %K %X %p %t average sizes (always 0)
  %% a percent sign
"""

from __future__ import annotations

import os
import signal
import time

from toolbox.errors import Fatal, describe, say
from toolbox.harmless import harmless
from toolbox.options import Options
from toolbox.spawn import failure_status, spawn
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource

alters_process = True  # it waits, and is deaf to Ctrl-C meanwhile

options = Options(__doc__)


#: What `-v` says: GNU time's words.
VERBOSE = r"""\tCommand being timed: "%C"
\tUser time (seconds): %U
\tSystem time (seconds): %S
\tPercent of CPU this job got: %P
\tElapsed (wall clock) time (h:mm:ss or m:ss): %E
\tAverage shared text size (kbytes): %X
\tAverage unshared data size (kbytes): %D
\tAverage stack size (kbytes): %p
\tAverage total size (kbytes): %K
\tMaximum resident set size (kbytes): %M
\tAverage resident set size (kbytes): %t
\tMajor (requiring I/O) page faults: %F
\tMinor (reclaiming a frame) page faults: %R
\tVoluntary context switches: %w
\tInvoluntary context switches: %c
\tSwaps: %W
\tFile system inputs: %I
\tFile system outputs: %O
\tSocket messages sent: %s
\tSocket messages received: %r
\tSignals delivered: %k
\tPage size (bytes): %Z
\tExit status: %x"""


def main(argv: list[str]) -> int:
    """POSIX XCU time: COMMAND's status; 126 when it cannot be run, 127 when there is none.

    128 and the number of the signal that ended COMMAND, as the shell has it.  125 when FILE cannot be written (GNU).
    """
    opt, command = options.parse(argv)
    form = os.environ.get("TIME") if opt.format is None else opt.format
    if opt.verbose:
        form = VERBOSE
    elif opt.last("portability", "format") == "portability":
        form = None
    output = _opened(opt.output, opt.append) if opt.output is not None else None
    try:
        code, real, used = run(command)
        lines = [] if opt.quiet or not code else [_ended(code)]
        if form is not None:
            lines += report(form, command, code, real, used).split("\n")
        else:
            times = (("real", real), ("user", used.ru_utime), ("sys", used.ru_stime))
            lines += [shown(name, took, portable=opt.portability) for name, took in times]
        if output is None:
            say(*lines)
        else:
            _write(output, lines, opt.output)
    finally:
        if output is not None:
            os.close(output)
    return 128 - code if code < 0 else code


def _opened(name: str, append: bool) -> int:
    """A descriptor that COMMAND does not inherit."""
    try:
        end = os.O_APPEND if append else os.O_TRUNC
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | end, 0o666)
    except (OSError, ValueError) as error:
        raise Fatal(describe(error), 125) from None


def _write(output: int, lines: list[str], name: str) -> None:
    from toolbox.streams import write_all

    text = "".join(f"{harmless(line, keep=chr(9))}\n" for line in lines)
    try:
        write_all(output, os.fsencode(text))
    except OSError as error:
        raise Fatal(f"{name}: {error.strerror}", 125) from None


def run(command: list[str]) -> tuple[int, float, resource.struct_rusage]:
    """Run it to its end: its status (or minus the signal's number), seconds that passed, what it used.

    Fatal when it cannot be run.
    """
    stdout().flush()
    # The terminal's keys end the command; how long it took until then is still said.  They are ignored before the command is
    # there, which may be quicker than we are.
    before = {key: signal.signal(key, signal.SIG_IGN) for key in (signal.SIGINT, signal.SIGQUIT)}
    inherited = [key for key, handler in before.items() if handler != signal.SIG_IGN]
    begun = time.monotonic()
    try:
        pid = spawn(command, default_signals=inherited)
        _, status, used = os.wait4(pid, 0)
    except OSError as error:
        raise Fatal(f"{command[0]}: {error.strerror}", failure_status(error)) from None
    finally:
        for key, handler in before.items():
            signal.signal(key, handler)
    return os.waitstatus_to_exitcode(status), time.monotonic() - begun, used


def _ended(code: int) -> str:
    if code < 0:
        return f"Command terminated by signal {-code}"
    return f"Command exited with non-zero status {code}"


def report(
    form: str, command: list[str], code: int, real: float, used: resource.struct_rusage
) -> str:
    """GNU time's format with its letters replaced.  What is none stands there behind a `?` (GNU)."""
    busy = used.ru_utime + used.ru_stime
    values: dict[str, object] = {
        **dict.fromkeys("DKXpt", 0),  # which Linux does not measure: getrusage(2)
        "%": "%",
        "C": " ".join(command),
        "E": clock(real),
        "F": used.ru_majflt,
        "I": used.ru_inblock,
        "M": used.ru_maxrss,
        "O": used.ru_oublock,
        "P": f"{int(busy * 100 / real)}%" if real > 0 else "?%",
        "R": used.ru_minflt,
        "S": hundredths(used.ru_stime),
        "U": hundredths(used.ru_utime),
        "W": used.ru_nswap,
        "Z": os.sysconf("SC_PAGESIZE"),
        "c": used.ru_nivcsw,
        "e": hundredths(real),
        "k": used.ru_nsignals,
        "r": used.ru_msgrcv,
        "s": used.ru_msgsnd,
        "w": used.ru_nvcsw,
        "x": max(code, 0),
    }
    escapes = {"n": "\n", "t": "\t", "\\": "\\"}
    out = []
    at = 0
    while at < len(form):
        sign, letter = form[at], form[at + 1 : at + 2]
        if sign == "%":
            out.append(str(values[letter]) if letter in values else f"?{letter}")
        elif sign == "\\":
            out.append(escapes.get(letter, f"?\\{letter}"))
        else:
            out.append(sign)
            at -= 1
        at += 2
    return "".join(out)


def clock(seconds: float) -> str:
    """`1:02.50` or, from an hour on, `1:00:02` (GNU time's %E)."""
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 60}:{whole % 60:02}.{hundredths(seconds)[-2:]}"


def hundredths(seconds: float) -> str:
    """Seconds to two places; what is over is cut off."""
    count = int(seconds * 100 + 1e-6)
    return f"{count // 100}.{count % 100:02}"


def shown(name: str, seconds: float, *, portable: bool) -> str:
    """A line of the report: `real 61.20` (POSIX XCU time -p) or `real\\t1m 1.20s` (BusyBox)."""
    if portable:
        return f"{name} {hundredths(seconds)}"
    minutes, rest = divmod(int(seconds * 100 + 1e-6), 6000)
    return f"{name}\t{minutes}m {rest // 100}.{rest % 100:02}s"

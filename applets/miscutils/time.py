"""time [-p] COMMAND [ARG]...

Run COMMAND and say how long it took, on standard error.

  -p, --portability   as POSIX wants it: seconds only
"""

from __future__ import annotations

import os
import signal
import time

from toolbox.errors import Fatal, say
from toolbox.options import Options
from toolbox.spawn import failure_status, spawn
from toolbox.streams import stdout

alters_process = True  # it waits, and is deaf to Ctrl-C meanwhile

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU time: COMMAND's status; 126 when it cannot be run, 127 when there is none.

    128 and the number of the signal that ended COMMAND, as the shell has it.
    """
    opt, command = options.parse(argv)
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
    real = time.monotonic() - begun
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        say(f"Command terminated by signal {-code}")
    elif code:
        say(f"Command exited with non-zero status {code}")
    times = (("real", real), ("user", used.ru_utime), ("sys", used.ru_stime))
    say(*(shown(name, seconds, portable=opt.portability) for name, seconds in times))
    return 128 - code if code < 0 else code


def shown(name: str, seconds: float, *, portable: bool) -> str:
    """A line of the report: `real 61.20` (POSIX XCU time -p) or `real\\t1m 1.20s` (BusyBox)."""
    hundredths = int(seconds * 100 + 1e-6)  # what is over is cut off
    if portable:
        return f"{name} {hundredths // 100}.{hundredths % 100:02}"
    minutes, rest = divmod(hundredths, 6000)
    return f"{name}\t{minutes}m {rest // 100}.{rest % 100:02}s"

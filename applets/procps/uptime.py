"""uptime [-ps]

Tell how long the system has been running, and how busy it is.

  -p, --pretty   how long only, in words
  -s, --since    when it started
"""

from __future__ import annotations

import os
import time

from toolbox.options import Options
from toolbox.processes import uptime
from toolbox.streams import stdout

options = Options(__doc__)

#: struct utmp of glibc, and USER_PROCESS (utmp(5)).
_RECORD, _USER_PROCESS = 384, 7


def main(argv: list[str]) -> int:
    opt, _ = options.parse(argv)
    seconds = uptime()
    if opt.since:
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - seconds))
    elif opt.pretty:
        text = _words(int(seconds))
    else:
        users = _users()
        loads = ", ".join(f"{load:.2f}" for load in os.getloadavg())
        text = (
            f" {time.strftime('%H:%M:%S')} up {_short(int(seconds))},"
            f" {users:2d} user{'' if users == 1 else 's'},  load average: {loads}"
        )
    stdout().write(text.encode() + b"\n")
    return 0


def _short(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours, minutes = rest // 3600, rest // 60 % 60
    clock = f"{hours:2d}:{minutes:02d}" if hours else f"{minutes} min"
    return (f"{days} day{'' if days == 1 else 's'}, " if days else "") + clock


def _words(seconds: int) -> str:
    minutes = seconds // 60
    parts = []
    for unit, size in (("week", 10080), ("day", 1440), ("hour", 60), ("minute", 1)):
        count, minutes = divmod(minutes, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return "up " + (", ".join(parts) or "0 minutes")


def _users() -> int:
    """How many sessions utmp knows; a box without one has none."""
    try:
        with open("/run/utmp", "rb") as file:
            data = file.read()
    except OSError:
        return 0
    return sum(
        data[at] == _USER_PROCESS and data[at + 44] != 0
        for at in range(0, len(data) - _RECORD + 1, _RECORD)
    )

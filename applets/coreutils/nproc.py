"""nproc [--all] [--ignore N]

Print how many processors this process may use.

      --all       those that the machine has
      --ignore=N  N less, but at least one
"""

from __future__ import annotations

import os

from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """GNU nproc; OMP_NUM_THREADS and OMP_THREAD_LIMIT are obeyed as there."""
    opt, _ = options.parse(argv)
    if opt.all:
        count = os.sysconf("SC_NPROCESSORS_CONF")
    else:
        count = len(os.sched_getaffinity(0))
        wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
        if _is_count(wanted):
            count = int(wanted)
        limit = os.environ.get("OMP_THREAD_LIMIT", "").strip()
        if _is_count(limit):
            count = min(count, int(limit))
    stdout().write(b"%d\n" % max(1, count - (opt.ignore or 0)))
    return 0


def _is_count(text: str) -> bool:
    """Whether a variable holds a number of processors that is worth obeying."""
    return text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0

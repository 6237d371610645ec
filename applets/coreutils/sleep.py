"""sleep SECONDS...

Wait for as long as all the times together: 0.5, 10s, 5m, 2h, 1d, infinity.
"""

from __future__ import annotations

import time

from toolbox.options import Options, seconds
from toolbox.streams import stdout

options = Options(__doc__)

alters_process = True  # it holds the process for long

#: The longest that the system call takes at once, in seconds.
LONGEST = 1 << 30


def main(argv: list[str]) -> int:
    """POSIX XCU sleep; several times add up (GNU)."""
    _, words = options.parse(argv)
    left = sum(seconds(w if w not in ("infinity", "INF") else "inf") for w in words)
    stdout().flush()
    while left > 0:
        step = min(left, LONGEST)
        time.sleep(step)
        left -= step
    return 0

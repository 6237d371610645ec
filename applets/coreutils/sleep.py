"""sleep SECONDS...

Wait for as long as all the times together: 0.5, 10s, 5m, 2h, 1d, infinity.
"""

from __future__ import annotations

from toolbox import waits
from toolbox.options import Options, seconds

options = Options(__doc__)

alters_process = True  # it holds the process for long


def main(argv: list[str]) -> int:
    """POSIX XCU sleep; several times add up (GNU)."""
    _, words = options.parse(argv)
    left = sum(seconds(w if w not in ("infinity", "INF") else "inf") for w in words)
    waits.sleep(left)
    return 0

"""When a service that ended is started again: exponential back-off with jitter, a cap, and forgiveness.

The rule: the n-th failure in a row waits FIRST * 2**n seconds, at most CAP, shortened by up to a
quarter at random so that services that fail together don't come back together.  A run of at least
STABLE seconds starts the count again.  At the cap a service costs one start a minute, which keeps a
crash loop below one per cent of a processor even where a start takes half a second.

Nothing here reads a clock or a random pool: both are given (tests, and a boot must not wait for entropy).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds before the first restart: short, so that one crash is hardly noticed.
FIRST = 0.1
#: Seconds between starts that no failure exceeds.
CAP = 60.0
#: Seconds that a service must have run for its earlier failures to be forgotten.
STABLE = 30.0
#: The share of a delay that chance may take off.
JITTER = 0.25


class Restart:
    """The restart policy of one service.  `random` gives numbers in [0, 1)."""

    __slots__ = ("failures", "random")

    def __init__(self, random: Callable[[], float]) -> None:
        self.random = random
        self.failures = 0

    def delay(self, ran: float) -> float:
        """Seconds to wait before the next start, after a run that lasted `ran` seconds."""
        if ran >= STABLE:
            self.failures = 0
        # 2.0**1024 overflows; far below that the cap holds.
        delay = min(CAP, FIRST * 2.0 ** min(self.failures, 64))
        self.failures += 1
        return delay * (1 - JITTER * self.random())

    def reset(self) -> None:
        """Forget earlier failures: somebody started the service by hand."""
        self.failures = 0

"""Lines that strangers cause, in a number that they cannot choose: the rest is counted, "N more like this".

    log = LimitedLog("httpd")
    log("wrong password", "10.0.0.7")       httpd: 10.0.0.7: wrong password
    ...
                                            httpd: wrong password: 907 more like this (900 from 10.0.0.7, 7 from others)

A service's log is a ring in memory.  Without a limit a stranger who connects two thousand times has washed out of
it who logged in before.  Each kind of line has `burst` lines that come back one in `refill` seconds; what is beyond is
counted, and the count is said after `interval` seconds, then after twice that, up to an hour, until it is quiet again.
So a kind costs about 100 lines a day at most.  Kinds are words of the program, never of the stranger.
"""

from __future__ import annotations

import threading
import time

from toolbox.errors import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Sources that are counted by name for one kind.
NAMED = 16

#: The longest time between two counts, in seconds.
LONGEST = 3600.0


class LimitedLog:
    """The lines of one program.  Safe to use from several threads.

    name: what each line begins with
    burst: lines of a kind that are said at once; one more in each `refill` seconds
    interval: seconds after which the first count is said
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], None] = say,
        burst: int = 10,
        refill: float = 1200.0,
        interval: float = 60.0,
    ) -> None:
        self.name = name
        self.clock = clock
        self.write = write
        self.burst = burst
        self.refill = refill
        self.interval = interval
        self._kinds: dict[str, _Kind] = {}
        self._lock = threading.Lock()

    def __call__(self, kind: str, source: str, text: str = "") -> None:
        """Say `NAME: SOURCE: TEXT`, or count it.

        kind: what lines are alike, and what is said of those that were counted
        text: what is said of this one; by default its kind
        """
        now = self.clock()
        with self._lock:
            lines = self._counts(now)
            found = self._kinds.get(kind)
            if found is None:
                found = self._kinds[kind] = _Kind(self.burst, now, self.interval)
            if found.take(now, self.burst, self.refill, self.interval):
                lines.append(f"{self.name}: {source}: {text or kind}")
            else:
                found.count(source, now)
        for line in lines:
            self.write(line)

    def due(self) -> float | None:
        """Seconds until a count wants to be said; None when there is none."""
        with self._lock:
            times = [kind.due for kind in self._kinds.values() if kind.missed]
        return max(0.0, min(times) - self.clock()) if times else None

    def flush(self, *, all: bool = False) -> None:
        """Say the counts that are due; at the end of the program `all` of them."""
        with self._lock:
            lines = self._counts(float("inf") if all else self.clock())
        for line in lines:
            self.write(line)

    def _counts(self, now: float) -> list[str]:
        return [
            f"{self.name}: {name}: {kind.told(now)}"
            for name, kind in self._kinds.items()
            if kind.missed and kind.due <= now
        ]


class _Kind:
    """What was said of one kind: `left` lines may be, as of `then`; `missed` are counted by source."""

    __slots__ = ("due", "interval", "left", "missed", "sources", "then")

    def __init__(self, burst: int, now: float, interval: float) -> None:
        self.left = float(burst)
        self.then = now
        self.interval = interval
        self.due = 0.0
        self.missed = 0
        self.sources: dict[str, int] = {}

    def take(self, now: float, burst: int, refill: float, interval: float) -> bool:
        """Whether one more line may be said."""
        self.left = min(float(burst), self.left + (now - self.then) / refill)
        self.then = now
        if self.left >= burst:
            self.interval = interval  # it was quiet for long
        if self.left < 1 or self.missed:
            return False
        self.left -= 1
        return True

    def count(self, source: str, now: float) -> None:
        if not self.missed:
            self.due = now + self.interval
        self.missed += 1
        if source in self.sources or len(self.sources) < NAMED:
            self.sources[source] = self.sources.get(source, 0) + 1

    def told(self, now: float) -> str:
        """The count, which begins anew."""
        named = sorted(self.sources.items(), key=lambda item: -item[1])[:3]
        shown = [f"{count} from {source}" for source, count in named]
        if others := self.missed - sum(count for _, count in named):
            shown.append(f"{others} from others")
        text = f"{self.missed} more like this ({', '.join(shown)})"
        self.missed, self.sources = 0, {}
        self.interval = min(self.interval * 2, LONGEST)
        return text

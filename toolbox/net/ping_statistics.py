"""What ping counts, and its last two lines (iputils' ping(8)).  Times are seconds; no clock is read here."""

from __future__ import annotations


class Statistics:
    """Requests sent and answers received.  `sent` counts, sequence numbers start at 1 and wrap."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0
        self.duplicates = 0
        self.errors = 0
        self.start = 0.0
        self.last_sent = 0.0
        self.shortest = 0.0
        self.longest = 0.0
        self._sum = 0.0
        self._squares = 0.0
        self._average = 0.0  # exponentially weighted
        self._pipe = 0
        #: When each of the last 65536 requests was sent; which of them are still unanswered.
        self._times: dict[int, float] = {}
        self._waiting: set[int] = set()

    def note_sent(self, sequence: int, now: float) -> None:
        """A request goes out."""
        self._times[sequence] = self.last_sent = now
        self._waiting.add(sequence)

    def note_answer(self, sequence: int, now: float) -> tuple[float | None, bool]:
        """(round trip, whether it is one too many); None for an answer to nothing that was sent."""
        if sequence not in self._times:
            return None, False
        trip = max(0.0, now - self._times[sequence])
        duplicate = sequence not in self._waiting
        if duplicate:
            self.duplicates += 1
        else:
            self._waiting.discard(sequence)
            self.received += 1
        measured = self.received + self.duplicates
        self._acknowledge(sequence)
        self._sum += trip
        self._squares += trip * trip
        self._average = trip if measured == 1 else self._average + (trip - self._average) / 8
        self.shortest = trip if measured == 1 else min(self.shortest, trip)
        self.longest = max(self.longest, trip)
        return trip, duplicate

    def note_error(self, sequence: int) -> None:
        """A router could not deliver this request: it is no longer on its way."""
        self._acknowledge(sequence)

    def answered(self, number: int) -> bool:
        """Whether the request of that number has its answer."""
        return number & 0xFFFF not in self._waiting

    def _acknowledge(self, sequence: int) -> None:
        ahead = (self.sent - sequence) & 0xFFFF
        if ahead <= 0x7FFF:
            self._pipe = max(self._pipe, ahead + 1)

    @property
    def loss(self) -> float:
        """Percent of the requests that have no answer."""
        return 100.0 * (self.sent - self.received) / self.sent if self.sent else 0.0

    def short(self) -> str:
        """One line for Ctrl-\\."""
        text = f"{self.received}/{self.sent} packets, {self.loss:.0f}% loss"
        if not self.received:
            return text
        times = (self.shortest, self._mean, self._average, self.longest)
        return f"{text}, min/avg/ewma/max = {'/'.join(map(_fixed, times))} ms"

    def summary(self, host: str, now: float, *, adaptive: bool = False) -> str:
        """The last lines."""
        lines = [f"--- {host} ping statistics ---"]
        parts = [f"{self.sent} packets transmitted, {self.received} received"]
        if self.duplicates:
            parts.append(f"+{self.duplicates} duplicates")
        if self.errors:
            parts.append(f"+{self.errors} errors")
        if self.sent:
            parts.append(f"{self.loss:g}% packet loss")
            parts.append(f"time {(now - self.start) * 1000:.0f}ms")
        lines.append(", ".join(parts))
        tail = []
        if self.received:
            variance = self._squares / self._measured - self._mean**2
            deviation = max(0.0, variance) ** 0.5
            times = (self.shortest, self._mean, self.longest, deviation)
            tail.append(f"rtt min/avg/max/mdev = {'/'.join(map(_fixed, times))} ms")
        if self._pipe > 1:
            tail.append(f"pipe {self._pipe}")
        if adaptive and self.received and self.sent > 1:
            gap = (now - self.start) / (self.sent - 1)
            tail.append(f"ipg/ewma {_fixed(gap)}/{_fixed(self._average)} ms")
        return "\n".join([*lines, ", ".join(tail)])

    @property
    def _measured(self) -> int:
        return self.received + self.duplicates

    @property
    def _mean(self) -> float:
        return self._sum / self._measured


def milliseconds(trip: float) -> str:
    """A round trip with three significant digits or so: 0.027, 1.35, 12.3, 123."""
    thousand = int(trip * 1e6)
    digits = 0 if thousand >= 100000 else 1 if thousand >= 10000 else 2 if thousand >= 1000 else 3
    return f"{thousand // 10 ** (3 - digits) / 10**digits:.{digits}f}"


def _fixed(trip: float) -> str:
    return f"{trip * 1000:.3f}"

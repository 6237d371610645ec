"""The logs of all services, of init and of the kernel: bounded rings in memory, one numbering for all.

Each line has a sequence number, greater than those of all earlier lines whatever service they are of,
so that a reader that knows the last number it saw can go on from there.  A ring forgets its oldest
lines when it holds too many lines or bytes: a talkative service displaces only its own past.

Times are kept as seconds of the monotonic clock and turned into wall time when they are read: what was
logged before the clock was set gets its right time afterwards.
"""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: Longest line in bytes; what is longer is cut into several.
MAX_LINE = 8192
#: Lines and bytes that one ring holds.
RING_LINES = 2000
RING_BYTES = 256 << 10


class Line:
    """One line: its number, its time (monotonic seconds), whose it is, and its bytes without the end."""

    __slots__ = ("seq", "service", "text", "time")

    def __init__(self, seq: int, time: float, service: str, text: bytes) -> None:
        self.seq = seq
        self.time = time
        self.service = service
        self.text = text


class Ring:
    """The last lines of one source."""

    __slots__ = ("bytes", "lines", "lost")

    def __init__(self) -> None:
        self.lines: deque[Line] = deque()
        self.bytes = 0
        self.lost = 0  # the number of the last line that was forgotten

    def append(self, line: Line) -> None:
        """Add a line, forget what no longer fits."""
        self.lines.append(line)
        self.bytes += len(line.text)
        while self.bytes > RING_BYTES or len(self.lines) > RING_LINES:
            old = self.lines.popleft()
            self.bytes -= len(old.text)
            self.lost = old.seq

    def after(self, seq: int) -> list[Line]:
        """The lines with a number above `seq`, oldest first."""
        if not self.lines or self.lines[-1].seq <= seq:
            return []
        found = []
        for line in reversed(self.lines):
            if line.seq <= seq:
                break
            found.append(line)
        found.reverse()
        return found


class Logs:
    """All rings.  `seq` is the number of the newest line; 0 when there is none."""

    def __init__(self) -> None:
        self.seq = 0
        self.rings: dict[str, Ring] = {}

    def add(self, service: str, text: bytes, time: float) -> Line:
        """Log one line of `service`, said at `time` (monotonic seconds)."""
        self.seq += 1
        line = Line(self.seq, time, service, text)
        ring = self.rings.get(service)
        if ring is None:
            ring = self.rings[service] = Ring()
        ring.append(line)
        return line

    def read(self, after: int, services: Collection[str] = (), most: int = 256) -> list[Line]:
        """At most `most` lines with numbers above `after`, in their order; no `services`: of all."""
        if after >= self.seq:
            return []
        rings = self._rings(services)
        found = [line for ring in rings for line in ring.after(after)]
        found.sort(key=_number)
        return found[:most]

    def last(self, service: str, count: int) -> list[Line]:
        """The last `count` lines of one service."""
        ring = self.rings.get(service)
        if ring is None or count <= 0:
            return []
        lines = ring.lines
        return [lines[at] for at in range(max(0, len(lines) - count), len(lines))]

    def tail(self, count: int, services: Collection[str] = ()) -> int:
        """The number after which the last `count` lines of `services` come: a start for `read`."""
        numbers = [line.seq for ring in self._rings(services) for line in ring.lines]
        numbers.sort()
        if count <= 0:
            return self.seq
        return numbers[-count] - 1 if count <= len(numbers) else 0

    def _rings(self, services: Collection[str]) -> Iterable[Ring]:
        if not services:
            return self.rings.values()
        return [self.rings[name] for name in services if name in self.rings]


class Assembler:
    """Bytes as they come from a pipe, made into lines of at most MAX_LINE bytes."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete with `data`; the rest is held."""
        lines = (self.held + data).split(b"\n")
        self.held = lines.pop()
        if len(self.held) > MAX_LINE:
            # Something stays, so that an end of line that comes now ends this line and no empty one.
            whole = (len(self.held) - 1) // MAX_LINE * MAX_LINE
            lines.append(self.held[:whole])
            self.held = self.held[whole:]
        found = []
        for line in lines:
            if len(line) <= MAX_LINE:
                found.append(line.removesuffix(b"\r"))
            else:
                found += [line[at : at + MAX_LINE] for at in range(0, len(line), MAX_LINE)]
        return found

    def flush(self) -> list[bytes]:
        """What is held as a line of its own: nothing will come after it."""
        held, self.held = self.held, b""
        return [held] if held else []


def kernel_record(record: bytes) -> tuple[int, float, bytes] | None:
    """One record of /dev/kmsg: priority with facility, monotonic seconds, text; None when it is none.

    Documentation/ABI/testing/dev-kmsg: `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];TEXT\\n KEY=VALUE\\n`.
    """
    head, _, body = record.partition(b";")
    fields = head.split(b",")
    try:
        priority, microseconds = int(fields[0]), int(fields[2])
    except (ValueError, IndexError):
        return None
    text = body.partition(b"\n")[0]
    if b"\\x" in text:
        # The kernel writes what isn't printable, and backslashes, as \xNN.
        head, *parts = text.split(b"\\x")
        text = head + b"".join(_unescaped(part) for part in parts)
    return priority, microseconds / 1e6, text


def _unescaped(part: bytes) -> bytes:
    try:
        return bytes([int(part[:2], 16)]) + part[2:]
    except ValueError:
        return b"\\x" + part


def readable(text: bytes) -> str:
    """The text of a line for a reader: UTF-8, with every byte that is none shown as \\xNN."""
    return text.decode("utf-8", "backslashreplace")


def _number(line: Line) -> int:
    return line.seq

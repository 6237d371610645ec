"""ping [-46AbDnOqv] [-c N] [-i SECONDS] [-I NAME] [-p HEX] [-s N] [-t N] [-w SECONDS] [-W SECONDS] HOST

Ask a host to answer, by ICMP echo, and show how long each answer takes.  Ctrl-C ends with the
statistics, Ctrl-\\ shows them in between.

  -4                    only IPv4
  -6                    only IPv6
  -A, --adaptive        the next request goes out as soon as the answer is in
  -b, --broadcast       the host may be a broadcast address
  -c, --count=N         end after N answers
  -D, --timestamp       begin each line with the time in Unix seconds
  -i, --interval=SECONDS  time between requests (1)
  -I, --interface=NAME  send by this interface, or from this address
  -n, --numeric         look up no names for addresses
  -O, --outstanding     say when a request has not been answered before the next
  -p, --pattern=HEX     fill the packets with these bytes
  -q, --quiet           only the first line and the statistics
  -s, --size=N          bytes of data (56)
  -t, --ttl=N           how many hops a request may take
  -v, --verbose         say what is going on
  -w, --deadline=SECONDS  end after so long, whatever has been answered
  -W, --timeout=SECONDS  how long to wait for the last answer when there was none (10)

Exit status: 0 when there was an answer, 1 when there was none (or fewer than -c asks before -w),
2 for other errors.
"""

from __future__ import annotations

import os
import select
import socket
import time

from toolbox.errors import Fatal, UsageError, warn
from toolbox.net import icmp
from toolbox.net.ping_socket import Answer, PingSocket
from toolbox.net.ping_statistics import Statistics, milliseconds
from toolbox.options import Options
from toolbox.signals import Signals
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values

options = Options(__doc__, trouble=2)

#: It catches signals while it runs.
alters_process = True


def main(argv: list[str]) -> int:
    """As iputils' ping(8)."""
    opt, (host,) = options.parse(argv)
    _check(opt)
    target, numeric = _resolve(host, opt)
    interface, source = _interface(opt.interface)
    if interface and target[0] == socket.AF_INET6 and not target[1][3]:
        target = (target[0], (*target[1][:3], socket.if_nametoindex(interface)))
    _check_reachable(target, interface, source)
    ping = Ping(host, target, opt, numeric=numeric or opt.numeric)
    with PingSocket(target[0], broadcast=opt.broadcast) as ping.socket:
        ping.socket.aim(target[1], interface=interface, source=source, ttl=opt.ttl)
        with Signals((2, 3)) as signals:
            return ping.run(
                signals, f" from {ping.socket.source} {interface}:" if interface else ""
            )


class Ping:
    """One run: what has been sent, and when the next is due.  Times are seconds of the monotonic clock."""

    socket: PingSocket

    def __init__(
        self, host: str, target: tuple[int, tuple[object, ...]], opt: Values, *, numeric: bool
    ) -> None:
        self.host = host
        self.address = str(target[1][0])
        self.version = 6 if target[0] == socket.AF_INET6 else 4
        self.opt = opt
        self.numeric = numeric
        self.interval = 1.0 if opt.interval is None else float(opt.interval)
        size = 56 if opt.size is None else int(opt.size)
        pattern = bytes.fromhex(opt.pattern) if opt.pattern else bytes(range(256))
        self.payload = (pattern * (size // len(pattern) + 1))[:size]
        self.statistics = Statistics()
        self.names: dict[str, str] = {}

    def run(self, signals: Signals, origin: str) -> int:
        """Send and receive to the end; the exit status."""
        size = len(self.payload)
        shown = f"{size}({size + 28}) bytes of data." if self.version == 4 else f"{size} data bytes"
        self.say(f"PING {self.host} ({self.address}){origin} {shown}", stamp=False)
        poll = select.poll()
        poll.register(self.socket.fileno(), select.POLLIN)
        poll.register(signals.fileno(), select.POLLIN)
        statistics = self.statistics
        statistics.start = self.next_send = time.monotonic()
        deadline = self.opt.deadline
        self.until = statistics.start + deadline if deadline is not None else None
        while not self.ended():
            now = time.monotonic()
            if self.may_send() and now >= self.next_send:
                self.send()
                continue
            due = self.next_send if self.may_send() else self.last_wait()
            due = due if self.until is None else min(due, self.until)
            poll.poll(max(0.0, due - now) * 1000)
            for number in signals.take():
                if number == 2:
                    return self.finish()
                os.write(2, f"\r{statistics.short()}\n".encode())
            self.receive()
        return self.finish()

    def may_send(self) -> bool:
        """Whether another request is wanted: with a deadline as many as it takes for -c answers."""
        count = self.opt.count
        return count is None or self.until is not None or self.statistics.sent < count

    def ended(self) -> bool:
        """Whether there is nothing more to wait for."""
        statistics, count = self.statistics, self.opt.count
        if count is not None and statistics.received + statistics.errors >= count:
            return True
        now = time.monotonic()
        if self.until is not None:
            return now >= self.until or statistics.errors > 0
        return not self.may_send() and now >= self.last_wait()

    def last_wait(self) -> float:
        """Until when the last answer may come: two round trips once one is known, else -W."""
        statistics = self.statistics
        if statistics.received:
            return statistics.last_sent + max(2 * statistics.longest, self.interval)
        wait = self.opt.timeout
        return statistics.last_sent + (10.0 if wait is None else float(wait))

    def send(self) -> None:
        """The next request.  One that cannot be sent counts as sent."""
        statistics = self.statistics
        sequence = (statistics.sent + 1) & 0xFFFF
        if self.opt.outstanding and statistics.sent and not statistics.answered(statistics.sent):
            self.say(f"no answer yet for icmp_seq={statistics.sent & 0xFFFF}")
        for attempt in (0, 1):
            statistics.note_sent(sequence, time.monotonic())
            try:
                self.socket.send(sequence, self.payload)
                break
            except OSError as error:
                # An earlier request's error is told by the next call, too: look whether it was that.
                if self.receive_errors() and attempt == 0:
                    continue
                statistics.errors += 1
                warn(f"sendmsg: {error.strerror}", 0)
                break
        statistics.sent += 1
        self.next_send = max(self.next_send + self.interval, time.monotonic())
        if self.opt.adaptive:
            self.next_send = time.monotonic() + self.interval

    def receive(self) -> None:
        """Take all that has come."""
        self.receive_errors()
        for answer in self.socket.receive():
            self.show(answer)

    def show(self, answer: Answer) -> None:
        """Count an answer and show it."""
        statistics = self.statistics
        trip, duplicate = statistics.note_answer(answer.sequence, answer.time)
        if trip is None:
            return  # nothing that we have sent
        if self.opt.adaptive:
            least = 0.0 if os.geteuid() == 0 else 0.002
            self.next_send = min(self.next_send, statistics.last_sent + max(trip, least))
        if self.opt.quiet:
            return
        hops = f" ttl={answer.ttl}" if answer.ttl is not None else ""
        self.say(
            f"{answer.size} bytes from {self.shown(answer.source)}: icmp_seq={answer.sequence}{hops}"
            f" time={milliseconds(trip)} ms{' (DUP!)' if duplicate else ''}"
        )

    def receive_errors(self) -> int:
        """Take the errors that routers and the kernel report; how many there were."""
        count = 0
        for error in self.socket.errors():
            count += 1
            self.statistics.errors += 1
            if error.local:
                size = f", mtu={error.information}" if error.code == 90 else ""
                warn(f"local error: {os.strerror(error.code).lower()}{size}", 0)
                continue
            self.statistics.note_error(error.sequence)
            if not self.opt.quiet:
                words = icmp.error_words(self.version, error.kind, error.code, error.information)
                self.say(f"From {self.shown(error.source)} icmp_seq={error.sequence} {words}")
        return count

    def shown(self, address: str) -> str:
        """An address with its name, where names are wanted."""
        if self.numeric:
            return address
        if address not in self.names:
            try:
                name = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
            except (OSError, UnicodeError):
                name = ""
            self.names[address] = f"{name} ({address})" if name else address
        return self.names[address]

    def finish(self) -> int:
        """The statistics and the exit status."""
        statistics = self.statistics
        text = statistics.summary(self.host, time.monotonic(), adaptive=self.opt.adaptive)
        self.say(f"\n{text}", stamp=False)
        short = self.until is not None and statistics.received < (self.opt.count or 0)
        return 1 if not statistics.received or short else 0

    def say(self, text: str, *, stamp: bool = True) -> None:
        """A line, at once: somebody watches."""
        if stamp and self.opt.timestamp:
            text = f"[{time.time():.6f}] {text}"
        out = stdout()
        out.write(os.fsencode(text) + b"\n")
        out.flush()


def _check(opt: Values) -> None:
    for name, least, most in (("count", 1, None), ("size", 0, 127992), ("ttl", 1, 255)):
        value = getattr(opt, name)
        if value is not None and not (least <= value and (most is None or value <= most)):
            raise UsageError(f"invalid argument: '{value}': out of range")
    if opt.pattern:
        try:
            bytes.fromhex(opt.pattern)
        except ValueError:
            raise UsageError(f"patterns must be specified as hex digits: {opt.pattern}") from None


def _resolve(host: str, opt: Values) -> tuple[tuple[int, tuple[object, ...]], bool]:
    """((family, socket address) of the host, whether it was given as a number)."""
    family = {"_4": socket.AF_INET, "_6": socket.AF_INET6, None: 0}[opt.last("_4", "_6")]
    for flags in (socket.AI_NUMERICHOST, 0):
        try:
            found = socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM, 0, flags)
            return (int(found[0][0]), tuple(found[0][4])), bool(flags)
        except (OSError, UnicodeError) as error:
            problem = error
    words = problem.strerror if isinstance(problem, OSError) else "Name or service not known"
    raise Fatal(f"{host}: {words}", 2)


def _interface(text: str | None) -> tuple[str, str]:
    """-I's word as (name of an interface, address): one of them, or neither."""
    if not text:
        return "", ""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
            return "", text
        except OSError:
            continue
    try:
        socket.if_nametoindex(text)
    except OSError:
        raise Fatal(f"SO_BINDTODEVICE {text}: No such device", 2) from None
    return text, ""


def _check_reachable(target: tuple[int, tuple[object, ...]], interface: str, source: str) -> None:
    """Fail at once where there is no way at all, as ping always has; with a given way, sending tells."""
    if interface or source:
        return
    with socket.socket(target[0], socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            probe.connect((target[1][0], 1025, *target[1][2:]))
        except OSError as error:
            raise Fatal(f"connect: {error.strerror}", 2) from None

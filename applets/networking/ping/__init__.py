"""ping [-46aADfLnOqRUv] [-c N] [-i SECONDS] [-I INTERFACE] [-s N] [-t N] [-w SECONDS] HOST

Ask a host for an echo, and tell how long it took.

  -4                  over IPv4
  -6                  over IPv6
  -c, --count=N       so many times
  -i, --interval=SECONDS  between two (1; with -f none)
  -I INTERFACE        from this interface, or this address of ours
  -w, --deadline=SECONDS  end after this time
  -W, --timeout=SECONDS  wait so long for the last answer (10)
  -s, --size=N        bytes of data (56)
  -t, --ttl=N         at most so many hops
  -p, --pattern=PATTERN  fill the data with these bytes (hexadecimal)
  -l, --preload=N     so many at once in the beginning
  -M HINT             path MTU discovery: do, want, probe or dont
  -Q, --tos=TOS       type of service
  -A                  the next one as soon as an answer comes
  -f, --flood         as fast as answers come, a dot for each that does not
  -n, --numeric       no names
  -q, --quiet         only the sums at the end
  -a, --audible       a bell for each answer
  -D                  the time of day before each line
  -O                  report answers that do not come
  -b                  allow a broadcast address
  -v, --verbose       more
  -L                  no multicast to ourselves
  -R                  nothing
  -U                  nothing
  -d                  nothing
  -r                  nothing

Status 0: there were answers; 1: none, or fewer than -c before -w; 2: another error.
"""

from __future__ import annotations

import os
import socket
import time

from applets.networking.ping.wire import Answer, Echo, Failure
from toolbox.errors import Fatal, UsageError, warn
from toolbox.names import Place, Unresolved, numeric, resolve
from toolbox.options import Options, Values
from toolbox.streams import stdout

alters_process = True
options = Options(__doc__, trouble=2)

_DISCOVERY = {"dont": 0, "want": 1, "do": 2, "probe": 3}
_LINGER = 10.0


def main(argv: list[str]) -> int:
    opt, (host,) = options.parse(argv)
    _check(opt)
    *others, last = _resolve(host, _family(opt))
    for place in others:
        try:
            return _ping(opt, host, place)
        except _NoWay:
            pass  # another of its addresses may be one that we have a way to
    return _ping(opt, host, last)


def _ping(opt: Values, host: str, place: Place) -> int:
    """Ping one address of the host; the status.  _NoWay when there is no way to it from here."""
    with Echo(place.family, place.address) as echo:
        _configure(echo, opt)
        return _Session(echo, opt, host, place.text).run()


class _NoWay(Fatal):
    """No way leads to this address."""


def _check(opt: Values) -> None:
    if opt.count is not None and opt.count < 1:
        raise UsageError(f"invalid argument: '{opt.count}': out of range: 1 <= value")
    if opt.size is not None and not 0 <= opt.size <= 65507:
        raise UsageError(f"invalid argument: '{opt.size}': out of range: 0 <= value <= 65507")
    if opt.ttl is not None and not 1 <= opt.ttl <= 255:
        raise UsageError(f"invalid argument: '{opt.ttl}': out of range: 1 <= value <= 255")
    if opt.preload is not None and not 1 <= opt.preload <= 65536:
        raise UsageError(f"invalid argument: '{opt.preload}': out of range: 1 <= value <= 65536")
    if opt.tos is not None:
        _tos(opt.tos)
    if opt.M is not None and opt.M not in _DISCOVERY:
        raise UsageError(f"invalid -M argument: {opt.M}")


def _family(opt: Values) -> int:
    """That of -4, -6 or of -I's address; 0: any."""
    if opt._6 or opt._4:
        return int(socket.AF_INET6 if opt._6 else socket.AF_INET)
    source = None if opt.I is None else numeric(opt.I)
    return 0 if source is None else int(socket.AF_INET6 if ":" in source else socket.AF_INET)


def _resolve(host: str, family: int) -> list[Place]:
    """The addresses of a host, in the resolver's order."""
    try:
        return resolve(host, family=family, kind=socket.SOCK_DGRAM)
    except Unresolved as error:
        raise Fatal(f"{host}: {error.strerror}", 2) from None


def _configure(echo: Echo, opt: Values) -> None:
    v6 = echo.family == socket.AF_INET6
    level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
    s = echo.socket
    if opt.I is not None:
        if numeric(opt.I) is None:
            echo.bind_to_device(opt.I)
        else:
            echo.bind(opt.I)
    if opt.ttl is not None:
        s.setsockopt(level, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, opt.ttl)
        s.setsockopt(level, socket.IPV6_MULTICAST_HOPS if v6 else socket.IP_MULTICAST_TTL, opt.ttl)
    if opt.tos is not None:
        s.setsockopt(level, socket.IPV6_TCLASS if v6 else socket.IP_TOS, _tos(opt.tos))
    if opt.M is not None:
        s.setsockopt(
            level, 23 if v6 else 10, _DISCOVERY[opt.M]
        )  # IPV6_MTU_DISCOVER, IP_MTU_DISCOVER
    if opt.L:
        s.setsockopt(level, socket.IPV6_MULTICAST_LOOP if v6 else socket.IP_MULTICAST_LOOP, 0)
    if opt.b:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    try:
        echo.connect_check()
    except PermissionError:
        raise Fatal(
            "Do you want to ping broadcast? Then -b. If not, check your local firewall rules", 2
        ) from None
    except OSError as error:
        raise _NoWay(f"connect: {error.strerror}", 2) from None


def _tos(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= 255:
        raise UsageError(f"invalid argument: {text!r}: out of range: 0 <= value <= 255")
    return value


class _Session:
    """Sends, receives, counts."""

    def __init__(self, echo: Echo, opt: Values, host: str, address: str) -> None:
        self.echo = echo
        self.opt = opt
        self.host = host
        self.address = address
        self.out = stdout()
        self.size = 56 if opt.size is None else opt.size
        self.data = _fill(opt.pattern, self.size)
        self.interval = opt.interval if opt.interval is not None else 0.0 if opt.flood else 1.0
        self.sent = self.received = self.errors = self.duplicates = 0
        self.answered: set[int] = set()
        self.pending: dict[int, float] = {}
        self.times: list[float] = []
        self.shown = host if not opt.numeric and host != address else ""

    def run(self) -> int:
        import signal

        former = signal.getsignal(signal.SIGINT)
        if former is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._begin()
        self.started = self.last = time.monotonic()
        try:
            self._work()
        except KeyboardInterrupt:
            self.last = time.monotonic()
            self._write("")  # below the ^C
        finally:
            if former is not signal.SIG_IGN and former is not None:
                signal.signal(signal.SIGINT, former)
        self._end()
        wanted = self.opt.count
        if not self.received or (
            wanted is not None and self.opt.deadline is not None and self.received < wanted
        ):
            return 1
        return 0

    def _work(self) -> None:
        opt = self.opt
        count = opt.count
        end = None if opt.deadline is None else self.started + opt.deadline
        due = self.started
        for _ in range((opt.preload or 1) - 1):
            self._send()
        while True:
            now = time.monotonic()
            if end is not None and now >= end:
                return
            if (
                count is not None
                and len(self.answered) + self.errors >= count
                and self.sent >= count
            ):
                return
            if now >= due and (count is None or self.sent < count or opt.deadline is not None):
                if opt.O and self.sent and self.sent not in self.answered and not opt.quiet:
                    self._line(f"no answer yet for icmp_seq={self.sent}")
                self._send()
                due = max(due + self.interval, now) if self.interval else now + 0.01
                if count is not None and self.sent >= count and opt.deadline is None:
                    due = now + self._linger()
            elif now >= due:
                return  # the last one was not answered in time
            wait = due - now if end is None else min(due, end) - now
            received = self.received
            self._receive(max(0.0, wait))
            if self.received > received and (opt.A or opt.flood):
                last = count is not None and self.sent >= count
                due = due if last else time.monotonic()

    def _linger(self) -> float:
        """How long the last answer may take."""
        if self.opt.timeout is not None:
            return float(self.opt.timeout)
        return max(2 * max(self.times), 1.0) if self.times else _LINGER

    def _send(self) -> None:
        self.sent += 1
        number = self.sent & 0xFFFF
        self.answered.discard(number)
        self.pending[number] = time.monotonic()
        try:
            self.echo.send(number, self.data)
        except OSError as error:
            if error.errno not in self.echo.REPORTED:
                raise
            # The kernel knows already that it does not arrive; the rest is in the error queue.
            if not self._failures():
                self.errors += 1
                warn(f"sendmsg: {error.strerror}", 0)
        if self.opt.flood and not self.opt.quiet:
            self.out.write(b".")
            self.out.flush()

    def _receive(self, wait: float) -> None:
        """Handle what comes within `wait` seconds, once."""
        if not self.echo.wait(wait):
            return
        for answer in self.echo.answers():
            self._answer(answer)
        self._failures()

    def _answer(self, answer: Answer) -> None:
        arrived = time.monotonic()
        sent = self.pending.get(answer.number)
        if sent is None:
            return
        self.last = arrived
        duplicate = answer.number in self.answered
        took = (arrived - sent) * 1000
        if duplicate:
            self.duplicates += 1
        else:
            self.answered.add(answer.number)
            self.received += 1
            self.times.append(took / 1000)
        if self.opt.quiet:
            return
        if self.opt.flood:
            self.out.write(b"\b \b")
            self.out.flush()
            return
        source = f"{self.shown} ({answer.source})" if self.shown else answer.source
        line = f"{len(answer.data) + 8} bytes from {source}: icmp_seq={answer.number}"
        line += f" ttl={answer.ttl}" if answer.ttl >= 0 else ""
        line += f" time={_time(took)} ms"
        line += " (DUP!)" if duplicate else ""
        if answer.data != self.data and answer.source == self.address:
            line += "\nwrong data" if len(answer.data) == len(self.data) else " (truncated)"
        self._line(line + ("\a" if self.opt.audible else ""))

    def _failures(self) -> bool:
        found = False
        for failure in self.echo.failures():
            found = True
            self._failure(failure)
        return found

    def _failure(self, failure: Failure) -> None:
        self.errors += 1
        self.pending.pop(failure.number, None)
        if self.opt.quiet or self.opt.flood:
            return
        if failure.local:
            warn(f"local error: {failure.text}", 0)
            return
        self._line(f"From {failure.source} icmp_seq={failure.number} {failure.text}")

    # -- words ------------------------------------------------------------------------------------

    def _line(self, text: str) -> None:
        stamp = f"[{time.time():.6f}] " if self.opt.D else ""
        self._write(stamp + text)

    def _write(self, text: str) -> None:
        self.out.write(os.fsencode(text) + b"\n")
        self.out.flush()

    def _begin(self) -> None:
        source = f" from {self.echo.source} {self.echo.device}".rstrip() if self.opt.I else ""
        if source:
            source += ":"
        if self.echo.family == socket.AF_INET:
            size = f"{self.size}({self.size + 28}) bytes of data."
        else:
            size = f"{self.size} data bytes"
        self._write(f"PING {self.host} ({self.address}){source} {size}")

    def _end(self) -> None:
        if self.opt.flood and not self.opt.quiet:
            self._write("")
        words = [f"{self.sent} packets transmitted", f"{self.received} received"]
        if self.duplicates:
            words.append(f"+{self.duplicates} duplicates")
        if self.errors:
            words.append(f"+{self.errors} errors")
        if self.sent:
            words.append(f"{100 * (self.sent - self.received) / self.sent:g}% packet loss")
        words.append(f"time {round((self.last - self.started) * 1000)}ms")
        self._write(f"\n--- {self.host} ping statistics ---\n" + ", ".join(words))
        if self.times:
            times = [seconds * 1000 for seconds in self.times]
            mean = sum(times) / len(times)
            deviation = max(0.0, sum(t * t for t in times) / len(times) - mean * mean) ** 0.5
            numbers = "/".join(f"{t:.3f}" for t in (min(times), mean, max(times), deviation))
            self._write(f"rtt min/avg/max/mdev = {numbers} ms")
        else:
            self._write("")


def _time(milliseconds: float) -> str:
    """Three digits that count, as iputils has them."""
    if milliseconds >= 100:
        return f"{milliseconds:.0f}"
    if milliseconds >= 10:
        return f"{milliseconds:.1f}"
    return f"{milliseconds:.2f}" if milliseconds >= 1 else f"{milliseconds:.3f}"


def _fill(pattern: str | None, size: int) -> bytes:
    """The data: the pattern again and again, or the bytes 0, 1, 2..."""
    if pattern is None:
        unit = bytes(range(256))
    else:
        try:
            unit = bytes.fromhex(pattern if len(pattern) % 2 == 0 else "0" + pattern)
        except ValueError:
            raise UsageError(f"patterns must be specified as hex digits: {pattern!r}") from None
        if not unit:
            raise UsageError("patterns must be specified as hex digits: ''")
    return (unit * (size // len(unit) + 1))[:size]

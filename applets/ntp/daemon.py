"""The loop around the client: sockets, names, dhcp's leases, the clock and signals."""

from __future__ import annotations

import fcntl
import itertools
import math
import os
import selectors
import signal
import socket
import struct
import time

from applets.ntp import servers
from applets.ntp.clock import STEP_LIMIT, SavedTime, known_time
from applets.ntp.machine import LEAST_POLL, Ask, Client, Correct, Note, Unreachable
from toolbox.errors import Fatal, describe, say
from toolbox.names import numeric
from toolbox.nonce import chance, nonce
from toolbox.notify import notify
from toolbox.signals import Signals
from toolbox.streams import stdout
from toolbox.waits import until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from applets.ntp.clock import Clock
    from applets.ntp.machine import Event

SAVE_PAUSE = 3600.0
LOOK_UP_TRIES = 5
MOST_PAUSE = 64.0
BATCH = 32
SO_TIMESTAMPNS = 35  # socket(7): the kernel's time of arrival; our own comes later when it is busy
#: At the first setting a smaller error is not worth a jump.
FIRST_LIMIT = 0.001


class Daemon:
    """Keeps `clock` right by the servers called `names`, or by those of the leases, or of the pool.

    once: end after the first setting, or after `patience` seconds.  report: print each offset.  saved: None saves nothing.
    """

    def __init__(
        self,
        *,
        names: list[str],
        clock: Clock,
        saved: SavedTime | None,
        leases: str,
        port: int = 123,
        once: bool = False,
        patience: float = 20.0,
        report: bool = False,
        known: float | None = None,
    ) -> None:
        self.names = names
        self.clock = clock
        self.saved = saved
        self.leases = leases
        self.port = port
        self.once = once
        self.give_up_at = clock.steady() + patience if once else math.inf
        self.report = report
        self.client = Client(known_time() if known is None else known, nonce, chance)
        self.known = self.client.known
        self.selector = selectors.DefaultSelector()
        self.resolver = servers.Resolver()
        self.sockets: dict[int, socket.socket] = {}
        self.wanted: list[str] = []
        self.addresses: list[list[str]] = []
        self.look_up_at = math.inf
        self.look_ups = 0
        self.save_at = math.inf
        self.with_pool = False
        self.ready = False
        self.stopping = False

    def run(self) -> int:
        """The exit status: 0; Fatal when `once` finds no time."""
        caught = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGIO]
        try:
            with Signals(caught) as signals:
                self.selector.register(signals, selectors.EVENT_READ, lambda: self._obey(signals))
                self.selector.register(self.resolver, selectors.EVENT_READ, self._looked_up)
                self._restore()
                notify("STATUS=looking for servers")
                self._choose_servers()
                watch = None if self.names else self._watch()
                while not self.stopping:
                    self._turn()
                if watch is not None:
                    os.close(watch)
        finally:
            for door in self.sockets.values():
                door.close()
            self.resolver.close()
            self.selector.close()
        if self.ready and self.saved:
            self.saved.save(self.clock.wall())
        return 0

    def _turn(self) -> None:
        """Wait for the next thing to happen, and do it."""
        now = self.clock.steady()
        due = min(self.client.deadline, self.look_up_at, self.save_at, self.give_up_at)
        for key, _ in self.selector.select(until(due, now)):
            key.data()
        now = self.clock.steady()
        if now >= self.look_up_at:
            self._look_up()
        if now >= self.save_at and self.saved:
            self.saved.save(self.clock.wall())
            self.save_at = now + SAVE_PAUSE
        if now >= self.client.deadline:
            self._apply(self.client.tick(now))
        if now >= self.give_up_at and not self.stopping:
            raise Fatal(
                f"no usable answer from {self._tried()}"
                if self.addresses
                else "no server can be found"
            )

    # The clock

    def _restore(self) -> None:
        """A clock that is behind what was certainly past is put there: certificates begin to hold."""
        if self.saved is None:
            return
        past = max(self.known, self.saved.load())
        behind = past - self.clock.wall()
        if behind > 0:
            try:
                self.clock.step(behind)
            except OSError as error:
                say(f"ntp: cannot set the clock: {describe(error)}")
            else:
                say(f"ntp: the clock was {_length(behind)} behind the last known time")

    def _correct(self, event: Correct) -> None:
        sample = event.sample
        about = f"{event.used} of {event.asked} servers"
        if self.report:
            line = f"offset {sample.offset:+.6f} s, round trip {sample.delay:.6f} s, {about}\n"
            stdout().write(line.encode())
            stdout().flush()
        limit = FIRST_LIMIT if event.first else STEP_LIMIT
        # Seconds apart, the noise of the network looks like a clock that runs wrong.
        pace = max(event.poll, LEAST_POLL)
        try:
            if abs(sample.offset) > limit:
                self.clock.step(sample.offset)
                self.clock.slew(0.0, pace)
            else:
                self.clock.slew(sample.offset, pace)
        except OSError as error:
            raise Fatal(f"cannot set the clock: {describe(error)}") from None
        way = "forward" if sample.offset > 0 else "back"
        if abs(sample.offset) > limit and not self.report:
            say(f"ntp: set the clock {_length(abs(sample.offset))} {way} ({about})")
        elif event.first and not self.report:
            say(f"ntp: the clock is right ({about})")
        if not self.ready:
            self.ready = True
            self.save_at = self.clock.steady() if self.saved else math.inf
            notify("READY=1")
        notify(f"STATUS=off by {sample.offset * 1000:.3f} ms, {about}, next in {event.poll:.0f} s")
        self.stopping = self.stopping or self.once

    # The servers

    def _choose_servers(self) -> None:
        """Which names to ask by; then their addresses, at once where they are numeric."""
        wanted = self.names or servers.from_leases(self.leases)
        if not self.names and (self.with_pool or not wanted):
            wanted = [*wanted, *servers.POOL]
        if wanted == self.wanted:
            return
        self.wanted = wanted
        self.addresses = [[address] for address in map(numeric, wanted) if address]
        if self.addresses:
            self.client.use(self.addresses, self.clock.steady())
        if len(self.addresses) < len(wanted):
            self.look_ups = 0
            self.look_up_at = self.clock.steady()

    def _hurry(self) -> None:
        """There is a network, or another one: what has failed until now may work."""
        now = self.clock.steady()
        self.client.hurry(now)
        if self.look_up_at < math.inf:
            self.look_ups = 0
            self.look_up_at = now

    def _look_up(self) -> None:
        self.look_up_at = math.inf
        if not self.resolver.busy:
            self.resolver.look_up(self.wanted)

    def _looked_up(self) -> None:
        found = self.resolver.take()
        if found:
            self.look_ups = 0
            self.addresses = found
            self.client.use(found, self.clock.steady())
            return
        self.look_ups += 1
        if self.look_ups == LOOK_UP_TRIES:
            say(f"ntp: cannot look up {' '.join(self.wanted)}; still trying")
        self.look_up_at = self.clock.steady() + min(MOST_PAUSE, 2.0 ** (min(self.look_ups, 8) - 1))

    def _lost(self) -> None:
        """No server answers: perhaps their addresses have changed, or others answer."""
        say(f"ntp: no usable answer from {self._tried()}; still trying")
        if not self.names:
            self.with_pool = True
            self._choose_servers()
        if any(numeric(name) is None for name in self.wanted):
            self._look_up()

    def _tried(self) -> str:
        return " ".join(dict.fromkeys(itertools.chain(*self.addresses)))

    def _watch(self) -> int | None:
        """Have SIGIO sent when dhcp writes or removes a lease (fcntl(2), F_NOTIFY)."""
        try:
            os.makedirs(self.leases, exist_ok=True)
            folder = os.open(self.leases, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            what = fcntl.DN_RENAME | fcntl.DN_DELETE | fcntl.DN_CREATE | fcntl.DN_MULTISHOT
            fcntl.fcntl(folder, fcntl.F_NOTIFY, what)
        except OSError as error:
            say(f"ntp: new leases will go unnoticed: {describe(error)}")
            return None
        return folder

    # The wire

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Ask():
                    self._send(event)
                case Correct():
                    self._correct(event)
                case Unreachable():
                    self._lost()
                case Note():
                    say(f"ntp: {event.text}")

    def _send(self, event: Ask) -> None:
        family = socket.AF_INET6 if ":" in event.server else socket.AF_INET
        try:
            door = self.sockets.get(family) or self._open(family)
            door.sendto(event.data, (event.server, self.port))
        except OSError:
            # No way to it now; the next round tries again.
            self._apply(self.client.unsent(event.server, self.clock.steady()))

    def _open(self, family: int) -> socket.socket:
        door = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        door.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sockets[family] = door
        self.selector.register(door, selectors.EVENT_READ, lambda: self._hear(door))
        return door

    def _hear(self, door: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data, extra, _, source = door.recvmsg(1024, 128)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error for a request: its server does not answer
            now, wall = self.clock.steady(), self.clock.wall()
            waited = _waited(extra)
            if source[1] == self.port:
                zone = source[3] if len(source) > 3 else 0
                address = f"{source[0]}%{zone}" if zone else str(source[0])
                self._apply(self.client.receive(data, address, now - waited, wall - waited))

    def _obey(self, signals: Signals) -> None:
        for number in signals.take():
            if number in (signal.SIGTERM, signal.SIGINT):
                self.stopping = True
            else:
                self._choose_servers()
                self._hurry()


def _waited(extra: list[tuple[int, int, bytes]]) -> float:
    """How long a datagram has waited for us, by the kernel's time of its arrival."""
    for level, kind, value in extra:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(value) >= 16:
            seconds, nanoseconds = struct.unpack_from("qq", value)
            waited = time.time() - (seconds + nanoseconds / 1e9)  # it is of the host's own clock
            # A step of the clock between the two makes nonsense of it.
            return waited if 0 <= waited < 1 else 0.0
    return 0.0


def _length(seconds: float) -> str:
    """A length of time for a person: `0.123 s`, `3 h 20 min`, `412 days`."""
    if seconds < 120:
        return f"{seconds:.3f} s"
    if seconds < 2 * 86400:
        minutes = int(seconds // 60)
        return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    return f"{seconds / 86400:.0f} days"

"""The loop around the state machines: one selector for sockets, the kernel's link news and signals."""

from __future__ import annotations

import itertools
import math
import selectors
import signal
import time

from applets.dhcp import machine
from applets.dhcp.interface import Interfaces, has_carrier, is_wire, like_ethernet, mtus
from applets.dhcp.machine import Bound, Client, GaveUp, Lost, Note, Send, Settings
from applets.dhcp.records import Records, name_the_box
from applets.dhcp.wire import PASSING, Arp, Raw, Udp
from toolbox.errors import Fatal, describe, say
from toolbox.nonce import chance
from toolbox.notify import notify
from toolbox.signals import Signals
from toolbox.waits import until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from applets.dhcp.lease import Lease
    from toolbox.linux.netlink_objects import Link

#: RFC 5227 1.1 has 3 probes before use and up to 7 s of waiting; we use the address at once and
#: probe beside it, so that the box is not slower for the rare conflict.
PROBES = 3
PROBE_PAUSE = 0.7

RAW_STATES = (machine.INIT, machine.SELECTING, machine.REQUESTING, machine.REBOOTING)
UDP_STATES = (machine.RENEWING, machine.REBINDING)


class Wishes:
    """What the command line asks for; no `interfaces` means all that look like Ethernet."""

    def __init__(
        self,
        *,
        interfaces: list[str],
        settings: Settings,
        give_up: bool = False,
        quit_when_bound: bool = False,
        always_release: bool = False,
        metric: int = 100,
    ) -> None:
        self.interfaces = interfaces
        self.settings = settings
        self.give_up = give_up
        self.quit_when_bound = quit_when_bound
        self.always_release = always_release
        self.metric = metric


class Port:
    """One interface with its client and its open sockets."""

    def __init__(self, link: Link, client: Client, metric: int) -> None:
        self.link = link
        self.carrier = has_carrier(link)
        self.client = client
        self.metric = metric
        self.raw: Raw | None = None
        self.udp: Udp | None = None
        self.arp: Arp | None = None
        self.probes = 0
        self.probe_at = math.inf
        self.remembered = False
        self.gave_up = False

    @property
    def name(self) -> str:
        return self.link.name

    @property
    def deadline(self) -> float:
        return min(self.client.deadline, self.probe_at)


class Daemon:
    """Runs clients until a signal, or as long as the wishes say."""

    def __init__(self, wishes: Wishes, records: Records) -> None:
        self.wishes = wishes
        self.records = records
        self.ports: dict[str, Port] = {}
        self.selector = selectors.DefaultSelector()
        self.interfaces = Interfaces(lasting=wishes.quit_when_bound)
        self.stopping = False
        self.told_ready = False

    def run(self) -> int:
        """The exit status: 0, or 1 when -n found no server."""
        caught = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
        try:
            with Signals(caught) as signals:
                self.selector.register(signals, selectors.EVENT_READ, lambda: self._obey(signals))
                news = self.interfaces.news
                self.selector.register(news, selectors.EVENT_READ, self._news)
                self._look()
                self._check_present()
                while not self._done():
                    self._turn()
                self._end()
                return 1 if self._all_gave_up() else 0
        finally:
            for port in self.ports.values():
                self._close(port, "raw", "udp", "arp")
            self.interfaces.close()
            self.selector.close()

    def _turn(self) -> None:
        """Wait for the next thing to happen, and do it."""
        due = min((port.deadline for port in self.ports.values()), default=math.inf)
        for key, _ in self.selector.select(until(due, now())):
            # What was heard before may have closed this one, and opened another by its number.
            if self.selector.get_map().get(key.fd) == key:
                key.data()
        for port in list(self.ports.values()):
            moment = now()
            if moment >= port.probe_at:
                self._probe(port)
            if moment >= port.client.deadline:
                self._apply(port, port.client.tick(moment))

    # Interfaces

    def _look(self) -> None:
        """Compare the interfaces that there are with those that we serve."""
        links = {link.name: link for link in self.interfaces.links() if self._wanted(link)}
        for name in [name for name, p in self.ports.items() if name not in links]:
            self._forget(self.ports[name])
        for name, link in links.items():
            port = self.ports.get(name)
            if port and (port.link.index, port.link.hardware) != (link.index, link.hardware):
                self._forget(port)
                port = None
            if port is None:
                self._begin(link)
            elif port.carrier != has_carrier(link):
                self._carrier(port, has_carrier(link))

    def _wanted(self, link: Link) -> bool:
        if self.wishes.interfaces:
            return link.name in self.wishes.interfaces
        return is_wire(link)

    def _begin(self, link: Link) -> None:
        if not like_ethernet(link):
            say(f"dhcp: {link.name}: not an Ethernet-like interface")
            return
        try:
            link = self.interfaces.bring_up(link)
        except OSError as error:
            say(f"dhcp: {link.name}: {describe(error)}")
            return
        client = Client(link.hardware, chance, self.wishes.settings, lambda: mtus(link))
        port = Port(link, client, self._free_metric(set()))
        self.ports[link.name] = port
        self.records.remove(link.name)
        if port.carrier or self.wishes.give_up:
            address = self.records.remembered(link.name)
            self._apply(port, port.client.start(now(), address))
        else:
            say(f"dhcp: {link.name}: waiting for the link")
            port.client.hold()

    def _free_metric(self, taken: set[int]) -> int:
        """The lowest one that no other interface has: what goes leaves its own to what comes."""
        taken = taken | {port.metric for port in self.ports.values()}
        return next(n for n in itertools.count(self.wishes.metric) if n not in taken)

    def _check_present(self) -> None:
        for name in self.wishes.interfaces:
            if name not in self.ports:
                if self.wishes.give_up:
                    raise Fatal(f"{name}: no such interface")
                say(f"dhcp: {name}: waiting for the interface")
        if not self.wishes.interfaces and not self.ports:
            say("dhcp: waiting for an interface")

    def _forget(self, port: Port) -> None:
        say(f"dhcp: {port.name}: interface is gone")
        del self.ports[port.name]
        self.interfaces.forget(port.name)
        self.records.remove(port.name)
        self._close(port, "raw", "udp", "arp")

    def _news(self) -> None:
        """The kernel told of links: a short loss of the carrier shows only here."""
        for index, carrier in self.interfaces.changes():
            for port in self.ports.values():
                if port.link.index == index and port.carrier != carrier:
                    self._carrier(port, carrier)
        self._look()

    def _carrier(self, port: Port, up: bool) -> None:
        port.carrier = up
        say(f"dhcp: {port.name}: link {'up' if up else 'down'}")
        self._apply(port, port.client.link(up, now()))

    # Events of the machines

    def _apply(self, port: Port, events: Iterable[machine.Event]) -> None:
        for event in events:
            match event:
                case Send():
                    self._send(port, event)
                case Bound():
                    self._bound(port, event)
                case Lost():
                    self._lost(port, event)
                case GaveUp():
                    port.gave_up = True
                case Note():
                    say(f"dhcp: {port.name}: {event.text}")
        self._open_needed(port)

    def _send(self, port: Port, event: Send) -> None:
        from toolbox.net.ip import ANY

        try:
            wire = self._raw(port) if event.source == ANY else self._udp(port)
            wire.send(event.data, event.source, event.destination)
        except OSError as error:
            if error.errno not in PASSING:
                say(f"dhcp: {port.name}: cannot send: {describe(error)}")

    def _bound(self, port: Port, event: Bound) -> None:
        lease, previous = event.lease, event.previous
        same = previous is not None and previous.address == lease.address
        self._configure(port, lease, previous)
        shown = f"{lease.address}/{lease.prefix}"
        how = "kept" if same else "got"
        length = "for ever" if lease.seconds == math.inf else f"for {int(lease.seconds)} s"
        self.records.store(port.name, lease, time.time())
        port.remembered = self.records.remember(port.name, lease.address)
        # Not earlier: whoever reads this line finds address, route, name servers and records.
        say(f"dhcp: {port.name}: {how} {shown} from {lease.server} {length}")
        if lease.hostname:
            self._name_the_box(port, lease.hostname.partition(".")[0])
        if not same:
            self._start_probing(port)
        notify("READY=1", f"STATUS={self._status()}")

    def _configure(self, port: Port, lease: Lease, previous: Lease | None) -> None:
        try:
            others = self.interfaces.metrics_of_others(port.link)
            if port.metric in others:
                # Another process was as fast as we: whoever sees it gives way.
                if previous is not None:
                    self.interfaces.drop_routes(port.link, previous, port.metric)
                port.metric = self._free_metric(others)
            self.interfaces.configure(port.link, lease, previous, port.metric)
        except OSError as error:
            say(f"dhcp: {port.name}: cannot set {lease.address}: {describe(error)}")

    def _name_the_box(self, port: Port, name: str) -> None:
        try:
            if name_the_box(name):
                say(f"dhcp: {port.name}: the box is called {name}")
        except OSError as error:
            say(f"dhcp: {port.name}: cannot set the host name: {describe(error)}")

    def _lost(self, port: Port, event: Lost) -> None:
        self.records.remove(port.name)
        self._close(port, "arp")
        port.probe_at = math.inf
        try:
            self.interfaces.withdraw(port.link, event.lease, port.metric)
        except OSError as error:
            say(f"dhcp: {port.name}: cannot withdraw {event.lease.address}: {describe(error)}")
        else:
            say(f"dhcp: {port.name}: withdrew {event.lease.address}: {event.reason}")
        notify(f"STATUS={self._status()}")

    def _status(self) -> str:
        held = [
            f"{p.name} {p.client.lease.address}/{p.client.lease.prefix}"
            for p in self.ports.values()
            if p.client.lease
        ]
        return ", ".join(held) or "no lease"

    # Address conflicts

    def _start_probing(self, port: Port) -> None:
        try:
            if port.arp is None:
                port.arp = Arp(port.name, port.link.hardware)
                self._watch(port.arp.socket.fileno(), lambda: self._hear_owner(port))
        except OSError:
            return  # the lease holds without it
        port.probes = PROBES
        self._probe(port)

    def _probe(self, port: Port) -> None:
        """Ask who has our address; after the last question and a pause, say that it is ours."""
        lease = port.client.lease
        if port.arp is None or lease is None:
            port.probe_at = math.inf
            return
        try:
            if port.probes:
                port.arp.probe(lease.address)
            else:
                port.arp.announce(lease.address)
        except OSError:
            pass  # the link has gone: it will tell
        port.probe_at = now() + PROBE_PAUSE if port.probes else math.inf
        if not port.probes:
            self._close(port, "arp")
        port.probes -= 1

    def _hear_owner(self, port: Port) -> None:
        lease = port.client.lease
        if port.arp is None or lease is None:
            return
        try:
            owner = port.arp.other_owner(lease.address)
        except OSError:
            return
        if owner:
            say(f"dhcp: {port.name}: {lease.address} is used by {owner.hex(':')}")
            self._apply(port, port.client.conflict(now()))

    # Sockets

    def _open_needed(self, port: Port) -> None:
        """Have the sockets that the state hears by, and no other: each wakes us for its traffic."""
        state = port.client.state
        try:
            if state in RAW_STATES:
                self._raw(port)
            elif state in UDP_STATES:
                self._udp(port)
        except OSError as error:
            if error.errno not in PASSING:
                say(f"dhcp: {port.name}: cannot listen: {describe(error)}")
        if state not in RAW_STATES:
            self._close(port, "raw")
        if state not in UDP_STATES:
            self._close(port, "udp")

    def _raw(self, port: Port) -> Raw:
        if port.raw is None:
            port.raw = raw = Raw(port.name)
            self._watch(raw.socket.fileno(), lambda: self._hear(port, raw))
        return port.raw

    def _udp(self, port: Port) -> Udp:
        if port.udp is None:
            port.udp = udp = Udp(port.name)
            self._watch(udp.socket.fileno(), lambda: self._hear(port, udp))
        return port.udp

    def _hear(self, port: Port, wire: Raw | Udp) -> None:
        try:
            for data, source in wire.receive():
                self._apply(port, port.client.receive(data, now(), source))
                if wire.socket.fileno() < 0:
                    return  # what we heard ended the state that listens here
        except OSError as error:
            if error.errno not in PASSING:
                say(f"dhcp: {port.name}: {describe(error)}")

    def _watch(self, fd: int, call: Callable[[], None]) -> None:
        self.selector.register(fd, selectors.EVENT_READ, call)

    def _close(self, port: Port, *names: str) -> None:
        for name in names:
            wire = getattr(port, name)
            if wire is not None:
                self.selector.unregister(wire.socket.fileno())
                wire.socket.close()
                setattr(port, name, None)

    # Beginning and end

    def _obey(self, signals: Signals) -> None:
        for number in signals.take():
            if number in (signal.SIGTERM, signal.SIGINT):
                self.stopping = True
            for port in list(self.ports.values()):
                if number == signal.SIGUSR1:
                    self._apply(port, port.client.renew(now()))
                elif number == signal.SIGUSR2:
                    self._apply(port, port.client.stop(now(), release=True))

    def _done(self) -> bool:
        if self.stopping:
            return True
        if self.wishes.give_up and self._all_gave_up():
            return True
        if not self.wishes.quit_when_bound:
            return False
        bound = [name for name, port in self.ports.items() if port.client.lease]
        return bool(bound) and all(name in bound for name in self.wishes.interfaces)

    def _all_gave_up(self) -> bool:
        return bool(self.ports) and all(
            port.gave_up and port.client.lease is None for port in self.ports.values()
        )

    def _end(self) -> None:
        """Leave the box as it was; after -q the address stays."""
        if not self.stopping:
            return
        notify("STOPPING=1")
        for port in list(self.ports.values()):
            release = self.wishes.always_release or not port.remembered
            self._apply(port, port.client.stop(now(), release))


def now() -> float:
    """Seconds of a clock that nobody sets and that runs on in suspend, as a lease does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)

"""The client's state machine: RFC 2131 section 4.4, without sockets and clocks.

Messages and times go in; what is to be sent, configured or told comes out as a list of events.
Times are seconds of any steady clock; `random` gives numbers in [0, 1).

    INIT ----> SELECTING --OFFER--> REQUESTING --ACK--> BOUND --T1--> RENEWING --T2--> REBINDING
    REBOOTING -------------------------------------ACK--^ ^--ACK------------'--ACK---------'

    NAK (REQUESTING ... REBINDING), the lease's end, a conflict: back to INIT, the address withdrawn.
    Link down: SILENT; link up: REBOOTING with the address that we have, else SELECTING.

Two departures from the letter.  The first DISCOVER goes out at once, not after 1 to 10 s (RFC 2131
4.4.1 spreads the load of a whole building after a power cut; retries are spread here as well), and
retries start at 1 s instead of 4 s: a link that has just come up often loses the first frame.
"""

from __future__ import annotations

import math

from applets.dhcp.lease import ANY_LINK, Lease
from toolbox.net import ProtocolError, dhcp
from toolbox.net.ip import ANY, BROADCAST, address_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

INIT = "INIT"
SELECTING = "SELECTING"
REQUESTING = "REQUESTING"
REBOOTING = "REBOOTING"
BOUND = "BOUND"
RENEWING = "RENEWING"
REBINDING = "REBINDING"
SILENT = "SILENT"
STOPPED = "STOPPED"

#: The message types that mean something in a state; all others are passed over.
EXPECTED = {
    SELECTING: (dhcp.OFFER,),
    REQUESTING: (dhcp.ACK, dhcp.NAK),
    REBOOTING: (dhcp.ACK, dhcp.NAK),
    RENEWING: (dhcp.ACK, dhcp.NAK),
    REBINDING: (dhcp.ACK, dhcp.NAK),
}

PARAMETERS = (
    dhcp.SUBNET_MASK,
    dhcp.CLASSLESS_ROUTES,  # RFC 3442: before the routers
    dhcp.ROUTERS,
    dhcp.DNS_SERVERS,
    dhcp.HOST_NAME,
    dhcp.DOMAIN_NAME,
    dhcp.INTERFACE_MTU,
    dhcp.NTP_SERVERS,
    dhcp.RENEWAL_TIME,
    dhcp.REBINDING_TIME,
    dhcp.DOMAIN_SEARCH,
)

LONGEST_PAUSE = 64.0
QUIET_TRIES = 4
REQUEST_TRIES = 3
REBOOT_TRIES = 2
AFTER_DECLINE = 10.0  # RFC 2131 3.1.5
RENEW_PAUSE = 60.0  # RFC 2131 4.4.5
LONGEST_RENEW_PAUSE = 3600.0
COMPLAINT_PAUSE = 10.0


class Send:
    """Send `data` from `source` (0.0.0.0: by a raw frame) to `destination`, ports 68 and 67."""

    __slots__ = ("data", "destination", "source")

    def __init__(self, data: bytes, source: str, destination: str) -> None:
        self.data = data
        self.source = source
        self.destination = destination


class Bound:
    """The lease holds from now on; `previous` is the one that it replaces or prolongs."""

    __slots__ = ("lease", "previous")

    def __init__(self, lease: Lease, previous: Lease | None) -> None:
        self.lease = lease
        self.previous = previous


class Lost:
    """The lease holds no more: withdraw everything that came with it."""

    __slots__ = ("lease", "reason")

    def __init__(self, lease: Lease, reason: str) -> None:
        self.lease = lease
        self.reason = reason


class GaveUp:
    """As many DISCOVERs as the caller allowed went unanswered; the client goes on trying."""

    __slots__ = ()


class Note:
    """A line for the log."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


Event = Send | Bound | Lost | GaveUp | Note


class Settings:
    """What the caller wishes: see applets/dhcp's options.  `timeout` is the first pause in seconds."""

    __slots__ = ("extra", "hostname", "parameters", "requested", "timeout", "tries")

    def __init__(
        self,
        *,
        hostname: str | None = None,
        requested: str | None = None,
        parameters: Iterable[int] = (),
        extra: dict[int, bytes] | None = None,
        tries: int | None = None,
        timeout: float = 1.0,
    ) -> None:
        self.hostname = hostname
        self.requested = requested
        self.parameters = bytes(dict.fromkeys([*PARAMETERS, *parameters]))
        self.extra = extra or {}
        self.tries = tries
        self.timeout = timeout


class Client:
    """One interface's client.  `hardware` is its Ethernet address (6 bytes).

    `deadline` is the time at which `tick` wants to be called (math.inf: never).
    """

    def __init__(
        self,
        hardware: bytes,
        random: Callable[[], float],
        settings: Settings | None = None,
        mtus: Callable[[], tuple[int, int]] = lambda: ANY_LINK,
    ) -> None:
        """mtus: asked at each lease for the least and the most MTU that the link can have."""
        self.hardware = hardware
        self.mtus = mtus
        self.settings = settings or Settings()
        self.state = INIT
        self.lease: Lease | None = None
        self._random = random
        self._events: list[Event] = []
        self._timer = math.inf  # the exchange's: retry, T1, T2
        self._expires = math.inf  # the lease's
        self._renew_at = self._rebind_at = math.inf
        self._xid = 0
        self._began = 0.0  # of the exchange, for the `secs` field
        self._asked = 0.0  # when the REQUEST went out first: the lease counts from there
        self._attempt = 0
        self._failures = 0  # NAKs in a row
        self._discovers = 0
        self._offer: Lease | None = None
        self._reserve: tuple[dhcp.Message, str] | None = None
        self._shunned: str | None = None
        self._wanted: str | None = None
        self._quiet_until = -math.inf
        self._unsaid = 0

    @property
    def deadline(self) -> float:
        """When `tick` is due."""
        return min(self._timer, self._expires)

    # What the caller may do

    def start(self, now: float, address: str | None = None) -> list[Event]:
        """Begin: with the `address` of a remembered lease (INIT-REBOOT), or from nothing."""
        if address:
            self._reboot(now, address)
        else:
            self._discover(now)
        return self._take()

    def receive(self, data: bytes, now: float, source: str) -> list[Event]:
        """Take the payload of a datagram from `source`:67.  Whatever it holds, nothing is raised."""
        try:
            if len(data) > dhcp.LONGEST_MESSAGE:
                raise ProtocolError(f"{len(data)} bytes, where {dhcp.LONGEST_MESSAGE} are the most")
            message = dhcp.decode(data)
            if self._is_ours(message):
                self._handle(message, now, source)
        except ProtocolError as error:
            self._complain(now, source, error)
        return self._take()

    def hold(self) -> None:
        """There is no link yet: do nothing until `link` says that it is up."""
        self._enter(SILENT)

    def tick(self, now: float) -> list[Event]:
        """Do what is due at `now`."""
        if now >= self._expires:
            self._lose("lease expired")
            if self.state != SILENT:
                self._discover(now)
        elif now >= self._timer:
            self._timer = math.inf
            _ON_TIMER[self.state](self, now)
        return self._take()

    def link(self, up: bool, now: float) -> list[Event]:
        """The link came up or went down.  A lease is kept while the link is down, and asked for again."""
        if not up and self.state not in (SILENT, STOPPED):
            self._enter(SILENT)
        elif up and self.state == SILENT:
            if self.lease:
                self._reboot(now, self.lease.address)
            else:
                self._discover(now)
        return self._take()

    def renew(self, now: float) -> list[Event]:
        """Renew before the time has come; without a lease, look for one at once."""
        if self.state in (BOUND, RENEWING, REBINDING):
            self._renew(now)
        elif self.state in (INIT, SELECTING, STOPPED):
            self._discover(now)
        return self._take()

    def conflict(self, now: float) -> list[Event]:
        """Another host uses our address: decline it (RFC 2131 3.1.5) and start over after a while."""
        if self.lease:
            lease = self.lease
            self._xid = self._new_xid()
            self._began = now
            self._send(now, dhcp.DECLINE, self._choice(lease))
            self._lose(f"another host uses {lease.address}")
            self._shunned = lease.server
            self._enter(INIT, now + AFTER_DECLINE)
        return self._take()

    def stop(self, now: float, release: bool) -> list[Event]:
        """End; with `release` the server is told that the address is free."""
        if self.lease and release and self.state != SILENT:
            lease = self.lease
            self._xid = self._new_xid()
            self._began = now
            options = {dhcp.SERVER_ID: address_bytes(lease.server)}
            self._send(now, dhcp.RELEASE, options, lease.address, lease.server)
        if self.lease:
            self._lose("released" if release else "stopped")
        self._enter(STOPPED)
        return self._take()

    # States

    def _discover(self, now: float) -> None:
        self._xid = self._new_xid()
        self._began = now
        self._reserve = self._offer = None
        self._enter(SELECTING)
        self._send_discover(now)

    def _send_discover(self, now: float) -> None:
        wanted = self.lease.address if self.lease else self._wanted or self.settings.requested
        options = {dhcp.REQUESTED_ADDRESS: address_bytes(wanted)} if wanted else {}
        if self._discovers == 0:
            self._note("looking for a server")
        if self._discovers == QUIET_TRIES:
            self._note("no server answers; still looking")
        if self._discovers == self.settings.tries:
            self._events.append(GaveUp())
        self._discovers += 1
        self._send(now, dhcp.DISCOVER, options)

    def _discover_again(self, now: float) -> None:
        if self._reserve is not None:
            offer, server = self._reserve
            self._choose(offer, now, server)
        else:
            self._send_discover(now)

    def _choose(self, offer: dhcp.Message, now: float, source: str) -> None:
        self._offer = self._lease(offer, source)
        self._asked = now
        self._enter(REQUESTING)
        self._send(now, dhcp.REQUEST_LEASE, self._choice(self._offer))

    def _choice(self, lease: Lease) -> dict[int, bytes]:
        return {
            dhcp.REQUESTED_ADDRESS: address_bytes(lease.address),
            dhcp.SERVER_ID: address_bytes(lease.server),
        }

    def _request_again(self, now: float) -> None:
        offer = self._offer
        if offer is None or self._attempt >= REQUEST_TRIES:
            if offer is not None:
                self._note(f"{offer.server} offered {offer.address} and does not answer any more")
                self._shunned = offer.server
            self._discover(now)
        else:
            self._send(now, dhcp.REQUEST_LEASE, self._choice(offer))

    def _reboot(self, now: float, address: str) -> None:
        self._xid = self._new_xid()
        self._began = self._asked = now
        self._wanted = address
        self._enter(REBOOTING)
        self._note(f"asking for {address} again")
        self._reboot_again(now)

    def _reboot_again(self, now: float) -> None:
        if self._attempt >= REBOOT_TRIES or not self._wanted:
            self._discover(now)
        else:
            wanted = {dhcp.REQUESTED_ADDRESS: address_bytes(self._wanted)}
            self._send(now, dhcp.REQUEST_LEASE, wanted)

    def _renew(self, now: float) -> None:
        self._began = now
        self._enter(RENEWING)
        self._renew_again(now)

    def _renew_again(self, now: float) -> None:
        """Ask the server that gave the lease until T2, then any server until the lease ends."""
        lease = self.lease
        if lease is None:
            return self._discover(now)
        if self.state == RENEWING and now >= self._rebind_at:
            self._note(f"{lease.server} does not answer; asking any server")
            self._enter(REBINDING)
        # Each try is an exchange of its own: the lease counts from the request that was answered.
        self._xid = self._new_xid()
        self._asked = now
        ends = self._rebind_at if self.state == RENEWING else self._expires
        to = lease.server if self.state == RENEWING else BROADCAST
        self._send(now, dhcp.REQUEST_LEASE, {}, lease.address, to)
        # Half of the time that is left, at least 60 s; a lease of minutes would get one try by that.
        whole = ends - (self._renew_at if self.state == RENEWING else self._rebind_at)
        pause = max((ends - now) / 2, min(RENEW_PAUSE, whole / 4), 1.0)
        self._timer = min(now + min(pause, LONGEST_RENEW_PAUSE), ends)
        return None

    def _bind(self, ack: dhcp.Message, now: float, source: str) -> None:
        lease = self._lease(ack, source)
        previous, self.lease = self.lease, lease
        # T1 comes a little early by chance, so that boxes that started together drift apart.
        self._renew_at = self._asked + lease.renew_after * (1 - 0.04 * self._random())
        self._rebind_at = self._asked + lease.rebind_after
        self._expires = self._asked + lease.seconds
        self._shunned = self._wanted = None
        self._failures = self._discovers = 0
        self._enter(BOUND, self._renew_at)
        if previous is None or lease.notes != previous.notes:
            self._events += map(Note, lease.notes)
        self._events.append(Bound(lease, previous))

    def _lease(self, message: dhcp.Message, source: str) -> Lease:
        return Lease(message, source, self.mtus())

    def _lose(self, reason: str) -> None:
        if self.lease:
            self._events.append(Lost(self.lease, reason))
        self.lease = None
        self._expires = math.inf

    def _refused(self, nak: dhcp.Message, now: float, source: str) -> None:
        reason = ""
        if dhcp.ERROR_TEXT in nak.options:
            try:
                reason = f": {dhcp.text(nak.options[dhcp.ERROR_TEXT])}"
            except ProtocolError:
                pass  # only a courtesy
        self._note(f"{source} refuses the address{reason}")
        self._lose("refused by the server")
        self._wanted = None
        if self.state == REQUESTING:
            self._shunned = source
        # A server that offers and refuses in a circle must not make us flood the network.
        pause = 0.0 if not self._failures else min(LONGEST_PAUSE, 2.0 ** (self._failures - 1))
        self._failures += 1
        if pause:
            self._enter(INIT, now + pause)
        else:
            self._discover(now)

    # Messages

    def _is_ours(self, message: dhcp.Message) -> bool:
        return (
            message.op == dhcp.REPLY
            and message.xid == self._xid
            and message.hardware[:6] == self.hardware
            and message.kind in EXPECTED.get(self.state, ())
        )

    def _handle(self, message: dhcp.Message, now: float, source: str) -> None:
        server = dhcp.address(message.options.get(dhcp.SERVER_ID, address_bytes(source)))
        chosen = self._offer.server if self.state == REQUESTING and self._offer else server
        if server != chosen:
            return  # another server's answer to what was not asked of it
        if message.kind == dhcp.NAK:
            self._refused(message, now, server)
        elif message.kind == dhcp.ACK:
            self._bind(message, now, server)
        elif server == self._shunned and self._reserve is None:
            self._lease(message, server)  # must be a sound offer
            self._reserve = message, server  # taken when no other answers before the next try
        elif server != self._shunned:
            self._choose(message, now, server)

    def _send(
        self,
        now: float,
        kind: int,
        options: dict[int, bytes],
        source: str = ANY,
        destination: str = BROADCAST,
    ) -> None:
        """Send one message of the exchange, and set the timer for the next try."""
        message = dhcp.Message(dhcp.REQUEST, self._xid, self.hardware, {}, ciaddr=source)
        message.secs = int(now - self._began)
        message.options = {
            dhcp.MESSAGE_TYPE: bytes([kind]),
            dhcp.CLIENT_ID: bytes([dhcp.ETHERNET]) + self.hardware,
            **options,
        }
        if kind in (dhcp.DISCOVER, dhcp.REQUEST_LEASE):
            message.options[dhcp.PARAMETER_LIST] = self.settings.parameters
            message.options[dhcp.MAXIMUM_SIZE] = dhcp.LONGEST_MESSAGE.to_bytes(2, "big")
            if self.settings.hostname:
                message.options[dhcp.HOST_NAME] = self.settings.hostname.encode("ascii")
            message.options.update(self.settings.extra)
        self._events.append(Send(message.encode(), source, destination))
        pause = min(LONGEST_PAUSE, self.settings.timeout * 2 ** min(self._attempt, 16))
        self._timer = now + pause * (0.9 + 0.2 * self._random())
        self._attempt += 1

    # Small things

    def _enter(self, state: str, timer: float = math.inf) -> None:
        self.state = state
        self._timer = timer
        self._attempt = 0

    def _new_xid(self) -> int:
        return int(self._random() * 2**32)

    def _note(self, text: str) -> None:
        self._events.append(Note(text))

    def _complain(self, now: float, source: str, error: ProtocolError) -> None:
        """Tell of a malformed message, but let no peer fill the log."""
        if now < self._quiet_until:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more were not reported)" if self._unsaid else ""
        self._note(f"ignored a message from {source}: {error}{more}")
        self._quiet_until = now + COMPLAINT_PAUSE
        self._unsaid = 0

    def _take(self) -> list[Event]:
        events, self._events = self._events, []
        return events


_ON_TIMER: dict[str, Callable[[Client, float], None]] = {
    INIT: Client._discover,
    SELECTING: Client._discover_again,
    REQUESTING: Client._request_again,
    REBOOTING: Client._reboot_again,
    BOUND: Client._renew,
    RENEWING: Client._renew_again,
    REBINDING: Client._renew_again,
}

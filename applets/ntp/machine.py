"""When to ask which servers, and what to make of their answers: no sockets, no clocks.

The client asks all its servers at once: a round.  A round ends when all have answered, shortly
after most have, or after three seconds; then its samples are weighed against each other.

    UNSET --a round agrees--> BURST (three more rounds, 2 s apart) --> SET (64 to 1024 s apart)

Rounds that come to nothing are tried again after 1, 2, 4 ... 64 s.  `now` is a steady clock in
seconds, `wall` the local clock's Unix time.
"""

from __future__ import annotations

import math

from toolbox.net import ProtocolError
from toolbox.net.ntp import (
    COOKIE_SIZE,
    KissOfDeath,
    Sample,
    agree,
    measure,
    read_reply,
    request,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

UNSET = "UNSET"
BURST = "BURST"
SET = "SET"

ROUND_LIMIT = 3.0
#: How long the others are waited for once most have answered; before the clock is set, time is dear.
AFTER_MOST = 0.5
BURST_ROUNDS = 3
BURST_PAUSE = 2.0
LEAST_POLL, MOST_POLL = 64.0, 1024.0
MOST_PAUSE = 64.0
CALM = 0.008
RESTLESS = 0.05
CALM_ROUNDS = 4
#: A server that said RATE is left alone for at least this long, and twice as long each time.
RATE_PAUSE = 128.0
MOST_RATE_PAUSE = 4 * 3600.0
REFUSALS = ("DENY", "RSTR")
#: A round with a round trip this much longer than usual says little; but three in a row are the usual.
SLOW_FACTOR, SLOW_GRACE, SLOW_ROUNDS = 3.0, 0.01, 3
FAILURES_UNTIL_LOST = 4
#: Before another address of a server is asked that was not tried yet.
NEXT_ADDRESS_PAUSE = 0.1
#: Rounds in a row that an address which has answered before may miss.
MOST_MISSES = 2
COMPLAINT_PAUSE = 60.0


class Ask:
    """Send `data` to `server`, port 123."""

    __slots__ = ("data", "server")

    def __init__(self, server: str, data: bytes) -> None:
        self.server = server
        self.data = data


class Correct:
    """The clock is off by `sample.offset`; `poll` is how long until the next time, in seconds."""

    __slots__ = ("asked", "first", "poll", "sample", "used")

    def __init__(self, sample: Sample, used: int, asked: int, first: bool, poll: float) -> None:
        self.sample = sample
        self.used = used
        self.asked = asked
        self.first = first
        self.poll = poll


class Unreachable:
    """Several rounds in a row came to nothing: look the servers' names up again."""

    __slots__ = ()


class Note:
    """A line for the log."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


Event = Ask | Correct | Unreachable | Note


class Server:
    """One server: its addresses, of which `address` is asked, its state in this round, whether it wants us.

    misses: rounds in a row without an answer from `address`; heard: whether it has ever answered;
    mute: the addresses that missed since one was heard; tried: those that this round asked.
    """

    __slots__ = (
        *("address", "addresses", "asked_at", "cookie", "heard", "misses", "not_before"),
        *("mute", "rate_pause", "refused", "sample", "tried"),
    )

    def __init__(self, addresses: list[str], address: str) -> None:
        self.addresses = addresses
        self.address = address
        self.cookie: bytes | None = None
        self.asked_at = 0.0
        self.sample: Sample | None = None
        self.not_before = -math.inf
        self.rate_pause = RATE_PAUSE
        self.refused = False
        self.misses = 0
        self.heard = False
        self.mute: set[str] = set()
        self.tried: set[str] = set()

    def turn_to(self, address: str) -> None:
        """Ask this address of the server from now on."""
        self.address = address
        self.misses = 0
        self.heard = False


class Client:
    """Asks the servers given by `use`.  `known`: a Unix time that no right time lies before.

    `nonce(size)` gives random bytes, `chance()` a number in [0, 1).  `deadline` is when `tick` is due.
    """

    def __init__(
        self, known: float, nonce: Callable[[int], bytes], chance: Callable[[], float]
    ) -> None:
        self.state = UNSET
        self.servers: list[Server] = []
        self.deadline = math.inf
        self.known = known
        self._nonce = nonce
        self._chance = chance
        self._events: list[Event] = []
        self._asking = False
        self._ends = math.inf
        self._failures = 0
        self._left = BURST_ROUNDS
        self._poll = LEAST_POLL
        self._calm = 0
        self._delays: list[float] = []
        self._slow = 0
        self._said: dict[str, float] = {}

    def use(self, servers: Iterable[Sequence[str]], now: float) -> None:
        """Ask these servers from now on, each by one of its addresses: the first, then the next when it is mute.

        Those that are known already keep their state; two servers never share an address.
        """
        former = {server.address: server for server in self.servers}
        self._said.clear()
        self.servers = []
        for addresses in map(list, map(dict.fromkeys, servers)):
            free = [a for a in addresses if a not in self._in_use()]
            known = [a for a in free if a in former]
            if known:
                server = former[known[0]]
                server.addresses = addresses
                self.servers.append(server)
            elif free:
                self.servers.append(Server(addresses, free[0]))
        if self.state == UNSET and self._in_use() - former.keys():
            self._failures = 0
            self._asking = False
            self.deadline = now
        elif self.deadline == math.inf:
            self.deadline = now

    def hurry(self, now: float) -> None:
        """The network has changed: while the clock is not set, try at once instead of after a pause."""
        if self.state == UNSET and self.servers and not self._asking:
            self._failures = 0
            self.deadline = now

    def tick(self, now: float) -> list[Event]:
        """Do what is due at `now`."""
        if now >= self.deadline:
            if self._asking:
                self._finish(now)
            else:
                self._begin(now)
        return self._take()

    def receive(self, data: bytes, server: str, now: float, wall: float) -> list[Event]:
        """Take a datagram from `server`:123 that came at `now`, when the local clock showed `wall`.

        Whatever it holds, nothing is raised.
        """
        one = self._at(server)
        if one is None or one.cookie is None or not self._asking:
            return []  # nothing was asked: late, twice, or from a stranger
        try:
            reply = read_reply(data, one.cookie, self.known)
            one.sample = measure(reply, now - one.asked_at, wall)
            one.cookie = None
            one.heard, one.misses = True, 0
            one.mute.clear()
        except KissOfDeath as kiss:
            self._obey(one, server, kiss, now)
        except ProtocolError as error:
            self._complain(server, f"ignored an answer of {server}: {error}", now)
        self._progress(now)
        return self._take()

    def unsent(self, address: str, now: float) -> list[Event]:
        """The request to this address could not be sent: the server's next one gets it, in the same round."""
        server = self._at(address)
        if server is not None and server.cookie is not None and self._asking:
            server.cookie = None
            following = [a for a in self._others(server) if a not in server.tried]
            if following:
                server.turn_to(following[0])
                self._ask(server, now)
            self._progress(now)
        return self._take()

    def _in_use(self) -> set[str]:
        return {server.address for server in self.servers}

    def _at(self, address: str) -> Server | None:
        return next((server for server in self.servers if server.address == address), None)

    def _others(self, server: Server) -> list[str]:
        """The server's other addresses that nobody else uses, from the one after its present one on."""
        all_of_it, used = server.addresses, self._in_use()
        at = all_of_it.index(server.address) + 1 if server.address in all_of_it else 0
        return [a for a in (*all_of_it[at:], *all_of_it[:at]) if a not in used]

    def _ask(self, server: Server, now: float) -> None:
        server.cookie = self._nonce(COOKIE_SIZE)
        server.asked_at = now
        server.tried.add(server.address)
        self._events.append(Ask(server.address, request(server.cookie)))

    def _begin(self, now: float) -> None:
        """Ask every server that may be asked."""
        self._asking = True
        self._ends = now + ROUND_LIMIT
        self.deadline = self._ends
        for server in self.servers:
            server.cookie = server.sample = None
            server.tried.clear()
            if not server.refused and now >= server.not_before:
                self._ask(server, now)
        if not self._waiting():
            self._finish(now)

    def _waiting(self) -> list[Server]:
        return [server for server in self.servers if server.cookie]

    def _samples(self) -> list[Sample]:
        return [server.sample for server in self.servers if server.sample]

    def _progress(self, now: float) -> None:
        """End the round, or shorten it, when enough is known."""
        waiting, samples = len(self._waiting()), len(self._samples())
        if not waiting:
            self._finish(now)
        elif samples > waiting:
            self.deadline = min(self._ends, now + AFTER_MOST)

    def _finish(self, now: float) -> None:
        """Weigh what came, and say when the next round is."""
        self._asking = False
        samples = self._samples()
        missed = [server for server in self.servers if server.cookie is not None]
        hopeful = [server for server in missed if self._missed(server)]
        for server in missed:
            server.cookie = None
        sample = agree(samples)
        if sample is None:
            if samples:
                self._complain("", "the servers disagree about the time", now)
            self._fail(now, hopeful)
            return
        self._failures = 0
        first = self.state == UNSET
        if not first and self._is_slow(sample):
            self._next(now, self._poll if self.state == SET else BURST_PAUSE)
            return
        self._adapt(sample)
        pause = self._poll if self.state == SET else BURST_PAUSE
        self._events.append(Correct(sample, len(samples), len(self.servers), first, pause))
        self._next(now, pause)

    def _missed(self, server: Server) -> bool:
        """No good answer came from it: the next round asks its next address.  Whether that is one untried."""
        server.misses += 1
        server.mute.add(server.address)
        others = self._others(server)
        # One packet may be lost; an address that was never heard of gets one chance.
        if others and (server.misses >= MOST_MISSES or not server.heard):
            server.turn_to(others[0])
        if server.address not in server.mute:
            return True
        if server.mute.issuperset(server.addresses):
            server.mute.clear()
        return False

    def _adapt(self, sample: Sample) -> None:
        """Go on to the next state; ask less often while the clock keeps well, more often else."""
        if self.state == UNSET:
            self.state = BURST
            self._left = BURST_ROUNDS
        elif self.state == BURST:
            self._left -= 1
            if not self._left:
                self.state = SET
        elif abs(sample.offset) > RESTLESS + sample.delay / 2:
            self._poll, self._calm = LEAST_POLL, 0
        elif abs(sample.offset) > CALM + sample.delay / 4:
            self._poll, self._calm = max(LEAST_POLL, self._poll / 2), 0
        else:
            self._calm += 1
            if self._calm >= CALM_ROUNDS:
                self._poll, self._calm = min(MOST_POLL, self._poll * 2), 0

    def _is_slow(self, sample: Sample) -> bool:
        usual = min(self._delays, default=math.inf)
        self._delays = [*self._delays[-7:], sample.delay]
        if sample.delay <= usual * SLOW_FACTOR + SLOW_GRACE or self._slow >= SLOW_ROUNDS:
            self._slow = 0
            return False
        self._slow += 1
        return True

    def _fail(self, now: float, hopeful: list[Server]) -> None:
        if not self.servers:
            self.deadline = math.inf
            return
        if hopeful:
            self._next(now, NEXT_ADDRESS_PAUSE)
            return
        self._failures += 1
        if self._failures % FAILURES_UNTIL_LOST == 0:
            self._events.append(Unreachable())
        self._next(now, min(MOST_PAUSE, 2.0 ** (min(self._failures, 8) - 1)))

    def _next(self, now: float, pause: float) -> None:
        self.deadline = now + pause * (0.95 + 0.1 * self._chance())

    def _obey(self, one: Server, address: str, kiss: KissOfDeath, now: float) -> None:
        """RFC 5905 7.4: DENY and RSTR are final, RATE asks for longer pauses; others mean nothing."""
        one.cookie = None
        if kiss.code in REFUSALS:
            self._events.append(Note(f"{address} refuses us ({kiss.code}); not asking it any more"))
            others = self._others(one)
            one.addresses = others
            one.refused = not others
            if others:
                one.turn_to(others[0])
        elif kiss.code == "RATE":
            one.not_before = now + one.rate_pause
            self._events.append(
                Note(f"{address} wants to be asked less often; waiting {one.rate_pause:.0f} s")
            )
            one.rate_pause = min(MOST_RATE_PAUSE, one.rate_pause * 2)
        else:
            self._complain(address, f"{address} sent an unknown kiss {kiss.code!a}", now)

    def _complain(self, about: str, text: str, now: float) -> None:
        """Say it, but let no server fill the log."""
        if now >= self._said.get(about, -math.inf):
            self._events.append(Note(text))
            self._said[about] = now + COMPLAINT_PAUSE

    def _take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

"""Logins over time: sessions that are few and end, and tries that become slow.

Both are pure objects with an injected clock (seconds, monotonic); their callers hold the sockets.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def new_token() -> str:
    """A secret nobody can guess: 256 random bits in hexadecimal."""
    return os.urandom(32).hex()


def equal(one: str, other: str) -> bool:
    """Compare two secrets in a time that tells nothing about them."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


class Session:
    """One login; times are in seconds of the clock.

    peer: the address that it began from    secret: what its password was checked against
    csrf: the token that its forms must carry
    path: a secret too, under which its pages lie; "" for a login that is good for one request
    """

    __slots__ = ("began", "csrf", "path", "peer", "secret", "used")

    def __init__(self, now: float, peer: str = "", secret: str = "", path: str = "") -> None:
        self.csrf = new_token()
        self.began = self.used = now
        self.peer = peer
        self.secret = secret
        self.path = path

    @property
    def root(self) -> str:
        """What the address of each of its pages begins with."""
        return f"/~{self.path}" if self.path else ""


class Sessions:
    """The sessions of a server, bounded in number and in time.  Safe to use from several threads.

    number: how many at most; a new one then replaces the one that was used longest ago
    idle, longest: seconds after which an unused one, and any, ends
    """

    def __init__(
        self,
        clock: Callable[[], float],
        number: int = 16,
        idle: float = 12 * 3600,
        longest: float = 7 * 24 * 3600,
    ) -> None:
        self.clock = clock
        self.number = number
        self.idle = idle
        self.longest = longest
        # Tokens are stored hashed, so that finding one takes a time that tells nothing about others.
        self._sessions: dict[bytes, Session] = {}
        self._lock = threading.Lock()

    def begin(self, peer: str = "", secret: str = "") -> tuple[str, Session]:
        """A new session and its token, which only the client keeps."""
        token, now = new_token(), self.clock()
        with self._lock:
            self._expire(now)
            while len(self._sessions) >= self.number:
                del self._sessions[min(self._sessions, key=lambda t: self._sessions[t].used)]
            session = self._sessions[_hash(token)] = Session(now, peer, secret, new_token()[:32])
        return token, session

    def find(self, token: str) -> Session | None:
        """The living session of a token; using it keeps it from becoming idle."""
        now = self.clock()
        with self._lock:
            self._expire(now)
            session = self._sessions.get(_hash(token))
            if session is not None:
                session.used = now
            return session

    def lives(self, session: Session) -> bool:
        """Whether it has not ended; being asked does not keep it from becoming idle."""
        with self._lock:
            self._expire(self.clock())
            return any(one is session for one in self._sessions.values())

    def end(self, token: str) -> None:
        """End a session; one that is not there has ended already."""
        with self._lock:
            self._sessions.pop(_hash(token), None)

    def _expire(self, now: float) -> None:
        for token, session in list(self._sessions.items()):
            if now - session.used > self.idle or now - session.began > self.longest:
                del self._sessions[token]


class Tries:
    """How many wrong tries each source may make: `burst` at once, then one in `pause` seconds.

    Sources are any strings (networks); at most `number` are remembered.  When the table is full of sources that all
    failed just now, new ones wait too; unless `open`, with which none ever waits for what others did, as is right for
    secrets that nobody can guess.  Safe to use from several threads.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        burst: int = 5,
        pause: float = 10.0,
        number: int = 1024,
        open: bool = False,
    ) -> None:
        self.clock = clock
        self.open = open
        self.burst = burst
        self.pause = pause
        self.number = number
        # When the source will be as good as new; each failure moves that by `pause`.
        self._clean: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, source: str) -> float:
        """Seconds until the source may try again; 0 when it may now."""
        now = self.clock()
        with self._lock:
            if not self.open and not self._has_room(source, now):
                return self.pause
            debt = self._clean.get(source, now) - now
            return max(0.0, debt - (self.burst - 1) * self.pause)

    def fail(self, source: str) -> None:
        """The source was wrong once more."""
        now = self.clock()
        with self._lock:
            if not self._has_room(source, now):
                # The one that is clean soonest is the one with least to lose by being forgotten.
                del self._clean[min(self._clean, key=lambda source: self._clean[source])]
            self._clean[source] = max(now, self._clean.get(source, now)) + self.pause

    def succeed(self, source: str) -> None:
        """The source was right: its failures are forgotten."""
        with self._lock:
            self._clean.pop(source, None)

    def _has_room(self, source: str, now: float) -> bool:
        if source not in self._clean and len(self._clean) >= self.number:
            for one, clean in list(self._clean.items()):
                if clean <= now:
                    del self._clean[one]
        return source in self._clean or len(self._clean) < self.number


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()

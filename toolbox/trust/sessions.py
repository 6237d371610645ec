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
    """One login: `csrf` is the token that its forms must carry; times are in seconds of the clock."""

    __slots__ = ("began", "csrf", "used")

    def __init__(self, now: float) -> None:
        self.csrf = new_token()
        self.began = self.used = now


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

    def begin(self) -> tuple[str, Session]:
        """A new session and its token, which only the client keeps."""
        token, now = new_token(), self.clock()
        with self._lock:
            self._expire(now)
            while len(self._sessions) >= self.number:
                del self._sessions[min(self._sessions, key=lambda t: self._sessions[t].used)]
            session = self._sessions[_hash(token)] = Session(now)
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

    Sources are any strings (addresses); at most `number` are remembered.  When the table is full of
    sources that all failed just now, new ones wait too.  Safe to use from several threads.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        burst: int = 5,
        pause: float = 10.0,
        number: int = 1024,
    ) -> None:
        self.clock = clock
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
            if source not in self._clean and len(self._clean) >= self.number:
                self._forget(now)
                if len(self._clean) >= self.number:
                    return self.pause
            debt = self._clean.get(source, now) - now
            return max(0.0, debt - (self.burst - 1) * self.pause)

    def fail(self, source: str) -> None:
        """The source was wrong once more."""
        now = self.clock()
        with self._lock:
            self._clean[source] = max(now, self._clean.get(source, now)) + self.pause

    def succeed(self, source: str) -> None:
        """The source was right: its failures are forgotten."""
        with self._lock:
            self._clean.pop(source, None)

    def _forget(self, now: float) -> None:
        for source, clean in list(self._clean.items()):
            if clean <= now:
                del self._clean[source]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()

"""The one way to check a secret: limit, then memory or hash, then count, then log.

    gate = Gate("password", Tries(clock), log)
    gate.check(peer, b"secret", stored.encode(), lambda: verify_password("secret", stored))

The limit comes first, whatever follows it: who has guessed too often hears the same of a right secret as of a wrong
one.  One source has one guess under way, so that many at once are not more than one after the other.  One hash is
made at a time for all, which takes one processor at most, and 16 MB.

A secret that was right is remembered, so that a program that sends it each time is not slowed down: as a MAC under a
key that only this process has, of the secret together with what it was checked against.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading

from toolbox.net.address import network_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.limited_log import LimitedLog
    from toolbox.trust.sessions import Tries

#: Right secrets that are remembered, and sources of which it was said that theirs was right.
REMEMBERED, WELCOMED = 16, 256

#: Seconds after which it is said again that a source's secret is right.
AGAIN = 3600.0


class Denied(Exception):
    """No entry.

    wait: seconds after which another try makes sense, if that is the reason
    unheard: whether the secret was not even looked at
    """

    def __init__(self, text: str, wait: float = 0.0, *, unheard: bool = False) -> None:
        super().__init__(text)
        self.wait = wait
        self.unheard = unheard


class Gate:
    """Checks one kind of secret; each kind has its own, so that wrong ones of one lock nobody out of another.

    what: what the secret is called: password, token
    tries: how often a source may be wrong
    """

    def __init__(self, what: str, tries: Tries, log: LimitedLog) -> None:
        self.what = what
        self.tries = tries
        self.log = log
        self._key = os.urandom(32)
        self._right: dict[bytes, None] = {}
        self._welcomed: dict[str, float] = {}
        self._guessing: set[str] = set()
        self._turn = threading.Condition()
        self._hashing = threading.Lock()

    def check(self, peer: str, given: bytes, stored: bytes, verify: Callable[[], bool]) -> None:
        """Return when the secret is right.  Denied when it is wrong, or was guessed too often.

        peer: the address it comes from    given: the secret, with all that it is valid together with
        stored: what it is checked against: what was right is right no more when that has changed
        verify: whether it is right; may be slow.  Its exceptions escape, and count for nothing.
        """
        source = network_of(peer)
        proof = self._proof(given, stored)
        if not self._begin(source, peer, proof):
            try:
                with self._hashing:
                    right = verify()
            except BaseException:
                self._end(source)
                raise
            self._judge(source, peer, proof, right)
        self._welcome(source, peer)

    def _begin(self, source: str, peer: str, proof: bytes) -> bool:
        """Whether the secret is known to be right; else this source's guess is under way.  Denied at the limit."""
        with self._turn:
            while True:
                if wait := self.tries.wait(source):
                    break
                if proof in self._right:
                    return True
                if source not in self._guessing:
                    self._guessing.add(source)
                    return False
                self._turn.wait()
        self.log(f"too many wrong {self.what}s: refused unheard", peer)
        raise Denied(f"Too many wrong {self.what}s. Wait a little.", wait, unheard=True)

    def _judge(self, source: str, peer: str, proof: bytes, right: bool) -> None:
        with self._turn:
            if right:
                self.tries.succeed(source)
                while len(self._right) >= REMEMBERED:
                    del self._right[next(iter(self._right))]
                self._right[proof] = None
            else:
                self.tries.fail(source)
        self._end(source)
        if not right:
            self.log(f"wrong {self.what}", peer)
            raise Denied(f"The {self.what} is wrong.", self.tries.wait(source))

    def _end(self, source: str) -> None:
        with self._turn:
            self._guessing.discard(source)
            self._turn.notify_all()

    def _welcome(self, source: str, peer: str) -> None:
        """Say that a secret was right, for each source once in a while."""
        now = self.tries.clock()
        with self._turn:
            if now - self._welcomed.get(source, -AGAIN) < AGAIN:
                return
            self._welcomed.pop(source, None)
            while len(self._welcomed) >= WELCOMED:
                del self._welcomed[next(iter(self._welcomed))]
            self._welcomed[source] = now
        self.log(f"right {self.what}", peer)

    def _proof(self, given: bytes, stored: bytes) -> bytes:
        # The lengths keep one pair from being spelled as another.
        text = b"%d:%s%s" % (len(given), given, stored)
        return hmac.digest(self._key, text, hashlib.sha256)

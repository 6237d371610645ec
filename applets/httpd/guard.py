"""Who may see the box's page: near addresses, who believe to speak to this box, and know the password.

The password's hash is read anew for each login.  A browser logs in by a form and holds a session cookie;
other programs send the password with each request (HTTP Basic, any user name), or, to push a release and for
nothing else, a token (RFC 6750).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time

from toolbox.errors import say
from toolbox.net.address import is_private, parse_address
from toolbox.net.http import parse_basic, parse_bearer, parse_cookies
from toolbox.trust import tokens
from toolbox.trust.password import read_password_file, verify_password
from toolbox.trust.sessions import Session, Sessions, Tries, equal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.httpd.message import Request

#: Names under which routers make a box known; with the box's own name before them they are ours.
_DOMAINS = ("", "local", "lan", "home", "home.arpa", "internal", "fritz.box", "localdomain")


class Denied(Exception):
    """No entry; `wait`: seconds after which another try makes sense, if that is the reason."""

    def __init__(self, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.wait = wait


class Guard:
    """The door of one server.

    password_file, token_file: where the hashes lie; names: further names of the box;
    clock: monotonic seconds
    """

    def __init__(
        self,
        password_file: str,
        names: list[str],
        clock: Callable[[], float] = time.monotonic,
        token_file: str = "",
    ) -> None:
        self.password_file = password_file
        self.token_file = token_file
        self.names = [name.lower().rstrip(".") for name in names]
        self.sessions = Sessions(clock)
        self.tries = Tries(clock)
        # Remembers which password was right, so that a program that sends it each time is not
        # slowed down; under a key that nobody has, and only for the hash that it was checked against.
        self._key = os.urandom(32)
        self._right = (b"", "")
        self._hashing = threading.Lock()

    # The host's name.

    def is_own_name(self, host: str) -> bool:
        """Whether a Host header means this box, by address or name.

        A page elsewhere may give its own name our address and so make a browser speak to us in its
        name (DNS rebinding); to a number, or a name that only this network knows, it can not.
        """
        try:
            parse_address(host)
            return True
        except ValueError:
            pass
        if host == "localhost" or host.endswith(".localhost") or host in self.names:
            return True
        own = os.uname().nodename.lower()
        label, _, domain = host.partition(".")
        return host == own or (label == own.partition(".")[0] and domain in _DOMAINS)

    # Passwords.

    def problem(self) -> str | None:
        """Why nobody can log in, in words for the box's owner; None when one can."""
        try:
            read_password_file(self.password_file)
        except FileNotFoundError:
            return (
                f"No password is set, so nobody can log in. Put its hash into {self.password_file}:"
                " 'snakeroot new' does so for a new image, 'httpd -m PASSWORD' prints one."
            )
        except OSError as error:
            return f"The password file cannot be read: {self.password_file}: {error.strerror}"
        except ValueError as error:
            return f"The password file is damaged: {error}"
        return None

    def check(self, password: str, source: str) -> None:
        """Return when the password is right; Denied when it is wrong, or guessed too often."""
        source = _network(source)
        try:
            stored = read_password_file(self.password_file)
        except (OSError, ValueError):
            raise Denied(self.problem() or "the password file has just changed") from None
        proof = hmac.digest(self._key, password.encode("utf-8", "surrogatepass"), hashlib.sha256)
        right, against = self._right
        if against == stored and hmac.compare_digest(right, proof):
            return
        # One at a time: guessing takes one processor at most, and 16 MB.
        with self._hashing:
            if wait := self.tries.wait(source):
                raise Denied("Too many wrong passwords. Wait a little.", wait)
            if not verify_password(password, stored):
                self.tries.fail(source)
                say(f"httpd: {source}: wrong password")
                raise Denied("The password is wrong.", self.tries.wait(source))
            self.tries.succeed(source)
            self._right = (proof, stored)

    # Tokens.

    def has_token(self, request: Request) -> bool:
        """Whether the request brings a token that is right; Denied when it is wrong, or tried too often."""
        token = parse_bearer(request.headers.get("authorization", ""))
        if token is None:
            return False
        source = _network(request.peer)
        if wait := self.tries.wait(source):
            raise Denied("Too many wrong tokens. Wait a little.", wait)
        try:
            right = tokens.verify(token, tokens.read_file(self.token_file))
        except (OSError, ValueError) as error:
            say(f"httpd: no token is taken: {error}")
            raise Denied("The box's file of tokens cannot be read: see its log.") from None
        if not right:
            self.tries.fail(source)
            say(f"httpd: {source}: wrong token")
            raise Denied("The token is wrong.", self.tries.wait(source))
        return True

    # Requests.

    def session(self, request: Request) -> Session | None:
        """The session of a request that may come in: of its cookie, or a passing one of its password.

        None without credentials.  Denied when there are wrong ones.
        """
        token = self.token(request)
        if token and (session := self.sessions.find(token)):
            return session
        basic = parse_basic(request.headers.get("authorization", ""))
        if basic is None:
            return None
        self.check(basic[1], request.peer)
        return Session(0.0)

    def may_act(self, request: Request, session: Session, csrf: str) -> bool:
        """Whether the request comes from our own page, or from no page at all.

        A browser sends cookies and remembered passwords with any page's requests to us; it also says
        whose page that was (Origin), and a foreign page does not know the form's token.
        """
        if not self.is_own_origin(request):
            return False
        if self.sessions.find(self.token(request)) is session:
            return equal(csrf, session.csrf)
        return True

    def is_own_origin(self, request: Request) -> bool:
        """Whether the page that sends the request, where there is one, is ours."""
        origin = request.headers.get("origin")
        if origin is None:
            return request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        return origin.partition("://")[2].lower() == request.headers.get("host", "").strip().lower()

    def token(self, request: Request) -> str:
        """The session token that the request brings; "" when it brings none."""
        return parse_cookies(request.headers.get("cookie", "")).get(self.cookie_name(request), "")

    def cookie_name(self, request: Request) -> str:
        """The cookie's name: with the port, since boxes behind one address differ in nothing else."""
        port = request.headers.get("host", "").strip().rpartition("]")[2].rpartition(":")[2]
        return f"snakeroot_{port}" if port.isdecimal() else "snakeroot"

    def cookie(self, request: Request, token: str) -> str:
        """The Set-Cookie header for a token; an empty one ends the session in the browser."""
        age = "; Max-Age=0" if not token else ""
        return f"{self.cookie_name(request)}={token}; Path=/; HttpOnly; SameSite=Strict{age}"


def near_only(address: str) -> bool:
    """Admit private, link-local and loopback addresses."""
    return is_private(address)


def _network(source: str) -> str:
    """Who is slowed down after wrong passwords: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        address = parse_address(source)
    except ValueError:
        return source
    if address.version == 4:
        return str(address)
    return address.exploded[:19] + "::/64"

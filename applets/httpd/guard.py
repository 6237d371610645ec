"""Who may see the box's page: near addresses, who believe to speak to this box, and know the password.

The password's hash is read anew for each login.  Programs send the password with each request (HTTP Basic, any user
name), or, to push a release and for nothing else, a token (RFC 6750).

A browser logs in by a form.  It then holds a cookie, and its pages lie under a path of the session's own, /~SECRET/.
The cookie alone opens nothing, because a browser has one jar for all ports of a host (RFC 6265, 8.5): a cookie for `/`
goes to every service that the owner looks at on this box.  This one goes to its path only, which other origins do not
learn (no Referer leaves ours, and the script keeps it in localStorage).  Besides, a session is good for the network
that it began from, and for an address of the box itself only if it began there.  It ends when the password changes.
"""

from __future__ import annotations

import errno
import os
import socket
import time

from toolbox.limited_log import LimitedLog
from toolbox.net.address import network_of, parse_address
from toolbox.net.http import parse_basic, parse_bearer, parse_cookies
from toolbox.trust import tokens
from toolbox.trust.gate import Denied, Gate
from toolbox.trust.password import read_password_file, verify_password
from toolbox.trust.sessions import Session, Sessions, Tries, equal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.httpd.message import Request

#: Names under which routers make a box known; with the box's own name before them they are ours.
_DOMAINS = ("", "local", "lan", "home", "home.arpa", "internal", "fritz.box", "localdomain")


class Guard:
    """The door of one server.

    password_file, token_file: where the hashes lie; names: further names of the box;
    clock: monotonic seconds; log: where logins and guesses are told
    """

    def __init__(
        self,
        password_file: str,
        names: list[str],
        clock: Callable[[], float] = time.monotonic,
        token_file: str = "",
        log: LimitedLog | None = None,
    ) -> None:
        self.password_file = password_file
        self.token_file = token_file
        self.names = [name.lower().rstrip(".") for name in names]
        self.clock = clock
        self.sessions = Sessions(clock)
        self.log = log or LimitedLog("httpd", clock)
        # Each with a table of its own: wrong tokens keep nobody from the password.  A token cannot be guessed,
        # so whoever has the right one is not made to wait for what others tried.
        self.passwords = Gate("password", Tries(clock), self.log)
        self.tokens = Gate("token", Tries(clock, open=True), self.log)

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

    def check(self, password: str, peer: str) -> str:
        """The hash that the password was checked against; Denied when it is wrong, or guessed too often."""
        stored = self._stored()
        if not stored:
            raise Denied(self.problem() or "the password file has just changed")
        given = password.encode("utf-8", "surrogatepass")
        self.passwords.check(
            peer, given, stored.encode(), lambda: verify_password(password, stored)
        )
        return stored

    def _stored(self) -> str:
        """The password's hash; "" when there is none that can be used."""
        try:
            return read_password_file(self.password_file)
        except (OSError, ValueError):
            return ""

    # Tokens.

    def has_token(self, request: Request) -> bool:
        """Whether the request brings a token that is right; Denied when it is wrong, or tried too often."""
        token = parse_bearer(request.headers.get("authorization", ""))
        if token is None:
            return False
        try:
            lines = tokens.read_file(self.token_file)
        except (OSError, ValueError) as error:
            self.log("no token is taken", request.peer, f"no token is taken: {error}")
            raise Denied("The box's file of tokens cannot be read: see its log.") from None
        given, stored = token.encode("latin-1", "replace"), "\n".join(lines).encode()
        self.tokens.check(request.peer, given, stored, lambda: tokens.verify(token, lines))
        return True

    # Sessions.

    def begin(self, password: str, peer: str) -> tuple[str, Session]:
        """A new session and the token for its cookie; Denied as `check`."""
        stored = self.check(password, peer)
        self.log("logged in", peer)
        return self.sessions.begin(peer, stored)

    def session(self, request: Request, path: str) -> Session | None:
        """The session of a request for what lies under /~PATH/, or under none (""); None when it has none.

        Under a path the cookie counts, elsewhere the password that the request brings.  Denied when that is wrong.
        """
        if path:
            return self._by_cookie(request, path)
        basic = parse_basic(request.headers.get("authorization", ""))
        if basic is None:
            return None
        return Session(self.clock(), request.peer, self.check(basic[1], request.peer))

    def _by_cookie(self, request: Request, path: str) -> Session | None:
        session = self.sessions.find(self.token(request))
        if session is None or not equal(path, session.path):
            return None
        if not _may_be_the_same(session.peer, request.peer):
            self.log("a session that began elsewhere", request.peer)
            return None
        if session.secret != self._stored():
            self.sessions.end(self.token(request))
            return None
        return session

    def lives(self, session: Session) -> bool:
        """Whether what was begun with it may go on: it was not ended, and the password is the same."""
        if session.path and not self.sessions.lives(session):
            return False
        return session.secret == self._stored()

    def may_act(self, request: Request, session: Session, csrf: str) -> bool:
        """Whether the request comes from our own page, or from no page at all.

        A browser sends cookies and remembered passwords with any page's requests to us; it also says
        whose page that was (Origin), and a foreign page does not know the form's token.
        """
        if not self.is_own_origin(request):
            return False
        return equal(csrf, session.csrf) if session.path else True

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
        """The cookie's name: with the port, so that who looks at a browser's cookies can tell boxes apart."""
        port = request.headers.get("host", "").strip().rpartition("]")[2].rpartition(":")[2]
        return f"snakeroot_{port}" if port.isdecimal() else "snakeroot"

    def cookie(self, request: Request, session: Session, token: str) -> str:
        """The Set-Cookie header for a token; an empty one ends the session in the browser."""
        age = "; Max-Age=0" if not token else ""
        name = self.cookie_name(request)
        return f"{name}={token}; Path={session.root}; HttpOnly; SameSite=Strict{age}"


def _may_be_the_same(began: str, peer: str) -> bool:
    """Whether a session that began at one address may go on at another.

    A browser changes its IPv6 address every day, within its network.  That may be the box's own network, too: then
    whatever runs on the box must not pass for the browser.
    """
    if began == peer:
        return True
    return network_of(began) == network_of(peer) and not is_own_address(peer)


def is_own_address(address: str) -> bool:
    """Whether the numeric address is one of this machine: only such a one can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    plain, _, link = address.partition("%")
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            scope = (0, socket.if_nametoindex(link)) if link else ()
            sock.bind((plain, 0, *scope))
    except OSError as error:
        # Whatever else goes wrong, it is not known to be another's.
        return error.errno != errno.EADDRNOTAVAIL
    return True

"""The box's own page as a handler: which address shows what, and what needs which right.

GET  /                        the box (HTML, or JSON by Accept)      GET /events             its changes
GET  /services/NAME           one service                            GET .../events, .../log its changes, its log
POST /services/NAME/ACTION    start, stop, restart                   GET /log                everybody's log
POST /login /logout /power
GET  /update                  as `update show --json`                 PUT /update    a release is its body
POST /update                  url=PLACE: a release is fetched from there
PUT  /update/wanted           a release's head and index are its body: which bytes of it the box lacks

A token gives the right to GET and PUT /update, and PUT /update/wanted, and to nothing else.
With the password all of it is there as it stands; a browser's session has it under its own path, /~SECRET/ (guard.py).
"""

from __future__ import annotations

import json
import threading
import time

from applets.httpd import page, push
from applets.httpd.assets import CSS, JS, SVG
from applets.httpd.message import Response, plain, redirect
from toolbox.errors import Fatal, say
from toolbox.harmless import harmless
from toolbox.net.http import parse_bearer, parse_form, preferred
from toolbox.trust.gate import Denied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Any

    from applets.httpd.box import Box
    from applets.httpd.guard import Guard
    from applets.httpd.message import Request
    from toolbox.trust.sessions import Session

#: Seconds between two looks at the box, and after which a silent stream says that it lives.
PACE, PING = 2.0, 15.0

#: Live streams at a time; a service's page has two.
STREAMS = 24

#: Log lines on a page, and of each service on the first page.
LINES, LAST = 300, 2

#: The longest form, in bytes.
FORM = 8192

#: Only our own files, no inline code, no frames; nothing of it is kept by anybody.
SECURITY = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # With "no-referrer" a browser would hide the origin of our own forms from us, too.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]

_ASSETS = {
    b"box.css": ("text/css; charset=utf-8", CSS),
    b"box.js": ("text/javascript; charset=utf-8", JS),
    b"box.svg": ("image/svg+xml", SVG),
}


class Site:
    """The handler; `stop` ends its streams."""

    def __init__(self, box: Box, guard: Guard, clock: Callable[[], float] = time.monotonic) -> None:
        self.box = box
        self.guard = guard
        self.clock = clock
        self.stopping = threading.Event()
        self._streams = threading.BoundedSemaphore(STREAMS)
        self._latest: tuple[float, dict[str, Any]] | None = None
        self._looking = threading.Lock()

    def stop(self) -> None:
        """End the streams: the server is about to end."""
        self.stopping.set()

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        response = self._answer(request)
        names = {name.lower() for name, _ in response.headers}
        response.headers += [header for header in SECURITY if header[0].lower() not in names]
        if "cache-control" not in names:
            response.headers.append(("Cache-Control", "no-store"))
        return response

    def _answer(self, request: Request) -> Response:
        if not self.guard.is_own_name(request.host):
            return plain(
                421,
                f"{request.host!r} is not a name of this box. Use its address or its host name,"
                " or start httpd with --name.",
            )
        path = ""
        match request.names:
            case [name] if name in _ASSETS:
                return self._asset(request, name)
            case [b"login"]:
                return self._login(request)
            case [name, *rest] if name.startswith(b"~"):
                # Taken off here, so that neither a log nor a message holds it.
                path, request.names = name[1:].decode("ascii", "replace") or "~", rest
        try:
            if not path and self.guard.has_token(request):
                request.trusted = True
                return self._push(request)
            session = self.guard.session(request, path)
        except Denied as denied:
            bearer = parse_bearer(request.headers.get("authorization", "")) is not None
            return _unauthorized(str(denied), denied.wait, _BEARER if bearer else _BASIC)
        if session is None:
            if _is_browser(request):
                return redirect("/login?ended" if path else "/login")
            return _unauthorized(self.guard.problem() or "The password is needed.")
        request.trusted = True
        if request.method == "POST":
            return self._act(request, session)
        if request.method == "PUT" and request.names in _PUTS:
            if not self.guard.may_act(request, session, ""):
                return plain(403, "a release is pushed with the password, not from a page")
            return _put(request)
        if request.method not in ("GET", "HEAD"):
            return plain(405, headers=[("Allow", "GET, HEAD, POST")])
        return self._show(request, session)

    def _push(self, request: Request) -> Response:
        """What a token is good for."""
        if self.guard.is_own_origin(request):
            if request.method == "PUT" and request.names in _PUTS:
                return _put(request)
            if request.method in ("GET", "HEAD") and request.names == [b"update"]:
                return push.show()
        return plain(
            403,
            "a token is for GET /update and for PUT there and to /update/wanted; this needs the password",
            [("WWW-Authenticate", f'{_BEARER}, error="insufficient_scope"')],
        )

    # Pages.

    def _show(self, request: Request, session: Session) -> Response:
        wants_json = (
            preferred(request.headers.get("accept", ""), ["text/html", "application/json"])
            == "application/json"
        )
        match [name.decode("utf-8", "replace") for name in request.names]:
            case []:
                if wants_json:
                    return _json(self._described())
                return _html(page.overview(self._described(), session))
            case ["events"]:
                return self._stream(request, session, lambda box: page.fragments(box, session))
            case ["update"]:
                return push.show()
            case ["services"]:
                if wants_json:
                    return _json(self._described()["services"])
                return redirect(f"{session.root}/", 301)
            case ["services", name]:
                return self._service(session, name, wants_json)
            case ["services", name, "events"]:
                return self._stream(
                    request, session, lambda box: page.service_fragments(box, name, session)
                )
            case ["services", name, "log"]:
                return self._log(request, session, [name])
            case ["log"]:
                return self._log(request, session, [])
        return plain(404)

    def _service(self, session: Session, name: str, wants_json: bool) -> Response:
        box = self._described()
        found = [one for one in box["services"] if one.get("name") == name]
        if not found and not box["problem"]:
            return plain(404, f"there is no service {name!r}")
        if wants_json:
            return _json(found[0]) if found else plain(503, str(box["problem"]))
        lines = self.box.last_lines([name], LINES)
        return _html(page.service(box, name, lines, session, _last(lines)))

    def _log(self, request: Request, session: Session, names: list[str]) -> Response:
        accept = preferred(
            request.headers.get("accept", ""),
            ["text/plain", "text/html", "text/event-stream", "application/json"],
        )
        if accept == "text/event-stream":
            after = request.headers.get("last-event-id") or parse_form(request.query).get(
                "after", ""
            )
            return self._follow(session, names, _number(after))
        lines = self.box.last_lines(names, LINES)
        if accept == "application/json":
            return _json(lines)
        if accept == "text/html" and not names:
            return _html(page.log(self._described(), lines, session, _last(lines)))
        text = "".join(_plain_line(line, not names) for line in lines)
        return plain(200, text.removesuffix("\n") or "nothing was logged yet")

    def _asset(self, request: Request, name: bytes) -> Response:
        kind, text = _ASSETS[name]
        if request.method not in ("GET", "HEAD"):
            return plain(405, headers=[("Allow", "GET, HEAD")])
        return Response(200, [("Content-Type", kind), ("Cache-Control", "no-cache")], text.encode())

    # Actions.

    def _login(self, request: Request) -> Response:
        if request.method != "POST":
            return self._login_form(200, "")
        if not self.guard.is_own_origin(request):
            return plain(403, "the form was sent by another page")
        form = parse_form(request.read_body(FORM).decode("latin-1"))
        try:
            token, session = self.guard.begin(form.get("password", ""), request.peer)
        except Denied as denied:
            return self._login_form(429 if denied.wait else 403, str(denied), denied.wait)
        response = redirect(f"{session.root}/")
        response.headers.append(("Set-Cookie", self.guard.cookie(request, session, token)))
        return response

    def _login_form(self, status: int, message: str, wait: float = 0.0) -> Response:
        problem = self.guard.problem()
        html = page.login(self.box.hostname(), problem or message, problem is None)
        headers = [("Content-Type", "text/html; charset=utf-8")]
        if wait:
            headers.append(("Retry-After", str(int(wait) + 1)))
        return Response(status, headers, html.encode())

    def _act(self, request: Request, session: Session) -> Response:
        form = parse_form(request.read_body(FORM).decode("latin-1"))
        if not self.guard.may_act(request, session, form.get("csrf", "")):
            return plain(
                403, "the form was sent by another page, or is out of date: reload the page"
            )
        match [name.decode("utf-8", "replace") for name in request.names]:
            case ["logout"]:
                self.guard.sessions.end(self.guard.token(request))
                response = redirect("/login?ended")
                response.headers.append(("Set-Cookie", self.guard.cookie(request, session, "")))
                return response
            case ["services", name, "start" | "stop" | "restart" as action]:
                return self._order(request, session, form, action, names=[name])
            case ["update"] if form.get("url"):
                return push.fetch(request, form["url"])
            case ["power"] if form.get("action") in ("reboot", "poweroff", "halt"):
                return self._order(request, session, form, "power", action=form["action"])
        return plain(404)

    def _order(
        self, request: Request, session: Session, form: dict[str, str], verb: str, **what: Any
    ) -> Response:
        from toolbox.control import request as ask

        words = what.get("names") or [what.get("action")]
        say(f"httpd: {request.peer}: {verb} {', '.join(map(str, words))}")
        try:
            answer = ask(verb, timeout=30.0, **what)
        except Fatal as error:
            if _is_browser(request):
                return Response(
                    502, _HTML, page.message("That did not work", str(error), session).encode()
                )
            return plain(502, str(error))
        self._latest = None
        if not _is_browser(request):
            return _json(answer)
        if verb == "power":
            return _html(
                page.message(
                    "See you",
                    "The box does as it was told. This page is gone until it runs again.",
                    session,
                )
            )
        back = form.get("back", "/")
        own = back.startswith(f"{session.root}/") and not back.startswith("//")
        return redirect(back if own else f"{session.root}/")

    # Streams (server-sent events; HTML Living Standard, 9.2).

    def _stream(
        self,
        request: Request,
        session: Session,
        render: Callable[[dict[str, Any]], dict[str, str]],
    ) -> Response:
        def changes() -> Generator[bytes]:
            shown: dict[str, str] = {}
            spoken = self.clock()
            while self._goes_on(session):
                box = self._described()
                parts = {name: page.without_ages(html) for name, html in render(box).items()}
                changed = page.changes(shown, parts)
                if changed:
                    shown, spoken = parts, self.clock()
                    if not self._goes_on(session):
                        return
                    yield _event({"time": box["time"], "html": changed})
                elif self.clock() - spoken > PING:
                    spoken = self.clock()
                    yield b": ping\n\n"
                self.stopping.wait(PACE)

        return self._sse(changes())

    def _follow(self, session: Session, names: list[str], after: int | None) -> Response:
        from toolbox.control import stream

        def lines() -> Generator[bytes]:
            place = after
            yield b": log\n\n"
            while self._goes_on(session):
                begun = self.clock()
                asked: dict[str, object] = {"lines": LINES} if place is None else {"since": place}
                try:
                    for line in stream("logs", services=names, follow=True, timeout=PING, **asked):
                        if not self._goes_on(session):
                            return
                        place = int(line.get("seq", 0))
                        yield _event({"lines": [page.log_line(line, not names)]}, place)
                except Fatal:
                    pass  # init was silent for a while, or is not there: ask again
                yield b": ping\n\n"
                if self.clock() - begun < 1.0:
                    self.stopping.wait(PACE)

        return self._sse(lines())

    def _goes_on(self, session: Session) -> bool:
        """Whether a stream may send more: the server does not stop, and the login still holds."""
        return not self.stopping.is_set() and self.guard.lives(session)

    def _sse(self, pieces: Generator[bytes]) -> Response:
        if not self._streams.acquire(blocking=False):
            return plain(503, "too many live pages are open", [("Retry-After", "10")])

        return Response(
            200, [("Content-Type", "text/event-stream")], _Counted(pieces, self._streams.release)
        )

    def _described(self) -> dict[str, Any]:
        """The box's description, at most half a pace old however many look at it."""
        with self._looking:
            latest = self._latest
            if latest is not None and self.clock() - latest[0] < PACE / 2:
                return latest[1]
            box = self.box.describe(LAST)
            self._latest = (self.clock(), box)
            return box


class _Counted:
    """An iterator whose end, however it comes, is told once."""

    def __init__(self, pieces: Generator[bytes], ended: Callable[[], None]) -> None:
        self.pieces = pieces
        self.ended: Callable[[], None] | None = ended

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def __next__(self) -> bytes:
        return next(self.pieces)

    def close(self) -> None:
        ended, self.ended = self.ended, None
        if ended is not None:
            self.pieces.close()
            ended()


_HTML = [("Content-Type", "text/html; charset=utf-8")]


#: Where a release, or its beginning, may be put.
_PUTS = ([b"update"], [b"update", b"wanted"])


def _put(request: Request) -> Response:
    return push.install(request) if request.names == _PUTS[0] else push.wanted(request)


def _html(text: str) -> Response:
    return Response(200, list(_HTML), text.encode("utf-8", "replace"))


def _json(value: object) -> Response:
    # In ASCII: it may be read on a terminal, and much of it is the services' own words.
    body = json.dumps(value, indent=1).replace("\x7f", "\\u007f").encode()
    return Response(200, [("Content-Type", "application/json")], body + b"\n")


def _event(value: object, number: int | None = None) -> bytes:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


#: How to log in, and what is said to a token that is wrong (RFC 6750, 3).
_BASIC = 'Basic realm="snakeroot", charset="UTF-8"'
_BEARER = 'Bearer realm="snakeroot"'


def _unauthorized(text: str, wait: float = 0.0, how: str = _BASIC) -> Response:
    if wait:
        return plain(429, text, [("Retry-After", str(int(wait) + 1))])
    error = ', error="invalid_token"' if how == _BEARER else ""
    return plain(401, text, [("WWW-Authenticate", how + error)])


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _number(text: str) -> int | None:
    """A line's number as a client may send it; None when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _last(lines: list[dict[str, Any]]) -> int:
    return int(lines[-1].get("seq", 0)) if lines else 0


def _plain_line(line: dict[str, Any], named: bool) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(line.get("time") or 0)))
    source = f"{line.get('service')}: " if named else ""
    return harmless(f"{stamp} {source}{line.get('text', '')}", keep="\t") + "\n"

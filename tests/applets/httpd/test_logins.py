"""Sessions of the box's page: whose they are, what they open, and when they end.

Breaks when a cookie opens anything by itself, goes to another port, or works for somebody else; or when a stream goes
on after its login.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import http.server
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from applets.httpd.guard import Guard, is_own_address
from applets.httpd.message import Request
from tests.applets.httpd.test_box_page import BASIC, BROWSER, Box, start, stored
from tests.toolbox.trust.test_sessions import Clock

__all__ = ["start", "stored"]  # fixtures

#: What there is to see and to do.
PLACES = (
    *(("GET", path) for path in ("/", "/events", "/log", "/services/hello", "/services/hello/log")),
    *(("POST", path) for path in ("/power", "/services/hello/stop", "/logout", "/update")),
    *(("GET", "/update"), ("PUT", "/update")),
)


@pytest.fixture
def box(start: Callable[..., Box]) -> Box:
    return start()


def test_the_jar_of_a_browser_gives_no_other_port_the_cookie(box: Box) -> None:
    """A service of the box that the owner looks at gets what the browser sends there."""
    seen: list[str] = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(str(self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    base = f"http://127.0.0.1:{box.daemon.port}"
    page = browser.open(f"{base}/login", b"password=correct+horse")
    root = page.url.removesuffix("/").removeprefix(base)
    assert re.fullmatch("/~[0-9a-f]{32}", root) and b"hello" in page.read()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        for path in ("/", "/log", "/~/", "/login"):
            browser.open(f"http://127.0.0.1:{service.server_address[1]}{path}")
        service.shutdown()
        thread.join()
    assert len(seen) == 4 and not any("snakeroot" in headers for headers in seen)
    assert len(list(jar)) == 1


def test_the_cookie_alone_opens_nothing(box: Box) -> None:
    headers, token = box.log_in()
    for method, path in PLACES:
        form = f"csrf={token}&action=reboot" if method == "POST" else None
        for root in ("", "/~" + "0" * 32, "/~", "/~~", box.root[:-1], f"{box.root}0", "/~\xe9"):
            if not root.isascii():
                root = "/~%C3%A9"
            answer = box.ask(method, f"{root}{path}", headers, form)
            assert answer.status == 303 and answer.headers["location"].startswith("/login"), path
            answer = box.ask(method, f"{root}{path}", {"Cookie": headers["Cookie"]}, form)
            assert answer.status == 401 and "hello" not in answer.text, path
    assert [one["verb"] for one in box.init.asked if one["verb"] not in ("list", "logs")] == []


def test_the_path_alone_opens_nothing(box: Box) -> None:
    box.log_in()
    for method, path in PLACES:
        answer = box.ask(method, f"{box.root}{path}", BROWSER)
        assert (answer.status, answer.headers["location"]) == (303, "/login?ended")
        assert box.ask(method, f"{box.root}{path}", BASIC).status == 401
        assert box.ask(method, f"{box.root}{path}").status == 401


def test_cookie_and_path_are_good_for_who_logged_in(box: Box) -> None:
    """From another address both together are nothing, and the owner's session goes on."""
    headers, token = box.log_in()
    for method, path in PLACES:
        form = f"csrf={token}&action=reboot" if method == "POST" else None
        answer = box.ask(
            method, f"{box.root}{path}", headers, form, source_address=("127.0.0.9", 0)
        )
        assert answer.status == 303 and answer.headers["location"] == "/login?ended"
    box.daemon.wait_log("127.0.0.9: a session that began elsewhere")
    assert "hello" in box.ask("GET", f"{box.root}/", headers).text
    assert [one["verb"] for one in box.init.asked if one["verb"] not in ("list", "logs")] == []


def test_the_secret_path_is_in_no_log(box: Box) -> None:
    headers, token = box.log_in()
    box.ask("GET", f"{box.root}/services/hello", headers)
    box.ask("POST", f"{box.root}/power", headers, "csrf=wrong&action=reboot")
    box.ask("GET", f"{box.root}/nothing", headers)
    box.daemon.wait_log("GET /nothing 404")
    assert not any(box.root[2:] in line or token in line for line in box.daemon.lines)


@pytest.mark.parametrize(
    "path", ["/events", "/services/hello/events", "/log", "/services/hello/log"]
)
@pytest.mark.parametrize("end", ["logout", "password", "no password"])
def test_a_stream_ends_with_its_login(box: Box, path: str, end: str, tmp_path: Path) -> None:
    headers, token = box.log_in()
    stream = box.events(f"{box.root}{path}", headers)
    next(stream)
    if end == "logout":
        assert box.ask("POST", f"{box.root}/logout", headers, f"csrf={token}").status == 303
    elif end == "password":
        box.password_file.write_text(box.password_file.read_text().replace("$ln=14", "$ln=13"))
    else:
        box.password_file.unlink()
    box.init.services["hello"]["status"] = "a secret of later"
    for number in range(20):
        box.init.log("hello", f"a secret of later {number}")
    begun = time.monotonic()
    rest = [str(event) for event in stream]
    assert "secret" not in " ".join(rest)
    assert time.monotonic() - begun < 10
    if end != "no password":
        assert box.ask("GET", f"{box.root}/", headers).status == 303


def test_a_stream_of_a_program_ends_with_its_password(box: Box) -> None:
    stream = box.events("/log", BASIC)
    next(stream)
    box.password_file.write_text(box.password_file.read_text().replace("$ln=14", "$ln=13"))
    box.init.log("hello", "a secret of later")
    assert [str(event) for event in stream if "secret" in str(event)] == []


def test_another_login_does_not_end_a_stream(box: Box) -> None:
    headers, _ = box.log_in()
    stream = box.events(f"{box.root}/log", headers)
    next(stream)
    root = box.root
    other, token = box.log_in()
    assert box.ask("POST", f"{box.root}/logout", other, f"csrf={token}").status == 303
    box.init.log("hello", "still there")
    assert any("still there" in str(event) for event in stream)
    assert box.ask("GET", f"{root}/", headers).status == 200


@pytest.mark.parametrize("after", ["9" * 5000, "9" * 19, "-1", "x", "٣", "²", "1e3", ""])
def test_odd_numbers_of_lines(box: Box, after: str) -> None:
    """The stream begins where it would without them."""
    stream = box.events(f"/services/hello/log?after={urllib.request.quote(after)}", BASIC)
    assert "script" in next(stream)["lines"][0]
    sent = {**BASIC, "Last-Event-ID": after if after.isascii() else "x"}
    assert "script" in next(box.events("/services/hello/log", sent))["lines"][0]


@pytest.mark.parametrize("action", ["stop", "start", "restart"])
def test_names_of_services_forge_no_lines(box: Box, action: str) -> None:
    name = "x%0ahttpd:%20127.0.0.1:%20wrong%20password%1b%5b2J%e2%80%ae"
    assert box.ask("POST", f"/services/{name}/{action}", BASIC, "").status == 502
    box.daemon.wait_log(rf"127.0.0.1: {action} x\\x0ahttpd: 127.0.0.1: wrong password\\x1b\[2J")
    assert not any(line.startswith("httpd: 127.0.0.1: wrong") for line in box.daemon.lines)
    assert all(line.isprintable() for line in box.daemon.lines)


def test_logs_and_statuses_are_harmless_on_a_terminal_too(box: Box) -> None:
    box.init.services["hello"]["status"] = "\x1b[31m\x9b1m\u202e\x7f"
    box.init.log("hello", "\x1b[31m\x9b1m\u202e\x7f")
    for accept in ("application/json", "text/plain", "*/*"):
        for path in ("/", "/services", "/services/hello", "/log", "/services/hello/log"):
            answer = box.ask("GET", path, {**BASIC, "Accept": accept})
            if "html" not in answer.headers["content-type"]:
                assert all(line.isprintable() for line in answer.text.split("\n")), path


# -- whose a session is, with injected addresses ---------------------------------------------------


def request(peer: str, guard: Guard, token: str) -> Request:
    import h11

    head = h11.Request(
        method="GET", target="/", headers=[("Host", "box"), ("Cookie", f"snakeroot={token}")]
    )
    return Request(head, peer)


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    from toolbox.trust.password import hash_password

    (tmp_path / "password").write_text(hash_password("right"))
    return Guard(str(tmp_path / "password"), [], Clock())


@pytest.mark.parametrize(
    ("began", "goes_on", "good"),
    [
        ("192.168.1.5", "192.168.1.5", True),
        ("192.168.1.5", "192.168.1.6", False),
        ("192.168.1.5", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("2001:db8::5", "2001:db8::6", True),  # tomorrow's address of the same browser
        ("2001:db8::5", "2001:db8:0:1::5", False),
        ("2001:db8::5", "192.168.1.5", False),
        ("::1", "::1", True),
        ("::2", "::1", False),  # in one network with it, but the box itself
    ],
)
def test_whose_a_session_is(guard: Guard, began: str, goes_on: str, good: bool) -> None:
    token, session = guard.begin("right", began)
    assert (guard.session(request(goes_on, guard, token), session.path) is session) is good
    assert guard.session(request(began, guard, token), session.path) is session


def test_sessions_end_in_time(guard: Guard) -> None:
    """A stream does not keep its login from becoming idle."""
    token, session = guard.begin("right", "192.168.1.5")
    clock = guard.clock
    assert isinstance(clock, Clock)
    for _ in range(12 * 60):
        clock.now += 59
        assert guard.lives(session)
    clock.now += 3600
    assert not guard.lives(session)
    assert guard.session(request("192.168.1.5", guard, token), session.path) is None


def test_own_addresses() -> None:
    for address in ("127.0.0.1", "127.9.9.9", "::1"):
        assert is_own_address(address), address
    for address in ("192.0.2.1", "2001:db8::1", "fe80::1234%lo"):
        assert not is_own_address(address), address


@pytest.mark.lab
def test_own_addresses_of_a_network() -> None:
    """In a namespace with addresses of both families, one of them of a link."""
    program = (
        "from applets.httpd.guard import is_own_address as own\n"
        "print([own(a) for a in ('10.1.2.3', '10.1.2.4', 'fd00:1::5', 'fd00:1::6', 'fe80::7%lo')])"
    )
    setup = (
        "ip link set lo up; ip address add 10.1.2.3/32 dev lo;"
        ' for a in fd00:1::5 fe80::7; do ip address add $a/128 dev lo nodad; done; exec "$@"'
    )
    import sys

    argv = ["unshare", "-n", "sh", "-c", setup, "sh", sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"[True, False, True, False, True]\n"

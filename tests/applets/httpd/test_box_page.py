"""The box's page: the whole program with a stand-in for init, spoken to as curl and browsers do.

Breaks when somebody gets in without the password, a foreign page can act, the JSON or the live streams
change their form, or a hostile service name or log line becomes HTML.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.applets.httpd.fake_init import FakeInit, service
from tests.daemon import Daemon, wait_until

PASSWORD = "correct horse"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"any:{PASSWORD}".encode()).decode()}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
EVIL = "<script>alert(1)"


class Answer:
    """A response that was read whole."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Box:
    """A running page and its init."""

    def __init__(self, daemon: Daemon, init: FakeInit, password_file: Path) -> None:
        self.daemon = daemon
        self.init = init
        self.password_file = password_file
        self.root = ""  # of the pages of the last login

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        form: str | None = None,
        **more: Any,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30, **more)
        sent = dict(headers or {})
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, form, sent)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def log_in(self) -> tuple[dict[str, str], str]:
        """A browser's headers after the login, and the form token of its session."""
        answer = self.ask("POST", "/login", BROWSER, "password=correct+horse")
        assert answer.status == 303
        self.root = answer.headers["location"].removesuffix("/")
        assert re.fullmatch("/~[0-9a-f]{32}", self.root)
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert f"; Path={self.root};" in cookie, "no other port of this host gets it"
        headers = {**BROWSER, "Cookie": cookie.partition(";")[0]}
        page = self.ask("GET", f"{self.root}/", headers).text
        return headers, page.partition('name="csrf" value="')[2].partition('"')[0]

    def events(self, path: str, headers: dict[str, str]) -> Iterator[dict[str, Any]]:
        """The objects of a live stream as they come."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=30)
        connection.request("GET", path, headers={**headers, "Accept": "text/event-stream"})
        response = connection.getresponse()
        assert response.status == 200
        assert response.getheader("content-type") == "text/event-stream"
        try:
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            response.close()
            connection.close()


@pytest.fixture(scope="module")
def stored(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> bytes:
    import subprocess

    argv = [*toolbox_argv, "httpd", "-m", PASSWORD]
    return subprocess.run(argv, env=toolbox_env, capture_output=True, check=True).stdout


@pytest.fixture
def start(
    tmp_path: Path, stored: bytes, toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> Iterator[Callable[..., Box]]:
    """Start a page with these further arguments."""
    init = FakeInit(str(tmp_path / "init.sock"))
    init.services = {
        one["name"]: one
        for one in (
            service("hello", status="serving", restarts=3),
            service("broken", "failed", exit="exit 1"),
            service(f"x{EVIL}", "stopped"),
        )
    }
    init.log("hello", f"line {EVIL}")
    init.log("kernel", "link up")
    password = tmp_path / "password"
    password.write_bytes(stored)
    daemons: list[Daemon] = []

    def begin(*arguments: str) -> Box:
        argv = [*toolbox_argv, "httpd", "--box", "-fv", "-p", "127.0.0.1:0", "--password-file"]
        env = {**toolbox_env, "SNAKEROOT_CONTROL": init.path}
        daemons.append(Daemon([*argv, str(password), *arguments], env))
        return Box(daemons[-1], init, password)

    yield begin
    for daemon in daemons:
        assert daemon.stop() == 0
    init.close()


@pytest.fixture
def box(start: Callable[..., Box]) -> Box:
    return start()


def test_without_the_password_there_is_nothing(box: Box) -> None:
    for path in ("/", "/events", "/services/hello", "/services/hello/log", "/log", "/nothing"):
        answer = box.ask("GET", path)
        assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Basic ")
        assert "hello" not in answer.text
        answer = box.ask("GET", path, BROWSER)
        assert (answer.status, answer.headers["location"]) == (303, "/login")
    for path in ("/services/hello/stop", "/power", "/logout"):
        assert box.ask("POST", path, form="action=reboot").status == 401
    assert box.ask("GET", "/", {"Authorization": "Basic eDp5"}).status == 401
    assert box.ask("GET", "/", {"Cookie": f"snakeroot_{box.daemon.port}=" + "0" * 64}).status == 401
    assert [one["verb"] for one in box.init.asked] == []


def test_the_description_as_json(box: Box) -> None:
    answer = box.ask("GET", "/", {**BASIC, "Accept": "application/json"})
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    found = answer.json
    assert found["hostname"] == socket.gethostname() and found["problem"] is None
    assert found["uptime"] > 0 and len(found["load"]) == 3 and found["processors"] >= 1
    assert 0 < found["memory"]["used"] < found["memory"]["total"]
    for disk in found["disks"]:
        assert 0 <= disk["used"] <= disk["size"]
    for address in found["addresses"]:
        assert set(address) == {"interface", "family", "address", "prefix"}
    hello = found["services"][0]
    assert (hello["name"], hello["state"], hello["restarts"]) == ("hello", "running", 3)
    assert hello["log"][0]["text"] == f"line {EVIL}"
    one = box.ask("GET", "/services/hello", {**BASIC, "Accept": "application/json"})
    assert one.json["status"] == "serving"
    assert box.ask("GET", "/services/none", BASIC).status == 404


def test_one_question_is_enough(box: Box) -> None:
    """However many services there are, init is asked once for a page."""
    for number in range(50):
        box.init.services[f"s{number}"] = service(f"s{number}")
        box.init.log(f"s{number}", f"line {number}")
    found = box.ask("GET", "/", {**BASIC, "Accept": "application/json"}).json
    assert found["services"][-1]["log"][-1]["text"] == "line 49"
    assert box.init.asked == [{"verb": "list", "log": 2}]


def test_the_page_is_html_that_escapes_everything(box: Box) -> None:
    for path in ("/", "/services/hello", "/services/x%3Cscript%3Ealert(1)", "/log"):
        answer = box.ask("GET", path, {**BASIC, **BROWSER})
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/html"), path
        assert EVIL not in answer.text and "alert(1)" in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
    for path in ("/box.css", "/box.js", "/box.svg"):
        assert box.ask("GET", path).status == 200
    assert box.ask("GET", "/login").text.count("<form") == 1


def test_login_session_and_logout(box: Box) -> None:
    headers, token = box.log_in()
    assert len(token) == 64
    assert "hello" in box.ask("GET", f"{box.root}/", headers).text
    answer = box.ask("POST", f"{box.root}/logout", headers, f"csrf={token}")
    assert answer.status == 303 and "Max-Age=0" in answer.headers["set-cookie"]
    assert answer.headers["location"] == "/login?ended"
    answer = box.ask("GET", f"{box.root}/", headers)
    assert (answer.status, answer.headers["location"]) == (303, "/login?ended")
    answer = box.ask("POST", "/login", BROWSER, "password=wrong")
    assert answer.status == 403 and "wrong" in answer.text and "set-cookie" not in answer.headers


def test_wrong_passwords_are_slowed_down_but_sessions_go_on(box: Box) -> None:
    headers, _ = box.log_in()
    answers = [box.ask("POST", "/login", BROWSER, "password=wrong") for _ in range(7)]
    assert [one.status for one in answers[:4]] == [403] * 4 and answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert box.ask("GET", "/", {"Authorization": "Basic eDp5"}).status == 429
    assert box.ask("GET", f"{box.root}/", headers).status == 200
    box.daemon.wait_log("127.0.0.1: wrong password")


def test_actions(box: Box) -> None:
    headers, token = box.log_in()
    back = f"{box.root}/services/hello"
    answer = box.ask(
        "POST",
        f"{box.root}/services/hello/stop",
        headers,
        f"csrf={token}&back={back.replace('/', '%2F')}",
    )
    assert (answer.status, answer.headers["location"]) == (303, back)
    assert box.init.asked[-1] == {"verb": "stop", "names": ["hello"]}
    assert "stopped" in box.ask("GET", back, headers).text
    for place in ("//evil.example/", "/", "http://evil.example/", "/~0/"):
        answer = box.ask("POST", f"{back}/start", headers, f"csrf={token}&back={place}")
        assert answer.headers["location"] == f"{box.root}/"
    assert box.ask("POST", "/services/hello/restart", BASIC, "").json["ok"] is True
    assert box.ask("POST", "/power", {**BASIC}, "action=reboot").status == 200
    assert box.init.asked[-1] == {"verb": "power", "action": "reboot"}
    answer = box.ask("POST", f"{box.root}/services/none/start", headers, f"csrf={token}")
    assert answer.status == 502 and "no such service: none" in answer.text
    for path, form in (("/power", "action=explode"), ("/services/hello/kill", ""), ("/", "")):
        assert box.ask("POST", path, BASIC, form).status == 404
    assert box.ask("DELETE", "/", BASIC).status == 405
    box.daemon.wait_log("127.0.0.1: stop hello")


def test_foreign_pages_cannot_act(box: Box) -> None:
    headers, token = box.log_in()
    before = len(box.init.asked)
    foreign = {"Origin": "http://evil.example"}
    for sent, form in (
        (headers, ""),
        (headers, "csrf=" + "0" * 64),
        ({**headers, **foreign}, f"csrf={token}"),
        ({**BASIC, **foreign}, ""),
        ({**BASIC, "Origin": "null"}, ""),
        ({**BASIC, "Sec-Fetch-Site": "cross-site"}, ""),
        ({**headers, "Sec-Fetch-Site": "same-site"}, f"csrf={token}"),
    ):
        path = f"{box.root if 'Cookie' in sent else ''}/services/hello/stop"
        assert box.ask("POST", path, sent, form).status == 403, (sent, form)
    assert box.ask("POST", "/login", foreign, "password=correct+horse").status == 403
    assert len(box.init.asked) == before
    own = {
        **headers,
        "Origin": f"http://127.0.0.1:{box.daemon.port}",
        "Sec-Fetch-Site": "same-origin",
    }
    path = f"{box.root}/services/hello/stop"
    assert box.ask("POST", path, own, f"csrf={token}").status == 303


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("localhost:8080", 200),
        (socket.gethostname(), 200),
        (f"{socket.gethostname()}.local", 200),
        ("extra.example", 200),
        ("evil.example", 421),
        (f"{socket.gethostname()}.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
def test_the_name_that_is_asked_for(start: Callable[..., Box], host: str, status: int) -> None:
    """A foreign name that leads to our address (DNS rebinding) is refused."""
    assert (
        start("--name", "extra.example").ask("GET", "/", {**BASIC, "Host": host}).status == status
    )


def test_live_changes(box: Box) -> None:
    headers, _ = box.log_in()
    events = box.events(f"{box.root}/events", headers)
    first = next(events)
    assert set(first["html"]) >= {"services", "tiles", "problem", "tail-hello"}
    assert EVIL not in json.dumps(first)
    box.init.services["hello"] = service("hello", "backoff", exit="signal 9")
    until = time.monotonic() + 20
    while "signal 9" not in next(events)["html"].get("services", ""):
        assert time.monotonic() < until
    box.init.log("hello", "just now")
    while "just now" not in next(events)["html"].get("tail-hello", ""):
        assert time.monotonic() < until
    events.close()
    events = box.events(f"{box.root}/services/hello/events", headers)
    assert "signal 9" in next(events)["html"]["service"]
    events.close()


def test_live_log(box: Box) -> None:
    events = box.events("/services/hello/log?after=0", BASIC)
    assert "line &lt;script&gt;" in next(events)["lines"][0]
    for number in range(5):
        box.init.log("other", "not this")
        box.init.log("hello", f"number {number}")
        assert f"number {number}" in next(events)["lines"][0]
    events.close()
    assert box.ask("GET", "/services/hello/log", BASIC).text.endswith("number 4\n")
    everything = box.ask("GET", "/log", BASIC).text
    assert "kernel: link up" in everything and "other: not this" in everything
    after = box.events("/log", {**BASIC, "Last-Event-ID": "11"})
    assert "number 4" in next(after)["lines"][0]
    after.close()


def test_streams_are_few_and_freed(box: Box) -> None:
    streams = []
    for _ in range(24):
        streams.append(box.events("/events", BASIC))
        next(streams[-1])
    assert box.ask("GET", "/events", BASIC).status == 503
    assert box.ask("GET", "/", BASIC).status == 200
    for stream in streams:
        stream.close()

    def free() -> bool:
        try:
            stream = box.events("/services/hello/events", BASIC)
            next(stream)
            stream.close()
        except AssertionError:
            return False
        return True

    box.init.services["hello"] = service(
        "hello", "stopped"
    )  # the next write finds out that they are gone
    wait_until(free, 60)


def test_when_init_does_not_answer(box: Box) -> None:
    box.init.refuse = "init is busy"
    answer = box.ask("GET", "/", {**BASIC, **BROWSER})
    assert answer.status == 200 and "init is busy" in answer.text
    assert box.ask("GET", "/services/hello", {**BASIC, **BROWSER}).status == 200
    assert box.ask("POST", "/services/hello/stop", BASIC, "").status == 502
    box.init.close()
    answer = box.ask("GET", "/", {**BASIC, "Accept": "application/json"})
    assert answer.status == 200 and answer.json["services"] == []


def test_the_password_file(box: Box, start: Callable[..., Box], stored: bytes) -> None:
    """It is read for each login: a new password works at once, and without one nobody gets in."""
    assert box.ask("GET", "/", BASIC).status == 200
    box.password_file.unlink()
    answer = box.ask("GET", "/", BASIC)
    assert answer.status == 401 and "No password is set" in answer.text
    answer = box.ask("GET", "/login", BROWSER)
    assert "No password is set" in answer.text and "<form" not in answer.text
    box.password_file.write_text("geheim\n")
    assert "damaged" in box.ask("GET", "/login", BROWSER).text
    other = start()
    assert "damaged" in " ".join(other.daemon.lines)
    box.password_file.write_bytes(stored)
    assert box.ask("GET", "/", BASIC).status == 200


def test_a_form_that_is_too_long(box: Box) -> None:
    assert box.ask("POST", "/login", BROWSER, "password=" + "x" * 10_000).status == 413
    assert box.ask("POST", "/login", BROWSER, "password=%zz").status == 400
    assert box.ask("GET", "/login").status == 200


def test_it_stops_at_once_with_open_streams(box: Box) -> None:
    events = box.events("/events", BASIC)
    next(events)
    idle = socket.create_connection(("127.0.0.1", box.daemon.port))
    begun = time.monotonic()
    assert box.daemon.stop() == 0
    assert time.monotonic() - begun < 5
    idle.close()
    events.close()

"""The control server against hostile clients, in one process: breaks when junk, silence or slowness of a
client raises, blocks, or grows memory without bound."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from applets.init import control
from applets.init import verbs as control_verbs
from applets.init.checks import VERBS
from applets.init.config import parse
from applets.init.supervisor import Clocks, Supervisor


class Box:
    """A supervisor whose clock stands still but for `now`, turned by hand."""

    def __init__(self, path: str) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        clocks = Clocks(lambda: self.now, lambda: self.now + 1e9, lambda: 0.0)
        self.box = Supervisor(clocks, self.said.append, {})
        self.path = path
        self.box.server.listen(path)
        self.box.add_services(parse(b'{"services": {"a": {}, "b": {}}}'))
        self.box.settle()
        self.box.logs.add("a", b"hello", self.now)

    def turn(self, times: int = 3) -> None:
        for _ in range(times):
            self.box.loop.turn(0)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(self.path)
        self.turn()
        return client

    def ask(self, data: bytes) -> list[Any]:
        """Send, let the server work, and take what it answers up to now."""
        with self.connect() as client:
            client.sendall(data)
            self.turn(6)
            client.setblocking(False)
            got = b""
            try:
                while block := client.recv(1 << 20):
                    got += block
            except BlockingIOError:
                pass
        self.turn()
        return [json.loads(line) for line in got.splitlines()]

    @property
    def clients(self) -> set[control.Client]:
        return self.box.server.clients


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with tempfile.TemporaryDirectory() as folder:
        made = Box(os.path.join(folder, "s"))
        yield made
        made.box.close()


def test_several_requests_of_one_client_are_answered_in_order(box: Box) -> None:
    answers = box.ask(b'{"verb":"list"}\n\n{"verb":"status","name":"a"}\n{"verb":"x"}\n')
    assert [s["name"] for s in answers[0]["services"]] == ["a", "b"]
    assert (answers[1]["ok"], answers[1]["state"]) == (True, "failed")
    assert answers[2]["error"].startswith("unknown verb 'x'")


REFUSED = [
    (b"junk\n", "not JSON"),
    (b"\xff\n", "not JSON"),
    (b"[" * 60000 + b"\n", "not JSON"),
    (b"1\n", 'a request is an object with a "verb"'),
    (b'{"verb":1}\n', 'a request is an object with a "verb"'),
    (b'{"verb":"status"}\n', "there is no service None"),
    (b'{"verb":"status","name":["a"]}\n', "there is no service ['a']"),
    (b'{"verb":"start"}\n', '"names" is a list of services'),
    (b'{"verb":"start","names":"a"}\n', '"names" is a list of names'),
    (b'{"verb":"start","names":["z"]}\n', "there is no service 'z'"),
    (b'{"verb":"start","names":["a"]}\n', "a: 'command' is missing"),
    (b'{"verb":"power"}\n', '"action" is reboot, poweroff or halt'),
    (b'{"verb":"power","action":"halt","when":"x"}\n', '"when" is closed'),
    (b'{"verb":"power","action":"halt","after":61}\n', '"after" is a number of seconds up to 60'),
    (b'{"verb":"power","action":"halt","after":NaN}\n', '"after" is a number of seconds up to 60'),
    (b'{"verb":"power","action":"halt","after":-0.5}\n', '"after" is a number of seconds up to 60'),
    (b'{"verb":"logs","lines":-1}\n', '"lines" and "since" are numbers'),
    (b'{"verb":"logs","lines":true}\n', '"lines" and "since" are numbers'),
    (b'{"verb":"logs","services":{"a":1}}\n', '"services" is a list of names'),
    (b'{"verb":"list","log":-1}\n', '"log" is a number of lines up to 16'),
    (b'{"verb":"list","log":17}\n', '"log" is a number of lines up to 16'),
    (b'{"verb":"list","log":true}\n', '"log" is a number of lines up to 16'),
    (b'{"verb":"list","log":"2"}\n', '"log" is a number of lines up to 16'),
    (b"x" * (control.MAX_REQUEST + 1), "a request has at most"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_what_is_no_request_is_refused(box: Box, data: bytes, message: str) -> None:
    answers = box.ask(data)
    assert message in answers[-1]["error"]
    assert box.ask(b'{"verb":"list"}\n')[0]["ok"]


def test_the_lines_of_an_answer_sort_by_time_as_they_were_said(box: Box) -> None:
    """Also when the two clocks are never read at quite the same moment: `logs` sorts by time."""
    for text in (b"1", b"2", b"3"):
        box.box.logs.add("b", text, box.now)
    clocks, late = box.box.clocks, itertools.count()
    steady = clocks.time
    # Every reading is a little earlier than the one before: a busy machine held us up in between.
    clocks.time = lambda: steady() - next(late) / 1000
    try:
        lines = box.ask(b'{"verb":"logs","services":["b"]}\n')
    finally:
        clocks.time = steady
    assert next(late) > 0
    assert [line["text"] for line in sorted(lines, key=lambda line: line["time"])] == list("123")


def test_a_follower_sees_that_the_clock_was_set(box: Box) -> None:
    clocks = box.box.clocks
    steady = clocks.time
    with box.connect() as client, client.makefile("rb") as lines:
        try:
            client.sendall(b'{"verb":"logs","services":["a"],"lines":0,"follow":true}\n')
            box.turn()
            clocks.time = lambda: steady() + 3600
            box.box.logs.add("a", b"later", box.now)
            box.turn()
            assert json.loads(lines.readline())["time"] == steady() + 3600
        finally:
            clocks.time = steady
    box.turn()


verbs = st.sampled_from([*(v for v in control_verbs.VERBS if v != "power"), "", "x"])
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("a"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
requests = st.builds(
    lambda verb, rest: json.dumps({**rest, "verb": verb}).encode() + b"\n",
    verbs,
    st.dictionaries(
        st.sampled_from(["names", "name", "services", "lines", "since", "follow", "wait"]), junk
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests | st.binary(max_size=50), max_size=4))
def test_nothing_that_is_sent_hurts(box: Box, sent: list[bytes]) -> None:
    said = len(box.said)
    for answer in box.ask(b"".join(sent)):
        assert isinstance(answer, dict)
    assert box.said[said:] == []  # "internal error" would be said
    assert box.ask(b'{"verb":"list"}\n')[0]["ok"]


def test_one_who_says_nothing_is_sent_away(box: Box) -> None:
    with box.connect() as client:
        client.sendall(b'{"verb":')
        box.turn()
        box.now += control.SILENCE - 1
        box.turn()
        assert len(box.clients) == 1
        box.now += 2
        box.turn()
        assert len(box.clients) == 0
        assert client.recv(1) == b""


def test_too_many_clients_are_refused_and_room_comes_back(box: Box) -> None:
    clients = [box.connect() for _ in range(control.MAX_CLIENTS)]
    with box.connect() as late:
        assert json.loads(late.recv(1000)) == {"error": "too many clients"}
    for client in clients:
        client.close()
    box.turn(30)
    assert len(box.clients) == 0
    assert box.ask(b'{"verb":"list"}\n')[0]["ok"]


def test_a_follower_that_does_not_read_costs_a_bounded_buffer(box: Box) -> None:
    with box.connect() as client:
        client.sendall(b'{"verb":"logs","follow":true}\n')
        box.turn()
        (server_side,) = box.clients
        for _ in range(5000):
            box.box.logs.add("a", b"y" * 1000, box.now)
            if _ % 50 == 0:
                box.turn(1)
        assert len(server_side.waiting) < 2 * control.HIGH_WATER + (1 << 19)
        # It reads on without a line doubled, and knows by the numbers what it missed.
        client.setblocking(False)
        got = b""
        for _ in range(2000):
            box.turn(1)
            try:
                got += client.recv(1 << 16)
            except BlockingIOError:
                break
        numbers = [json.loads(line)["seq"] for line in got.splitlines()]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == box.box.logs.seq
    box.turn()
    assert len(box.clients) == 0


def test_a_follower_that_goes_away_is_forgotten_even_when_nothing_is_logged(box: Box) -> None:
    client = box.connect()
    client.sendall(b'{"verb":"logs","follow":true}\n')
    box.turn()
    client.shutdown(socket.SHUT_WR)
    box.turn()
    assert len(box.clients) == 1  # it may still want to read
    client.close()
    box.now += control.GONE + 1
    box.turn()
    assert len(box.clients) == 0


def test_a_watcher_gets_each_service_and_then_changes(box: Box) -> None:
    with box.connect() as client:
        client.sendall(b'{"verb":"watch"}\n')
        box.turn()
        lines = client.makefile("rb")
        assert [json.loads(lines.readline())["name"] for _ in "ab"] == ["a", "b"]
        box.box.services["b"].status = "news"
        box.box.settle()
        box.turn()
        assert json.loads(lines.readline())["status"] == "news"
        lines.close()
    box.turn()


def test_an_exception_in_a_callback_is_a_line_and_no_end(box: Box) -> None:
    def broken() -> None:
        raise RuntimeError("oops")

    box.box.loop.at(box.now, broken)
    box.turn()
    assert "internal error (timer): RuntimeError: oops" in box.said[-1]
    assert box.ask(b'{"verb":"list"}\n')[0]["ok"]


@pytest.fixture
def leaving(box: Box, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the box was told to do at its end."""
    found: list[str] = []
    monkeypatch.setattr(box.box, "leave", found.append)
    return found


def test_the_end_waits_until_who_asks_for_it_has_ended(box: Box, leaving: list[str]) -> None:
    with box.connect() as client:
        client.sendall(b'{"verb":"power","action":"reboot","when":"closed"}\n')
        box.turn()
        assert json.loads(client.recv(100)) == {"ok": True}
        box.turn()
        assert leaving == []
    box.turn()
    assert leaving == ["reboot"]


def test_it_does_not_wait_for_ever(box: Box, leaving: list[str]) -> None:
    with box.connect() as client:
        client.sendall(b'{"verb":"power","action":"halt","when":"closed"}\n')
        box.turn()
        box.now += control.SILENCE + 1
        box.turn()
        assert leaving == ["halt"]
    box.turn()
    assert leaving == ["halt"]


def test_a_program_asks_for_what_is_to_be_done_when_it_has_ended(
    box: Box, leaving: list[str]
) -> None:
    script = (
        "from toolbox import control\n"
        "control.when_ended('power', action='reboot')\n"
        "print('said', flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": os.getcwd(), "SNAKEROOT_CONTROL": box.path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdin
        assert program.stdout
        os.set_blocking(program.stdout.fileno(), False)
        while not program.stdout.read():
            box.box.loop.turn(0.05)
        box.turn()
        assert leaving == []
        program.stdin.close()
        program.wait(20)
    box.turn()
    assert leaving == ["reboot"]


def test_a_list_holds_the_last_lines_of_each(box: Box) -> None:
    """So that whoever shows all services with their last words asks once."""
    before = [len(box.box.logs.last("a", 99)), len(box.box.logs.last("b", 99))]
    for number in range(5):
        box.box.logs.add("b", b"line %d" % number, box.now)
    for count, texts in ((0, []), (2, ["line 3", "line 4"]), (16, [f"line {n}" for n in range(5)])):
        a, b = box.ask(b'{"verb":"list","log":%d}\n' % count)[0]["services"]
        assert [line["text"] for line in b["log"]][-len(texts) or 99 :] == texts
        assert len(b["log"]) == min(count, 5 + before[1]) and len(a["log"]) == min(count, before[0])
    assert all("log" not in one for one in box.ask(b'{"verb":"list"}\n')[0]["services"])


def test_the_verbs_that_a_services_file_may_name_are_those_that_there_are() -> None:
    assert set(VERBS) == set(control_verbs.VERBS) - control_verbs.ROOTS_ALONE


def test_a_service_may_ask_for_what_its_file_says(box: Box) -> None:
    path = box.box.server.listen_for("a", os.geteuid(), ["list", "logs"])
    assert path == f"{box.path}.a"
    assert box.box.server.listen_for("a", os.geteuid(), ["list"]) == path, "made once"
    assert os.stat(path).st_mode & 0o777 == 0o600
    former, box.path = box.path, path
    try:
        assert box.ask(b'{"verb":"list"}\n')[0]["ok"]
        assert box.ask(b'{"verb":"power","action":"halt"}\n') == [
            {"error": "this service may not ask for 'power'"}
        ]
        assert box.ask(b'{"verb":"nonsense"}\n')[0]["error"].startswith("unknown verb")
    finally:
        box.path = former
    assert box.ask(b'{"verb":"status","name":"a"}\n')[0]["ok"]


@pytest.mark.lab
def test_another_user_is_sent_away(box: Box) -> None:
    path = box.box.server.listen_for("b", 1000, ["list"])
    os.chmod(path, 0o666)  # as if somebody had opened it
    os.chmod(os.path.dirname(path), 0o755)
    for uid, words in ((1001, b"another user's"), (1000, b'"ok"')):
        reading, writing = os.pipe()
        if not (child := os.fork()):
            try:
                os.setuid(uid)
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(20)
                    client.connect(path)
                    if uid == 1000:
                        client.send(b'{"verb":"list"}\n')
                    os.write(writing, client.recv(1000))
            finally:
                os._exit(0)
        os.close(writing)
        os.set_blocking(reading, False)
        said = b""
        while not said:
            box.box.loop.turn(0.02)
            with contextlib.suppress(BlockingIOError):
                said = os.read(reading, 1000) or b"nothing"
        assert words in said
        os.waitpid(child, 0)
        os.close(reading)
    box.turn()


@pytest.mark.lab
def test_a_service_is_told_its_own_way_to_init(tmp_path_factory: pytest.TempPathFactory) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Box(os.path.join(folder, "s"))
        service = {"command": ["/none"], "user": "nobody", "control": ["list"]}
        config = parse(
            json.dumps({"services": {"page": service, "r": {"command": ["x"]}}}).encode()
        )
        assert made.box._control_of("page", config.services["page"]) == {
            "SNAKEROOT_CONTROL": f"{made.path}.page"
        }
        assert os.stat(f"{made.path}.page").st_uid == 65534
        assert made.box._control_of("r", config.services["r"]) == {}
        made.box.close()
        assert os.listdir(folder) == []

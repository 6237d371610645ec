"""Every way to present a secret to httpd, before and after the owner used it, locked and not.

Breaks when one of them has a way of its own round the limit, when a wrong secret of one kind locks out another kind,
or when guesses and logins are not told.
"""

from __future__ import annotations

import base64
import http.client
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.applets.httpd.fake_init import FakeInit
from tests.daemon import Daemon
from toolbox.trust import tokens

RIGHT = {"password": "correct horse", "token": "5eed" * 16}
OWNER, THIEF = "127.0.0.1", "127.0.0.77"

#: What httpd says to who is right, by the way in which the secret comes.
WAYS = {"basic": 200, "form": 303, "token": 503, "file": 200, "file in clear": 200}


class Server:
    """A server that guards something by one of the ways."""

    def __init__(self, way: str, daemon: Daemon) -> None:
        self.way = way
        self.kind = "token" if way == "token" else "password"
        self.daemon = daemon

    def ask(self, peer: str, secret: str) -> http.client.HTTPResponse:
        """The answer to the secret, sent from the address."""
        method, path, body, headers = "GET", "/", None, {}
        if self.way == "token":
            path, headers = "/update", {"Authorization": f"Bearer {secret}"}
        elif self.way == "form":
            method, path, body = "POST", "/login", f"password={secret.replace(' ', '+')}"
        else:
            path = "/private/x" if "file" in self.way else "/"
            code = base64.b64encode(f"owner:{secret}".encode()).decode()
            headers = {"Authorization": f"Basic {code}"}
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.daemon.port, timeout=60, source_address=(peer, 0)
        )
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    def status(self, peer: str, secret: str) -> int:
        return self.ask(peer, secret).status

    def lock(self, peer: str) -> None:
        """Guess until nothing is heard for some seconds: on a busy machine a guess may take as long as a try is worth."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            answer = self.ask(peer, "guess")
            assert answer.status in (401, 403, 429)
            if answer.status == 429 and int(answer.getheader("retry-after") or "0") > 4:
                return
        raise AssertionError(f"{peer} is not locked")

    @property
    def right(self) -> str:
        return RIGHT[self.kind]


@pytest.fixture(scope="module")
def stored(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> str:
    argv = [*toolbox_argv, "httpd", "-m", RIGHT["password"]]
    return subprocess.run(
        argv, env=toolbox_env, capture_output=True, check=True, text=True
    ).stdout.strip()


@pytest.fixture
def serve(
    tmp_path: Path, stored: str, toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> Iterator[Callable[[str], Server]]:
    started: list[Daemon] = []
    init = FakeInit(str(tmp_path / "init.sock"))
    (tmp_path / "password").write_text(f"{stored}\n")
    (tmp_path / "tokens").write_text(tokens.hash_token(RIGHT["token"]) + "\n")
    (tmp_path / "home" / "private").mkdir(parents=True)
    (tmp_path / "home" / "private" / "x").write_text("private")

    def begin(way: str) -> Server:
        argv = [*toolbox_argv, "httpd", "-f", "-p", "127.0.0.1:0"]
        if "file" in way:
            secret = RIGHT["password"] if "clear" in way else stored
            (tmp_path / "conf").write_text(f"/private:owner:{secret}\n")
            argv += ["-h", str(tmp_path / "home"), "-c", str(tmp_path / "conf")]
        else:
            argv += ["--box", f"--password-file={tmp_path}/password"]
            argv += [f"--token-file={tmp_path}/tokens"]
        # There is no `update` here: with a right token the answer is 503.
        env = {**toolbox_env, "SNAKEROOT_CONTROL": init.path, "PATH": "/nonexistent"}
        started.append(Daemon(argv, env))
        return Server(way, started[-1])

    yield begin
    for daemon in started:
        assert daemon.stop() == 0
    init.close()


@pytest.mark.parametrize("locked", [False, True], ids=["free", "locked"])
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way(serve: Callable[[str], Server], way: str, used: bool, locked: bool) -> None:
    server = serve(way)
    if used:
        assert server.status(OWNER, server.right) == WAYS[way]
    if locked:
        server.lock(THIEF)
        answers = [server.ask(THIEF, secret) for secret in ("guess", server.right, "guess")]
        assert [one.status for one in answers] == [429] * 3
        assert len({one.getheader("content-length") for one in answers}) == 1
        assert all(int(one.getheader("retry-after") or "0") >= 1 for one in answers)
        server.daemon.wait_log(rf"{THIEF}: too many wrong {server.kind}s: refused unheard")
    else:
        assert server.status(THIEF, "guess") in (401, 403)
        assert server.status(THIEF, server.right) == WAYS[way]
    assert server.status(OWNER, server.right) == WAYS[way], "the owner elsewhere is not kept out"
    server.daemon.wait_log(rf"{THIEF}: wrong {server.kind}$")
    server.daemon.wait_log(rf"{OWNER}: right {server.kind}$")
    if way == "form":
        server.daemon.wait_log(rf"{OWNER}: logged in$")


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
@pytest.mark.parametrize("way", WAYS)
def test_thirty_guesses_at_once(serve: Callable[[str], Server], way: str, used: bool) -> None:
    """Five are heard, whatever they are; the right one among the others is not."""
    server = serve(way)
    if used:
        assert server.status(OWNER, server.right) == WAYS[way]
    assert server.status(THIEF, "first") in (401, 403)
    answers: list[int] = []
    begun = time.monotonic()

    def guess(number: int) -> None:
        answers.append(server.status(THIEF, f"guess{number}"))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(29)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = sum(line.endswith(f"wrong {server.kind}") for line in server.daemon.lines)
    most = 5 + (time.monotonic() - begun) / 10  # one is forgiven in ten seconds
    assert 5 <= heard <= most and set(answers) <= {401, 403, 429}
    assert answers.count(429) >= 30 - most
    server.lock(THIEF)
    assert server.status(THIEF, server.right) == 429


def test_wrong_tokens_keep_nobody_from_the_password(serve: Callable[[str], Server]) -> None:
    server = serve("token")
    server.lock(OWNER)
    assert server.status(OWNER, server.right) == 429
    server.way = "basic"
    assert server.status(OWNER, RIGHT["password"]) == 200
    server.lock(THIEF)
    server.way = "token"
    assert server.status(THIEF, server.right) == WAYS["token"], "nor wrong passwords from the token"


def test_a_thousand_sources_of_wrong_tokens(serve: Callable[[str], Server]) -> None:
    server = serve("token")
    for number in range(1100):
        peer = f"127.1.{number // 200}.{number % 200 + 1}"
        assert server.status(peer, "0" * 64) == 401
        assert server.status(peer, "1" * 64) == 401
    assert server.status("127.2.0.1", server.right) == WAYS["token"]
    wrong = [line for line in server.daemon.lines if line.endswith("wrong token")]
    assert len(wrong) < 20, "and the log holds them counted"


def test_a_changed_password_is_what_counts(
    serve: Callable[[str], Server], tmp_path: Path, run: Callable[..., object]
) -> None:
    server = serve("basic")
    assert server.status(OWNER, server.right) == 200
    changed = getattr(run("httpd", "-m", "another"), "out", b"")
    (tmp_path / "password").write_bytes(changed)
    assert server.status(OWNER, server.right) == 401
    assert server.status(OWNER, "another") == 200

"""Releases by HTTP, with a stand-in for the program `update`.

Breaks when a release is taken without the password or from a page, its bytes change on the way, the page's
memory grows with it, or what the updater says is lost.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.applets.httpd.fake_init import FakeInit
from tests.daemon import Daemon
from toolbox.trust import tokens

PASSWORD = "correct horse"
TOKEN, WRONG = "5eed" * 16, "bad0" * 16
BASIC = "Basic " + base64.b64encode(f"any:{PASSWORD}".encode()).decode()

#: Says what it was given; refuses a release that begins with "bad" before it has read the rest.
UPDATE = """#!/bin/sh
case "$1 $2" in
"show --json") echo '{"slot": "a"}' ;;
"apply -")
  head -c 3 > first
  if [ "$(cat first)" = bad ]; then echo "trying" ; echo "update: it is bad" >&2; exit 1; fi
  (cat first; cat) | sha256sum ;;
"apply talk") yes "a line of many" | head -c 5000000; echo; echo "update: the last line" >&2; exit 1 ;;
"apply much") yes "a line of many" | head -c 5000000 ;;
"apply left") sleep 100 & echo "left somebody behind" ;;
"wanted -") echo "bytes=0-$(wc -c)" ;;
*) echo "$@" ;;
esac
"""


@pytest.fixture
def page(tmp_path: Path, toolbox_argv: list[str], toolbox_env: dict[str, str]) -> Iterator[Daemon]:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "update"
    program.write_text(UPDATE)
    program.chmod(0o755)
    hashed = subprocess.run(
        [*toolbox_argv, "httpd", "-m", PASSWORD], env=toolbox_env, capture_output=True, check=True
    )
    (tmp_path / "password").write_bytes(hashed.stdout)
    (tmp_path / "tokens").write_text(f"{tokens.hash_token(TOKEN)} the test's\n")
    init = FakeInit(str(tmp_path / "init.sock"))
    env = {
        **toolbox_env,
        "SNAKEROOT_CONTROL": init.path,
        "PATH": f"{tmp_path}/bin:{toolbox_env['PATH']}",
    }
    words = ["httpd", "--box", "-p", "127.0.0.1:0", f"--password-file={tmp_path}/password"]
    words.append(f"--token-file={tmp_path}/tokens")
    daemon = Daemon([*toolbox_argv, *words], env, cwd=tmp_path)
    yield daemon
    assert daemon.stop() == 0
    init.close()


def curl(
    page: Daemon, *words: str, login: bool = True, token: str = "", path: str = "/update"
) -> tuple[str, str]:
    """The status and what was answered."""
    user = ("-u", f"box:{PASSWORD}") if login else ()
    if token:
        user = ("-H", f"Authorization: Bearer {token}")
    done = subprocess.run(
        [
            *("curl", "-s", "-m", "60", "-w", "\n%{http_code}", *user, *words),
            f"http://127.0.0.1:{page.port}{path}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    text, _, status = done.stdout.rpartition("\n")
    return status, text


def resident(page: Daemon) -> int:
    """The most memory that the page ever had, in KiB."""
    for line in Path(f"/proc/{page.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_reaches_the_updater_whole(page: Daemon, tmp_path: Path, chunked: bool) -> None:
    data = hashlib.shake_128(b"release").digest(48 << 20)
    (tmp_path / "release").write_bytes(data)
    words = ("-H", "Transfer-Encoding: chunked") if chunked else ()
    assert curl(page, "-T", str(tmp_path / "release"), login=False)[0] == "401"
    assert curl(page)[0] == "200"  # checking the password takes memory, once
    before = resident(page)
    status, said = curl(page, "-T", str(tmp_path / "release"), *words)
    assert (status, said) == ("200", f"{hashlib.sha256(data).hexdigest()}  -\n")
    assert resident(page) - before < 8 << 10


def test_a_refusal_is_one_line_and_comes_at_once(page: Daemon, tmp_path: Path) -> None:
    (tmp_path / "release").write_bytes(b"bad" + bytes(16 << 20))
    assert curl(page, "-T", str(tmp_path / "release")) == ("422", "update: it is bad\n")


def test_an_upload_that_breaks_off_is_no_release(page: Daemon) -> None:
    head = f"PUT /update HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BASIC}\r\n"
    with socket.create_connection(("127.0.0.1", page.port)) as sock:
        sock.sendall(f"{head}Content-Length: 1000\r\n\r\nabcdef".encode())
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1000) == b""
    assert curl(page) == ("200", '{"slot": "a"}\n')


def test_a_page_elsewhere_cannot_push(page: Daemon) -> None:
    assert curl(page, "-X", "PUT", "-d", "x", "-H", "Origin: http://evil.example")[0] == "403"


def test_a_place_is_fetched_from(page: Daemon) -> None:
    assert curl(page, "-d", "url=http://host/folder") == ("200", "apply http://host/folder\n")
    assert curl(page, "-d", "url=--help")[0] == "422"


def test_whatever_the_updater_says(page: Daemon) -> None:
    """More than a pipe and more than an answer holds, and with somebody who keeps its output open."""
    assert curl(page, "-d", "url=talk") == ("422", "update: the last line\n")
    assert curl(page, "-d", "url=much") == ("502", "update said more than 1048576 bytes\n")
    assert curl(page, "-d", "url=left") == ("200", "left somebody behind\n")


def test_who_stalls_is_cut_off(page: Daemon, tmp_path: Path) -> None:
    """A body has the time that its length allows for; the updater ends with it, and its lock."""
    head = f"PUT /update HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BASIC}\r\n"
    with socket.create_connection(("127.0.0.1", page.port), 90) as sock:
        sock.sendall(f"{head}Content-Length: 9\r\n\r\nabcdef".encode())
        answer = sock.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408") and b"Connection: close" in answer
    assert curl(page) == ("200", '{"slot": "a"}\n')


def test_a_token_pushes_and_asks(page: Daemon, tmp_path: Path) -> None:
    (tmp_path / "release").write_bytes(b"release" * 1000)
    digest = hashlib.sha256(b"release" * 1000).hexdigest()
    assert curl(page, "-T", str(tmp_path / "release"), token=TOKEN) == ("200", f"{digest}  -\n")
    assert curl(page, token=TOKEN) == ("200", '{"slot": "a"}\n')
    asked = curl(page, "-T", str(tmp_path / "release"), token=TOKEN, path="/update/wanted")
    assert asked == ("200", "bytes=0-7000\n")
    assert curl(page, "-T", str(tmp_path / "release"), path="/update/wanted") == asked


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", ()),
        ("/", ("-H", "Accept: text/html")),
        ("/log", ()),
        ("/events", ()),
        ("/services", ()),
        ("/services/hello/log", ()),
        ("/services/hello/stop", ("-X", "POST")),
        ("/power", ("-d", "action=reboot")),
        ("/logout", ("-X", "POST")),
        ("/update", ("-d", "url=http://host/folder")),
        ("/update", ("-X", "DELETE")),
        ("/update/more", ()),
        ("/update", ("-X", "PUT", "-d", "x", "-H", "Origin: http://evil.example")),
    ],
)
def test_a_token_is_good_for_nothing_else(page: Daemon, path: str, words: tuple[str, ...]) -> None:
    status, said = curl(page, "-i", *words, token=TOKEN, path=path)
    assert status == "403"
    assert 'WWW-Authenticate: Bearer realm="snakeroot", error="insufficient_scope"' in said
    assert said.endswith(
        "a token is for GET /update and for PUT there and to /update/wanted; this needs the password\n"
    )


def test_wrong_tokens_are_refused_and_then_slowed_down(page: Daemon, tmp_path: Path) -> None:
    (tmp_path / "release").write_bytes(b"release")
    said = [curl(page, "-i", "-T", str(tmp_path / "release"), token=WRONG) for _ in range(7)]
    assert [status for status, _ in said] == ["401"] * 4 + ["429"] * 3
    assert 'WWW-Authenticate: Bearer realm="snakeroot", error="invalid_token"' in said[0][1]
    assert said[0][1].endswith("The token is wrong.\n")
    assert "Retry-After: 1" in said[-1][1]
    assert not (tmp_path / "first").exists()
    # The right one has to wait, too: else guesses would be told from it.  The password has not.
    assert curl(page, token=TOKEN)[0] == "429"
    assert curl(page)[0] == "200"


def test_a_damaged_file_of_tokens_takes_none(page: Daemon, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"{tokens.hash_token(TOKEN)}\n{TOKEN}\n")
    assert curl(page, token=TOKEN) == (
        "401",
        "The box's file of tokens cannot be read: see its log.\n",
    )
    (tmp_path / "tokens").unlink()
    assert curl(page, token=TOKEN) == ("401", "The token is wrong.\n")
    assert curl(page)[0] == "200"

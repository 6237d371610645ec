"""Serving files: the whole program against curl and raw sockets.

Breaks when a response's status, headers or bytes are wrong, when a path gets out of the home directory, or
when a hostile peer ends more than its own connection.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import Daemon, wait_until, with_socket

SIZE = 50_000_000


class Site:
    """A served directory and a client for it."""

    def __init__(self, daemon: Daemon, home: Path) -> None:
        self.daemon = daemon
        self.home = home

    def raw(self, data: bytes, seconds: float = 20) -> bytes:
        """Send bytes, then read until the server closes."""
        with socket.create_connection(("127.0.0.1", self.daemon.port), seconds) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def get(
        self, path: str, *headers: str, method: str = "GET"
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers, body."""
        lines = [f"{method} {path} HTTP/1.1", "Host: box", "Connection: close", *headers, "", ""]
        return parse(self.raw("\r\n".join(lines).encode("latin-1")))

    def curl(self, path: str, *options: str) -> bytes:
        url = f"http://127.0.0.1:{self.daemon.port}{path}"
        curl = shutil.which("curl") or "curl"
        return subprocess.run(
            [curl, "-sS", "--noproxy", "*", "-m", "60", *options, url],
            check=True,
            capture_output=True,
        ).stdout


def read_all(sock: socket.socket) -> bytes:
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def parse(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
    }
    return int(lines[0].split()[1]), headers, body


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "hundred.txt").write_bytes(bytes(range(100)))
    (home / "sub" / "deep").mkdir(parents=True)
    (home / "sub" / "deep" / "index.html").write_text("<p>deep")
    (home / "names").mkdir()
    for name in ("a b.txt", "ä.html", "<script>.js", "x:y", ".hidden"):
        (home / "names" / name).write_text(name)
    (home / "big").write_bytes(random.Random(1).randbytes(SIZE))
    (home.parent / "secret.txt").write_text("secret")
    (home / "out").symlink_to("../secret.txt")
    (home / "empty").touch()
    (home / "private").mkdir()
    (home / "private" / "x").write_text("private")
    (home / "404.html").write_text("<h1>not here")
    return home


@pytest.fixture(scope="module")
def site(home: Path, toolbox_argv: list[str], toolbox_env: dict[str, str]) -> Iterator[Site]:
    conf = home.parent / "httpd.conf"
    conf.write_text("/private:owner:geheim\n.own:text/x-own\nE404:/404.html\nD:127.0.0.99\n")
    argv = [*toolbox_argv, "httpd", "-fvv", "-p", "127.0.0.1:0", "-h", str(home), "-c", str(conf)]
    with Daemon(argv, toolbox_env) as daemon:
        yield Site(daemon, home)
    assert daemon.process.returncode == 0


def test_a_file_with_its_headers(site: Site) -> None:
    status, headers, body = site.get("/hundred.txt")
    assert (status, body) == (200, bytes(range(100)))
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["content-length"] == "100"
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"].startswith('"') and headers["last-modified"].endswith(" GMT")
    assert headers["x-content-type-options"] == "nosniff"
    status, head, body = site.get("/hundred.txt", method="HEAD")
    assert (status, body) == (200, b"")
    assert {**head, "date": ""} == {**headers, "date": ""}


def test_conditions(site: Site) -> None:
    _, headers, _ = site.get("/hundred.txt")
    for condition in (
        f"If-None-Match: {headers['etag']}",
        f"If-Modified-Since: {headers['last-modified']}",
    ):
        status, again, body = site.get("/hundred.txt", condition)
        assert (status, body) == (304, b"")
        assert again["etag"] == headers["etag"] and "content-length" not in again
    assert site.get("/hundred.txt", 'If-None-Match: "other"')[0] == 200
    assert site.get("/hundred.txt", 'If-Match: "other"')[0] == 412
    os.utime(site.home / "empty", (1, 1))
    assert site.get("/empty", "If-Modified-Since: Thu, 01 Jan 1970 00:00:02 GMT")[0] == 304


def test_ranges(site: Site) -> None:
    status, headers, body = site.get("/hundred.txt", "Range: bytes=10-19")
    assert (status, body) == (206, bytes(range(10, 20)))
    assert headers["content-range"] == "bytes 10-19/100"
    status, headers, body = site.get("/hundred.txt", "Range: bytes=100-")
    assert (status, headers["content-range"]) == (416, "bytes */100")
    assert site.get("/hundred.txt", "Range: bytes=5-1")[0] == 200
    assert site.get("/hundred.txt", "Range: bytes=0-4", 'If-Range: "old"')[0] == 200
    assert site.get("/empty", "Range: bytes=0-0")[0] == 416
    assert site.get("/hundred.txt", "Range: bytes=0-4", method="HEAD")[0] == 200


def test_several_ranges(site: Site) -> None:
    status, headers, body = site.get("/hundred.txt", "Range: bytes=0-4,95-")
    assert status == 206 and int(headers["content-length"]) == len(body)
    boundary = headers["content-type"].partition("boundary=")[2].encode()
    parts = body.split(b"--" + boundary)
    assert len(parts) == 4 and parts[3] == b"--\r\n"
    for part, span, data in ((parts[1], b"0-4", range(5)), (parts[2], b"95-99", range(95, 100))):
        head, _, content = part.partition(b"\r\n\r\n")
        assert b"Content-Range: bytes " + span + b"/100" in head
        assert content == bytes(data) + b"\r\n"


def test_fifty_megabytes_and_a_resumed_download(site: Site, tmp_path: Path) -> None:
    expected = hashlib.sha256((site.home / "big").read_bytes()).hexdigest()
    assert hashlib.sha256(site.curl("/big")).hexdigest() == expected
    target = tmp_path / "big"
    target.write_bytes((site.home / "big").read_bytes()[: SIZE // 3])
    site.curl("/big", "-C", "-", "-o", str(target))
    assert hashlib.sha256(target.read_bytes()).hexdigest() == expected


def test_directories(site: Site) -> None:
    status, headers, _ = site.get("/sub?x=1")
    assert (status, headers["location"]) == (301, "/sub/?x=1")
    assert site.get("/sub/deep/")[2] == b"<p>deep"
    status, headers, body = site.get("/names/")
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert b'<a href="./a%20b.txt">a b.txt</a>' in body
    assert b'href="./x%3Ay"' in body and b".hidden" not in body
    assert b"<script>" not in body and b"&lt;script&gt;.js" in body
    assert site.get("/names/a%20b.txt")[2] == b"a b.txt"
    assert site.get("/names/%C3%A4.html")[2] == "ä.html".encode()
    assert site.get("/hundred.txt/")[0] == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/../secret.txt", 400),
        ("/%2e%2e/secret.txt", 400),
        ("/sub/%2e%2e/%2e%2e/secret.txt", 400),
        ("/..%2fsecret.txt", 400),
        ("/out", 403),
        ("/hundred.txt%00.html", 400),
        ("/%", 400),
        ("//etc/passwd", 404),
        ("/sub/../out", 403),
        ("secret.txt", 400),
    ],
)
def test_no_way_out(site: Site, path: str, status: int) -> None:
    found, _, body = site.get(path)
    assert found == status and b"secret" not in body.replace(b"secret.txt", b"")


def test_error_page_and_methods(site: Site) -> None:
    status, headers, body = site.get("/nothing")
    assert (status, body) == (404, b"<h1>not here") and headers["content-type"].startswith(
        "text/html"
    )
    status, headers, _ = site.get("/hundred.txt", "Content-Length: 0", method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_passwords(site: Site) -> None:
    status, headers, _ = site.get("/private/x")
    assert status == 401 and headers["www-authenticate"].startswith("Basic realm=")
    assert site.get("/sub/../private/x")[0] == 401
    assert site.get("/%70rivate/x")[0] == 401
    assert site.curl("/private/x", "-u", "owner:geheim") == b"private"
    assert b"401" in site.curl(
        "/private/x", "-u", "other:geheim", "-o", "/dev/null", "-w", "%{http_code}"
    )
    for _ in range(10):
        status, headers, _ = site.get("/private/x", "Authorization: Basic eDp5")
    assert status == 429 and int(headers["retry-after"]) > 0


def test_denied_addresses(site: Site) -> None:
    with socket.create_connection(
        ("127.0.0.1", site.daemon.port), 10, source_address=("127.0.0.99", 0)
    ) as sock:
        assert read_all(sock) == b""
    site.daemon.wait_log("127.0.0.99: refused")


def test_keep_alive_and_pipelining(site: Site) -> None:
    one = b"GET /hundred.txt HTTP/1.1\r\nHost: box\r\n\r\n"
    post = b"POST / HTTP/1.1\r\nHost: box\r\nContent-Length: 5\r\n\r\n12345"
    data = site.raw(
        one + one.replace(b"GET", b"HEAD") + post + one.replace(b"/hundred.txt", b"/empty") + one
    )
    assert data.count(b"HTTP/1.1 200") == 4 and data.count(b"HTTP/1.1 405") == 1
    assert data.endswith(bytes(range(100)))


def test_the_old_protocol(site: Site) -> None:
    data = site.raw(b"GET /hundred.txt HTTP/1.0\r\n\r\n")
    assert (
        data.startswith(b"HTTP/1.1 200") and b"Connection: close" in data and data.endswith(b"abc")
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", 400),  # TLS
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost a\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 40_000, 431),
        (b"\0" * 5000, 400),
        (b"\r\n" * 20_000, 400),
        (b"", None),
        (b"GET / HT", 400),
    ],
)
def test_hostile_requests(site: Site, data: bytes, status: int | None) -> None:
    answer = site.raw(data)
    assert (int(answer.split()[1]) if answer else None) == status
    assert site.get("/hundred.txt")[0] == 200, "the server lives"


def test_a_body_that_breaks_off(site: Site) -> None:
    site.raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
    site.raw(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    site.raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000)
    assert site.get("/hundred.txt")[0] == 200


def test_clients_that_leave_in_the_middle(site: Site) -> None:
    for _ in range(20):
        sock = socket.create_connection(("127.0.0.1", site.daemon.port), 10)
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.recv(1000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        sock.close()
    assert site.get("/hundred.txt")[0] == 200
    wait_until(lambda: threads(site) < 4)


def threads(site: Site) -> int:
    return len(os.listdir(f"/proc/{site.daemon.process.pid}/task"))


def test_more_connections_than_there_may_be(site: Site) -> None:
    """Silent connections neither exhaust the threads nor lock anybody out, from wherever they are."""
    wait_until(lambda: threads(site) < 2)
    held = [socket.create_connection(("127.0.0.1", site.daemon.port), 10) for _ in range(33)]
    try:
        assert read_all(held[0]) == b"", "the one that was silent longest gave way"
        assert site.get("/hundred.txt")[0] == 200
        site.daemon.wait_log("127.0.0.1: silent connections gave way to others")
        assert threads(site) < 40
        other = socket.create_connection(
            ("127.0.0.1", site.daemon.port), 10, source_address=("127.0.0.2", 0)
        )
        other.sendall(b"GET /hundred.txt HTTP/1.0\r\n\r\n")
        assert read_all(other).startswith(b"HTTP/1.1 200"), "another address is served"
        other.close()
    finally:
        for sock in held:
            sock.close()
    wait_until(lambda: threads(site) < 4)


def served(site: Site) -> bool:
    try:
        return site.get("/hundred.txt")[0] == 200
    except (OSError, IndexError):
        return False  # turned away


def test_a_full_server_lets_everybody_in(site: Site) -> None:
    """A hundred silent ones of many addresses, then those that send half a request, or take no answer."""
    address = ("127.0.0.1", site.daemon.port)
    asked = b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
    for sent in (b"", b"GET / HTTP/1.1\r\nHost", asked):
        held = [
            socket.create_connection(address, 10, source_address=(f"127.0.1.{number % 20 + 1}", 0))
            for number in range(100)
        ]
        try:
            for sock in held:
                sock.sendall(sent)
            # Who takes nothing counts as silent after a while.
            wait_until(lambda: served(site), 30)
            assert site.get("/hundred.txt")[0] == 200
        finally:
            for sock in held:
                sock.close()
        wait_until(lambda: threads(site) < 4)


def test_a_head_that_trickles_is_cut_off(site: Site) -> None:
    """Ten seconds for a head, however busily it arrives (slowloris)."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", site.daemon.port), 30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        sock.settimeout(0.5)
        answer = b""
        while time.monotonic() - begun < 20:
            try:
                sock.sendall(b"X: y\r\n")
                answer = sock.recv(1000)
                break
            except TimeoutError:
                continue
            except OSError:
                break
    assert answer.startswith(b"HTTP/1.1 408") and 9 < time.monotonic() - begun < 15


def test_inetd_and_supervisor_sockets(
    home: Path, toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(b"GET /hundred.txt HTTP/1.0\r\n\r\n")
    subprocess.run(
        [*toolbox_argv, "httpd", "-i", "-h", str(home)], env=toolbox_env, stdin=theirs, timeout=30
    )
    theirs.close()
    assert read_all(ours).endswith(bytes(range(100)))
    sock = socket.create_server(("127.0.0.1", 0))
    with with_socket(sock, [*toolbox_argv, "httpd", "-h", str(home)], toolbox_env) as daemon:
        assert daemon.port == sock.getsockname()[1]
        sock.close()
        assert Site(daemon, home).get("/hundred.txt")[0] == 200


def test_words_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("httpd", "-d", "a%20b+c").out == b"a b c"
    assert run("httpd", "-e", "a<1").out == b"a&#60;1\n"
    assert run("httpd", "-m", "-", stdin=b"geheim\n").out.startswith(b"$scrypt$")
    assert run("httpd", "-m", "-").status == 1, "an empty password is none"
    assert run("httpd", "-m", "geheim").out.startswith(b"$scrypt$ln=14,r=8,p=1$")
    for argv, words in (
        (["-p", "x"], b"invalid"),
        (
            ["-f", "-p", "127.0.0.1:0", "-h", str(tmp_path / "none")],
            b"none: No such file or directory",
        ),
        (["-c", str(tmp_path / "none")], b"none: No such file or directory"),
        (["--box", "-h", "/"], b"--home is for files"),
        (["-u", "nobody-of-this-name", "-p", "127.0.0.1:0"], b"unknown user"),
        (["extra"], b"extra operand"),
    ):
        done = run("httpd", *argv)
        assert done.status == 1 and words in done.err and done.err.startswith(b"httpd: "), done
    bad = tmp_path / "bad.conf"
    bad.write_text("A:box\n")
    done = run("httpd", "-f", "-c", str(bad))
    assert (done.status, done.err) == (
        1,
        f"httpd: {bad}: line 1: not an address or network: 'box'\n".encode(),
    )

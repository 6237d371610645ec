"""wget against servers on loopback: good ones, slow ones, broken ones, hostile ones.

Breaks when a file is named or cut wrongly, when a secret goes to the wrong server, when a bad certificate
is believed, or when a failure has the wrong status.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.applets.networking.web_server import Answer, Request, WebServer, response
from tests.toolbox.release.factory import serve as serve_files

DATA = b"".join(b"line %d\n" % i for i in range(20000))


@pytest.fixture
def serve() -> Iterator[Callable[..., WebServer]]:
    servers: list[WebServer] = []

    def start(answer: Answer, tls: ssl.SSLContext | None = None) -> WebServer:
        servers.append(WebServer(answer, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def wget(run, tmp_path, serve) -> Callable[..., object]:
    """`wget(answer, "-q", "URL/path")`: URL stands for the server; returns the result."""

    def call(answer: Answer, *words: str, **more: object) -> object:
        server = serve(answer)
        call.server = server  # type: ignore[attr-defined]
        words = tuple(word.replace("URL", f"http://127.0.0.1:{server.port}") for word in words)
        return run("wget", *words, cwd=tmp_path, **more)

    return call


def plain(request: Request) -> bytes:
    """/data is DATA with ranges and a date; /old redirects to it; /404 is not there."""
    if request.target == "/old":
        return response(b"moved", "302 Found", "Location: /data")
    if not request.target.startswith(("/data", "/a%20b")):
        return response(b"none here", "404 Not Found")
    if request.headers.get("if-modified-since") == "Mon, 01 Jan 2024 00:00:00 GMT":
        return response(b"", "304 Not Modified")
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    if wanted and int(wanted[1]) >= len(DATA):
        return response(b"", "416 Range Not Satisfiable")
    if wanted:
        begin = int(wanted[1])
        said = f"Content-Range: bytes {begin}-{len(DATA) - 1}/{len(DATA)}"
        return response(DATA[begin:], "206 Partial Content", said)
    return response(
        b"" if request.method == "HEAD" else DATA,
        "200 OK",
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
        length=len(DATA),
    )


def test_a_file_with_its_name_and_date(wget, tmp_path) -> None:
    r = wget(plain, "URL/data", "URL/a%20b?x=1")
    assert (r.status, r.out) == (0, b"")
    assert (tmp_path / "data").read_bytes() == DATA
    assert (tmp_path / "a b?x=1").read_bytes() == DATA
    assert (tmp_path / "data").stat().st_mtime == 1704067200
    assert f"'data' saved [{len(DATA)}/{len(DATA)}]".encode() in r.err


def test_quiet_to_standard_output_through_a_redirection(wget) -> None:
    assert wget(plain, "-qO-", "URL/old") == (0, DATA, b"")


def test_names(wget, tmp_path) -> None:
    for words in (
        ["-q"],
        ["-q"],
        ["-q", "-nc"],
        ["-q", "-P", "folder/deep"],
        ["-q", "-O", "named"],
    ):
        assert wget(plain, *words, "URL/data").status == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "data.1", "folder", "named"]
    assert (tmp_path / "folder/deep/data").read_bytes() == DATA
    wget(lambda r: response(b"x"), "-q", "URL/")
    wget(lambda r: response(b"x"), "-q", "URL/%2e%2e%2fetc%2fpasswd")
    wget(lambda r: response(b"x"), "-q", "URL/..")
    assert {"index.html", "..%2Fetc%2Fpasswd", "%2E%2E"} <= {p.name for p in tmp_path.iterdir()}


def test_going_on(wget, tmp_path) -> None:
    file = tmp_path / "data"
    file.write_bytes(DATA[:1000])
    assert wget(plain, "-qc", "URL/data").status == 0
    assert file.read_bytes() == DATA
    assert wget.server.requests[0].headers["range"] == "bytes=1000-"
    assert wget(plain, "-c", "URL/data").status == 0
    file.write_bytes(DATA[:10])
    assert wget(plain, "-q", "-c", "-O", "data", "URL/data").status == 0
    assert file.read_bytes() == DATA
    file.write_bytes(b"what a server without ranges does not know of")
    assert wget(lambda r: response(b"all of it"), "-qc", "URL/data").status == 0
    assert file.read_bytes() == b"all of it"


def test_only_what_is_newer(wget, tmp_path) -> None:
    wget(plain, "-q", "URL/data")
    (tmp_path / "data").write_bytes(b"ours")
    os.utime(tmp_path / "data", (1704067200, 1704067200))
    assert wget(plain, "-qN", "URL/data").status == 0
    assert (tmp_path / "data").read_bytes() == b"ours"


def test_a_cut_transfer_goes_on(wget) -> None:
    tries: list[int] = []

    def cut(request: Request) -> bytes:
        tries.append(1)
        if len(tries) == 1:
            return response(DATA[:5000], length=len(DATA))
        return plain(request)

    r = wget(cut, "-qO-", "--waitretry=0", "URL/data")
    assert (r.status, r.out) == (0, DATA)
    assert len(tries) == 2


def test_a_cut_transfer_of_what_has_changed_is_not_joined(wget, tmp_path) -> None:
    """If-Range: what comes is the rest of the same file, or all of the new one."""
    tags: list[str] = []

    def cut(request: Request) -> bytes:
        tags.append(request.headers.get("if-range", ""))
        if len(tags) == 1:
            return response(DATA[:5000], "200 OK", 'ETag: "one"', length=len(DATA))
        return response(b"the new one", "200 OK", 'ETag: "two"')

    assert wget(cut, "-q", "--waitretry=0", "URL/data").status == 0
    assert (tmp_path / "data").read_bytes() == b"the new one"
    assert tags == ["", '"one"']
    tags.clear()

    def other(request: Request) -> bytes:
        tags.append("")
        if len(tags) == 1:
            return response(DATA[:5000], length=len(DATA))
        size = len(DATA) + 10
        said = f"Content-Range: bytes 5000-{size - 1}/{size}"
        return response(bytes(size - 5000), "206 Partial Content", said)

    assert wget(other, "-q", "--waitretry=0", "-O", "x", "URL/data").status == 7


@pytest.mark.parametrize(
    "said",
    [
        *("bytes 0-9/*", "bytes 1001-1999/2000", "bytes 1000-999/2000", "bytes 1000-2000/2000"),
        *("bytes 1000-1998/2000", "lines 1000-1999/2000", "", "bytes */2000", "bytes 1000-x/2000"),
    ],
)
def test_another_range_than_was_asked_for(wget, tmp_path, said: str) -> None:
    (tmp_path / "data").write_bytes(bytes(1000))
    lines = [f"Content-Range: {said}"] if said else []
    r = wget(lambda q: response(bytes(1000), "206 Partial Content", *lines), "-qc", "URL/data")
    assert r.status == 7
    assert (tmp_path / "data").read_bytes() == bytes(1000), "nothing was lost or joined"


@pytest.mark.parametrize("option", ["-T", "--connect-timeout", "--read-timeout", "--dns-timeout"])
@pytest.mark.parametrize("seconds", ["99999999999", "1e300", "inf", "0", "3650d"])
def test_times_of_any_length(wget, option: str, seconds: str) -> None:
    joint = "" if option == "-T" else "="
    assert wget(plain, "-qO-", f"{option}{joint}{seconds}", "URL/data") == (0, DATA, b"")


def test_a_connection_serves_several_urls(run, tmp_path) -> None:
    with serve_files() as server:
        server.files = {"/a": b"1", "/b": b"2", "/c": b"3"}
        peers = set()
        server.answer = lambda handler: bool(peers.add(handler.client_address))
        r = run("wget", "-O-", *(f"{server.url}/{name}" for name in "abc"))
        assert (r.status, r.out, len(peers)) == (0, b"123", 1)
        assert r.err.count(b"Reusing existing connection to 127.0.0.1:") == 2


def test_tries_have_an_end(wget) -> None:
    r = wget(lambda r: None, "-t", "3", "--waitretry=0", "-O-", "URL/data")
    assert (r.status, r.out) == (4, b"")
    assert len(wget.server.requests) == 3


def test_chunks_with_and_without_an_end(wget) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (
        wget(lambda r: head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "-qO-", "URL/").out == b"abcde"
    )
    assert wget(lambda r: head + b"3\r\nabc\r\n", "-qO-", "-t1", "URL/").status == 4


@pytest.mark.parametrize(
    ("words", "method", "body"),
    [
        (["--post-data=a=1&b=2"], "POST", b"a=1&b=2"),
        (["--post-file=form"], "POST", b"from a file"),
        (["--method=PUT", "--body-data=x"], "PUT", b"x"),
        (["--method=DELETE"], "DELETE", b""),
        (["--spider"], "HEAD", b""),
    ],
)
def test_methods(wget, tmp_path, words, method, body) -> None:
    (tmp_path / "form").write_bytes(b"from a file")
    assert wget(lambda r: response(b""), "-q", *words, "URL/data").status == 0
    request = wget.server.requests[0]
    assert (request.method, request.body) == (method, body)
    if method == "POST":
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_headers(wget) -> None:
    words = ["-U", "me", "--header=X-One: 1", "--header", "Accept: text/plain", "--referer=r"]
    wget(plain, "-qO-", *words, "URL/data")
    headers = wget.server.requests[0].headers
    assert (headers["user-agent"], headers["x-one"]) == ("me", "1")
    assert (headers["accept"], headers["referer"]) == ("text/plain", "r")
    assert headers["host"] == f"127.0.0.1:{wget.server.port}"
    r = wget(plain, "-S", "-qO-", "URL/data")
    assert b"  HTTP/1.1 200 OK\n" in r.err
    assert b"  Last-Modified: " in r.err
    assert wget(plain, "--header=a\nb: c", "URL/").status == 2
    assert wget(plain, "--header=a b: c", "URL/").status == 2


def test_login_only_when_asked_and_only_there(wget, serve) -> None:
    def guarded(request: Request) -> bytes:
        if request.headers.get("authorization") != "Basic bWU6c2VjcmV0":
            return response(b"", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"')
        return response(b"in")

    assert wget(guarded, "-qO-", "--user=me", "--password=secret", "URL/").out == b"in"
    assert "authorization" not in wget.server.requests[0].headers
    assert wget(guarded, "-q", "URL/").status == 6
    assert wget(guarded, "-q", "--user=me", "--password=wrong", "URL/").status == 6

    thief = serve(guarded)
    away = f"Location: http://127.0.0.1:{thief.port}/"
    secrets = ["--user=me", "--password=secret", "--header=Cookie: c", "--header=Authorization: t"]
    wget(lambda r: response(b"", "302 Found", away), "-q", *secrets, "URL/")
    assert thief.requests
    assert all(not {"authorization", "cookie"} & set(q.headers) for q in thief.requests)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (response(b"", "404 Not Found"), 8),
        (response(b"", "500 Oh"), 8),
        (response(b"", "302 Found", "Location: /again"), 8),
        (response(b"", "302 Found", "Location: gopher://x/"), 1),
        (b"SSH-2.0-OpenSSH\r\n", 7),
        (b"HTTP/1.1 abc\r\n\r\n", 7),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100000 + b"\r\n\r\n", 7),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000 + b"\r\n", 7),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 0),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 50 + response(b"x"), 0),
        (b"\xff" * 3000, 7),
        (response(b"x", "206 Partial Content", "Content-Range: bytes 7-7/8"), 7),
    ],
)
def test_statuses(wget, answer, status) -> None:
    r = wget(lambda request: answer, "-t1", "-O-", "URL/")
    assert r.status == status
    assert r.err.count(b"Traceback") == 0


def test_what_a_server_says_does_not_reach_the_terminal(wget) -> None:
    r = wget(lambda request: response(b"", "404 \x1b[31mred", "X: \x1b]0;title\x07"), "-S", "URL/")
    assert b"\x1b" not in r.err


def test_nobody_there(run, tmp_path) -> None:
    assert run("wget", "-q", "http://127.0.0.1:1/").status == 4
    assert run("wget", "-q", "http://no-such-host.invalid/").status == 4
    for url in ("ftp://x/", "http:///x", "http://x:99999/", "http://[::1/"):
        assert run("wget", "-q", url).status == 1
    assert run("wget").status == 2
    assert run("wget", "--nonsense", "http://x/").status == 2


def test_a_silent_server(wget) -> None:
    gone = threading.Event()

    def silent(request: Request) -> bytes:
        gone.wait(20)
        return b""

    r = wget(silent, "-T", "0.3", "-t", "1", "-O-", "URL/")
    assert r.status == 4
    gone.set()
    assert b"timed out" in r.err


def test_files_that_cannot_be(wget) -> None:
    assert wget(plain, "-q", "-O", "no/x", "URL/data").status == 3
    assert wget(plain, "-q", "-P", "/dev/null/x", "URL/data").status == 3
    assert wget(plain, "-q", "-O", "/dev/full", "URL/data").status == 3
    assert wget(plain, "-q", "--post-file=/nonexistent", "URL/data").status == 3


def test_urls_from_a_file_and_messages_into_one(wget, tmp_path) -> None:
    r = wget(plain, "-i", "-", "-O", "all", "-o", "log", stdin=b"")
    assert r.status == 2
    server = wget.server
    urls = f"http://127.0.0.1:{server.port}/data\n# no\n127.0.0.1:{server.port}/404\n"
    r = wget(plain, "-i", "-", "-O", "all", "-o", "log", stdin=urls.encode())
    assert (r.status, r.err) == (8, b"")
    assert (tmp_path / "all").read_bytes() == DATA
    assert "ERROR 404: Not Found." in (tmp_path / "log").read_text()


def test_a_proxy(wget, run, serve, tmp_path) -> None:
    proxy = serve(lambda request: response(b"by the proxy"))
    env = {"http_proxy": f"http://u:p@127.0.0.1:{proxy.port}"}
    assert run("wget", "-qO-", "http://far.invalid/x", env=env).out == b"by the proxy"
    assert proxy.requests[0].target == "http://far.invalid/x"
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic dTpw"
    env["no_proxy"] = "other.test,.invalid"
    assert run("wget", "-qO-", "http://far.invalid/x", env=env).status == 4
    assert run("wget", "-qO-", "-Y", "off", "http://far.invalid/x", env=env).status == 4
    assert len(proxy.requests) == 1


def certificate(folder: Path, *names: str) -> ssl.SSLContext:
    """A server's TLS with a certificate of its own, which lies in folder/cert.pem."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    others = [
        x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n)
        for n in names
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_tls(run, serve, tmp_path) -> None:
    server = serve(plain, certificate(tmp_path, "127.0.0.1"))
    url = f"https://127.0.0.1:{server.port}/data"
    trust = f"--ca-certificate={tmp_path}/cert.pem"
    assert run("wget", "-qO-", trust, url) == (0, DATA, b"")
    r = run("wget", "-O-", url)
    assert (r.status, r.out) == (5, b"")
    assert b"cannot verify 127.0.0.1's certificate" in r.err
    assert run("wget", "-qO-", "--no-check-certificate", url).out == DATA
    other = serve(plain, certificate(tmp_path, "other.test"))
    assert run("wget", "-qO-", trust, f"https://127.0.0.1:{other.port}/data").status == 5
    assert run("wget", "-q", "--ca-certificate=/nonexistent", url).status == 5
    clear = serve(plain)
    # A server without TLS waits for the end of a line; the random bytes that it gets may hold one.
    assert run("wget", "-q", "-t1", "-T1", f"https://127.0.0.1:{clear.port}/data").status in (4, 5)
    assert run("wget", "-q", "--https-only", f"http://127.0.0.1:{clear.port}/data").status == 1

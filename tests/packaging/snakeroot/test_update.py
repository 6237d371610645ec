"""What `snakeroot update` sends, with stand-ins for `ssh` and the box behind it, and for a box's page.

Breaks when it sends more than the box asks for, or gives up where sending the whole would do.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from snakeroot import cli, config, keys, new, update
from snakeroot.door import HTTP
from snakeroot.host import BuildError

from tests.toolbox.release import factory
from toolbox.release import partial
from toolbox.release.fetch import parse_release

#: Answers the words after `update` as box/WORDS.py says, and keeps what it was sent.
SSH = """#!{python}
import pathlib, shlex, sys
box = pathlib.Path(__file__).parent / "box"
words = shlex.split(" ".join(sys.argv[sys.argv.index("update") + 1 :]))
number = len(list(box.glob("sent-*")))
if words[0] != "show":
    (box / f"sent-{{number}}-{{words[0]}}").write_bytes(sys.stdin.buffer.read())
exec((box / f"{{words[0]}}.py").read_text())
"""

SHOW = """print('{"version": "1.2", "slot": "b", "state": "committed", "last": null}')"""
TOOK = """print("version 1.2 is in slot b; restarting into it")"""


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what the box answers and was sent."""
    monkeypatch.setattr(update, "HEALTHY", 5.0)  # it answers at once, or never
    folder = tmp_path / "bin"
    (folder / "box").mkdir(parents=True)
    (folder / "ssh").write_text(SSH.format(python=sys.executable))
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    (folder / "box" / "show.py").write_text(SHOW)
    (folder / "box" / "apply.py").write_text(TOOK)
    return folder / "box"


@pytest.fixture
def instance(tmp_path: Path) -> config.Instance:
    new.create(tmp_path / "hello")
    made = config.load(tmp_path / "hello")
    made.output.mkdir()
    (made.output / "ports").write_text("22 8022\n")
    return made


@pytest.fixture
def file(instance: config.Instance) -> Path:
    """A release, signed with the instance's key."""
    path = instance.path.parent / "hello.release"
    path.write_bytes(factory.release(key=keys.secret(instance.path)))
    return path


def sent(box: Path) -> list[tuple[str, bytes]]:
    found = sorted(box.glob("sent-*"))
    return [(path.name.rpartition("-")[2], path.read_bytes()) for path in found]


def begin(file: Path, instance: config.Instance) -> int:
    """Bytes of the head and the index."""
    return parse_release(file.read_bytes(), keys.public(instance.path)).pack_at


def test_only_what_the_box_asks_for(box: Path, instance: config.Instance, file: Path) -> None:
    data, at = file.read_bytes(), begin(file, instance)
    wanted = [(0, at), (at + 1000, at + 5000)]
    (box / "wanted.py").write_text(f"print({partial.encode(wanted).decode()!r}, end='')")
    assert update.update(instance, str(file))["slot"] == "b"
    part = partial.encode(wanted) + data[:at] + data[at + 1000 : at + 5000]
    assert sent(box) == [("wanted", data[:at]), ("apply", part)]


def test_an_older_box_gets_the_whole(box: Path, instance: config.Instance, file: Path) -> None:
    unknown = "update: unknown command 'wanted'; known: show, check, apply"
    (box / "wanted.py").write_text(f"sys.exit({unknown!r})")
    update.update(instance, str(file))
    assert sent(box)[1] == ("apply", file.read_bytes())


def test_a_box_whose_disk_fails_gets_the_whole(
    box: Path, instance: config.Instance, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = begin(file, instance)
    (box / "wanted.py").write_text(f"print('bytes=0-{at - 1}')")
    lacks = f"update: the release: lacks what comes at 7: {partial.LACKS}"
    (box / "apply.py").write_text(f"{TOOK} if number > 1 else sys.exit({lacks!r})")
    update.update(instance, str(file))
    assert [name for name, _ in sent(box)] == ["wanted", "apply", "apply"]
    assert sent(box)[2][1] == file.read_bytes()
    assert lacks in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "apply", "said"),
    [
        ("sys.exit('update: version 1.2 is older')", TOOK, "take it: update: version 1.2 is older"),
        ("sys.exit(3)", TOOK, "did not take it: status 3"),
        ("print('bytes=0-99999999')", TOOK, "not understood: the release's file is too short"),
        ("print('what?')", TOOK, "not understood: no ranges of a release"),
        ("print('bytes=0-99')", "sys.exit('update: its disk is full')", "its disk is full"),
    ],
)
def test_what_the_box_says_is_passed_on(
    box: Path, instance: config.Instance, file: Path, wanted: str, apply: str, said: str
) -> None:
    (box / "wanted.py").write_text(wanted)
    (box / "apply.py").write_text(apply)
    with pytest.raises(BuildError, match=said):
        update.update(instance, str(file))


# -- by HTTP -----------------------------------------------------------------------------------------------


class Page:
    """answers: method and path -> status and text    asked: method, path, Authorization and body of each request"""

    def __init__(self) -> None:
        self.answers = {
            "GET /update": (200, '{"version": "1.2", "slot": "b", "state": "committed"}'),
            "PUT /update": (200, "version 1.2 is in slot b; restarting into it"),
        }
        self.asked: list[tuple[str, str, bytes]] = []
        self.url = ""


@pytest.fixture
def page() -> Iterator[Page]:
    state = Page()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            what = f"{self.command} {self.path}"
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.asked.append((what, self.headers.get("Authorization", ""), body))
            status, said = state.answers.get(what, (404, "Not Found"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(f"{said}\n".encode())

        do_GET = do_PUT

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def by_http(page: Page, instance: config.Instance, file: Path) -> int:
    words = ["-C", str(instance.path), "update", str(file), "--to", page.url]
    return cli.main(words)


def test_by_http_with_the_token(
    page: Page, instance: config.Instance, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, at = file.read_bytes(), begin(file, instance)
    wanted = partial.encode([(0, at), (at + 1000, at + 5000)])
    page.answers["PUT /update/wanted"] = 200, wanted.decode().strip()
    assert by_http(page, instance, file) == 0
    assert capsys.readouterr().out == "version 1.2 runs in slot b\n"
    token = f"Bearer {(instance.path / 'update-token').read_text().strip()}"
    puts = [(what, body) for what, _, body in page.asked if what.startswith("PUT")]
    part = wanted + data[:at] + data[at + 1000 : at + 5000]
    assert puts == [("PUT /update/wanted", data[:at]), ("PUT /update", part)]
    assert {authorization for _, authorization, _ in page.asked} == {token}


def test_an_older_page_gets_the_whole(page: Page, instance: config.Instance, file: Path) -> None:
    assert by_http(page, instance, file) == 0
    assert page.asked[-2][0] == "PUT /update"
    assert page.asked[-2][2] == file.read_bytes()


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (401, "The token is wrong.", "did not take it: The token is wrong."),
        (429, "Too many wrong tokens. Wait a little.", "Wait a little."),
        (422, "update: version 1.2 is older", "did not take it: update: version 1.2 is older"),
    ],
)
def test_what_the_page_says_is_passed_on(
    page: Page,
    instance: config.Instance,
    file: Path,
    status: int,
    text: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page.answers["PUT /update/wanted"] = status, text
    assert by_http(page, instance, file) != 0
    found = capsys.readouterr().err
    assert said in found
    assert ("update_tokens" in found) == (status != 422)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "box"], "box: is not a box's address"),
        (["--to", "http://box/update"], "http://box/update: is not a box's address"),
        (["--to", "http://[box"], "is not a box's address"),
        (["--to", "http://127.0.0.1", "--token", "/none"], "/none: No such file"),
        (["--token", "/none"], "--token is for a box by HTTP"),
    ],
)
def test_ways_that_are_none(
    instance: config.Instance,
    file: Path,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["-C", str(instance.path), "update", str(file), *words]) != 0
    assert said in capsys.readouterr().err


def test_a_box_that_nobody_answers_for(instance: config.Instance, file: Path) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        door = HTTP(url, instance.path / "update-token")
        with pytest.raises(BuildError, match=r"127\.0\.0\.1: .*refused"):
            update.update(instance, str(file), door)
        with pytest.raises(BuildError, match="a token does not let a box fetch"):
            door.ask("apply", "http://host/folder")


EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp\r"


@pytest.mark.parametrize("by", ["http", "ssh"])
def test_nothing_that_answers_commands_the_terminal(
    by: str,
    page: Page,
    box: Path,
    instance: config.Instance,
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who answers may be the box, what runs in it, or whoever sits in between."""
    shows = json.dumps(
        {
            "version": EVIL,
            "state": EVIL,
            "last": {"version": "1.2", "outcome": "failed", "reason": EVIL},
        }
    )
    for status, said in ((422, f"{EVIL}\n{EVIL}"), (404, ""), (200, EVIL), (200, "bytes=0-9")):
        page.answers["PUT /update/wanted"] = status, said
        page.answers["PUT /update"] = (status if status != 404 else 200), EVIL
        page.answers["GET /update"] = 200, shows
        (box / "wanted.py").write_text(
            f"print({said!r})" if status == 200 else f"sys.exit({said!r})"
        )
        (box / "apply.py").write_text(f"print({EVIL!r})")
        (box / "show.py").write_text(f"print({shows!r})")
        if by == "http":
            assert by_http(page, instance, file) != 0
        else:
            assert cli.main(["-C", str(instance.path), "update", str(file)]) != 0
        found = capsys.readouterr()
        for line in (found.out + found.err).split("\n"):
            assert line.replace("\t", " ").isprintable(), line

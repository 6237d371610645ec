"""What `snakeroot new --template` makes: each passes the check, and its program runs, here by the host's Python.

Breaks when a template's program fails, forgets what it was told, or does not end when it is told to.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakeroot import cli, config, executable, new, programs

from tests.conftest import ROOT

NAMES = ["binary", "django", "fastapi", "flask", "hello", "static-site", "worker"]


def test_templates_are_these() -> None:
    assert new.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_new_instance_passes_the_check(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my-box"
    assert cli.main(["new", "--template", name, str(folder)]) == 0
    assert not re.search(r"@[A-Z]+@", (folder / "snakeroot.toml").read_text())
    assert not list(folder.rglob("services.toml")) and not list(folder.rglob("__pycache__"))
    assert cli.main(["-C", str(folder), "check"]) == 0
    settings = config.load(folder).settings
    for service in settings.services.values():
        assert service.ports in ([8000], []) and (service.python or service.binary)


def test_hello_is_what_is_made_when_nothing_is_said(tmp_path: Path) -> None:
    assert cli.main(["new", str(tmp_path / "one")]) == 0
    assert cli.main(["new", "--template", "hello", str(tmp_path / "two")]) == 0
    one, two = ({str(p.relative_to(f)) for p in f.rglob("*")} for f in sorted(tmp_path.iterdir()))
    assert one == two and "hello/hello.py" in one


def test_installed_builder_has_all_files_of_the_templates(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE", "packaging/snakeroot"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, source / name)
    for name in ("toolbox", "applets"):
        (source / name).symlink_to(ROOT / name)
    words = [
        "-c",
        "import setuptools; setuptools.setup()",
        "-q",
        "build_py",
        "-d",
        tmp_path / "out",
    ]
    subprocess.run([sys.executable, *words], cwd=source, check=True, capture_output=True)
    wanted = {p.relative_to(new.TEMPLATES) for p in new.TEMPLATES.rglob("*") if p.is_file()}
    folder = tmp_path / "out" / "snakeroot" / "templates"
    found = {p.relative_to(folder): os.access(p, os.X_OK) for p in folder.rglob("*") if p.is_file()}
    assert {p for p in wanted if "__pycache__" not in p.parts} <= set(found)
    assert found[Path("static-site/serve")]


class Program:
    """The program of a new instance, run as the box runs it: from /, with a home of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        new.create(folder, name)
        self.instance = config.load(folder)
        (self.name, self.service), *_ = self.instance.settings.services.items()
        self.home = folder / "home"
        self.home.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.packages = folder / "packages"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            **self.service.environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        if self.service.python:
            source = self.instance.place(self.service.python)
            self.environment["PYTHONPATH"] = f"{source}:{self.packages}"
            if (requirements := source / "requirements.txt").exists():
                words = ["uv", "pip", "install", "-q", "--target", str(self.packages)]
                python = ["--python", sys.executable]
                found = Path(sys.executable).with_name("uv")
                subprocess.run(
                    [str(found), *words[1:], *python, "-r", str(requirements)], check=True
                )

    def start(self, *argv: str) -> None:
        words = argv or (sys.executable, "-m", programs.module(self.service))
        self.process = subprocess.Popen(
            words, env=self.environment, cwd="/", stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )

    def stop(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def ask(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """Ask it by HTTP, when it listens."""
        assert self.process
        deadline = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                connection.request(method, path, body, headers or {})
                answer = connection.getresponse()
                return answer.status, answer.read().decode(), answer.headers
            except ConnectionRefusedError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            finally:
                connection.close()


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    made = Program(tmp_path / "my-box", request.param)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("program", [name], indirect=True)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@only("hello")
def test_hello_shows_its_address(program: Program) -> None:
    code = (
        "from http.server import ThreadingHTTPServer; import hello;"
        f"ThreadingHTTPServer(('127.0.0.1', {program.port}), hello.Page).serve_forever()"
    )
    program.start(sys.executable, "-c", code)
    status, text, _ = program.ask("GET", "/a?b")
    assert status == 200 and "<svg" in text and f"http://127.0.0.1:{program.port}/a?b" in text


@only("flask")
def test_guest_book_keeps_what_is_written(program: Program) -> None:
    program.start()
    assert "Nobody has signed yet." in program.ask("GET", "/")[1]
    body = urllib.parse.urlencode({"name": "Ann <b>", "text": "hi & bye"})
    assert program.ask("POST", "/", body, FORM)[0] == 302
    assert program.ask("POST", "/", "name=Nobody", FORM)[0] == 302
    program.stop()
    program.start()
    text = program.ask("GET", "/")[1]
    assert "Ann &lt;b&gt;" in text and "hi &amp; bye" in text and "Nobody" not in text
    assert program.ask("POST", "/", "x" * 70_000, FORM)[0] == 413


@only("fastapi")
def test_readings_are_checked_and_kept(program: Program) -> None:
    program.start()
    kind = {"Content-Type": "application/json"}
    status, text, _ = program.ask("POST", "/", '{"sensor": "attic", "value": 21.5}', kind)
    assert status == 201 and json.loads(text)["value"] == 21.5
    assert program.ask("POST", "/", '{"sensor": "", "value": "x"}', kind)[0] == 422
    program.stop()
    program.start()
    (found,) = json.loads(program.ask("GET", "/")[1])
    assert (found["sensor"], found["value"]) == ("attic", 21.5)
    assert program.ask("GET", "/docs")[0] == 200


@only("django")
def test_notes_are_kept_and_the_administration_is_there(program: Program) -> None:
    program.start()
    status, text, headers = program.ask("GET", "/")
    assert status == 200
    cookie = (headers["Set-Cookie"] or "").partition(";")[0]
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
    assert found
    body = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1], "text": "<milk>"})
    assert program.ask("POST", "/", body, {**FORM, "Cookie": cookie})[0] == 302
    assert program.ask("POST", "/", "text=x", FORM)[0] == 403
    key = (program.home / "secret-key").read_text()
    assert (program.home / "secret-key").stat().st_mode & 0o777 == 0o600
    program.stop()
    program.start()
    assert "&lt;milk&gt;" in program.ask("GET", "/")[1]
    assert (program.home / "secret-key").read_text() == key
    assert program.ask("GET", "/admin/login/")[0] == 200
    assert program.ask("GET", "/static/admin/css/base.css")[0] == 200
    # Its models and its migrations say the same.
    words = [sys.executable, "-m", "manage", "makemigrations", "--check", "--dry-run"]
    assert subprocess.run(words, env=program.environment, check=False).returncode == 0


@only("worker")
def test_worker_says_that_it_is_ready_and_ends_when_it_is_told_to(program: Program) -> None:
    program.environment["SECONDS"] = "0.05"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.settimeout(60)
        supervisor.bind("\0" + f"snakeroot-test-{os.getpid()}")
        program.environment["NOTIFY_SOCKET"] = f"@snakeroot-test-{os.getpid()}"
        program.start()
        assert supervisor.recv(100) == b"READY=1"
    assert program.process and program.process.stdout
    assert program.process.stdout.readline().startswith(b"run 1: load ")
    assert program.process.stdout.readline().startswith(b"run 2: load ")
    assert program.stop() == 0
    runs = json.loads((program.home / "state.json").read_text())["runs"]
    program.environment["SECONDS"] = "60"
    program.environment.pop("NOTIFY_SOCKET")
    program.start()
    assert program.process.stdout
    assert program.process.stdout.readline().startswith(f"run {runs + 1}: ".encode())
    assert program.stop() == 0


@only("static-site")
def test_site_is_served_by_the_box_s_own_server(program: Program) -> None:
    script = (program.instance.path / "serve").read_text()
    httpd = f"exec {sys.executable} -m toolbox httpd -f -v -p {program.port} "
    here = script.replace("exec /bin/httpd -f -v -p 8000 ", httpd)
    assert here != script
    source = program.instance.place(program.instance.files()["/srv/site"].source)
    program.environment.update(SITE=str(source), PYTHONPATH=str(ROOT))
    program.start("sh", "-c", here)
    status, text, _ = program.ask("GET", "/")
    assert status == 200 and "<h1>my-box</h1>" in text
    assert program.ask("GET", "/style.css")[2]["Content-Type"].startswith("text/css")


@only("binary")
def test_static_program_takes_the_place_of_the_script(program: Program) -> None:
    folder = program.instance.path
    toml = (folder / "snakeroot.toml").read_text()
    line = re.search(r"^# C: +(cc .*)$", toml, re.MULTILINE)
    assert line
    subprocess.run(line[1].split(), cwd=folder, check=True)
    assert executable.problem(folder / "program", lambda name: False) == ""
    config.load(folder)
    program.start(str(folder / "program"))
    assert program.ask("GET", "/")[:2] == (
        200,
        "<!doctype html><title>program</title><h1>Hello from C</h1>\n",
    )

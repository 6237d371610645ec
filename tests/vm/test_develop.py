"""`snakeroot dev` on a booted box: what is saved answers; what does not compile changes nothing; Ctrl-C is the way back."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.vm.conftest import Box
from tests.vm.test_commands import argv

#: What the release answers.
RELEASED = "Hello from a box made of Python"

#: Seconds from a save to the new answer, on a host that is busy with other tests.
PATIENCE = 20.0


class Session:
    """A running `snakeroot dev`, and what it says."""

    def __init__(self, box: Box, *services: str) -> None:
        self.said: list[str] = []
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", box.netns, *argv(box, "dev", *services)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            print(line, end="")
            self.said.append(line)

    def says(self, text: str) -> bool:
        return text in "".join(self.said)

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        status = self.process.wait(60)
        self._reader.join()
        return status


#: A program that the dynamic Python runs.
FIGURES = """
import http.server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"sum {sum(range(4))}".encode())


http.server.HTTPServer(("", 8004), Handler).serve_forever()
"""


def _add(folder: Path) -> None:
    (folder / "figures").mkdir()
    (folder / "figures" / "figures.py").write_text(FIGURES)
    path = folder / "snakeroot.toml"
    table = '[services.figures]\npython = "./figures"\nruntime = "dynamic"\nports = [8004]\n'
    path.write_text(path.read_text().replace("\n# [files]", f"{table}\n# [files]"))


@pytest.fixture(scope="module")
def own(make_box: Callable[..., AbstractContextManager[Box]]) -> Iterator[Box]:
    with make_box(_add) as box:
        yield box.ready()


@pytest.fixture
def session(own: Box) -> Iterator[Session]:
    one = Session(own, "hello")
    try:
        own.wait("it watches", lambda: one.says("watching "))
        yield one
    finally:
        one.end()


def page(box: Box) -> str:
    return box.curl("/", port=8000, login=False).out


def save(box: Box, old: str, new: str) -> None:
    program = box.instance.path / "hello" / "hello.py"
    program.write_text(program.read_text().replace(old, new))


def test_saved_line_answers_and_ctrl_c_goes_back_to_the_release(own: Box, session: Session) -> None:
    own.wait("the release answers", lambda: RELEASED in page(own))
    folder = own.instance.path / "hello"
    before = (folder / "hello.py").read_text()
    times = []
    for number in range(3):
        started = time.monotonic()
        save(own, "<h1>", f"<h1>{number} ")
        own.wait("the new line answers", lambda n=number: f"<h1>{n} " in page(own), PATIENCE)
        times.append(time.monotonic() - started)
    print("save to answer:", " ".join(f"{seconds:.2f} s" for seconds in times))
    own.wait("the time is told", lambda: session.says("hello: hello.py: running "))
    own.wait("its log is shown", lambda: session.says("hello: listening on port 8000"))

    # What does not compile is told, and the old one goes on.
    answered = page(own)
    good = (folder / "hello.py").read_text()
    (folder / "hello.py").write_text(good + "\ndef broken(:\n")
    own.wait("the error is shown", lambda: session.says("hello: goes on as it was"))
    assert session.says("SyntaxError: invalid syntax") and page(own) == answered
    (folder / "hello.py").write_text(good)

    # Files come and go with the folder's.
    (folder / "parts").mkdir()
    (folder / "parts" / "text.py").write_text("TITLE = 'from a part'\n")
    (folder / "hello.py").write_text(
        good.replace("import segno", "import segno\nfrom parts.text import TITLE").replace(
            "<h1>", "<h1>{TITLE} "
        )
    )
    own.wait("the part answers", lambda: "from a part" in page(own), PATIENCE)
    (folder / "hello.py").write_text(good)
    (folder / "parts").rename(folder / "renamed")
    listing = "ls /lib/snakeroot/hello/"
    own.wait("it is renamed there", lambda: "renamed" in own.ssh(listing).out, PATIENCE)
    assert "parts" not in own.ssh(listing).out.split()

    own.wait("it answers", lambda: page(own) == answered, PATIENCE)
    assert session.end() == 0
    assert session.says("the box is back to its release")
    own.wait("the release answers", lambda: f"<h1>{RELEASED}" in page(own), PATIENCE)
    assert "snakeroot-dev" not in own.ssh("cat /proc/mounts").out
    (folder / "renamed" / "text.py").unlink()
    (folder / "renamed").rmdir()
    (folder / "hello.py").write_text(before)


def test_program_that_the_dynamic_python_runs(own: Box) -> None:
    forward = subprocess.Popen(
        ["ip", "netns", "exec", own.netns, *argv(own, "forward", "8004")], stderr=subprocess.PIPE
    )
    session = Session(own, "figures")
    program = own.instance.path / "figures" / "figures.py"

    def answer() -> str:
        return own.curl("/", port=8004, login=False).out

    try:
        assert forward.stderr and b"leads to" in forward.stderr.readline()
        own.wait("it watches", lambda: session.says("watching "))
        own.wait("the release answers", lambda: answer() == "sum 6")
        times = []
        for number in (5, 6, 7):
            started = time.monotonic()
            program.write_text(FIGURES.replace("range(4)", f"range({number})"))
            total = f"sum {sum(range(number))}"
            own.wait("the new line answers", lambda t=total: answer() == t, 2 * PATIENCE)
            times.append(time.monotonic() - started)
        print("save to answer:", " ".join(f"{seconds:.2f} s" for seconds in times))
        # What takes memory is the program alone.
        used = own.ssh("du -sk /run/snakeroot-dev/figures/top").out.split()[0]
        assert int(used) < 200
        (program.parent / "requirements.txt").write_text("segno\n")
        own.wait("it says so", lambda: session.says("figures: its requirements have changed"))
    finally:
        forward.send_signal(signal.SIGINT)
        forward.wait(20)
        session.end()
    own.wait("the release is back", lambda: session.says("the box is back to its release"))


def test_big_file_changes_nothing(own: Box, session: Session) -> None:
    big = own.instance.path / "hello" / "big"
    with big.open("wb") as file:
        file.truncate(400 << 20)
    try:
        own.wait("it is refused", lambda: session.says("hello: 400 MiB are more than"))
        assert RELEASED in page(own)
    finally:
        big.unlink()
    save(own, "<h1>", "<h1>after ")
    own.wait("the new line answers", lambda: "<h1>after " in page(own), PATIENCE)
    save(own, "<h1>after ", "<h1>")


def test_lost_connection_puts_the_box_back(own: Box) -> None:
    session = Session(own, "hello")
    try:
        own.wait("it watches", lambda: session.says("watching "))
        save(own, "<h1>", "<h1>changed ")
        own.wait("the new line answers", lambda: "<h1>changed " in page(own), PATIENCE)
        session.process.kill()
        own.wait("the release answers", lambda: f"<h1>{RELEASED}" in page(own), PATIENCE)
        assert "snakeroot-dev" not in own.ssh("cat /proc/mounts").out
    finally:
        session.end()
        save(own, "<h1>changed ", "<h1>")


def test_second_session_is_refused(own: Box, session: Session, tmp_path: Path) -> None:
    other = Session(own, "hello")
    own.wait("it is refused", lambda: other.process.poll() is not None)
    assert other.end() == 1 and other.says("another `snakeroot dev` has the service hello")

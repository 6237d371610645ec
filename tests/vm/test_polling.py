"""A box that looks for releases by itself: a static web server is all that it needs, and a file holds it back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snakeroot import config, disk, image, releasing

from tests.vm.conftest import create
from tests.vm.test_disk import booted
from tests.vm.test_update import becomes, make, shown

#: Where the box's network has the host, and a port of it.
HOST, PORT = "10.0.2.2", 8099


@contextmanager
def web_server(netns: str, folder: Path, log: Path) -> Iterator[None]:
    """Python's own, in the namespace of the box's machine."""
    words = [sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", str(folder), str(PORT)]
    with log.open("wb") as file:
        server = subprocess.Popen(
            ["ip", "netns", "exec", netns, *words], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def test_it_installs_what_is_published_unless_it_is_held_back(tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    create(folder)
    settings = folder / "snakeroot.toml"
    where = f'[release]\nurl = "http://{HOST}:{PORT}"\n'
    settings.write_text(f"{settings.read_text()}\n{where}\n[update]\npoll = 2.0\n")
    instance = config.load(folder)
    path = tmp_path / "disk.img"
    first = releasing.labelled(instance, image.build(instance))
    disk.raw(disk.make(first, disk.layout(instance.settings.disk)), path)
    os.truncate(path, path.stat().st_size + (100 << 20))
    published, log = tmp_path / "releases", tmp_path / "requests"
    published.mkdir()

    with booted(folder, path, reboots=True) as box, web_server(box.netns, published, log):
        box.ready()
        box.wait("it looks", lambda: "404" in log.read_text())  # there is nothing yet
        assert box.ssh("touch /perm/snakeroot/hold").status == 0
        program = folder / "hello" / "hello.py"
        program.write_text(program.read_text().replace("<h1>", "<h1>2: "))
        make(folder, "2")
        before = log.read_text().count("GET")
        uptime = float(box.ssh("cat /proc/uptime").out.split()[0])
        box.wait(
            "time for three looks",
            lambda: float(box.ssh("cat /proc/uptime").out.split()[0]) > uptime + 9,
        )
        assert log.read_text().count("GET") == before, "held back, and yet it looked"
        assert shown(box)["slot"] == "a"

        assert box.ssh("rm /perm/snakeroot/hold").status == 0
        found = becomes(box, "b", "2")
        assert found["last"]["outcome"] == "committed"
        answer = box.wait(
            "hello answers", lambda: (a := box.curl("/", port=8000)).err == "200" and a
        )
        assert "<h1>2: " in answer.out

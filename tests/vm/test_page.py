"""The page's daemon is no root, and yet does all that its owner wants: by sockets that are its alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from snakeroot import users

from tests.vm.conftest import create
from tests.vm.test_disk import booted
from tests.vm.test_harm import disk_of
from tests.vm.test_update import make, shown


def test_services_releases_and_the_power_by_a_page_that_is_no_root(tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    create(folder)
    with booted(folder, disk_of(folder), reboots=True) as box:
        box.ready()
        pid = box.services()["httpd"]["pid"]
        uid = users.number("httpd")
        assert f"Uid:\t{uid}\t" in box.ssh(f"cat /proc/{pid}/status").out
        listed = box.ssh("ls -ln /run/init.sock.httpd /run/update.sock /run/init.sock").out
        assert [line.split()[:3:2] for line in listed.splitlines()] == [
            ["srw-------", str(uid)],
            ["srw-------", str(uid)],
            ["srw-------", "0"],
        ] or listed.count(f" {uid} ") == 2, listed
        described: dict[str, Any] = json.loads(box.curl("/", "-H", "Accept: application/json").out)
        assert described["update"]["slot"] == "a"
        assert described["hostname"] == "hello"

        accept = ("-H", "Accept: application/json", "-X", "POST")
        assert box.curl("/services/hello/stop", *accept).err == "200"
        box.wait("hello is stopped", lambda: box.services()["hello"]["state"] == "stopped")
        assert box.curl("/services/hello/start", *accept).err == "200"
        box.wait("hello runs", lambda: box.services()["hello"]["state"] == "running")
        assert "listening on port 8000" in box.curl("/services/hello/log").out

        program = folder / "hello" / "hello.py"
        program.write_text(program.read_text().replace("<h1>", "<h1>2: "))
        release = folder.parent / "release"
        release.write_bytes(make(folder, "2"))
        token = f"Authorization: Bearer {(folder / 'update-token').read_text().strip()}"
        assert json.loads(box.curl("/update", "-H", token, login=False).out)["version"] == "0"
        pushed = box.curl("/update", "-T", str(release), "-m", "200", "-H", token, login=False)
        assert pushed.out == "version 2 is in slot b; restarting into it\n"
        assert pushed.err == "200"
        box.wait("it is kept", lambda: shown(box).get("version") == "2", 300)
        box.wait("it is committed", lambda: shown(box)["state"] == "committed", 300)
        refused = box.curl("/update", "-T", str(release), "-m", "200", "-H", token, login=False)
        assert refused.out.startswith("version 2 runs already"), refused.out
        answer = box.curl("/power", *accept, "-d", "action=poweroff")
        assert answer.err == "200"
        box.wait("power off", lambda: box.process.poll() is not None, 60)

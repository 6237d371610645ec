"""Updates of a real box: pushed, tried, committed by itself; and one that is never ready is left by itself."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from snakeroot import config, disk, image, keys, release, releasing

from tests.vm.conftest import create
from tests.vm.test_disk import FULL_KERNELS, DiskBox, booted
from tests.vm.test_disk import found as kernel_of
from toolbox.release.manifest import file_name


def make(folder: Path, version: str) -> bytes:
    """The file of a release of the instance as it is now."""
    instance = config.load(folder)
    built = image.build(instance)
    plan = release.plan(instance, [built.kernel], version)
    made = disk.release(built, plan.number)
    parts = {"boot": io.BytesIO(made.boot), "root": io.BytesIO(made.root)}
    releases = folder.parent / "releases"
    release.write(releases, plan, parts, keys.secret(folder))
    return (releases / file_name(plan.target, version)).read_bytes()


def shown(box: DiskBox) -> dict[str, Any]:
    """`update show --json`; empty while the box does not answer."""
    try:
        # A box that restarts meanwhile does not say that the connection is gone.
        answer = box.ssh("update show --json", "-o", "ConnectTimeout=5", seconds=8)
    except subprocess.TimeoutExpired:
        return {}
    return json.loads(answer.out) if answer.status == 0 else {}


def becomes(box: DiskBox, slot: str, version: str) -> dict[str, Any]:
    """Wait until a version is committed in a slot, and return what is shown then."""

    def there() -> dict[str, Any]:
        found = shown(box)
        last = found.get("last") or {}
        arrived = (found.get("slot"), found.get("state")) == (slot, "committed") and last
        return found if arrived else {}

    found = box.wait(f"version {version} in slot {slot} is committed", there)
    assert found["version"] == version
    return dict(found)


def part_sent(said: str) -> float:
    """How much of the release `snakeroot update` says that it sent."""
    sent = re.search(r"^  (\d+) kB of (\d+)$", said, re.MULTILINE)
    assert sent, said
    return int(sent[1]) / int(sent[2])


def written(folder: Path) -> Path:
    """The instance's disk with version 0, as an image with room for /perm, beside its folder."""
    instance = config.load(folder)
    made = releasing.labelled(instance, image.build(instance))
    path = folder.with_name("disk.img")
    disk.raw(disk.make(made, disk.layout(instance.settings.disk)), path)
    os.truncate(path, path.stat().st_size + (100 << 20))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An instance, and the image of its disk."""
    folder = tmp_path / "hello"
    create(folder)
    written(folder)
    return folder


def test_kept_when_healthy_and_left_when_not(folder: Path) -> None:
    program = folder / "hello" / "hello.py"
    settings = folder / "snakeroot.toml"
    with booted(folder, folder.parent / "disk.img", reboots=True) as box:
        box.ready()
        before = shown(box)
        assert before["slot"] == "a"
        assert before["version"] == "0"
        assert before["state"] == "committed"
        assert before["last"] is None
        assert "/dev/watchdog" in box.ssh("ls -l /proc/1/fd").out
        assert box.ssh("update check").status == 2  # it knows no place of releases

        program.write_text(program.read_text().replace("<h1>", "<h1>2: "))
        make(folder, "2")
        snakeroot = Path(sys.executable).with_name("snakeroot")
        releases = str(folder.parent / "releases")
        words = [str(snakeroot), "-C", str(folder), "update", releases]
        done = box.run(words, seconds=200)
        assert done.status == 0, done.err
        assert done.out == "version 2 runs in slot b\n"
        assert "version 2 is in slot b; restarting into it" in done.err
        assert part_sent(done.err) < 0.02
        found = becomes(box, "b", "2")
        assert found["last"]["outcome"] == "committed"
        assert found["slots"]["a"] == {"state": "good", "version": "0"}

        text = settings.read_text().replace(
            "[services.hello]", '[services.hello]\nready = "notify"'
        )
        settings.write_text(text + "\n[update]\nhealthy_within = 8.0\n")
        file = folder.parent / "release"
        file.write_bytes(make(folder, "3"))
        token = f"Authorization: Bearer {(folder / 'update-token').read_text().strip()}"
        asked = box.curl("/update", "-H", token, login=False)
        assert json.loads(asked.out)["version"] == "2"
        assert box.curl("/", "-H", token, login=False).err == "403"
        pushed = box.curl("/update", "-T", str(file), "-m", "60", "-H", token, login=False)
        assert pushed.err == "200", pushed.out
        assert pushed.out == "version 3 is in slot a; restarting into it\n"
        found = box.wait(
            "version 3 was left",
            lambda: (f := shown(box)) and f["last"]["version"] == "3" and f,
            120,
        )
        assert found["slot"] == "b"
        assert found["version"] == "2"
        assert found["last"]["outcome"] == "failed"
        assert found["last"]["reason"] == "not healthy within 8 s: hello is starting"
        assert found["slots"]["a"] == {"state": "bad", "version": "3"}

        settings.write_text(settings.read_text().replace('ready = "notify"', ""))
        make(folder, "4")
        done = box.run([*words, "--to", "http://127.0.0.1:8080"], seconds=200)
        assert done.status == 0, done.err
        assert done.out == "version 4 runs in slot a\n"
        assert part_sent(done.err) < 0.02
        becomes(box, "a", "4")
        box.poweroff()


def test_to_another_kernel(folder: Path) -> None:
    """One for real machines, which has as modules what that for virtual machines has built in."""
    with booted(folder, folder.parent / "disk.img", reboots=True) as box:
        box.ready()
        before = box.ssh("uname -r").out
        settings = folder / "snakeroot.toml"
        other = next(name for name in FULL_KERNELS if kernel_of(name))
        text = settings.read_text().replace("\n[kernel]\n", f'\n[kernel]\npackage = "{other}"\n')
        settings.write_text(text)
        snakeroot = Path(sys.executable).with_name("snakeroot")
        done = box.run([str(snakeroot), "-C", str(folder), "update"], seconds=300)
        assert done.status == 0, done.err
        assert box.ssh("uname -r").out != before
        assert " /perm ext4 " in box.ssh("cat /proc/mounts").out

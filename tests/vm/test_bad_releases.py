"""Bad releases on a real box: each is left by itself, and what was wrong with it is kept and shown."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snakeroot import config, disk, image, keys, new, release, releasing
from snakeroot.image import Image

from tests.vm.test_disk import DiskBox, booted
from tests.vm.test_update import shown
from toolbox.release.manifest import file_name

#: Seconds in which a box is back in the old release, by its own clock.
LIMIT = 120.0

#: What the service does by a word on the kernel's command line: so that the releases share one root.
PROGRAM = """\
import time

words = open("/proc/cmdline").read().split()
if "hello=crash" in words:
    raise SystemExit("hello: no such luck")
if "hello=panic" in words:
    open("/proc/sysrq-trigger", "w").write("c")
if "hello=freeze" in words:
    import os

    os.mkdir("/sys/fs/cgroup/frozen")
    for name, value in (("cgroup.procs", "1"), ("cgroup.freeze", "1")):
        with open(f"/sys/fs/cgroup/frozen/{name}", "w") as file:
            file.write(value)
while True:
    time.sleep(1000)
"""

SETTINGS = """
[update]
healthy_within = 10.0
"""


class Maker:
    """Releases of one instance, whose root is built once."""

    def __init__(self, folder: Path) -> None:
        self.instance = config.load(folder)
        self.built = image.build(self.instance)
        self.releases = folder.parent / "releases"

    def make(self, version: str, built: Image) -> Path:
        """A signed release; its file."""
        plan = release.plan(self.instance, [self.built.kernel], version)
        made = disk.release(built, plan.number)
        parts = {"boot": io.BytesIO(made.boot), "root": io.BytesIO(made.root)}
        release.write(self.releases, plan, parts, keys.secret(self.instance.path))
        return self.releases / file_name(plan.target, version)

    def argued(self, version: str, *words: str) -> Path:
        """One with these words for its kernel."""
        return self.make(version, dataclasses.replace(self.built, arguments=("panic=1", *words)))


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    folder = tmp_path_factory.mktemp("bad") / "hello"
    new.create(folder)
    (folder / "hello" / "hello.py").write_text(PROGRAM)
    settings = folder / "snakeroot.toml"
    text = settings.read_text().replace("[services.hello]", '[services.hello]\nuser = "root"')
    settings.write_text(text + SETTINGS)
    return Maker(folder)


@pytest.fixture(scope="module")
def box(maker: Maker) -> Iterator[DiskBox]:
    """One box for all of them: each must leave it fit for the next."""
    path = maker.releases.with_name("disk.img")
    made = releasing.labelled(maker.instance, maker.built)
    disk.raw(disk.make(made, disk.layout(maker.instance.settings.disk)), path)
    os.truncate(path, path.stat().st_size + (100 << 20))
    with booted(maker.instance.path, path, reboots=True) as box:
        box.ready()
        yield box
        box.poweroff()


def left(box: DiskBox, file: Path, version: str) -> dict[str, Any]:
    """Push a release and wait until the box is back in the old one; what it shows then."""
    before = shown(box)
    pushed = box.curl("/update", "-T", str(file), "-m", "60")
    assert pushed.err == "200", pushed.out

    def over() -> dict[str, Any]:
        found = shown(box)
        last = found.get("last") or {}
        return found if last.get("version") == version else {}

    found = box.wait(f"version {version} was left", over, LIMIT)
    assert (found["slot"], found["version"]) == (before["slot"], before["version"])
    assert found["state"] == "committed"
    assert found["last"]["outcome"] == "failed"
    return dict(found)


#: What is wrong -> words for the kernel by which it is, and the reason that is shown.
CASES = {
    "init exits": (
        ["init=/bin/false"],
        "its kernel panicked: Attempted to kill init! exitcode=0x00000100",
    ),
    "init hangs at once": (
        ["init=/bin/cat", "snakeroot.watchdog=5"],
        "its kernel panicked: Software Watchdog Timer expired",
    ),
    "init hangs later": (
        ["hello=freeze", "snakeroot.watchdog=5"],
        "its kernel panicked: Software Watchdog Timer expired",
    ),
    "panic": (
        ["hello=panic"],
        "its kernel panicked: sysrq triggered crash",
    ),
    "a service crashes": (
        ["hello=crash"],
        "not healthy within 10 s: hello is backoff (exit 1)",
    ),
    "no network": (
        ["module_blacklist=virtio_net"],
        "not healthy within 10 s: dhcp is starting",
    ),
}


@pytest.mark.parametrize("what", CASES)
def test_a_release_that_fails_is_left(maker: Maker, box: DiskBox, what: str) -> None:
    words, reason = CASES[what]
    version = f"1.{list(CASES).index(what)}"
    found = left(box, maker.argued(version, *words), version)
    # How far it had come is known of some, and not always as much.
    assert found["last"]["reason"].partition("; the last that is known: ")[0] == reason

"""Bad releases on a real box: each is left by itself, and what was wrong with it is kept and shown."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snakeroot import config, disk, image, keys, release, releasing
from snakeroot.image import Image

from tests.vm.conftest import create
from tests.vm.test_disk import DiskBox, booted
from tests.vm.test_update import shown
from toolbox.release.manifest import file_name
from toolbox.storage import slot
from toolbox.storage.device import SECTOR

#: Seconds in which a box is back in the old release, by its own clock.
LIMIT = 120.0

#: What the service does by a word on the kernel's command line: so that the releases share one root.
PROGRAM = """\
import time

words = open("/proc/cmdline").read().split()
if "hello=crash" in words:
    raise SystemExit("hello: no such luck")
if "hello=limp" in words:
    time.sleep(2)
    raise SystemExit("hello: once more")
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
        return self.make(
            version,
            dataclasses.replace(self.built, arguments=(*self.built.arguments, "panic=1", *words)),
        )


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    folder = tmp_path_factory.mktemp("bad") / "hello"
    create(folder)
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


def waited(box: DiskBox, version: str) -> dict[str, Any]:
    """What the box shows once the trial of a version has ended."""

    def over() -> dict[str, Any]:
        found = shown(box)
        last = found.get("last") or {}
        return found if last.get("version") == version else {}

    return dict(box.wait(f"the trial of {version} has ended", over, LIMIT))


def left(box: DiskBox, file: Path, version: str) -> dict[str, Any]:
    """Push a release and wait until the box is back in the old one; what it shows then."""
    before = shown(box)
    pushed = box.curl("/update", "-T", str(file), "-m", "60")
    assert pushed.err == "200", pushed.out
    pushed_at = time.monotonic()
    found = waited(box, version)
    assert time.monotonic() - pushed_at < LIMIT
    assert (found["slot"], found["version"]) == (before["slot"], before["version"])
    assert found["state"] == "committed"
    assert found["last"]["outcome"] == "failed"
    return found


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


def test_a_service_that_ends_again_and_again_is_left(maker: Maker, box: DiskBox) -> None:
    """It is well whenever it is looked at in between."""
    found = left(box, maker.argued("1.9", "hello=limp"), "1.9")
    assert found["last"]["reason"].startswith("not healthy within 10 s: ")
    assert re.search("hello is backoff|had to be started again", found["last"]["reason"])


def test_a_kernel_that_is_none_is_left(maker: Maker, box: DiskBox, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"no kernel" * 1000)
    file = maker.make("2.0", dataclasses.replace(maker.built, kernel=kernel))
    found = left(box, file, "2.0")
    assert found["last"]["reason"] == "the boot loader could not load its kernel"


def test_an_initramfs_that_was_cut_off_is_left(maker: Maker, box: DiskBox, tmp_path: Path) -> None:
    """When it was built, and so its hash is right: the kernel boots on with a part of it."""
    initramfs = tmp_path / "initramfs"
    whole = maker.built.initramfs.read_bytes()
    initramfs.write_bytes(whole[: len(whole) * 3 // 4])
    built = dataclasses.replace(
        maker.built, initramfs=initramfs, arguments=(*maker.built.arguments, "panic=1")
    )
    found = left(box, maker.make("2.1", built), "2.1")
    assert found["last"]["reason"] == (
        "its kernel panicked: first stage: the initramfs is incomplete:"
        " it was cut off, or memory is short: /modules.list: ENOENT (2)"
    )


#: Flips a bit of the kernel in the slot that is on trial next.
DAMAGE = f"""
with open("/dev/vda6", "r+b", buffering=0) as area:
    area.seek({(slot.FIRST + 1000) * SECTOR})
    sector = bytearray(area.read({SECTOR}))
    sector[7] ^= 1
    area.seek({(slot.FIRST + 1000) * SECTOR})
    area.write(sector)
"""


def test_a_slot_that_is_damaged_later_is_left(maker: Maker, box: DiskBox) -> None:
    """A flipped bit between the installation and the first boot; then nothing is wrong with the box."""
    file = maker.argued("2.2")
    for command, stdin in (
        ("update apply --no-reboot -", file.read_bytes()),
        ("python -", DAMAGE.encode()),
    ):
        done = box.ssh(command, stdin=stdin)
        assert done.status == 0, done.err
    assert shown(box)["state"] == "armed"
    box.ssh("reboot")
    found = waited(box, "2.2")
    assert found["last"]["outcome"] == "failed"
    assert found["last"]["reason"] == "the boot loader found its slot damaged"
    assert found["slots"]["b"] == {"state": "bad", "version": "2.2"}


def test_a_good_one_is_taken_afterwards(maker: Maker, box: DiskBox) -> None:
    pushed = box.curl("/update", "-T", str(maker.argued("3.0")), "-m", "60")
    assert pushed.err == "200", pushed.out
    found = waited(box, "3.0")
    assert (found["slot"], found["version"], found["state"]) == ("b", "3.0", "committed")
    assert found["last"]["outcome"] == "committed"

"""Shares of /perm: a service that uses up its own stops itself, and neither the others nor the box.

And the boxes that cannot have it: whose /perm was made before, and whose kernel cannot count.
"""

from __future__ import annotations

import dataclasses
import os
from functools import partial
from pathlib import Path

import pytest
from snakeroot import config, disk, image, kernel, releasing

from tests.vm.conftest import create
from tests.vm.test_disk import booted
from tests.vm.test_harm import logged, service

#: It takes all the files that it can get, and then all the space.
GREEDY = """
import os, time
home = os.environ["HOME"]
def fill(size):
    try:
        for n in range(10**7):
            with open(f"{home}/{size}-{n}", "wb") as file:
                file.write(bytes(size))
    except OSError as error:
        print(size, n, error.strerror, flush=True)
fill(0)
for name in os.listdir(home)[:100]:
    os.unlink(f"{home}/{name}")
fill(1 << 21)
print("done", flush=True)
time.sleep(1000000)
"""

#: It writes all the time, and little.
MODEST = """
import os, time
home = os.environ["HOME"]
for n in range(10**7):
    with open(f"{home}/{n % 50}", "w") as file:
        file.write("x" * 5000)
    if n % 20 == 0:
        print("wrote", n, flush=True)
    time.sleep(0.05)
"""


def made(folder: Path, *, quotas: bool) -> Path:
    """The instance's disk, whose /perm was made with quotas or not, and which has become larger since."""
    instance = config.load(folder)
    release = releasing.labelled(instance, image.build(instance))
    release = dataclasses.replace(release, quotas=quotas)
    path = folder.parent / "disk.img"
    disk.raw(disk.make(release, disk.layout(instance.settings.disk)), path)
    os.truncate(path, path.stat().st_size + (100 << 20))
    return path


def test_a_service_uses_up_its_share_and_the_others_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    create(folder)
    service(folder, "greedy", GREEDY)
    service(folder, "modest", MODEST)
    settings = folder / "snakeroot.toml"
    settings.write_text(settings.read_text() + 'files = 60\ndisk = "4M"\n')  # modest's
    with booted(folder, made(folder, quotas=True), reboots=True) as box:
        box.ready()
        files = int(box.ssh("stat -f -c %c /perm").out)
        box.wait("it took what it may", partial(logged, box, "greedy", "done"), 300)
        first, second = box.ssh("logs greedy").out.splitlines()[:2]
        # Half of all, its folder included.
        assert f"0 {files // 2 - 1} Disk quota exceeded" in first
        assert "Disk quota exceeded" in second
        said = box.ssh("logs init").out
        assert f"greedy: has all {files // 2} files that it may have on /perm ('files' in" in said
        assert "that it may have on /perm ('disk' in" in said
        assert "modest: has" not in said
        numbers = [line.split()[-1] for line in box.ssh("logs modest").out.splitlines()]
        assert numbers
        box.wait(
            "another still writes",
            lambda: f"wrote {int(numbers[-1]) + 20}" in box.ssh("logs modest").out,
        )
        assert box.ssh("head -c 5000000 /dev/zero > /perm/x").status == 0
        assert box.ssh("cp /perm/x /perm/home/modest/x").status == 0, "root has no limit"
        assert box.services()["modest"]["restarts"] == 0
        assert "usrquota" in box.ssh("mount").out.partition(" on /perm ")[2].partition("\n")[0]

        # What each may have is in the file system; it is looked at again, and counts, after a restart.
        box.ssh("rm /perm/x /perm/home/modest/x; reboot")
        box.wait("it restarts", lambda: box.console().count("init: /perm is /dev/vda8") == 2, 120)
        box.wait("it is full", partial(logged, box, "greedy", "done"), 300)
        assert "Disk quota exceeded" in box.ssh("logs greedy").out
        assert f"greedy: has all {files // 2} files" in box.ssh("logs init").out
        box.poweroff()


def test_a_perm_that_was_made_without_goes_on_as_before(tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    create(folder)
    with booted(folder, made(folder, quotas=False)) as box:
        box.ready()
        said = box.ssh("logs init").out
        assert said.count("/perm was made without quotas") == 1
        assert "init: quotas:" not in said
        assert box.ssh("echo kept > /perm/note").status == 0
        box.poweroff()


def test_a_kernel_that_cannot_count_has_its_perm_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is on it; another kernel later does not count any more."""
    folder = tmp_path / "hello"
    create(folder)
    path = made(folder, quotas=True)
    with booted(folder, path) as box:
        assert box.ready().ssh("echo kept > /perm/note").status == 0
        box.poweroff()
    monkeypatch.setattr(kernel.Kernel, "counts_for_users", False)
    # Its slot gets the root without the modules; /perm stays.
    own = path.rename(tmp_path / "own.img")
    other = made(folder, quotas=True)
    with own.open("r+b") as file, other.open("rb") as source:
        table = disk.partitions(disk.layout(config.load(folder).settings.disk))
        for name in ("A-boot", "A-root"):
            part = table.named(name)
            for there in (file, source):
                there.seek(part.first * 512)
            file.write(source.read(part.sectors * 512))
    with booted(folder, own) as box:
        box.ready()
        assert box.ssh("cat /perm/note").out == "kept\n"
        said = box.ssh("logs init").out
        assert "/perm goes on without quotas, which this kernel refuses: No such process" in said
        assert said.count("/perm was made without quotas") == 1
        assert box.ssh("echo more > /perm/note").status == 0
        box.poweroff()

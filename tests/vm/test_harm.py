"""What an ordinary change and a service that runs wild may do to a box: nothing to the others, and nothing that an
update could not repair.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from snakeroot import config, disk, image, releasing, services, users

from tests.vm.conftest import create
from tests.vm.test_disk import booted
from tests.vm.test_update import becomes, make, shown

#: Two services that keep a secret each, and read it again when they start.
KEEPER = """
import os, pathlib, time
place = pathlib.Path(os.environ["HOME"], "secret")
if not place.exists():
    place.touch(0o600)
    place.write_text("{name}'s own")
print(place.read_text(), "read by", os.getuid(), flush=True)
time.sleep(1000000)
"""

#: One that looks into everybody's state.
SNOOPER = """
import os, time
for name in ("hello", "vault", "keeper"):
    try:
        print("alpha reads", os.listdir(f"/perm/home/{name}"), flush=True)
    except OSError as error:
        print("alpha:", name, error.strerror, flush=True)
time.sleep(1000000)
"""

#: One that takes whatever it can get.
WILD = """
import os, time
def fill(folder, size):
    try:
        for n in range(10**7):
            with open(f"{folder}/{n}", "wb") as file:
                file.write(bytes(size))
    except OSError as error:
        print(folder, n, error.strerror, flush=True)
fill(os.environ["HOME"], 0)
fill("/dev/shm", 1 << 16)
fill("/tmp", 1 << 16)
fill("/dev/shm", 0)
fill("/tmp", 0)
print("forks", flush=True)
while True:
    try:
        if os.fork() == 0:
            while True:
                time.sleep(1000)
    except OSError as error:
        print("fork:", error.strerror, flush=True)
        break
print("memory", flush=True)
held = []
while True:
    held.append(bytes(1 << 20) + b"x")
"""


def logged(box: Any, name: str, text: str) -> bool:
    """Whether a service has said something."""
    return text in box.ssh(f"logs {name}").out


def service(folder: Path, name: str, program: str) -> None:
    """Add a service to an instance."""
    (folder / name).mkdir()
    (folder / name / f"{name}.py").write_text(program)
    settings = folder / "snakeroot.toml"
    settings.write_text(f'{settings.read_text()}\n[services.{name}]\npython = "./{name}"\n')


def disk_of(folder: Path) -> Path:
    instance = config.load(folder)
    made = releasing.labelled(instance, image.build(instance))
    path = folder.parent / "disk.img"
    disk.raw(disk.make(made, disk.layout(instance.settings.disk)), path)
    os.truncate(path, path.stat().st_size + (100 << 20))
    return path


def by_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers as former releases gave them."""

    def numbers(chosen: dict[str, int]) -> dict[str, int]:
        return {name: 1000 + place for place, name in enumerate(sorted(chosen))}

    monkeypatch.setattr(users, "numbers", numbers)


@pytest.mark.parametrize("former", ["by place", "by name"])
def test_a_service_that_is_added_gets_nobody_elses_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, former: str
) -> None:
    """Whether the box has the numbers of former releases or those of this one."""
    folder = tmp_path / "hello"
    create(folder)
    service(folder, "keeper", KEEPER.format(name="keeper"))
    service(folder, "vault", KEEPER.format(name="vault"))
    with monkeypatch.context() as patch:
        if former == "by place":
            by_place(patch)
        path = disk_of(folder)
    with booted(folder, path, reboots=True) as box:
        box.ready()
        for name in ("keeper", "vault"):
            said = f"{name}'s own read by"
            box.wait("a secret is kept", partial(logged, box, name, said))
        service(folder, "alpha", SNOOPER)
        make(folder, "2")
        done = box.run(
            [
                *(str(Path(sys.executable).with_name("snakeroot")), "-C", str(folder), "update"),
                str(folder.parent / "releases"),
            ],
            seconds=300,
        )
        assert done.status == 0, done.err
        becomes(box, "b", "2")
        numbers = users.numbers(services.users_of(config.load(folder).settings))
        for name in ("keeper", "vault"):
            said = f"{name}'s own read by {numbers[name]}"
            box.wait("a secret is read", partial(logged, box, name, said))
        box.wait("alpha looked", lambda: "alpha: keeper" in box.ssh("logs alpha").out)
        logs = box.ssh("logs alpha").out
        assert "alpha reads" not in logs
        for name in ("hello", "vault", "keeper"):
            assert f"alpha: {name} Permission denied" in logs
        box.poweroff()


def test_a_service_that_takes_all_it_can_get_stops_itself(tmp_path: Path) -> None:
    """The box stays, page and SSH answer, and the update that takes it out can be installed.

    Also where its owner let it have all of /perm, or the box cannot limit it there.
    """
    folder = tmp_path / "hello"
    create(folder)
    service(folder, "wild", WILD)
    settings = folder / "snakeroot.toml"
    settings.write_text(settings.read_text() + 'disk = "max"\nfiles = "max"\n')
    with booted(folder, disk_of(folder), reboots=True) as box:
        box.ready()
        boot = box.ssh("cat /proc/sys/kernel/random/boot_id").out
        box.wait("it took the files", lambda: "forks" in box.ssh("logs wild").out, 300)
        box.wait("and the tasks", lambda: "fork: Resource" in box.ssh("logs wild").out, 120)
        box.wait("it ended", lambda: box.services()["wild"]["restarts"] > 0, 300)
        said = box.ssh("logs wild").out
        assert "/perm/home/wild" in said
        assert "No space left on device" in said
        assert box.ssh("df -i /perm").status == 0
        full = box.ssh("touch /perm/x")
        assert full.status != 0, "there is no file left on /perm, also not for root"
        assert box.curl("/").err == "200"
        assert box.ssh("echo up").out == "up\n"
        assert box.ssh("cat /proc/sys/kernel/random/boot_id").out == boot, "it never restarted"
        state = shown(box)
        assert state["slots"]["a"]["state"] == "good"

        settings.write_text(settings.read_text().partition("\n[services.wild]")[0])
        make(folder, "2")
        done = box.run(
            [
                *(str(Path(sys.executable).with_name("snakeroot")), "-C", str(folder), "update"),
                str(folder.parent / "releases"),
            ],
            seconds=300,
        )
        assert done.status == 0, done.err
        found: dict[str, Any] = becomes(box, "b", "2")
        assert found["slots"]["a"]["state"] == "good"
        box.poweroff()

"""The power fails during a real update: every write of QEMU's disk is written down, and replayed up to anywhere.

What the kernel, GRUB and the updater really wrote, in their order, with the flushes that really were: each
state is judged by the model of firmware and GRUB (tests/toolbox/storage/machine.py) to the last byte of what
comes up, and some of them are booted.
"""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakeroot import config, disk, image, new

from tests.toolbox.storage import machine
from tests.toolbox.storage.machine import Release
from tests.toolbox.storage.memory import Memory
from tests.vm import write_log
from tests.vm.conftest import BOOT
from tests.vm.test_disk import COMMIT, INSTALL, booted
from tests.vm.write_log import Event

#: How many of the states are booted.
BOOTS = 6


@dataclasses.dataclass
class Recording:
    """before: the disk    events: of the whole update    known: the releases that may come up"""

    before: bytes
    events: list[Event]
    known: tuple[Release, Release]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A box is booted, grows its /perm, installs a release, reboots on trial, commits, and is switched off."""
    folder = tmp_path_factory.mktemp("power") / "hello"
    new.create(folder)
    built = image.build(config.load(folder))
    old = disk.release(built, 1)
    later = disk.release(dataclasses.replace(built, arguments=("release=2",)), 2)
    root = len(old.root) // (1 << 20) + 2
    # Another root, too: the same squashfs with other bytes behind its end.
    later = disk.Release(later.boot, later.root + b"2" * 4096)
    path, log = folder / "disk.img", folder / "log"
    disk.raw(disk.make(old, disk.Layout(root=root, seed="power")), path)
    os.truncate(path, path.stat().st_size + (100 << 20))
    before = path.read_bytes()
    log.touch()
    drive = (
        f"driver=blklogwrites,node-name=disk,log-sector-size=512,file.driver=file,"
        f"file.filename={path},log.driver=file,log.filename={log}"
    )
    with booted(folder, path, reboots=True, drive=("-blockdev", drive)) as box:
        box.ready()
        for name, data in (("boot", later.boot), ("root", later.root)):
            assert box.ssh(f"cat > /run/{name}", stdin=data).status == 0
        program = INSTALL.replace("/perm/", "/run/").encode()
        assert box.ssh("python -", stdin=program).out.startswith("armed")
        box.ssh("reboot")
        trial = " snakeroot.slot=b snakeroot.boot=trial "
        box.wait("the trial", lambda: trial in box.ssh("cat /proc/cmdline").out)
        assert box.ssh("python -", stdin=COMMIT.encode()).out == "State('b', '', 0, [])\n"
        box.type("poweroff\n")
        box.wait("power off", lambda: box.process.poll() is not None, 30)
    known = (Release("old", old.boot, old.root), Release("new", later.boot, later.root))
    return Recording(before, write_log.read(log), known)


def cuts(recording: Recording, seed: int = 1) -> Iterator[tuple[str, Memory]]:
    """(where, the disk): each flush, and between two of them some of the writes, and some without others.

    It is one disk, which changes from one to the next; what the caller writes to it is undone.
    """
    chance = random.Random(seed)
    left = Undoable(recording.before)
    pending: list[tuple[int, bytes]] = []
    for number, event in enumerate(recording.events):
        if event is not None:
            pending.append(event)
            continue
        choices = [pending[:kept] for kept in {0, len(pending), chance.randint(0, len(pending))}]
        choices.append([event for event in pending if chance.random() < 0.5])
        for chosen in choices:
            for write in chosen:
                left.write(*write)
            yield f"event {number}, {len(chosen)} of {len(pending)}", left
            left.undo()
        for write in pending:
            left.write(*write)
        left.undone.clear()
        pending = []


class Undoable(Memory):
    """A disk in memory that can go back: it is too large to be copied for each state."""

    def __init__(self, contents: bytes) -> None:
        self.size = len(contents)
        self.bytes = bytearray(contents)
        self.undone: list[tuple[int, bytes]] = []

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self.undone.append((offset, self.read(offset, len(data))))
        super().write(offset, data)

    def undo(self) -> None:
        """Take back what was written since the last time."""
        while self.undone:
            super().write(*self.undone.pop())


def test_each_state_of_a_real_update_is_one_release_or_the_other(recording: Recording) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for where, contents in cuts(recording):
        found = machine.boot(contents, recording.known)
        assert found.release in ("old", "new"), (where, found)
        seen[found.release, found.word] += 1
    assert set(seen) == {("old", "committed"), ("new", "trial"), ("new", "committed")}, seen


def test_some_of_them_booted(recording: Recording, tmp_path: Path) -> None:
    """What the model says is what comes up; the states around the arming and the commit are among them."""
    states = [machine.boot(contents, recording.known) for _, contents in cuts(recording)]
    words = [(found.slot, found.word) for found in states]
    turns = [i for i in range(1, len(words)) if words[i] != words[i - 1]]
    chosen = {0, len(words) - 1, *turns, *(i - 1 for i in turns)}
    spread = random.Random(2).sample(range(len(words)), len(words))
    chosen = set(sorted(chosen)[:BOOTS]) | set(spread[: max(0, BOOTS - len(chosen))])
    for index, (where, contents) in enumerate(cuts(recording)):
        if index not in chosen:
            continue
        path = tmp_path / "disk"
        path.write_bytes(contents.bytes)
        said = console(path)
        slot, word = words[index]
        assert f"Snakeroot: slot {slot}, {word}" in said, (where, said)
        assert "init: /perm is /dev/vda8" in said, (where, said)


def console(path: Path) -> str:
    """The console of a boot, until init has mounted /perm, with the file system's journal played back."""
    argv = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-machine", "q35"),
        *("-m", "512", "-smp", "2", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-no-reboot", "-drive", f"file={path},format=raw,if=virtio", "-serial", "stdio"),
    ]
    said = ""
    with subprocess.Popen(
        ["timeout", str(BOOT), *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        for line in process.stdout:
            said += line.decode(errors="replace")
            if "init: /perm is" in said:
                break
        process.terminate()
    return said

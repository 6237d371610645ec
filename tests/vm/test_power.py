"""The power fails during real updates: every write of QEMU's disk is written down, and replayed up to anywhere.

A box takes two releases by `snakeroot update`: the first is cut off by the reset button half-way and taken
again, the second is a delta, too.  What the kernel, GRUB and the updater really wrote, in their order, with the
flushes that really were: each state that a power failure may leave is judged by the model of firmware and GRUB
(tests/toolbox/storage/machine.py) to the last byte of what comes up, and many of them are booted, and asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from snakeroot import config, disk, image, keys, release, releasing
from snakeroot.image import Image

from tests.toolbox.storage import machine
from tests.toolbox.storage.machine import Boot, Release
from tests.vm import write_log
from tests.vm.conftest import BOOT, create
from tests.vm.test_disk import FIRMWARE, DiskBox, booted
from tests.vm.test_update import shown
from tests.vm.write_log import Event, Replayed, State
from toolbox.release.manifest import file_name
from toolbox.storage import bootstate, gpt
from toolbox.storage.device import SECTOR, Disk
from toolbox.storage.slot import Slot

#: How many of the states are booted, and each how many-th of them by UEFI.
BOOTS, UEFI = 40, 7

#: MiB of the slots' partitions: the root of the template and what the releases add to it.
SIZES = "[disk]\nboot = 24\nroot = 32\nperm = 16\n"

#: Each how many-th of the boots is asked by its console which release runs.
ASKED = 4

#: Bytes that are written before the reset button is pressed: of 31 MB.
HALF = 12 << 20

VERSIONS = ("0", "1", "2")


@dataclasses.dataclass
class Recording:
    """folder: the instance    before: the disk, as a file    events: of both updates
    known: the releases that may come up, in their order    after: the file of a release after them
    """

    folder: Path
    before: Path
    events: list[Event]
    known: tuple[Release, ...]
    after: Path


def known(version: str, made: disk.Release) -> Release:
    return Release(version, made.boot, made.root)


def write_release(folder: Path, built: Image, version: str) -> tuple[disk.Release, Path]:
    """A signed release of the instance, and its file."""
    plan = release.plan(config.load(folder), [built.kernel], version)
    words = (*built.arguments, f"release={version}")
    made = disk.release(dataclasses.replace(built, arguments=words), plan.number)
    # Some bytes behind the squashfs's end that no other release has.
    made = dataclasses.replace(made, root=made.root + machine.noise(version, 400))
    parts = {"boot": io.BytesIO(made.boot), "root": io.BytesIO(made.root)}
    releases = folder.parent / "releases"
    release.write(releases, plan, parts, keys.secret(folder))
    return made, releases / file_name(plan.target, version)


def update(box: DiskBox, what: Path) -> subprocess.Popen[str]:
    """`snakeroot update` has begun."""
    snakeroot = Path(sys.executable).with_name("snakeroot")
    words = [snakeroot, "-C", box.instance.path, "update", what]
    return subprocess.Popen(
        ["ip", "netns", "exec", box.netns, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def updated(box: DiskBox, what: Path, version: str) -> None:
    """`snakeroot update` succeeds."""
    out, err = update(box, what).communicate(timeout=200)
    assert out.startswith(f"version {version} runs in slot "), (out, err, box.console()[-2000:])


def press_reset(path: Path) -> None:
    """The reset button, by QEMU's own protocol (QMP)."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(path))
        with control.makefile("rw") as file:
            for word in ("qmp_capabilities", "system_reset"):
                file.write(json.dumps({"execute": word}))
                file.flush()
                while "return" not in json.loads(file.readline()):
                    pass


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A box is booted, grows its /perm, takes two releases, one of them in two parts, and is switched off."""
    folder = tmp_path_factory.mktemp("power") / "hello"
    create(folder)
    settings = folder / "snakeroot.toml"
    settings.write_text(settings.read_text().replace("[disk]\n", SIZES))
    instance = config.load(folder)
    built = image.build(instance)
    first = releasing.labelled(instance, built)
    program = folder / "hello" / "hello.py"
    program.write_text(program.read_text().replace("<h1>", "<h1>later: "))
    built = image.build(config.load(folder))
    (one, one_file), (two, two_file), (_, after) = (
        write_release(folder, built, version) for version in ("1", "2", "3")
    )
    path, before = folder.parent / "disk.img", folder.parent / "before.img"
    disk.raw(disk.make(first, disk.layout(instance.settings.disk)), path)
    os.truncate(path, path.stat().st_size + (60 << 20))
    copy(path, before)
    log, control = folder.parent / "log", folder.parent / "control"
    log.touch()
    drive = (
        *("-qmp", f"unix:{control},server=on,wait=off", "-blockdev"),
        f"driver=blklogwrites,node-name=disk,log-sector-size=512,file.driver=file,"
        f"file.filename={path},log.driver=file,log.filename={log}",
    )
    with booted(folder, path, reboots=True, drive=drive) as box:
        box.ready()
        size = log.stat().st_size
        cut = update(box, one_file)
        box.wait("half of it is written", lambda: log.stat().st_size > size + HALF)
        press_reset(control)
        cut.communicate(timeout=BOOT)
        assert cut.returncode != 0
        box.ready()
        found = shown(box)
        assert (found["slot"], found["version"], found["state"]) == ("a", "0", "committed")
        assert found["slots"]["b"]["state"] == "empty"  # its header is the last that is written
        updated(box, one_file, "1")
        updated(box, two_file, "2")
        box.poweroff()
    releases = tuple(map(known, VERSIONS, (first, one, two)))
    return Recording(folder, before, write_log.read(log), releases, after)


def copy(path: Path, to: Path) -> Path:
    """With the holes of it."""
    subprocess.run(["cp", "--sparse=always", path, to], check=True)
    return to


# -- the model ---------------------------------------------------------------------------------------------


class Judge:
    """Says what a boot of a replayed disk does; what is in a slot is looked at once for all states that share it."""

    def __init__(self, whole: Replayed, known: tuple[Release, ...]) -> None:
        self.disk = whole
        self.known = known
        self.seen: dict[object, machine.Held] = {}

    def __call__(self, state: State) -> Boot:
        self.disk.go(state)
        table = gpt.read(self.disk)

        def look(name: str) -> machine.Held:
            extents = [
                p for p in table if p.name in (f"{name.upper()}-boot", f"{name.upper()}-root")
            ]
            assert len(extents) == 2
            at = (self.disk.key(p.first * SECTOR, p.sectors * SECTOR) for p in extents)
            key = (name, *at)
            if key not in self.seen:
                self.seen[key] = machine.held(Slot.of(self.disk, table, name), self.known)
            return self.seen[key]

        return machine.boot(self.disk, self.known, look)


@contextlib.contextmanager
def replayed(recording: Recording, events: list[Event], path: Path) -> Iterator[Replayed]:
    whole = Replayed(copy(recording.before, path), events)
    try:
        yield whole
    finally:
        whole.close()
        path.unlink()


def judged(
    recording: Recording, events: list[Event], path: Path, window: tuple[int, int] | None = None
) -> Iterator[tuple[State, Boot, str]]:
    """Each state, what it boots, and what is wrong with that; window: only states of these events.

    What boots is what was committed, or its next; what was committed before the last flush stays whole.
    """
    names = [one.name for one in recording.known]
    first, last = window or (0, len(events))
    floor = 0
    with replayed(recording, events, path) as whole:
        judge = Judge(whole, recording.known)
        for state in write_log.states(events):
            if not first <= state.at <= last:
                continue
            found = judge(state)
            allowed = names[floor : floor + 2]
            wrong = "" if {found.release, found.committed} <= set(allowed) else f"not in {allowed}"
            if found.word not in ("committed", "trial"):
                wrong = wrong or "nobody chose it"
            if not state.kept and found.committed in names:
                floor = names.index(found.committed)
            yield state, found, wrong


@pytest.fixture(scope="module")
def verdicts(
    recording: Recording, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[State, Boot]]:
    """Each state and what the model boots from it: a release, and the right one."""
    path = tmp_path_factory.mktemp("power") / "disk"
    found = []
    for state, boot, wrong in judged(recording, recording.events, path):
        assert not wrong, (state, boot, wrong)
        found.append((state, boot))
    return found


def test_each_state_of_real_updates_is_one_release_or_the_other(
    verdicts: list[tuple[State, Boot]],
) -> None:
    seen = Counter((boot.release, boot.word) for _, boot in verdicts)
    steps = {("0", "committed"), *itertools.product(("1", "2"), ("trial", "committed"))}
    assert set(seen) == steps, seen
    assert len(verdicts) > 300


# -- /perm -------------------------------------------------------------------------------------------------


def torn(events: Sequence[Event]) -> Iterator[State]:
    """The states with a torn write; and each block that is written alone, as superblocks and the journal's commit
    blocks are, with its last five sectors old: the superblock lies in the third and fourth, its sum at the end."""
    yield from (state for state in write_log.states(events) if state.torn)
    pending: list[int] = []
    for number, event in enumerate(events):
        pending = [*pending, number] if event else []
        if event and len(event[1]) == 8 * SECTOR:
            yield State(number + 1, tuple(pending), range(3))


def test_a_torn_write_leaves_perm_mountable(recording: Recording, tmp_path: Path) -> None:
    """The journal is played back by e2fsck, which is as strict as the kernel: with sums of metadata (metadata_csum)
    a torn superblock or a torn commit block is an error to both."""
    seen, perm = 0, tmp_path / "perm"
    with replayed(recording, recording.events, tmp_path / "disk") as whole:
        for state in sorted(torn(recording.events), key=lambda state: state.at):
            event = recording.events[state.kept[-1]]
            whole.go(state)
            place = gpt.read(whole).named("perm")
            if not event or event[0] < place.first * SECTOR:
                continue
            perm.write_bytes(whole.read(place.first * SECTOR, place.sectors * SECTOR))
            found = subprocess.run(["/sbin/e2fsck", "-fy", perm], capture_output=True, text=True)
            said = found.stdout + found.stderr
            assert found.returncode in (0, 1) and "aborted" not in said, (state, said)
            seen += 1
    assert seen > 60


# -- the test of the test ----------------------------------------------------------------------------------


class Landmarks:
    """Numbers of events of the first update that was finished: the last write to the root of slot b before its
    header, the header, the arming, and the flush after that."""

    def __init__(self, recording: Recording) -> None:
        with Disk(str(recording.before)) as whole:
            table = gpt.read(whole)
        state = next(p for p in table if p.kind == bootstate.PARTITION_TYPE)
        root, boot = (table.named(name) for name in ("B-root", "B-boot"))
        place = (state.first + bootstate.STATE) * SECTOR
        writes = [(n, *event) for n, event in enumerate(recording.events) if event]
        self.armed = next(
            n
            for n, offset, data in writes
            if offset == place and (found := bootstate.decode(data[:SECTOR])) and found.armed
        )
        begins = boot.first * SECTOR
        self.header = max(n for n, at, _ in writes if at == begins and n < self.armed)
        end = root.first + root.sectors
        self.data = [
            n for n, at, _ in writes if root.first <= at // SECTOR < end and n < self.header
        ]
        self.flushed = recording.events.index(None, self.armed)
        self.begun = max(n for n, at, _ in writes if at == place and n < self.armed)


def data_after_arming(events: list[Event], at: Landmarks) -> list[Event]:
    """A write of the slot's is swapped with the arming, across the flushes between them."""
    late = at.data[-1]
    return [
        *events[:late],
        *events[late + 1 : at.flushed + 1],
        events[late],
        *events[at.flushed + 1 :],
    ]


def no_flush_before_arming(events: list[Event], at: Landmarks) -> list[Event]:
    between = [event for event in events[at.data[-1] : at.armed] if event]
    return [*events[: at.data[-1]], *between, *events[at.armed :]]


def arming_before_the_data(events: list[Event], at: Landmarks) -> list[Event]:
    """With the header, without which nothing would be booted: both before the second half of the root."""
    middle = at.data[len(at.data) // 2]
    early = [events[at.header], None, events[at.armed], None]
    rest = [e for n, e in enumerate(events) if n >= middle and n not in (at.header, at.armed)]
    return [*events[:middle], *early, *rest]


@pytest.mark.parametrize(
    "mistake",
    [data_after_arming, no_flush_before_arming, arming_before_the_data],
    ids=lambda mistake: mistake.__name__,
)
def test_an_updater_that_did_it_in_another_order_is_found(
    recording: Recording,
    tmp_path: Path,
    mistake: Callable[[list[Event], Landmarks], list[Event]],
) -> None:
    at = Landmarks(recording)
    events = mistake(recording.events, at)
    states = judged(recording, events, tmp_path / "disk", (at.begun, at.flushed + 2))
    assert "neither" in {boot.release for _, boot, wrong in states if wrong}


# -- real boots --------------------------------------------------------------------------------------------


def chosen(verdicts: Sequence[tuple[State, Boot]], number: int) -> list[tuple[State, Boot]]:
    """Those around each change of what is booted, then others, half of them in the middle of much data."""
    words = [(boot.release, boot.word) for _, boot in verdicts]
    turns = [i for i in range(1, len(words)) if words[i] != words[i - 1]]
    chance = random.Random(2)
    busy = [i for i, (state, _) in enumerate(verdicts) if len(state.kept) > 8]
    picked = list(dict.fromkeys([0, len(words) - 1, *(i - 1 for i in turns), *turns]))
    chance.shuffle(picked)
    picked = picked[: number // 2]
    picked += chance.sample(busy, min(len(busy), number // 4))
    others = chance.sample(range(len(words)), len(words))
    picked = list(dict.fromkeys([*picked, *others]))[:number]
    return [verdicts[i] for i in sorted(picked)]


def both(
    recording: Recording,
    picked: Sequence[tuple[State, Boot]],
    folder: Path,
    action: Callable[[int, Path, Boot], None],
) -> None:
    """action(number, disk, what is to come up) for each state, two at a time, each on a disk of its own."""

    def work(which: int) -> None:
        with replayed(recording, recording.events, folder / f"disk{which}") as whole:
            for number in range(which, len(picked), 2):
                state, boot = picked[number]
                whole.go(state)
                action(number, whole.path, boot)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, which) for which in range(2)]:
            done.result()


def test_forty_of_them_booted(
    recording: Recording, verdicts: list[tuple[State, Boot]], tmp_path: Path
) -> None:
    """What the model says is what comes up, and says so: GRUB, and the release that runs then."""

    def look(number: int, path: Path, boot: Boot) -> None:
        asked = number % ASKED == 0
        said = console(path, asked=asked, uefi=number % UEFI == UEFI - 1)
        assert f"Snakeroot: slot {boot.slot}, {boot.word}" in said, (boot, said)
        assert MOUNTED in said, (boot, said)
        if asked:
            answer = ANSWER.search(said)
            assert answer and answer.groups() == (boot.slot, boot.release), (boot, said)

    both(recording, chosen(verdicts, BOOTS), tmp_path, look)


#: What init says of /perm, and what `update show --json` begins with.
MOUNTED = "init: /perm is /dev/vda8"
ANSWER = re.compile(r'"slot": "(\w*)",\s+"version": "([^"]*)",\s+"state": "\w+"')


def console(path: Path, *, asked: bool, uefi: bool) -> str:
    """The console of a boot, until init has mounted /perm, with the file system's journal played back.

    asked: and until the updater has said there what runs.  The disk stays as it is.
    """
    argv = [
        *("timeout", str(BOOT), "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max"),
        *("-machine", "q35", "-m", "512", "-nodefaults", "-no-user-config"),
        *("-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-drive", f"file={path},format=raw,if=virtio,snapshot=on"),
    ]
    if uefi:
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
    said, there = "", False
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin and process.stdout
        while data := os.read(process.stdout.fileno(), 1 << 16):
            said += data.decode(errors="replace").replace("\r", "")
            if not there and MOUNTED in said:
                there = True
                process.stdin.write(b"update show --json\n")
                process.stdin.flush()
            if there and (not asked or ANSWER.search(said)):
                break
        process.terminate()
    return said


# -- and again ---------------------------------------------------------------------------------------------


def test_the_update_is_run_again_and_succeeds(
    recording: Recording, verdicts: list[tuple[State, Boot]], tmp_path: Path
) -> None:
    """From a slot half written in the first try and in the second, from an armed slot and from one on trial."""
    trials = [n for n, (_, boot) in enumerate(verdicts) if boot.word == "trial"]
    half, resumed = (
        max(group, key=lambda one: len(one[0].kept))
        for group in halves(verdicts[: trials[0]], recording)
    )
    picked = [half, resumed, verdicts[trials[0]], verdicts[trials[-1]]]
    assert {boot.release for _, boot in picked} == set(VERSIONS)

    def again(number: int, path: Path, boot: Boot) -> None:
        folder = tmp_path / str(number) / "hello"
        shutil.copytree(recording.folder, folder, symlinks=True)
        drive = f"file={path},format=raw,if=none,id=disk,snapshot=on"
        with booted(folder, path, reboots=True, drive=("-drive", drive)) as box:
            box.ready()
            box.wait("it is committed", lambda: shown(box).get("state") == "committed")
            assert shown(box)["version"] == boot.release
            assert f"Snakeroot: slot {boot.slot}, {boot.word}" in box.console()
            updated(box, recording.after, "3")

    both(recording, picked, tmp_path, again)


def halves(
    verdicts: Sequence[tuple[State, Boot]], recording: Recording
) -> tuple[list[tuple[State, Boot]], list[tuple[State, Boot]]]:
    """Before and after the second try of the first update began, with some of what was pending missing."""
    begun = Landmarks(recording).begun
    some = [one for one in verdicts if one[0].kept and one[0].torn is not None]
    return [v for v in some if v[0].at <= begun], [v for v in some if v[0].at > begun]

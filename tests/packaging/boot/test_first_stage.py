"""The first stage on the real kernel: it finds the root, or says why not and gives the next boot a chance.

Each failure has a line of its own; a test breaks when the line is another or the machine hangs.
"""

from __future__ import annotations

import os
import struct
import uuid
from pathlib import Path

import pytest
from snakeroot import first_stage
from snakeroot.kernel import DISKS

from tests.packaging.boot.machine import Machine, lines, partitions, root, with_files

LOOK = """\
echo "arguments: $0 $*"
echo "word: $word, PWD $PWD"
grep -E ' (/|/dev|/proc|/sys) ' /proc/mounts
touch /new || echo "cannot write"
echo "read-ahead: $(cat /sys/block/vda/queue/read_ahead_kb)"
echo open:
ls -1 /proc/1/fd
grep Unevictable /proc/meminfo
"""


def used(image: bytes) -> int:
    """The size of a squashfs by its superblock."""
    size: int = struct.unpack_from("<Q", image, 40)[0]
    return size


def test_a_disk_becomes_the_read_only_root(machine: Machine, tmp_path: Path) -> None:
    disk = root(tmp_path / "disk", LOOK)
    # 16 MB more in the initramfs, in pages that only its emptying can free
    packed = with_files(machine.initramfs(), {"ballast/file": os.urandom(16 << 20)})
    console = machine.boot(packed, "root=/dev/vda word=passed-on -- single", disk)
    assert "arguments: /sbin/init single" in console, "what follows -- is init's"
    assert "word: passed-on, PWD /" in console, "KEY=VALUE is in its environment"
    assert "/dev/vda / squashfs ro,nodev" in console
    assert "devtmpfs /dev devtmpfs rw,nosuid" in console
    for folder, kind in (("/proc", "proc"), ("/sys", "sysfs")):
        assert f"{kind} {folder} {kind} rw,nosuid,nodev,noexec" in console
    assert "Read-only file system" in console
    assert "cannot write" in console
    assert "read-ahead: 0\n" in console
    assert "open:\n0\n1\n10\n2\nUnevictable" in console, "10 is the script itself"
    kilobytes = int(console.partition("Unevictable:")[2].split()[0])
    assert kilobytes < 1024, "the initramfs was emptied"
    assert lines(console) == []
    assert "END" in console


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_partition_is_found_by_its_label(
    machine: Machine, tmp_path: Path, compression: str
) -> None:
    """The label counts as a whole: not one that begins with it, and not another's on the same disk."""
    here = root(
        tmp_path / "here",
        "grep ' / ' /proc/mounts; echo ahead $(cat /sys/block/vda/queue/read_ahead_kb)",
        compression,
    )
    parts = {
        "A-root-old": b"junk",
        "A-roo": b"junk",
        "A-root": here.read_bytes(),
        "B-root": b"junk",
    }
    disk = partitions(tmp_path / "disk", parts)
    console = machine.boot(machine.initramfs(), "root=/dev/vda1 root=PARTLABEL=A-root", disk)
    assert "/dev/vda3 / squashfs ro" in console, "and the last root= counts"
    assert "ahead 128\n" in console, "the disk's read-ahead is /perm's, too"
    assert "END" in console


def test_a_label_that_is_there_twice_is_said_so(machine: Machine, tmp_path: Path) -> None:
    here = root(tmp_path / "here", "true").read_bytes()
    disk = partitions(tmp_path / "disk", {"A-root": here, "A-root\0": here})
    console = machine.boot(machine.initramfs(), "root=PARTLABEL=A-root", disk)
    assert len(lines(console)) == 1
    assert lines(console)[0].startswith(
        "another partition has the root's name and is left alone: vda"
    )
    assert "END" in console


def test_a_partition_is_found_by_its_own_guid(machine: Machine, tmp_path: Path) -> None:
    """What a boot loader passes on, so that it is a partition of the disk that it was loaded from."""
    here = root(tmp_path / "here", "grep ' / ' /proc/mounts").read_bytes()
    disk = partitions(
        tmp_path / "disk", {f"part-{n}": b"junk" for n in range(5)} | {"A-root": here}
    )
    guid = uuid.uuid5(uuid.NAMESPACE_DNS, "A-root")
    console = machine.boot(machine.initramfs(), f"root=PARTUUID={guid}", disk)
    assert "/dev/vda6 / squashfs ro" in console
    other = uuid.uuid5(uuid.NAMESPACE_DNS, "B-root")
    console = machine.boot(machine.initramfs(), f"root=PARTUUID={other}", disk)
    assert lines(console)[0] == f"the root's disk did not appear: PARTUUID={other}: ENOENT (2)"


def test_a_root_in_memory_outlives_its_disk(machine: Machine, tmp_path: Path) -> None:
    script = """\
grep ' / ' /proc/mounts
echo "blocks: $(cat /sys/block/ram0/size)"
echo 1 > /sys/block/vda/device/../remove
ls /sys/block | grep vda || echo "the disk is gone"
echo 3 > /proc/sys/vm/drop_caches
cat /bin/busybox | wc -c
"""
    one = root(tmp_path / "root", script)
    # The partition is larger than what is in it; only that is copied.
    disk = partitions(tmp_path / "disk", {"A-root": one.read_bytes() + bytes(8 << 20)})
    console = machine.boot(machine.initramfs("brd"), "root=PARTLABEL=A-root", disk)
    assert "/dev/ram0 / squashfs ro" in console
    assert f"blocks: {-(-used(one.read_bytes()) // 4096) * 8}\n" in console
    assert "the disk is gone" in console
    assert f"\n{os.stat('/bin/busybox').st_size}\n" in console
    assert "END" in console


def test_a_root_in_the_initramfs_needs_no_disk(machine: Machine, tmp_path: Path) -> None:
    image = root(tmp_path / "root", "grep ' / ' /proc/mounts").read_bytes()
    console = machine.boot(first_stage.with_root(machine.initramfs("brd"), image))
    assert "/dev/ram0 / squashfs ro" in console
    assert "END" in console


def test_a_disk_that_comes_late_is_waited_for(machine: Machine, tmp_path: Path) -> None:
    disk = root(tmp_path / "disk", "echo found")
    argv = machine.command(machine.initramfs(), "root=/dev/vda rootwait", None, 128)
    with machine.monitored(argv) as (process, monitor):
        assert process.stdout
        for line in process.stdout:
            if b"Run /init" in line:
                break
        drive = f"drive_add 0 file={disk},format=raw,if=none,id=late,readonly=on"
        assert "OK" in monitor.tell(drive)
        monitor.tell("device_add virtio-blk-pci,drive=late")
        assert b"found" in process.stdout.read()


def test_a_word_changes_init_and_read_ahead(machine: Machine, tmp_path: Path) -> None:
    disk = root(
        tmp_path / "disk", "cat /sys/block/vda/queue/read_ahead_kb; echo $0", init="opt/start"
    )
    console = machine.boot(machine.initramfs(), "root=/dev/vda init=/opt/start readahead=64", disk)
    assert "\n64\n/opt/start\nEND" in console


def test_each_failure_has_its_line_and_is_followed_by_a_reboot(
    machine: Machine, tmp_path: Path
) -> None:
    """One test, for their order: what is found wrong first is what is said."""
    packed = machine.initramfs()
    good = root(tmp_path / "good", "true")
    image = good.read_bytes()
    junk, cut, broken, bare = (tmp_path / name for name in ("junk", "cut", "broken", "bare"))
    junk.write_bytes(b"no file system " * 10000)
    cut.write_bytes(image[: len(image) // 2 // 4096 * 4096])
    broken.write_bytes(image[:64] + bytes(32) + image[96:])  # the tables' places
    root(bare, "true", init="sbin/other")
    no_disk = first_stage.initramfs(machine.program, machine.kernel.modules(("squashfs",)))
    no_squashfs = first_stage.initramfs(machine.program, machine.kernel.modules(DISKS["virtio"]))
    listed = {"modules.list": b"load 10 /modules/virtio_none.ko\nend\n"}
    short = {"modules/squashfs.ko": machine.modules()["kernel/squashfs.ko"][:-1]}
    text = b"no module\n" * 10
    damaged = {
        "modules/odd.ko": text,
        "modules.list": b"load %d /modules/odd.ko\nend\n" % len(text),
    }
    cases = {
        "no root= on the kernel command line, and no /root.img": (packed, "", good),
        "the root's disk did not appear: PARTLABEL=none: ENOENT (2)": (
            *(packed, "root=PARTLABEL=none", good),
        ),
        "the root's disk did not appear: /dev/vda: ENOENT (2)": (no_disk, "root=/dev/vda", good),
        "no squashfs on /dev/vda": (packed, "root=/dev/vda", junk),
        f"the squashfs is cut off on /dev/vda: it has {used(image)} bytes,"
        f" of which there are {cut.stat().st_size}": (packed, "root=/dev/vda", cut),
        "cannot mount the root, is it damaged? /dev/vda: EINVAL (22)": (
            *(packed, "root=/dev/vda", broken),
        ),
        "cannot mount the root: the kernel knows no squashfs, its module is missing: /dev/vda:"
        " ENODEV (19)": (no_squashfs, "root=/dev/vda", good),
        "the root has no /sbin/init: ENOENT (2)": (packed, "root=/dev/vda", bare),
        "cannot run /bin: EACCES (13)": (packed, "root=/dev/vda init=/bin", good),
        "the initramfs is damaged: /modules/virtio_none.ko: ENOENT (2)": (
            *(with_files(packed, listed), "root=/dev/vda", good),
        ),
        "the initramfs is damaged: /modules/squashfs.ko": (
            *(with_files(packed, short), "root=/dev/vda", good),
        ),
        "cannot insert the module /modules/odd.ko: ENOEXEC (8)": (
            *(with_files(packed, damaged), "root=/dev/vda", good),
        ),
        'no RAM disk for /root.img: /modules.list has no line "ram"': (
            *(first_stage.with_root(packed, image), "", None),
        ),
    }
    for line, (initramfs, words, disk) in cases.items():
        console = machine.boot(initramfs, words, disk)
        assert lines(console)[0] == line, console[-2000:]
        assert lines(console)[-1] == "reboot in 0 s", line
        assert "reboot: Restarting system" in console, line
        assert "END" not in console


def test_an_initramfs_that_was_cut_off_is_noticed(machine: Machine, tmp_path: Path) -> None:
    """The kernel goes on with what it could unpack."""
    disk = root(tmp_path / "disk", "true")
    packed = machine.initramfs()
    whole = len(packed.rstrip(b"\0"))
    for length in (whole * 6 // 10, whole - 200):
        console = machine.boot(packed[:length], "root=/dev/vda", disk)
        assert "Initramfs unpacking failed" in console
        assert (
            "the initramfs is incomplete: it was cut off, or memory is short" in lines(console)[0]
        )
        assert "Restarting system" in console
    # Inside of the first stage itself: the kernel's own panic.
    console = machine.boot(packed[:3000], "root=/dev/vda", disk)
    assert "Kernel panic" in console
    assert lines(console) == []


def test_a_list_without_its_end(machine: Machine) -> None:
    console = machine.boot(with_files(machine.initramfs(), {"modules.list": b""}))
    assert lines(console)[0].endswith("/modules.list has no end")


def test_rescue_takes_over(machine: Machine) -> None:
    shell = b"#!/bin/busybox sh\necho rescue: $0, $(busybox ls /dev/kmsg)\nbusybox poweroff -f\n"
    files = {"rescue": shell, "bin/busybox": Path("/bin/busybox").read_bytes()}
    console = machine.boot(with_files(machine.initramfs(), files))
    assert lines(console)[-1] == "running /rescue"
    assert "rescue: /rescue, /dev/kmsg" in console


def test_a_quiet_kernel_shows_failures_and_waits_as_panic_says(machine: Machine) -> None:
    console = machine.boot(machine.initramfs(), "quiet loglevel=4 panic=1")
    assert lines(console)[-1] == "reboot in 1 s"


def test_a_list_ends_where_its_word_is_needed(machine: Machine, tmp_path: Path) -> None:
    """The kernel's crash log is memory that has been set aside by a word, and nobody else's."""
    disk = root(tmp_path / "disk", "cat /proc/modules")
    module = Path(machine.kernel.module_files()["failover"]).read_bytes()
    crash = {"crash/list": b"need keep=this\nload 1 /crash/failover.ko \nend\n"}
    packed = with_files(machine.initramfs(), {**crash, "crash/failover.ko": module})
    assert "failover" not in machine.boot(packed, "root=/dev/vda keep=thi", disk)
    console = machine.boot(packed, "root=/dev/vda keep=this", disk)
    assert "\nfailover " in console
    assert lines(console) == []

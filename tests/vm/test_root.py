"""The box's root file system: read-only from a disk, or copied to memory; writable where it has to be."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.vm.conftest import quoted


def test_the_root_is_a_disk_that_nothing_writes_to(box: Any) -> None:
    mounts = box.ssh("mount").out
    assert re.search(r"^/dev/vda on / type squashfs \(ro,nodev,", mounts, re.M)
    for path in ("/etc/x", "/bin/x", "/x", "/lib/x", "/var/x", "/usr/x"):
        tried = box.ssh(f"touch {path}")
        assert tried.status != 0, path
        assert "Read-only file system" in tried.err
    assert box.ssh("cat /sys/block/vda/queue/read_ahead_kb /sys/block/vda/ro").out == "0\n1\n"


def test_what_is_written_to_lies_in_memory_or_on_perm(box: Any) -> None:
    for folder, kind in (
        ("/tmp", "tmpfs"),
        ("/run", "tmpfs"),
        ("/root", "tmpfs"),
        ("/perm", "ext4"),
    ):
        name = f"{folder}/written"
        assert box.ssh(f"echo {kind} > {name}; cat {name}; rm {name}").out == f"{kind}\n"
        assert f" on {folder} type {kind} (rw,nosuid,nodev," in box.ssh("mount").out
    assert box.ssh("ls -ld /root /tmp").out.startswith("drwx------ ")


def test_nothing_of_the_initramfs_is_left_in_memory(box: Any) -> None:
    found = dict(re.findall(r"^(\w+): +(\d+) kB$", box.ssh("cat /proc/meminfo").out, re.M))
    assert int(found["Unevictable"]) < 256, "the initramfs is what cannot be evicted"
    assert int(found["Shmem"]) < 2048
    assert "virtio_blk" in box.ssh("lsmod").out


#: Of the parts of the program's file that its note names: how many pages are in memory (mincore(2)), and how many there are.
RESIDENT = """
import _syscalls, mmap, os, struct
mincore = {"x86_64": 27, "aarch64": 232}[os.uname().machine]
pages = there = 0
with open("/bin/toolbox", "rb") as file:
    head = file.read(4096)
    parts = head.index(b"Snakeroot\\0") + 12
    for offset, size in struct.iter_unpack("<QQ", head[parts : parts + 64]):
        start = offset & -4096
        size += offset - start
        mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ, offset=start)
        flags = bytearray(-(-size // 4096))
        _syscalls.syscall(mincore, _syscalls.addressof(mapped), size, flags)
        pages += len(flags)
        there += sum(one & 1 for one in flags)
print(there, pages)
"""


def test_what_starts_touch_was_read_while_init_began(box: Any) -> None:
    """By itself a boot reads half of it.  The process that read it is not left over."""
    there, pages = map(int, box.ssh(quoted("python", "-c", RESIDENT)).out.split())
    assert pages > 500
    assert there > 0.95 * pages
    states = box.ssh("cat /proc/[0-9]*/stat").out.splitlines()
    assert len(states) > 10
    assert not [line for line in states if line.rpartition(")")[2].split()[0] == "Z"]


def test_a_root_in_memory_needs_no_disk_any_more(
    make_box: Callable[..., AbstractContextManager[Any]],
) -> None:
    def edit(folder: Path) -> None:
        path = folder / "snakeroot.toml"
        path.write_text('root = "ram"\ncompression = "lz4"\n' + path.read_text())

    with make_box(edit) as one:
        one.ready()
        assert re.search(r"^/dev/ram0 on / type squashfs \(ro,", one.ssh("mount").out, re.M)
        # The machine loses its disk, and what the kernel remembers of the root.
        pulled = one.ssh("echo 1 > /sys/block/vda/device/../remove; ls /sys/block | grep vda")
        assert pulled.out == "", pulled.err
        assert one.ssh("echo 3 > /proc/sys/vm/drop_caches").status == 0
        assert one.ssh(
            "cat /bin/toolbox | wc -c; python -c 'import sqlite3'; echo whole"
        ).out.endswith("whole\n")
        assert one.ssh("service restart hello").status == 0
        one.wait("hello runs", lambda: one.services()["hello"]["state"] == "running")
        one.poweroff()
        assert "Power down" in one.console()

"""The doors to the kernel, against the kernel: in namespaces of their own, as root, or by their errors.

Breaks when a structure is packed otherwise than the kernel reads it, or an error comes without its errno.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from toolbox.linux import blockdev, clock, mount
from toolbox.linux.syscall import syscall

ROOT = Path(__file__).resolve().parents[3]


def inside(namespaces: str, code: str) -> str:
    """Run Python code in new namespaces (unshare's options) and return what it prints."""
    done = subprocess.run(
        ["unshare", *namespaces.split(), sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_system_call_and_its_error() -> None:
    fd = syscall("memfd_create", "test", 0)
    try:
        os.write(fd, b"abc")
        assert os.pread(fd, 9, 0) == b"abc"
    finally:
        os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        syscall("syncfs", -1)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match="not known on this architecture"):
        syscall("no_such_call")


def test_mount_and_unmount(tmp_path: Path) -> None:
    code = f"""
from toolbox.linux.mount import *
target = {str(tmp_path)!r}
mount("none", "/", "", MS_REC | MS_PRIVATE)
mount("memory", target, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0700")
(found,) = [m for m in mounts() if m.target == target]
print(found.kind, found.source, found.options, "size=64k" in found.super_options)
flags, data = parse_options(["ro", "remount", "size=32k"])
mount("memory", target, "tmpfs", flags, data)
print([m.options for m in mounts() if m.target == target])
umount(target)
print([m for m in mounts() if m.target == target])
"""
    lines = inside("-m", code).splitlines()
    assert lines[0] == "tmpfs memory rw,nosuid,nodev,relatime True"
    assert lines[1].startswith("['ro")
    assert lines[2] == "[]"


def test_mount_errors_name_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mount.mount("none", f"{tmp_path}/no", "tmpfs")
    assert caught.value.filename == f"{tmp_path}/no"
    with pytest.raises(OSError, match="Invalid argument"):
        mount.umount(str(tmp_path))


@pytest.mark.parametrize(
    ("words", "flags", "data"),
    [
        (["ro", "nosuid"], mount.MS_RDONLY | mount.MS_NOSUID, ""),
        (["ro", "rw", "size=1k", "uid=3"], 0, "size=1k,uid=3"),
        (["ro", "noexec", "defaults"], 0, ""),
        (["noatime", "relatime"], mount.MS_RELATIME, ""),
        (["rbind"], mount.MS_BIND | mount.MS_REC, ""),
    ],
)
def test_option_words(words: list[str], flags: int, data: str) -> None:
    assert mount.parse_options(words) == (flags, data)


def test_mountinfo_with_blanks_and_optional_fields() -> None:
    line = rb"36 35 98:0 /a\040b /mnt\0112 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue"
    found = mount.Mount(line)
    assert (found.id, found.parent, found.device) == (36, 35, "98:0")
    assert (found.root, found.target) == ("/a b", "/mnt\t2")
    assert (found.kind, found.source) == ("ext3", "/dev/root")
    assert found.all_options == "rw,noatime,errors=continue"


def test_host_name_in_a_namespace() -> None:
    code = """
import os
from toolbox.linux.hostname import sethostname
sethostname("inside")
print(os.uname().nodename)
try:
    sethostname("x" * 65)
except OSError as error:
    print(error.strerror)
"""
    assert inside("-u", code).splitlines() == ["inside", "Invalid argument"]
    assert socket.gethostname() != "inside"


def test_the_clock_is_read() -> None:
    now = clock.read()
    assert -500 <= now.frequency <= 500
    assert abs(now.offset) <= 1


def test_an_ext4_and_a_squashfs_are_known(tmp_path: Path) -> None:
    image = tmp_path / "ext4"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    uuid = "0fc63daf-8483-4772-8e79-3d69d8477de4"
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", "-L", "perm", "-U", uuid, image], check=True)
    found = blockdev.probe(str(image))
    assert found
    assert (found.kind, found.label, found.uuid) == ("ext4", "perm", uuid)
    assert blockdev.identify(b"hsqs" + bytes(4092)).kind == "squashfs"  # type: ignore[union-attr]


def test_a_fat_is_known_by_its_boot_sector() -> None:
    sector = bytearray(4096)
    sector[510:512] = b"\x55\xaa"
    sector[67:71] = bytes.fromhex("efbeadde")
    sector[71:82] = b"EFI        "
    sector[82:90] = b"FAT32   "
    found = blockdev.identify(bytes(sector))
    assert found
    assert (found.kind, found.label, found.uuid) == ("vfat", "EFI", "DEAD-BEEF")


@pytest.mark.parametrize("head", [b"", b"hs", bytes(100), bytes(4096), b"\xff" * 4096])
def test_what_is_no_file_system(head: bytes) -> None:
    assert blockdev.identify(head) is None


def test_no_new_privileges_and_capabilities_in_a_child() -> None:
    code = """
import os
from toolbox.linux.capability import become_with, no_new_privileges
become_with(["net_bind_service"], 65534)
no_new_privileges()
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(status["Uid"].split()[0], status["CapEff"], status["CapBnd"], status["NoNewPrivs"])
"""
    assert inside("-m", code).split() == ["65534", f"{1 << 10:016x}", f"{1 << 10:016x}", "1"]

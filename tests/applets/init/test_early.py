"""Early boot and the last steps, in mount, UTS and network namespaces of their own, in a throw-away root.

Breaks when a mount, the host name, loopback or /perm is no longer set up, when a failing step ends the
rest, or when the last steps leave a file system mounted or writable.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from applets.init.early import MOUNTS, bounded, is_mount_point, sysctl
from applets.init.shutdown import unmount_order

ROOT = Path(__file__).resolve().parents[3]


def isolated(script: str, folder: Path) -> list[str]:
    """Run Python in namespaces of its own; the lines it prints.  `folder` is a tmpfs, and `{folder}`."""
    namespaces = ["--mount", "--uts", "--net", "--propagation=private"]
    setup = (
        "import os, sys\n"
        "from toolbox.linux.mount import mount, mounts, umount\n"
        f"folder = {str(folder)!r}\n"
        "mount('test', folder, 'tmpfs')\n"
        "said = []\n"
    )
    done = subprocess.run(
        ["unshare", *namespaces, "--", sys.executable, "-c", setup + script],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


@pytest.mark.lab
def test_what_is_missing_is_mounted_and_a_failure_does_not_end_the_rest(tmp_path: Path) -> None:
    lines = isolated(
        "from applets.init import early\n"
        "early.LINKS = ()\n"
        "table = (\n"
        "    (folder + '/proc', 'proc', 'proc', ('nosuid', 'nodev', 'noexec'), ''),\n"
        "    (folder + '/x', 'nosuchfs', 'x', (), ''),\n"
        "    (folder + '/run', 'tmpfs', 'run', ('nosuid', 'nodev'), 'mode=0755'),\n"
        ")\n"
        "early.mounts(said.append, table)\n"
        "early.mounts(said.append, table)\n"
        "for m in mounts():\n"
        "    if m.target.startswith(folder + '/'):\n"
        "        print(m.target[len(folder):], m.kind, m.options)\n"
        "print(said)\n",
        tmp_path,
    )
    assert lines[:2] == [
        "/proc proc rw,nosuid,nodev,noexec,relatime",
        "/run tmpfs rw,nosuid,nodev,relatime",
    ]
    assert lines[2] == str([f"mount {tmp_path}/x: No such device"] * 2)


@pytest.mark.lab
def test_host_name_and_loopback(tmp_path: Path) -> None:
    lines = isolated(
        "import socket\n"
        "from applets.init import early\n"
        "early.host_name(said.append, 'a-box')\n"
        "early.loopback()\n"
        "print(socket.gethostname())\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    socket.create_connection(server.getsockname()).close()\n"
        "early.host_name(said.append, 'x' * 65)\n"
        "print(said)\n",
        tmp_path,
    )
    assert lines == ["a-box", f"['host name {'x' * 65}: Invalid argument']"]


@pytest.mark.lab
@pytest.mark.parametrize("label", ["perm", "other"])
def test_perm_is_the_labelled_file_system_or_memory(tmp_path: Path, label: str) -> None:
    """The device is a file here: what is looked for and mounted, not the disk's driver."""
    lines = isolated(
        "from applets.init import early\n"
        "from toolbox.linux import blockdev\n"
        f"label = {label!r}\n"
        "blockdev.find_by_label = lambda wanted: '/dev/null' if wanted == label else None\n"
        "early.perm(said.append, folder + '/perm')\n"
        "early.perm(said.append, folder + '/perm')\n"
        "print([m.kind for m in mounts() if m.target == folder + '/perm'])\n"
        "print(said)\n",
        tmp_path,
    )
    # A disk that cannot be mounted (here a device that is no disk) is reported, and the box goes on.
    said = (
        f"mount {tmp_path}/perm from /dev/null: Block device required"
        if label == "perm"
        else f"no partition is labelled perm: {tmp_path}/perm is in memory and is lost at power-off"
    )
    assert lines == ["['tmpfs']", str([said])]


@pytest.mark.lab
def test_modules_and_sysctl_that_fail_are_lines(tmp_path: Path) -> None:
    lines = isolated(
        "from applets.init import early\n"
        "open(folder + '/bad.ko', 'wb').write(b'junk')\n"
        "open(folder + '/list', 'w').write(f'# comment\\n\\n{folder}/bad.ko a=1\\n{folder}/none.ko\\n')\n"
        "early.load_modules(said.append, [folder + '/none2.ko'], folder + '/list')\n"
        "early.sysctl(said.append, {'net.ipv4.ip_forward': '1', 'net.nothing': '1'})\n"
        "print(open('/proc/sys/net/ipv4/ip_forward').read().strip())\n"
        "print(*said, sep='\\n')\n",
        tmp_path,
    )
    assert lines[0] == "1"
    assert [line.partition(": ")[0] for line in lines[1:]] == [
        f"module {tmp_path}/bad.ko",
        f"module {tmp_path}/none.ko",
        f"module {tmp_path}/none2.ko",
        "sysctl net.nothing",
    ]


@pytest.mark.lab
def test_the_last_steps_unmount_in_reverse_order_and_make_the_busy_read_only(
    tmp_path: Path,
) -> None:
    lines = isolated(
        "from applets.init import shutdown\n"
        "places = [folder + '/a', folder + '/a/b', folder + '/busy']\n"
        "for place in places:\n"
        "    os.mkdir(place)\n"
        "    mount('test', place, 'tmpfs')\n"
        "os.chdir(folder + '/busy')\n"
        "shutdown.unmount_all(said.append, places)\n"
        "print(*[(m.target[len(folder):], m.options) for m in mounts()\n"
        "        if m.target.startswith(folder + '/')], sep='\\n')\n"
        "print(*said, sep='\\n')\n",
        tmp_path,
    )
    assert lines == [
        "('/busy', 'ro,relatime')",
        f"unmount {tmp_path}/busy: Device or resource busy",
    ]


def test_the_order_of_unmounting() -> None:
    targets = [
        "/",
        "/dev",
        "/proc",
        "/sys",
        "/dev/pts",
        "/run",
        "/perm",
        "/perm/x",
        "/sys/fs/cgroup",
    ]
    assert unmount_order(targets) == ["/perm/x", "/perm", "/run"]


def test_each_mount_point_comes_after_the_one_it_lies_in() -> None:
    targets = [entry[0] for entry in MOUNTS]
    for number, target in enumerate(targets):
        assert not any(later.startswith(target + "/") for later in targets[:number])


def test_mount_points() -> None:
    assert is_mount_point("/proc")
    assert is_mount_point("/")
    assert not is_mount_point("/proc/self")
    assert not is_mount_point("/no/such/place")


MEMORY = 500 << 20


def test_all_that_lies_in_memory_leaves_half_of_it_to_the_programs() -> None:
    """With all its files, too: an empty one takes a kilobyte of the kernel's memory."""
    total = 0
    for target, kind, _, _, data in MOUNTS:
        if kind != "tmpfs":
            continue
        best = dict(
            word.partition("=")[::2] for word in bounded(data, MEMORY, limits=True)[0].split(",")
        )
        assert best["size"].endswith("k"), target
        total += int(best["size"][:-1]) * 1024 + int(best["nr_inodes"]) * 1024
        if best["mode"] == "1777":
            assert int(best["usrquota_block_hardlimit"][:-1]) * 2 <= int(best["size"][:-1])
            assert int(best["usrquota_inode_hardlimit"]) * 2 <= int(best["nr_inodes"])
    assert MEMORY * 0.4 < total < MEMORY * 0.65


def test_options_that_a_kernel_lacks_are_left_out_one_by_one() -> None:
    assert bounded("mode=1777,share=20", MEMORY, limits=True) == [
        "mode=1777,size=102400k,nr_inodes=25600,usrquota,usrquota_block_hardlimit=51200k,"
        "usrquota_inode_hardlimit=12800",
        "mode=1777,size=102400k,nr_inodes=25600",
    ]
    assert bounded("mode=1777,share=20", MEMORY) == ["mode=1777,size=102400k,nr_inodes=25600"]
    assert bounded("mode=0700,share=10", MEMORY) == ["mode=0700,size=51200k,nr_inodes=12800"]
    assert bounded("mode=0700,share=10", 1 << 20) == ["mode=0700,size=1024k,nr_inodes=1024"]
    assert bounded("mode=0700,share=10", 0) == ["mode=0700,size=10%"]
    assert bounded("gid=5", MEMORY) == ["gid=5"]


@pytest.mark.lab
def test_a_tmpfs_has_its_share(tmp_path: Path) -> None:
    lines = isolated(
        "from applets.init import early\n"
        "early.LINKS = ()\n"
        "early._available = lambda: 100 << 20\n"
        "table = ((folder + '/tmp', 'tmpfs', 'tmp', ('nosuid',), 'mode=1777,share=20'),)\n"
        "early.mounts(said.append, table)\n"
        "size = os.statvfs(folder + '/tmp')\n"
        "print(size.f_blocks * size.f_frsize, size.f_files, said)\n",
        tmp_path,
    )
    assert lines == [f"{20 << 20} {(20 << 20) // 4096} []"]


def test_a_parameter_of_every_interface_and_one_that_need_not_be(tmp_path: Path) -> None:
    for name in ("all", "default", "eth0.1"):
        (tmp_path / "net" / "conf" / name).mkdir(parents=True)
        (tmp_path / "net" / "conf" / name / "rp_filter").write_text("0")
    said: list[str] = []
    wanted = {
        "net.conf.*.rp_filter": "2",
        "net.none.*.x": "1",
        "-net.none.*.x": "1",
        "-net.none": "1",
        "net/conf/eth0.1/rp_filter": "1",
    }
    sysctl(said.append, wanted, str(tmp_path))
    found = {p.parent.name: p.read_text() for p in tmp_path.rglob("rp_filter")}
    assert found == {"all": "2", "default": "2", "eth0.1": "1"}
    assert said == ["sysctl net.none.*.x: the kernel has none"]
    sysctl(said.append, {"net.none": "1"}, str(tmp_path))
    assert said[1:] == ["sysctl net.none: No such file or directory"]

"""mount, umount and switch_root, each in a mount namespace of its own: nothing of the host's changes.

Breaks when an option reaches the kernel as another flag, when fstab is read differently, or when a
failure has no words or the wrong status.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab


@pytest.fixture
def script(toolbox_argv, toolbox_env, tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a shell script in a new mount namespace, where `T` is the toolbox and $PWD an empty tmpfs."""

    def call(text: str) -> subprocess.CompletedProcess[str]:
        words = " ".join(map(shlex.quote, toolbox_argv))
        head = (
            f'T() {{ {words} "$@"; }}\nmount -t tmpfs test {tmp_path} && cd {tmp_path} || exit 99\n'
        )
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", head + text, *toolbox_argv],
            env=toolbox_env,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return call


def test_a_tmpfs_with_options(script) -> None:
    r = script(
        "mkdir a; T mount -t tmpfs -o size=64k,nosuid,nodev,mode=700 stuff a; grep stuff /proc/self/mounts"
    )
    assert r.stderr == ""
    source, _, kind, words, *_ = r.stdout.split()
    assert (source, kind) == ("stuff", "tmpfs")
    assert {"nosuid", "nodev", "size=64k", "mode=700"} <= set(words.split(","))


def test_the_list_is_the_kernels(script) -> None:
    r = script(
        "mkdir 'a b'; T mount -t tmpfs stuff 'a b'; T mount -t tmpfs; T mount | wc -l; wc -l < /proc/self/mounts"
    )
    *lines, ours, kernels = r.stdout.splitlines()
    assert any(
        line.startswith("stuff on ") and line.split(" type ")[0].endswith("/a b") for line in lines
    )
    assert all(" type tmpfs (r" in line for line in lines)
    assert ours.split() == kernels.split()


@pytest.mark.parametrize("words", ["--bind", "-o bind", "-B"])
def test_bind(script, words) -> None:
    assert script(f"mkdir a b; echo x > a/f; T mount {words} a b; cat b/f").stdout == "x\n"


def test_a_read_only_bind_mount_is_read_only_and_its_source_is_not(script) -> None:
    r = script("mkdir a b; T mount -o bind,ro a b; echo x > a/f; echo y > b/g; cat a/*")
    assert r.stdout == "x\n"
    assert "Read-only" in r.stderr


def test_verbose_says_what_is_done(script) -> None:
    r = script(
        "mkdir a b; ln -s a link; T mount -v --bind link b; T mount -fv -t tmpfs x a; T mount -t tmpfs"
    )
    at = r.stdout.splitlines()[0].split()[1].removesuffix("/a")
    assert r.stdout.startswith(f"mount: {at}/a bound on {at}/b.\nmount: x mounted on {at}/a.\n")
    assert "x on" not in r.stdout


def test_move_and_rbind(script) -> None:
    text = "mkdir a a/sub b c; T mount -t tmpfs x a; mkdir a/sub; T mount -t tmpfs y a/sub; touch a/sub/f;"
    r = script(
        text
        + "T mount --make-rprivate /; T mount --rbind a b; ls b/sub; T mount --move a c; ls c/sub; ls a"
    )
    assert (r.stdout, r.stderr) == ("f\nf\nsub\n", "")


def test_remount_keeps_what_is_not_named(script) -> None:
    text = "mkdir a; T mount -t tmpfs -o nosuid,noexec x a; T mount -o remount,ro a; grep ' x\\|^x' /proc/self/mounts"
    words = set(script(text).stdout.split()[3].split(","))
    assert {"ro", "nosuid", "noexec"} <= words


def test_propagation(script) -> None:
    r = script(
        "mkdir a; T mount -t tmpfs x a; T mount --make-shared a; grep ' - tmpfs x' /proc/self/mountinfo"
    )
    assert "shared:" in r.stdout
    r = script(
        "mkdir a; T mount -t tmpfs -o shared x a; T mount --make-private a; grep ' - tmpfs x' /proc/self/mountinfo"
    )
    assert "shared:" not in r.stdout


FSTAB = """\
# a comment
one   {0}/a\\040b tmpfs size=4k,x-ours  0 0
two   {0}/two     tmpfs noauto          0 0
three {0}/three   tmpfs defaults,nofail 0 0
short line
swap  none        swap  sw              0 0
"""


def test_fstab(script, tmp_path, tmp_path_factory) -> None:
    table = tmp_path_factory.mktemp("etc") / "fstab"
    table.write_text(FSTAB.format(tmp_path))
    text = f"mkdir 'a b' two three; T mount -T {table} -a; echo $?; T mount -T {table} -a; echo $?;"
    r = script(
        text + f"T mount -T {table} two; T mount -t tmpfs | grep -c '^\\(one\\|two\\|three\\) on'"
    )
    assert (r.stdout, r.stderr) == ("0\n0\n3\n", "")
    r = script(f"T mount -T {table} -a; echo $?")
    assert r.stdout == "64\n"
    assert r.stderr.count("mount point does not exist.") == 1


def test_before_there_is_proc(script, tmp_path_factory) -> None:
    """As init finds the world: /proc is mounted by hand, or by -a."""
    table = tmp_path_factory.mktemp("etc") / "fstab"
    table.write_text("proc /proc proc nosuid\n")
    hide = "umount -l /proc; ls /proc;"
    seen = "grep -c ' /proc proc ' /proc/self/mounts"
    r = script(
        f"{hide} T mount -t proc proc /proc; {seen}; umount -l /proc; T mount -T {table} -a; {seen}"
    )
    assert (r.stdout, r.stderr) == ("1\n1\n", "")
    r = script(f"{hide} T umount .; T mount")
    assert r.stderr.endswith("mount: /proc/self/mountinfo: No such file or directory\n")


def test_a_missing_directory_can_be_made(script) -> None:
    r = script("T mount --mkdir=700 -t tmpfs x a/b; stat -c %F a/b; T mount -t tmpfs y c; echo $?")
    assert r.stdout == "directory\n32\n"
    assert "mount point does not exist." in r.stderr


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("T mount -t fantasyfs x .", 32, "unknown filesystem type 'fantasyfs'."),
        ("T mount /dev/null .", 32, "/dev/null"),
        ("T mount /dev/nothing .", 32, "special device /dev/nothing does not exist."),
        ("T mount LABEL=nobody-has-this .", 32, "can't find LABEL=nobody-has-this."),
        ("T mount /nowhere", 1, "can't find in /etc/fstab."),
        ("T mount a b c", 1, "extra operand"),
        ("T mount -o remount,ro /nowhere", 32, "not mounted"),
        ("T umount /nowhere", 32, "umount: /nowhere: no mount point specified."),
        ("T mount -t tmpfs -o nonsense x .", 32, "wrong fs type, bad option, bad superblock on x,"),
        ("T mount -t tmpfs --mkdir=rwx x d", 1, "invalid mode: 'rwx'"),
        ("mkdir a b; T mount --move a b", 32, "wrong fs type, bad option"),
        ("mkdir a; T mount -t ext4 a .", 32, "/a is not a block device."),
        ("mkdir a; touch f; T mount --bind f a", 32, "system call failed: Not a directory."),
        ("mkdir d; T umount d", 32, "not mounted."),
        ("T umount", 1, "missing operand"),
        ("mkdir d; T mount -t tmpfs x d; cd d; T umount .; T umount ../d", 32, "target is busy."),
    ],
)
def test_failures_have_words(script, command, status, words) -> None:
    r = script(command)
    assert r.returncode == status, r.stderr
    assert words in r.stderr


def test_umount(script) -> None:
    r = script(
        "mkdir d; T mount -t tmpfs mine d; T umount d; T mount -t tmpfs mine d; T umount -v mine; grep -c mine /proc/self/mounts"
    )
    assert r.stdout.splitlines()[-1] == "0"
    assert r.stdout.startswith("umount: ")
    assert r.stderr == ""


def test_umount_lazily_recursively_and_quietly(script) -> None:
    r = script(
        "mkdir d; T mount -t tmpfs x d; (cd d; T umount -l ../d); T mount | grep -c '^x on'; T umount -q d; echo $?"
    )
    assert (r.stdout, r.stderr) == ("0\n32\n", "")
    r = script(
        "mkdir d; T mount -t tmpfs x d; mkdir d/e; T mount -t tmpfs y d/e; T umount -R d; T mount | grep -c '^[xy] on'"
    )
    assert (r.stdout, r.stderr) == ("0\n", "")


def test_umount_of_what_is_busy(script) -> None:
    text = "mkdir d; mount -t tmpfs mine d; cd d; T umount -f ../d; T umount -r -v ../d; grep -c '^mine.* ro,' /proc/mounts"
    r = script(text)
    assert r.stdout.splitlines()[0].endswith("/d busy - remounted read-only")
    assert r.stdout.splitlines()[1:] == ["1"]
    assert r.stderr.count("target is busy.") == 1


def test_umount_wherever_a_device_is_and_the_topmost_first(script) -> None:
    text = "mkdir d e; mount -t tmpfs mine d; mount --bind d e; T umount -A d; grep -c ^mine /proc/mounts;"
    text += "mount -t tmpfs mine d; mount -t tmpfs upper d; T umount d; cut -d' ' -f1 /proc/mounts | grep 'mine\\|upper'"
    assert script("mount --make-rprivate /;" + text).stdout == "0\nmine\n"


def test_without_the_right_they_say_so(script) -> None:
    drop = "setpriv --bounding-set -all --inh-caps -all"
    r = script(f'mkdir d; {drop} $0 "$@" mount -t tmpfs x d; {drop} $0 "$@" umount d')
    assert "/d: permission denied." in r.stderr
    r = script(f'mkdir d; mount -t tmpfs x d; {drop} $0 "$@" umount d')
    assert "/d: must be superuser to unmount." in r.stderr


def test_umount_all_of_a_type(script) -> None:
    r = script(
        "mkdir d e; T mount -t ramfs x d; T mount -t ramfs y e; T umount -a -t ramfs; T mount -t ramfs; T mount -t tmpfs | wc -l"
    )
    assert int(r.stdout) > 0


def test_a_file_is_mounted_by_its_superblock(script) -> None:
    """Where there are loop devices: an image's type is found; umount by directory, file or device."""
    if not Path("/dev/loop-control").exists():
        return  # the next but one shows what is said then
    r = script(
        "truncate -s 4M image; mke2fs -q -t ext4 -L testlabel image; mkdir d; T mount image d || exit 9;"
        "T mount | grep -c 'on .*/d type ext4'; T umount d; T mount | grep -c 'd type ext4';"
        "T mount -o loop image d && T umount image && T mount | grep -c 'd type ext4';"
        "T mount image d && T umount $(T mount | sed -n 's/ on .*d type ext4.*//p')"
    )
    assert (r.stdout, r.stderr) == ("1\n0\n0\n", "")


def test_a_part_of_a_file_and_one_that_cannot_be_written(script) -> None:
    if not Path("/dev/loop-control").exists():
        return
    r = script(
        "truncate -s 6M image; mke2fs -q -t ext2 -E offset=1048576 image 4096; mkdir d;"
        "T mount -r -o offset=1M,sizelimit=4M image d && T mount | grep -c 'd type ext2 (ro'; T umount d;"
        "mkdir x; cp image x; mount --bind x x; mount -o remount,bind,ro x;"
        "T mount -o offset=1M,sizelimit=4M x/image d; T mount | grep -c 'd type ext2 (ro'; T umount d"
    )
    assert r.stdout == "1\n1\n"
    assert r.stderr.endswith("/d: WARNING: source write-protected, mounted read-only.\n")


def test_without_loop_devices_it_says_so(script) -> None:
    r = script("mount -t tmpfs x /dev; mount -t tmpfs x /sys; echo x > f; mkdir d; T mount f d")
    assert r.returncode == 32
    assert r.stderr.endswith("/f: /dev/loop-control: No such file or directory.\n")
    assert "failed to set up a loop device for /" in r.stderr


SWITCH = r"""
set -e
mount --make-rprivate /
mount -t tmpfs old "$root"
fill() {
    for at in /*; do
        case $at in /proc|/sys|/dev|/run) mkdir "$1$at"; continue;; esac
        if [ -L "$at" ]; then cp -P "$at" "$1$at"
        elif [ -d "$at" ]; then mkdir "$1$at"; mount --bind "$at" "$1$at"; mount -o remount,bind,ro "$1$at"
        fi
    done
}
fill "$root"
mkdir "$root/host" "$root/new" "$root/folder"
mount -t tmpfs new "$root/new"
cd "$root"
pivot_root . host
mount --rbind host/dev dev
mount -t proc proc proc
mount -t tmpfs run run
touch file folder/file run/kept
mkdir -p new/proc new/dev new/run
for at in usr lib lib64 bin sbin etc; do
    if [ -L "$at" ]; then cp -P "$at" new/; elif [ -d "$at" ]; then mkdir new/$at; mount --bind "$at" "new/$at"; fi
done
umount -l host
cat > new/init <<'END'
#!/bin/sh
readlink /proc/$$/fd/0 /proc/$$/fd/2 >&8
exec >&8
echo "pid $$, arguments $*"
echo "old: $(ls /proc/self/fd/9/ | grep -c 'file\|folder')"
echo "run: $(ls /run/kept)"
grep -c ' / / .* - tmpfs new ' /proc/self/mountinfo
END
chmod +x new/init
ln -s /init new/link
cd /
unshare --pid --fork "$@" switch_root /new /missing || echo "status $?"
unshare --pid --fork "$@" switch_root /folder /init || echo "status $?"
exec 8>&1 9< / "$@" switch_root -c /dev/null /new /link one two
"""


def test_switch_root(toolbox_argv, toolbox_env, tmp_path) -> None:
    """In a process and mount namespace whose root is a tmpfs, as an initramfs is one."""
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    done = subprocess.run(
        [*unshare, "sh", "-c", SWITCH, "sh", *toolbox_argv],
        env={**toolbox_env, "root": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == [
        *("status 1", "status 1", "/dev/null", "/dev/null"),
        *("pid 1, arguments one two", "old: 0", "run: /run/kept", "1"),
    ]
    assert done.stderr.splitlines() == [
        "switch_root: /missing: not to be run in the new root",
        "switch_root: /folder: is not a mount point of its own",
    ]


def test_switch_root_is_for_process_1(run) -> None:
    r = run("switch_root", "/tmp", "/bin/sh")
    assert (r.status, r.err) == (1, b"switch_root: must be run as PID 1\n")
    assert run("switch_root", "/tmp").status == 1

"""./dev fresh: what goes into a bare root, what it keeps out, and when a trial counts as passed.

They break when a mount or a process outlives a command in a root, when a checkout's changes are not tried, or when
something that has changed is not tried again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from interpreter.workshop import BuildError
from workbench import bare_root, fresh
from workbench.bare_root import BareRoot


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / ".gitignore").write_text("build/\n")
    for name in ("dev", "packaging/a.py", "tests/b.py", "gone.py", "build/made", "naïve name"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "dev").chmod(0o755)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    (folder / "gone.py").unlink()
    (folder / "packaging/a.py").write_text("changed")
    (folder / "new.py").write_text("new")
    return folder


def test_the_checkout_with_its_changes_is_what_is_tried(checkout: Path, tmp_path: Path) -> None:
    root = BareRoot("trixie", tmp_path / "root")
    old = tmp_path / "root/root/there/build"
    old.mkdir(parents=True)
    root.put(checkout, "/root/there")
    there = tmp_path / "root/root/there"
    found = sorted(str(p.relative_to(there)) for p in there.rglob("*") if p.is_file())
    assert found == [".gitignore", "dev", "naïve name", "new.py", "packaging/a.py", "tests/b.py"]
    assert (there / "packaging/a.py").read_text() == "changed"
    assert os.access(there / "dev", os.X_OK)


def test_a_folder_that_git_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is no git checkout"):
        bare_root.files(tmp_path)


@pytest.mark.parametrize(
    ("name", "again"),
    [("packaging/a.py", True), ("dev", True), ("new.py", True), ("tests/b.py", False)],
)
def test_what_makes_a_trial_due_again(checkout: Path, name: str, again: bool) -> None:
    before = fresh._inputs(checkout)
    assert fresh._inputs(checkout) == before
    (checkout / name).write_text("other")
    assert (fresh._inputs(checkout) != before) is again


def test_a_trial_counts_for_some_days(tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    assert not fresh._holds(stamp, "x")
    stamp.write_text("x")
    assert fresh._holds(stamp, "x")
    assert not fresh._holds(stamp, "y")
    old = time.time() - fresh.KEPT * 86400 - 1
    os.utime(stamp, (old, old))
    assert not fresh._holds(stamp, "x")


def test_a_release_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="sarge is none of bookworm, trixie, forky"):
        fresh.fresh(["sarge"], tmp_path, tmp_path)


def test_a_failed_step_is_one_line_and_the_others_are_still_tried(
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    ran: list[tuple[str, str]] = []

    def make(self: BareRoot, log: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self: BareRoot, argv: list[str], folder: str = "/") -> int:
        ran.append((self.suite, " ".join(argv[:2])))
        return 3 if self.suite == "bookworm" and argv[:2] == ["./dev", "run"] else 0

    monkeypatch.setattr(BareRoot, "make", make)
    monkeypatch.setattr(BareRoot, "run", run)
    words = ["--changed", "bookworm", "trixie"]
    assert fresh.fresh(words, checkout, tmp_path / "logs") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "dev: fresh: bookworm: ./dev run --yes --check ended with status 3"
    assert ("bookworm", "./dev test") not in ran and ("trixie", "./dev test") in ran
    ran.clear()
    assert fresh.fresh(words, checkout, tmp_path / "logs") == 1
    assert {suite for suite, _ in ran} == {"bookworm"}, "trixie passed with the same inputs"


def test_the_wheel_is_tried_in_a_root_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNAKEROOT_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "snakeroot-1-py3-none-linux_x86_64.whl"
    wheel.write_bytes(b"a wheel")
    ran: list[str] = []

    def make(self: BareRoot, log: Path) -> None:
        (self.folder / "root").mkdir(parents=True)

    def run(self: BareRoot, argv: list[str], folder: str = "/") -> int:
        ran.append(" ".join(argv))
        if "pip" in argv[0]:
            assert (self.folder / "root" / argv[-1]).read_bytes() == b"a wheel"
        return 5 if "new" in argv else 0

    monkeypatch.setattr(BareRoot, "make", make)
    monkeypatch.setattr(BareRoot, "run", run)
    (tmp_path / "checkout").mkdir()
    subprocess.run(["git", "init", "-q", tmp_path / "checkout"], check=True)
    words = ["--wheel", str(wheel), "trixie"]
    assert fresh.fresh(words, tmp_path / "checkout", tmp_path / "logs") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "dev: fresh: trixie-wheel: snakeroot new ended with status 5"
    assert ran[-1] == "venv/bin/snakeroot new box"


#: What a command in a root finds.
LOOK = """\
echo $PWD $HOME
ls /dev
id -u
grep CapBnd /proc/self/status
env | grep -E 'SECRET|MORE'
hostname inside; hostname
echo x >/dev/null && echo written
sleep 1013 &
"""


def test_a_command_in_a_root_leaves_nothing_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mounts are its own, and its processes end with it."""
    root = tmp_path / "root"
    for name in ("bin", "proc", "sys", "dev", "run", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin")
    for applet in ("sh", "cat", "wc", "ls", "id", "grep", "hostname", "sleep", "env"):
        (root / "bin" / applet).symlink_to("busybox")
    monkeypatch.setenv("A_SECRET", "x")
    before, devices = Path("/proc/self/mountinfo").read_text(), sorted(os.listdir("/dev"))
    host = os.uname().nodename
    status = BareRoot("x", root).run(["sh", "-c", f"{LOOK}\nexit 7"], "/root", {"MORE": "y"})
    out, err = capfd.readouterr()
    assert (status, err) == (7, "")
    where, *names, user, bounds, environment, inside, written = out.splitlines()
    assert where == "/root /root"
    assert set(names) >= {"null", "zero", "random", "urandom", "pts", "shm", "fd", "stdin"}
    assert (user, environment, inside, written) == ("0", "MORE=y", "inside", "written")
    sys_time = 25  # linux/capability.h
    assert not int(bounds.split()[1], 16) >> sys_time & 1, "the clock is this machine's"
    assert Path("/proc/self/mountinfo").read_text() == before
    assert sorted(os.listdir("/dev")) == devices
    assert os.uname().nodename == host
    assert os.listdir(root / "dev") == os.listdir(root / "proc") == []
    assert not [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.read_bytes() == b"sleep\0001013\0"
    ]

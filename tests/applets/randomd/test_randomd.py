"""randomd.  Breaks when a seed could be counted twice, when one is lost or readable by others, or when
two boxes of one image could get the same identity.  The kernel's pool is never touched: a false one is."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from applets.randomd import identity, seed
from applets.randomd.daemon import Daemon
from applets.randomd.pool import Pool
from tests.conftest import Result

Run = Callable[..., Result]


class FakePool(Pool):
    """A pool that notes what it is given; `good` says whether it is ready."""

    def __init__(self, folder: Path, good: bool = True, may_credit: bool = True) -> None:
        self.folder = folder
        self.good = good
        self.may_credit = may_credit
        self.credited: list[bytes] = []
        self.mixed: list[bytes] = []
        self.present: list[list[str]] = []
        self.ready_end, self.make_ready = os.pipe()

    def credit(self, seed: bytes) -> None:
        self.present.append(sorted(os.listdir(self.folder)))
        if not self.may_credit:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        self.credited.append(seed)
        self.good = True

    def mix(self, data: bytes) -> None:
        self.mixed.append(data)

    def take(self, size: int) -> tuple[bytes, bool]:
        return os.urandom(size), self.good

    def readiness(self) -> int:
        return os.dup(self.ready_end)


def boot(pool: Pool, box: Path) -> None:
    """One run of the daemon with -q."""
    assert (
        Daemon(pool, state=f"{box}/state", etc=f"{box}/etc", run=f"{box}/run", once=True).run() == 0
    )


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for name in ("state", "etc", "run"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_first_boot_saves_and_the_next_credits_it_once(box: Path) -> None:
    first = FakePool(box / "state")
    boot(first, box)
    assert first.credited == []
    saved = (box / "state" / "seed").read_bytes()
    assert len(saved) == 256
    assert (box / "state" / "seed").stat().st_mode & 0o777 == 0o600
    second = FakePool(box / "state", good=False)
    boot(second, box)
    assert second.credited == [saved]
    assert second.present == [["machine-id"]]  # the file was gone before it was counted
    assert (box / "state" / "seed").read_bytes() != saved


def test_a_pool_that_is_not_ready_leaves_a_seed_that_is_not_counted(box: Path) -> None:
    boot(FakePool(box / "state", good=False), box)
    assert os.listdir(box / "state") == [seed.WEAK]
    weak = (box / "state" / seed.WEAK).read_bytes()
    later = FakePool(box / "state", good=False)
    boot(later, box)
    assert (later.credited, later.mixed) == ([], [weak])


def test_a_bad_moment_does_not_replace_a_good_seed(box: Path) -> None:
    state = str(box / "state")
    assert seed.save(state, FakePool(box / "state"))
    good = (box / "state" / "seed").read_bytes()
    assert not seed.save(state, FakePool(box / "state", good=False))
    assert (box / "state" / "seed").read_bytes() == good
    assert seed.save(state, FakePool(box / "state"))
    assert os.listdir(state) == ["seed"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31])
def test_a_cut_seed_is_not_counted(content: bytes, box: Path) -> None:
    (box / "state" / "seed").write_bytes(content)
    pool = FakePool(box / "state")
    boot(pool, box)
    assert (pool.credited, pool.mixed) == ([], [content])


def test_not_allowed_to_credit(box: Path, capfd: pytest.CaptureFixture[str]) -> None:
    boot(FakePool(box / "state"), box)
    pool = FakePool(box / "state", may_credit=False)
    boot(pool, box)
    assert len(pool.mixed) == 1
    assert "cannot use the saved seed: Operation not permitted" in capfd.readouterr().err
    assert (box / "state" / "seed").exists()


def test_a_seed_that_cannot_be_removed_is_not_counted(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a read-only disk every boot would credit the same bytes."""
    boot(FakePool(box / "state"), box)

    def refuse(path: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    monkeypatch.setattr(seed.os, "unlink", refuse)
    pool = FakePool(box / "state")
    boot(pool, box)
    assert pool.credited == []


def test_no_perm_is_lived_with(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    one = Daemon(
        FakePool(tmp_path),
        state="/nonexistent/a/b",
        etc="/nonexistent",
        run=str(tmp_path / "run"),
        once=True,
    )
    assert one.run() == 0
    assert identity.valid((tmp_path / "run" / "machine-id").read_bytes())
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2 and all(line.startswith("randomd: ") for line in lines)


def test_identity_is_made_once(box: Path) -> None:
    boot(FakePool(box / "state"), box)
    first = (box / "state" / "machine-id").read_bytes()
    assert identity.valid(first)
    assert (box / "etc" / "machine-id").read_bytes() == first
    (box / "etc" / "machine-id").unlink()
    boot(FakePool(box / "state"), box)
    assert (box / "state" / "machine-id").read_bytes() == first
    assert (box / "etc" / "machine-id").read_bytes() == first


def test_identity_goes_to_run_when_etc_is_read_only(box: Path) -> None:
    (box / "etc").rmdir()
    boot(FakePool(box / "state"), box)
    assert (box / "run" / "machine-id").read_bytes() == (box / "state" / "machine-id").read_bytes()


def test_an_identity_that_the_image_has_stays(box: Path) -> None:
    (box / "etc" / "machine-id").write_bytes(b"0123456789abcdef" * 2 + b"\n")
    boot(FakePool(box / "state"), box)
    assert (box / "etc" / "machine-id").read_bytes() == b"0123456789abcdef" * 2 + b"\n"


@pytest.mark.parametrize(
    "content",
    [b"", b"uninitialized\n", b"0" * 32 + b"\n", b"g" * 32, b"0123456789ABCDEF" * 2, b"\xff" * 32],
)
def test_a_damaged_identity_is_replaced(content: bytes, box: Path) -> None:
    (box / "state" / "machine-id").write_bytes(content)
    (box / "etc" / "machine-id").write_bytes(content)
    boot(FakePool(box / "state"), box)
    assert identity.valid((box / "state" / "machine-id").read_bytes())
    assert identity.valid((box / "etc" / "machine-id").read_bytes())


def test_no_identity_from_a_pool_that_is_not_ready(box: Path) -> None:
    """Two boxes of one image would get the same."""
    boot(FakePool(box / "state", good=False), box)
    assert not (box / "state" / "machine-id").exists()
    assert not (box / "etc" / "machine-id").exists()


def test_the_whole_life(box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool becomes ready while we wait; then TERM: a fresh seed is left behind."""
    notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notes.settimeout(10)
    notes.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    pool = FakePool(box / "state", good=False)
    seen: list[bytes] = []

    def others() -> None:
        notes.recv(1000)
        pool.good = True
        os.write(pool.make_ready, b".")
        while not identity.valid(identity.load(str(box / "etc"))):
            threading.Event().wait(0.01)
        seen.append((box / "state" / "seed").read_bytes())
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=others).start()
    one = Daemon(pool, state=f"{box}/state", etc=f"{box}/etc", run=f"{box}/run")
    assert one.run() == 0
    assert (box / "state" / "seed").read_bytes() != seen[0]
    assert sorted(os.listdir(box / "state")) == ["machine-id", "seed"]
    notes.close()


def test_black_box(run: Run, box: Path) -> None:
    """There is no seed yet, so nothing is credited to the host's pool."""
    result = run("randomd", "-q", f"--state={box}/state", f"--etc={box}/etc", f"--run={box}/run")
    assert (result.status, result.err) == (0, b"")
    assert len((box / "state" / "seed").read_bytes()) == 256
    assert identity.valid((box / "etc" / "machine-id").read_bytes())

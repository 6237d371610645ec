"""statx(2): breaks when a field is read at the wrong place, or when os.stat in its stead gives another result."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from toolbox.linux import statx


@pytest.fixture(params=["statx", "no C module", "an old kernel"])
def door(request, monkeypatch) -> str:
    monkeypatch.setattr(statx, "_door", None)
    if request.param == "no C module":
        monkeypatch.setitem(sys.modules, "_syscalls", None)
    elif request.param == "an old kernel":
        monkeypatch.setattr(statx, "prepared", lambda name: (refuse, 332))
    else:
        pytest.importorskip("_syscalls")
    return request.param


def refuse(*arguments) -> int:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def test_the_door(door) -> None:
    statx.Reader().read("/")
    assert (statx._door == (statx._imitated, 0)) == (door != "statx")


@pytest.mark.parametrize("path", ["file", "link", "/dev/null", "/proc/version"])
@pytest.mark.parametrize("time", ["atime", "ctime", "mtime"])
def test_it_says_what_os_stat_says(door, tmp_path, monkeypatch, path, time) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"x" * 70_000)
    os.utime("file", ns=(-1_500_000_000, 2**33 * 10**9 + 7))
    os.symlink("file", "link")
    for follow in (False, True):
        s = os.stat(path, follow_symlinks=follow)
        status = statx.Reader(time, follow=follow).read(path)
        assert status[: statx.SECONDS] == (
            *(s.st_nlink, s.st_uid, s.st_gid, s.st_mode, s.st_ino, s.st_size, s.st_blocks),
        )
        ns = status[statx.SECONDS] * 10**9 + status[statx.NANOSECONDS]
        assert ns == getattr(s, f"st_{time}_ns")
        assert status[statx.MAJOR :] == (os.major(s.st_rdev), os.minor(s.st_rdev))


def test_errors_have_the_name_and_leave_the_others(door, tmp_path) -> None:
    (tmp_path / "here").touch()
    errors: list[OSError] = []
    folder = os.open(tmp_path, os.O_PATH)
    statuses = statx.Reader().read_all(["gone", "here", "\udcff"], folder, errors.append)
    os.close(folder)
    assert [type(error) for error in errors] == [FileNotFoundError] * 2
    assert [error.filename for error in errors] == ["gone", "\udcff"]
    assert [status is statx.UNKNOWN for status in statuses] == [True, False, True]
    with pytest.raises(FileNotFoundError):
        statx.Reader().read("")


def test_no_time_of_birth_is_none(door) -> None:
    status = statx.Reader("btime").read("/proc/version")
    assert status[statx.SECONDS : statx.MAJOR] == (None, None)
    assert status[: statx.SECONDS] == statx.Reader().read("/proc/version")[: statx.SECONDS]
    assert statx.birth("/proc/version", follow=True) is None
    assert statx.birth("/nonexistent", follow=True) is None

"""chmod: breaks when a symbolic or octal mode gives other bits than POSIX and GNU say."""

from __future__ import annotations

import os
import stat

import pytest


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("700", 0o644, 0o700),
        ("7777", 0o644, 0o7777),
        ("u+s,g-r", 0o644, 0o4604),
        ("+x", 0o644, 0o755),
        ("-w", 0o644, 0o444),
        ("a=r,u+w", 0o777, 0o644),
        ("u=g", 0o174, 0o774),
        ("g=u,o=g", 0o740, 0o777),
        ("g=rx-x+w", 0o700, 0o760),
        ("u+X,g+X", 0o644, 0o644),
        ("u+X,g+X", 0o645, 0o755),
        ("go-rwx,u=", 0o777, 0),
        ("+t", 0o644, 0o1644),
        ("-rwx", 0o644, 0),
        ("=rw", 0o755, 0o644),
    ],
)
def test_modes(run, tmp_path, text, before, after):
    file = tmp_path / "f"
    file.touch()
    os.chmod(file, before)
    assert run("chmod", text, "f", cwd=tmp_path)[::2] == (0, b"")
    assert mode(file) == after


def test_umask_limits_what_nobody_is_named_for(run, tmp_path):
    file = tmp_path / "f"
    file.touch()
    os.chmod(file, 0o400)
    old = os.umask(0o077)
    try:
        run("chmod", "+w", "f", cwd=tmp_path)
        assert mode(file) == 0o600
        run("chmod", "a+w", "f", cwd=tmp_path)
        assert mode(file) == 0o622
    finally:
        os.umask(old)


def test_directories_keep_set_id_bits(run, tmp_path):
    (tmp_path / "d").mkdir()
    os.chmod(tmp_path / "d", 0o2755)
    run("chmod", "700", "d", cwd=tmp_path)
    assert mode(tmp_path / "d") == 0o2700
    run("chmod", "00700", "d", cwd=tmp_path)
    assert mode(tmp_path / "d") == 0o700


def test_recursive(run, tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "f").touch()
    (tmp_path / "out").touch()
    os.chmod(tmp_path / "out", 0o644)
    os.symlink("../out", tmp_path / "d" / "l")
    assert run("chmod", "-R", "u=rwX,go=", "d", cwd=tmp_path)[::2] == (0, b"")
    assert [mode(tmp_path / p) for p in ("d", "d/e", "d/f", "out")] == [0o700, 0o700, 0o600, 0o644]


def test_reports(run, tmp_path):
    (tmp_path / "f").touch()
    os.chmod(tmp_path / "f", 0o644)
    out = run("chmod", "-v", "600", "f", cwd=tmp_path).out
    assert out == b"mode of 'f' changed from 0644 (rw-r--r--) to 0600 (rw-------)\n"
    assert run("chmod", "-c", "600", "f", cwd=tmp_path).out == b""
    assert (
        run("chmod", "-v", "600", "f", cwd=tmp_path).out
        == b"mode of 'f' retained as 0600 (rw-------)\n"
    )
    (tmp_path / "r").touch()
    os.chmod(tmp_path / "r", 0o751)
    run("chmod", "--reference=r", "f", cwd=tmp_path)
    assert mode(tmp_path / "f") == 0o751


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["9", "f"], "invalid mode: '9'"),
        (["u+q", "f"], "invalid mode: 'u+q'"),
        (["77777", "f"], "invalid mode: '77777'"),
        (["755"], "missing operand after '755'"),
        (["755", "gone"], "cannot access 'gone': No such file or directory"),
    ],
)
def test_errors(run, tmp_path, args, message):
    r = run("chmod", *args, cwd=tmp_path)
    assert r.status == 1
    assert r.err.decode().splitlines()[0] == f"chmod: {message}"

"""hostname shows the kernel's name and sets it, here in a host of its own (a UTS namespace)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_the_name_and_its_first_part(run: Run) -> None:
    name = os.uname().nodename
    assert run("hostname").out.decode() == f"{name}\n"
    assert run("hostname", "-s").out.decode() == f"{name.partition('.')[0]}\n"


def test_the_addresses_are_no_loopback(run: Run) -> None:
    r = run("hostname", "-I")
    assert r.status == 0
    assert b"127.0.0.1" not in r.out.split()
    assert not any(address.startswith(b"fe80:") for address in r.out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b"], b"extra operand 'b'"),
        (["-s", "a"], b"exclude each other"),
        (["-F", "no/such"], b"no/such: No such file or directory"),
        (["-F", "/dev/null"], b"no host name in it"),
        ([""], b"must not be empty"),
    ],
)
def test_what_cannot_be_is_named(run: Run, words: list[str], message: bytes) -> None:
    r = run("hostname", *words)
    assert r.status == 1
    assert message in r.err


@pytest.mark.lab
def test_setting(toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "name").write_text("# of this box\n\n  box.example  # here\n")
    hostname = " ".join(toolbox_argv) + " hostname"
    script = f"{hostname} one.two && {hostname} -s && {hostname} -F name && {hostname}"
    script += f" && {hostname} -d; {hostname} {'x' * 65}"
    r = subprocess.run(
        ["unshare", "--uts", "/bin/sh", "-c", script],
        cwd=tmp_path,
        env=toolbox_env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert r.stdout == "one\nbox.example\nexample\n"
    assert r.returncode == 1
    assert "Invalid argument" in r.stderr

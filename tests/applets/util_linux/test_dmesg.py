"""dmesg on a file of messages, and on the kernel's where we may read them.  Breaks when the forms change."""

from __future__ import annotations

import json
import subprocess

import pytest

MESSAGES = """\
<5>[    0.000000] Linux version 6
<6>[    1.500000] eth0: up
<3>[    2.000000] disk: [sda] failed
<30>[    3.000000] init: started
"""


@pytest.fixture
def file(tmp_path) -> str:
    path = tmp_path / "messages"
    path.write_text(MESSAGES)
    return str(path)


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (
            ["-k"],
            "[    0.000000] Linux version 6\n[    1.500000] eth0: up\n[    2.000000] disk: [sda] failed\n",
        ),
        (["-t", "-l", "err"], "disk: [sda] failed\n"),
        (["-t", "-l", "notice+"], "Linux version 6\ndisk: [sda] failed\n"),
        (["-u", "-x"], "daemon:info  : [    3.000000] init: started\n"),
        (["-t", "-f", "daemon"], "init: started\n"),
        (["-r"], MESSAGES),
        (
            ["--time-format=delta", "-l", "info"],
            "[<    0.000000>] eth0: up\n[<    1.500000>] init: started\n",
        ),
        (
            ["-d", "-l", "info"],
            "[    1.500000 <    0.000000>] eth0: up\n[    3.000000 <    1.500000>] init: started\n",
        ),
    ],
)
def test_forms(run, file, words, out) -> None:
    assert run("dmesg", "-F", file, *words) == (0, out.encode(), b"")


def test_json(run, file) -> None:
    found = json.loads(run("dmesg", "-J", "-F", file).out)["dmesg"]
    assert found[2] == {"pri": 3, "time": 2.0, "msg": "disk: [sda] failed"}
    assert len(found) == 4


def test_control_characters_do_not_reach_the_terminal(run, tmp_path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"<6>[    1.000000] \x1b[31mred\n")
    assert run("dmesg", "-t", "-F", str(path)).out == b"\\x1b[31mred\n"


@pytest.mark.parametrize(
    "words", [["-l", "loud"], ["-f", "nobody"], ["-n", "x"], ["--time-format=x"]]
)
def test_wrong_words_are_named(run, file, words) -> None:
    r = run("dmesg", "-F", file, *words)
    assert (r.status, r.out) == (1, b"")


@pytest.mark.lab
@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["-C"], "clear kernel buffer"),
        (["-n", "1"], "set console level"),
        (["-n", "alert"], "set console level"),
        (["-D"], "disable logging to console"),
        (["-E"], "enable logging to console"),
    ],
)
def test_without_the_right_it_says_so(toolbox_argv, toolbox_env, words, what) -> None:
    """All capabilities are dropped first, so the host's log stays as it is."""
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    done = subprocess.run(
        [*drop, *toolbox_argv, "dmesg", *words], env=toolbox_env, capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == f"dmesg: {what} failed: Operation not permitted\n".encode()


@pytest.mark.lab
def test_the_kernels_own(run) -> None:
    assert run("dmesg", "-t").out
    assert run("dmesg", "-S").out
    assert run("dmesg", "-T", "-l", "emerg").status == 0

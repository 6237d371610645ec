"""The multicall program from outside: names, statuses, errors, listings.

Breaks when a name leads to the wrong applet, or an error to silence or a traceback.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import applets
from toolbox.multicall import applet_name, find, load

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("argv0", "name"),
    [("ls", "ls"), ("/bin/ls", "ls"), ("-sh", "sh"), ("./x/[", "["), ("/init", "init"), ("-", "-")],
)
def test_applet_name(argv0: str, name: str) -> None:
    assert applet_name(argv0) == name


def test_the_table_and_the_tree_agree() -> None:
    listed = {find(n) for family in applets.FAMILIES.values() for n in family.split()}
    there = set()
    for path in (ROOT / "applets").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            if applets.FAMILIES.get(path.name) == path.name:
                there.add(f"applets.{path.name}")
            else:
                rooms = [p for p in path.iterdir() if p.name not in ("__init__.py", "__pycache__")]
                # A name with an underscore is a helper that applets of the family share.
                there |= {f"applets.{path.name}.{p.stem}" for p in rooms if "_" not in p.stem}
    there |= {m for m in listed if m and m.endswith("switch_root")}
    assert listed == there
    for alias, name in applets.ALIASES.items():
        assert find(alias) == find(name)


@pytest.mark.parametrize("name", sorted({n for f in applets.FAMILIES.values() for n in f.split()}))
def test_every_applet_explains_itself(name: str) -> None:
    module = find(name)
    assert module
    options = load(module).options
    assert options.synopsis[0].split()[0] == name, "the synopsis starts with the applet's own name"
    assert 10 < len(options.summary) < 80, "one line in the listing"
    assert all(len(line) <= 100 for line in options.doc.splitlines())


@pytest.mark.parametrize(
    "name", sorted({n for f in applets.FAMILIES.values() for n in f.split()} - {"test", "init"})
)
def test_help_and_version_everywhere(run: Callable[..., Any], name: str) -> None:
    shown = run(name, "--help")
    assert shown.status == 0
    assert shown.out.startswith(f"Usage: {name}".encode())
    assert shown.err == b""
    version = run(name, "--version")
    assert version.out.startswith(f"{name} (Snakeroot) ".encode()) or name == "python"


def test_an_unknown_applet_is_127_with_the_nearest_name(run: Callable[..., Any]) -> None:
    r = run("haed")
    assert (r.status, r.err) == (127, b"toolbox: haed: no such applet; did you mean 'head'?\n")


def test_a_wrong_option_points_to_help(run: Callable[..., Any]) -> None:
    r = run("head", "--nonsense")
    assert r.status == 1
    assert (
        r.err
        == b"head: unrecognized option '--nonsense'\nTry 'head --help' for more information.\n"
    )


def test_a_full_disk_is_an_error(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*toolbox_argv, "echo", "x"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=toolbox_env,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"echo: write error: No space left on device\n"


def test_a_closed_pipe_kills_silently(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> None:
    with subprocess.Popen(
        [*toolbox_argv, "yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=toolbox_env
    ) as yes:
        assert yes.stdout and yes.stderr
        yes.stdout.read(10)
        yes.stdout.close()
        assert yes.stderr.read() == b""
        assert yes.wait(timeout=20) == -13


def test_closed_standard_streams_are_no_crash(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    argv = " ".join(toolbox_argv)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{argv} true <&- >&- 2>&-; echo $?; {argv} echo x >&-; echo $?"],
        capture_output=True,
        env=toolbox_env,
        check=False,
    )
    assert done.stdout == b"0\n1\n"
    assert b"Traceback" not in done.stderr


def test_list_and_install(run: Callable[..., Any], tmp_path: Path) -> None:
    names = run("--list").out.decode().split()
    assert {"ls", "[", "init", "sh", "reboot"} <= set(names)
    assert run("--install", str(tmp_path)).status == 0
    assert sorted(os.listdir(tmp_path)) == sorted(names)
    again = run("--install", str(tmp_path))
    assert again.status == 1
    assert b"File exists" in again.err


def test_the_frozen_program_is_a_python_to_those_that_start_it_again(
    run: Callable[..., Any], toolbox_argv: list[str]
) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(6 * 7)'])"
    assert run("python", "-c", code).out == b"42\n"


def test_overview_names_families_and_summaries(run: Callable[..., Any]) -> None:
    text = run().out.decode()
    assert "coreutils:\n" in text
    assert any(
        line.split()[:1] == ["head"] and "first 10 lines" in line for line in text.splitlines()
    )

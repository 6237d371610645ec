"""./dev: what it says when something is wrong, and what it does not do again.

They break when a wrong command line is obeyed or ends in a traceback, when asking for help installs something,
when a failed step hides its log, when an interrupted step counts as done or leaves a process behind, when two of
them make the same thing at once, or when a Rust that is too old is taken.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from interpreter import workshop
from snakeroot.host import step
from workbench import machine, making

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("run", "build", "wheel", "test", "lint", "bench", "doctor")


def dev(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ./dev without PATH's programs: whatever it would begin to install, it could not."""
    return subprocess.run(
        [sys.executable, ROOT / "dev", *words],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/nonexistent", "HOME": "/nonexistent"},
    )


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--yes", "--help"]])
def test_help(words: list[str]) -> None:
    done = dev(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("./dev COMMAND")
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--yes", "--help"], ["--help", "x"]])
def test_help_of_a_command(command: str, words: list[str]) -> None:
    done = dev(command, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: ./dev {command} ")
    assert len(done.stdout.splitlines()) > 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which command?"),
        (["biuld"], "unknown command biuld: did you mean build?"),
        (["nonsense"], "unknown command nonsense (there is run, "),
        (["--yse", "run"], "unknown option --yse: did you mean --yes?"),
        (["run", "--plian"], "run: unknown option --plian: did you mean --plain?"),
        (["run", "--yess"], "run: unknown option --yess: did you mean --yes?"),
        (
            ["run", "a", "b"],
            "run: too many words: a b; usage: ./dev run [--plain] [--check] [--yes] [DIR]",
        ),
        (["build", "--plain"], "build: unknown option --plain"),
        (["build", "-j4"], "build: unknown option -j4"),
        (["build", "toolbox"], "build: too many words: toolbox"),
        (["lint", "--hlep"], "lint: unknown option --hlep: did you mean --help?"),
        (["doctor", "--fix"], "doctor: unknown option --fix"),
    ],
)
def test_wrong_command_line(words: list[str], said: str) -> None:
    done = dev(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"dev: {said}")
    assert len(done.stderr.splitlines()) == 2


def test_missing_things_are_named() -> None:
    needs = {"no-such-program": "a-package", "/no/such/*/file.h": "b-dev", "sh": "dash", "/etc": ""}
    assert machine.missing(needs) == {"no-such-program": "a-package", "/no/such/*/file.h": "b-dev"}


def test_nothing_is_installed_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(machine.NEEDS, "lint", {"no-such-program": "a-package"})
    with open("/dev/null") as nothing, pytest.raises(workshop.BuildError, match="--yes"):
        monkeypatch.setattr(sys, "stdin", nothing)
        machine.provide(["lint"], False, tmp_path / "log")
    assert "no-such-program is missing: package a-package" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("rustc 1.83.0 (90b35a623 2024-11-26)", True),
        ("rustc 1.82.9", False),
        ("1.96.0+dfsg1-1~deb12u2", True),
        ("rustc 2.0.0-nightly", True),
        ("(none)", False),
        ("", False),
    ],
)
def test_recent_rust(version: str, enough: bool) -> None:
    assert machine.recent(version) is enough


def test_made_once_for_its_inputs(tmp_path: Path) -> None:
    stamp = tmp_path / "folder/stamp"

    def made(*parts: bytes) -> bool:
        with making.changed(stamp, making.digest(parts)) as new:
            return bool(new)

    assert [made(b"a", b"b"), made(b"a", b"b"), made(b"ab"), made(b"ab")] == [True, False] * 2


def test_failed_making_is_not_noted(tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), making.changed(stamp, "a") as new:
            assert new
            raise KeyboardInterrupt


def test_failed_step_names_its_log_and_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log/step.log"
    with pytest.raises(workshop.BuildError) as failure:
        workshop.run(["sh", "-c", "echo the reason >&2; exit 3"], log=log)
    text = str(failure.value)
    assert str(log) in text and "status 3" in text and text.endswith("the reason")
    assert log.read_text() == "$ sh -c 'echo the reason >&2; exit 3'\nthe reason\n"


@pytest.mark.parametrize(
    "said",
    [
        "curl: (6) Could not resolve host: example.org",
        "W: Failed to fetch http://x/InRelease  Temporary failure resolving 'x'",
        "pip: Failed to establish a new connection: [Errno -2] Name or service not known",
        "fatal: unable to access: Network is unreachable",
    ],
)
def test_no_network_is_one_line(said: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(workshop.BuildError, match=r"^no network: sh ") as failure:
        workshop.run(["sh", "-c", 'echo "$1"; echo more; exit 1', "sh", said], log=log)
    assert "\n" not in str(failure.value) and str(log) in str(failure.value)
    # What another tool said before is not this one's reason.
    with pytest.raises(workshop.BuildError, match=r"^sh ended with status 2"):
        workshop.run(["sh", "-c", "exit 2"], log=log)


def test_full_disk_is_one_line_that_names_it(tmp_path: Path) -> None:
    """As a tool reports it, and as the system reports it to us."""
    with pytest.raises(workshop.BuildError) as failure:
        workshop.run(["sh", "-c", "echo x | cat >/dev/full"], log=tmp_path / "log", cwd=tmp_path)
    system = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for text in (str(failure.value), workshop.explain(system, tmp_path / "not/there")):
        assert re.search(r"^/.*: no space left on device \(\d+ MiB in all\): make room", text)
        assert "\n" not in text
    assert workshop.explain(PermissionError(1, "No", "/x"), tmp_path) == "/x: No"


def test_missing_tool_is_named(tmp_path: Path) -> None:
    with pytest.raises(workshop.BuildError, match=r"no-such-tool: not found; .*doctor"):
        workshop.run(["no-such-tool"], log=tmp_path / "log")


def test_step_shows_its_title_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), step("a step"):
        raise KeyError
    line = capsys.readouterr().err
    assert line.startswith("  a step ") and line.endswith(" s\n")


#: A part of ./dev: it makes something, with a child and a grandchild, which note their process ids.
MAKER = """
import subprocess, sys
sys.path.insert(0, {packaging!r})
from pathlib import Path
from workbench import processes
folder = Path({folder!r})
processes.end_on_signals()
try:
    with processes.alone(folder / "lock"):
        print("begun", flush=True)
        subprocess.run(["sh", "-c", "(trap '' TERM; echo $$; exec sleep 1000) & echo $!; wait"])
except KeyboardInterrupt as interrupt:
    processes.stop_all()
    print("dev: interrupted", file=sys.stderr)
    sys.exit(interrupt.status)
"""


def maker(folder: Path) -> subprocess.Popen[str]:
    code = MAKER.format(packaging=str(ROOT / "packaging"), folder=str(folder))
    words = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    """Though only ./dev itself gets the signal, and a grandchild ignores the polite one."""
    making = maker(tmp_path)
    assert making.stdout and making.stdout.readline() == "begun\n"
    pids = {int(making.stdout.readline()) for _ in range(2)}
    os.kill(making.pid, number)
    _, said = making.communicate(timeout=60)
    assert (making.returncode, said) == (128 + number, "dev: interrupted\n")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_second_waits_and_says_so(tmp_path: Path) -> None:
    first = maker(tmp_path)
    assert first.stdout and first.stdout.readline() == "begun\n"
    second = maker(tmp_path)
    assert second.stderr and second.stdout
    assert second.stderr.readline() == f"  waiting for another ./dev here (process {first.pid})\n"
    os.kill(first.pid, signal.SIGTERM)
    assert second.stdout.readline() == "begun\n"
    os.kill(second.pid, signal.SIGTERM)
    for process in (first, second):
        process.communicate(timeout=60)

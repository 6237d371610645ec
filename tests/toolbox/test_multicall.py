"""The multicall program from outside: names, statuses, errors, listings.

Breaks when a name leads to the wrong applet, or an error to silence or a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys
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


def test_no_name_is_no_applets(toolbox_argv: list[str]) -> None:
    """The kernel makes an empty name of a list without words."""
    if toolbox_argv[1:]:
        argv, program = [sys.executable, "-c", NAMELESS], sys.executable
    else:
        argv, program = [""], toolbox_argv[0]
    done = subprocess.run(argv, executable=program, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (127, b"")
    assert b"no such applet" in done.stderr


#: What python -m toolbox cannot be asked: a start without a name.
NAMELESS = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from toolbox import multicall; sys.exit(multicall.main(['']))"


@pytest.mark.parametrize("name", sorted({n for f in applets.FAMILIES.values() for n in f.split()}))
def test_every_applet_explains_itself(name: str) -> None:
    module = find(name)
    assert module
    options = load(module).options
    assert options.synopsis[0].split()[0] == name, "the synopsis starts with the applet's own name"
    assert 10 < len(options.summary) < 80, "one line in the listing"
    assert options.summary.count("`") % 2 == 0, "dots of a quoted line end no sentence"
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


#: The multicall program under a name of the caller's choice, from a checkout.
AS = "import sys; from toolbox.multicall import main; sys.exit(main(sys.argv[1:]))"


def named(toolbox_argv: list[str], link: Path | str) -> list[str]:
    """The words that start the program as the kernel does when `link` is run."""
    return [*toolbox_argv[:1], "-c", AS, str(link)] if toolbox_argv[1:] else [str(link)]


@pytest.mark.parametrize(("name", "near"), [("bash", "'ash' or 'sh'"), ("gerp", "'grep'")])
@pytest.mark.parametrize("words", [[], ["-c", "print(1)"], ["x.py"], ["echo", "x"]])
def test_a_link_under_a_foreign_name_is_no_applet(
    toolbox_argv: list[str],
    toolbox_env: dict[str, str],
    tmp_path: Path,
    name: str,
    near: str,
    words: list[str],
) -> None:
    program = tmp_path / "toolbox"
    program.symlink_to(toolbox_argv[0])
    (tmp_path / name).symlink_to("toolbox")
    (tmp_path / "other").symlink_to(name)
    for link in (name, "other"):
        done = subprocess.run(
            [*named(toolbox_argv, tmp_path / link), *words],
            env=toolbox_env,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (127, b"")
        assert done.stderr.startswith(
            f"{link}: a link to toolbox, which has no applet of this name; ".encode()
        )
    done = subprocess.run(
        named(toolbox_argv, tmp_path / name), env=toolbox_env, capture_output=True, check=False
    )
    assert near.encode() in done.stderr


def test_a_link_that_the_search_path_leads_to_is_no_other(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "zsh").symlink_to(toolbox_argv[0])
    done = subprocess.run(
        ["/usr/bin/env", "zsh", "-c", "echo x"],
        env={**toolbox_env, "PATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.stdout == b""
    if not toolbox_argv[1:]:
        assert (done.returncode, b"zsh: a link to toolbox" in done.stderr) == (127, True)


def test_the_program_s_own_file_has_any_name(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    """A download, a link that is called toolbox-something, /proc/self/exe, python with its version."""
    copy = tmp_path / "download"
    copy.write_bytes(Path(toolbox_argv[0]).read_bytes())
    copy.chmod(0o755)
    (tmp_path / "toolbox-1.0").symlink_to("download")
    for path in (copy, tmp_path / "toolbox-1.0", "/proc/self/exe", "made-up"):
        words = named(toolbox_argv, path)
        done = subprocess.run(
            [*words, "echo", "x"],
            executable=None if toolbox_argv[1:] else copy,
            env=toolbox_env,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"x\n", b"")
    shown = subprocess.run(
        named(toolbox_argv, copy), env=toolbox_env, capture_output=True, check=False
    )
    assert shown.stdout.startswith(b"Usage: toolbox")


@pytest.mark.parametrize("name", ["python", "python3", "python3.13"])
def test_links_of_a_virtual_environment_are_python(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path, name: str
) -> None:
    if toolbox_argv[1:]:  # the checkout's Python has a version of its own
        name = name.replace("3.13", f"3.{sys.version_info.minor}")
        (tmp_path / "toolbox").touch()
    else:
        (tmp_path / "toolbox").symlink_to(toolbox_argv[0])
    (tmp_path / name).symlink_to("toolbox")
    done = subprocess.run(
        [*named(toolbox_argv, tmp_path / name), "-c", "print(6 * 7)"],
        env=toolbox_env,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"42\n"), done.stderr


def test_an_entry_of_the_environment_without_a_name_is_dropped(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    """Some parents leave `=x`; no system call takes it, and it was a traceback wherever a program starts."""
    start = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
words = (ctypes.c_char_p * len(sys.argv))(*map(os.fsencode, sys.argv[1:]), None)
entries = [b"=x", *(k + b"=" + v for k, v in os.environb.items()), b"=", b"no equals sign"]
libc.execve(words[0], words, (ctypes.c_char_p * (len(entries) + 1))(*entries, None))
"""
    for command in (
        ["sh", "-c", "env; /usr/bin/env; (exec env); echo $(/usr/bin/env | wc -l)"],
        ["env", "/usr/bin/env"],
        ["xargs", "/usr/bin/env"],
        ["find", "/dev/null", "-exec", "/usr/bin/env", ";"],
        ["find", "/dev/null", "-execdir", "/usr/bin/env", ";"],
        ["time", "/usr/bin/env"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", start, *toolbox_argv, *command],
            env=toolbox_env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert b"HOME=/nonexistent" in done.stdout
        assert b"\n=" not in b"\n" + done.stdout
        assert b"Traceback" not in done.stderr


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


def test_what_slips_through_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A traceback is no answer: name, kind, and how a developer sees where it came from."""
    from applets.coreutils import true
    from toolbox import multicall

    def broken(argv: list[str]) -> int:
        return int("two\nlines")

    monkeypatch.setattr(true, "main", broken)
    assert multicall.call(["true"]) == 1
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and err.startswith("true: internal error: ValueError: ")
    assert "SNAKEROOT_TRACEBACK=1" in err
    monkeypatch.setenv("SNAKEROOT_TRACEBACK", "1")
    assert multicall.call(["true"]) == 1
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["env", ""], 127, b"env: '': No such file or directory\n"),
        (["env", "=x", "true"], 125, b"env: cannot set '=x': a variable needs a name\n"),
        (["xargs", ""], 127, b"xargs: : No such file or directory\n"),
        (["find", ".", "-maxdepth", "0", "-exec", "", ";"], 1, b"No such file or directory\n"),
    ],
)
def test_a_program_without_a_name(
    run: Callable[..., Any], argv: list[str], status: int, message: bytes
) -> None:
    done = run(*argv)
    assert message in done.err and done.err.count(b"\n") == 1
    assert done.status == status or argv[0] == "find"


def test_an_environment_entry_without_a_name_is_dropped(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    """Some parents leave `=x`; no applet that starts a program may fall over it."""
    for words in (
        ["env", "echo", "hi"],
        ["xargs", "echo", "hi"],
        ["find", ".", "-maxdepth", "0", "-exec", "echo", "hi", ";"],
        ["find", ".", "-maxdepth", "0", "-execdir", "echo", "hi", ";"],
        ["time", "-p", "echo", "hi"],
    ):
        done = subprocess.run(
            ["python3", "-c", "import ctypes, os, sys\nlibc = ctypes.CDLL(None)\n"
             "argv = [os.fsencode(a) for a in sys.argv[1:]] + [None]\n"
             "env = [os.fsencode(f'{k}={v}') for k, v in os.environ.items()] + [b'=x', None]\n"
             "libc.execve(argv[0], (ctypes.c_char_p * len(argv))(*argv), (ctypes.c_char_p * len(env))(*env))",
             *toolbox_argv, *words],
            env=toolbox_env, stdin=subprocess.DEVNULL, capture_output=True, cwd=ROOT,
        )  # fmt: skip
        assert done.stdout == b"hi\n" and done.returncode == 0, (words, done.stderr)


def test_find_ends_with_its_output(toolbox_argv: list[str], toolbox_env: dict[str, str]) -> None:
    """One message, not one for each file."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*toolbox_argv, "find", str(ROOT / "tests"), "-print"],
            env=toolbox_env, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        *([["find", d, "-fprint", "/dev/full"] for d in (".", "many")]),
        *(["find", "many", "-fls", "/dev/full"], ["find", "many", "-fprintf", "/dev/full", "%p "]),
        *(["sort", "-o", "/dev/full", "f"], ["tee", "/dev/full"], ["cp", "f", "/dev/full"]),
        *(["time", "-o", "/dev/full", "-f", "%e", "true"], ["sh", "-c", "echo x >/dev/full"]),
        *(["uniq", "f", "/dev/full"], ["sh", "-c", "ls many >/dev/full"]),
    ],
)
def test_a_full_file_of_its_own_is_one_line(
    run: Callable[..., Any], tmp_path: Path, argv: list[str]
) -> None:
    """It names the file (where a redirection did not open it), and Python adds nothing when it closes it."""
    (tmp_path / "f").write_text("x\n")
    (tmp_path / "many").mkdir()
    for number in range(3000):
        (tmp_path / "many" / f"{'x' * 40}{number}").touch()
    done = run(*argv, stdin=b"x\n", cwd=tmp_path)
    assert done.status in (1, 2, 125) and done.err.count(b"\n") == 1, done.err
    assert b"No space left on device" in done.err
    assert b"/dev/full" in done.err or argv[0] in ("sh", "uniq")


def test_finds_files_are_written_whole(run: Callable[..., Any], tmp_path: Path) -> None:
    """Two actions share a file; standard error is not opened anew; one that fails costs no other its lines."""
    (tmp_path / "d").mkdir()
    done = run("find", "d", "-fprint", "f", "-fprintf", "f", "%d\n", cwd=tmp_path)
    assert (done.status, (tmp_path / "f").read_bytes()) == (0, b"d\n0\n")
    (tmp_path / "link").hardlink_to(tmp_path / "f")
    done = run("find", "d", "-fprint", "f", "-fprint", "./f", "-fprint", "link", cwd=tmp_path)
    assert (done.status, (tmp_path / "f").read_bytes()) == (0, b"d\nd\nd\n")
    done = run("sh", "-c", "exec 2>log; echo kept >&2; find d -fprint /dev/stderr", cwd=tmp_path)
    assert (tmp_path / "log").read_bytes() == b"kept\nd\n"
    done = run("find", "d", "-fprint", "/dev/full", "-fprint", "g", cwd=tmp_path)
    assert (done.status, (tmp_path / "g").read_bytes()) == (1, b"d\n")


def test_xargs_takes_lines_and_no_nul(run: Callable[..., Any]) -> None:
    for words in (["-I{}", "-n1"], ["-n1", "-I{}"], ["-I{}"]):
        done = run("xargs", *words, "echo", "[{}]", stdin=b"a b\nc d\n")
        assert done.out == b"[a b]\n[c d]\n"
    done = run("xargs", "echo", stdin=b"a\0b c\n")
    assert (done.status, done.out) == (0, b"a c\n") and done.err.count(b"\n") == 1


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["pidof", "-x", "such-a-name-runs-nowhere"], 1, b""),
        (["realpath"], 1, b"missing operand"),
        (["xargs", "-s", "4", "echo"], 1, b"longer than -s 4"),
        (["ls", "-H", "loop"], 2, b"Too many levels"),
        (["find", "-L", "loop"], 1, b"Too many levels"),
        (["chmod", "-R", "644", "dangling"], 1, b"dangling symlink"),
        (["printf", "%2147483648d", "1"], 1, b"too large"),
        (["printf", "%*d", "2147483648", "15"], 1, b"invalid field width"),
        (["seq", "1e999999999"], 1, b"invalid floating point argument"),
        (["seq", "1", "1e-4000", "2"], 1, b"invalid floating point argument"),
        (["stat", "-c", "%99999999999999999999s", "."], 1, b"too wide"),
        (["find", ".", "-printf", "%99999999999999999999p"], 1, b"too wide"),
        (["cut", "-c", "9" * 5000], 1, b"invalid position"),
        (["find", ".", "-maxdepth", "9" * 5000], 1, b"invalid number of levels"),
        (["tr", "a", "[b*99999999999999999999]"], 1, b"repeat count"),
        (["kill", "-0", "99999999999999999999"], 1, b"invalid process id"),
        (["grep", "-99999999999999999999", "x"], 2, b"invalid number"),
        (["head", "-n", "99999999999999999999"], 1, b"invalid number of lines"),
        (["date", "-d", "@99999999999999999999"], 1, b"invalid date"),
        (["touch", "-d", "@99999999999999999999", "x"], 1, b"invalid date"),
        (["date", "-d", "99999999999999999999 days"], 1, b"invalid date"),
        (["free", "-s", "99999999999999999999x"], 1, b"invalid"),
        (["sh", "-c", "ulimit -n 99999999999999999999"], 2, b"Illegal number"),
        (["sh", "-c", "ulimit -f 9223372036854775807"], 2, b"Illegal number"),
        *(
            (["sort", *words, "/dev/null", str(ROOT / "LICENSE")], 0, b"")
            for number in ("4294967296", "99999999999999999999")
            for key in ("{}", "{}.{}", "1,{}", "1.{},1.{}", "{},{}b", "2b,{}")
            for words in (
                ["-k", key.format(number, number)],
                ["-t:", "-k", key.format(number, number)],
            )
        ),
    ],
)
def test_odd_words_get_a_clear_answer(
    run: Callable[..., Any], tmp_path: Path, argv: list[str], status: int, message: bytes
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    done = run(*argv, cwd=tmp_path)
    assert (done.status, b"internal error" in done.err) == (status, False), done.err
    assert message in done.err and done.err.count(b"\n") <= 2


@pytest.mark.parametrize("argv", [["sleep", "0"], ["printf", ""], ["true"]])
def test_who_writes_nothing_needs_no_output(
    toolbox_argv: list[str], toolbox_env: dict[str, str], argv: list[str]
) -> None:
    shell = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *toolbox_argv, *argv]
    done = subprocess.run(shell, env=toolbox_env, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")

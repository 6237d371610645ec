"""How the shell is started, where its program comes from, and what it says when things go wrong.

They break when the command line of `sh` is read otherwise than POSIX has it, when commands from
standard input eat what belongs to the commands that they run, or when a message loses its place.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_operands(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "s"
    script.write_text('echo "$0" "$1" $#\n')
    assert run("sh", "s", "a b", "c", cwd=tmp_path).out == b"s a b 2\n"
    assert run("sh", "-c", 'echo "$0" "$1" $#', "name", "x").out == b"name x 1\n"
    assert run("sh", "-s", "x", "y", stdin=b"echo $2 $0\n").out == b"y sh\n"
    assert run("sh", "-euc", "false; echo no").status == 1
    assert run("sh", "-o", "errexit", "-c", "false; echo no").status == 1
    assert run("sh", "+e", "-c", "false; echo yes").out == b"yes\n"


def test_help_and_wrong_options(run: Run) -> None:
    assert run("sh", "--help").out.startswith(b"Usage: sh")
    assert run("sh", "--version").status == 0
    wrong = run("sh", "-Z")
    assert wrong.status == 2
    assert b"invalid option -- 'Z'" in wrong.err
    assert run("sh", "-c").status == 2


@pytest.mark.parametrize("name", ["sh", "ash"])
def test_messages(run: Run, tmp_path: Path, name: str) -> None:
    result = run(name, "-c", "nosuch")
    assert result.status == 127
    assert result.err == f"{name}: nosuch: not found\n".encode()
    (tmp_path / "s").write_text("\n\nnosuch\ncd /nonexistent\n")
    result = run(name, "s", cwd=tmp_path)
    assert result.err == (
        b"s: line 3: nosuch: not found\n"
        b"s: cd: line 4: can't cd to /nonexistent: No such file or directory\n"
    )
    assert run(name, "nosuchfile", cwd=tmp_path).status == 127


def test_syntax_errors_come_after_the_commands_before_them(run: Run) -> None:
    result = run("sh", "-c", "echo first\nif fi\necho never")
    assert (result.out, result.status) == (b"first\n", 2)
    assert result.err == b'sh: syntax error: unexpected "fi"\n'


def test_commands_see_the_rest_of_standard_input(run: Run, tmp_path: Path) -> None:
    program = b"read x\ndata 1\necho $x\n(read y; echo $y)\ndata 2\necho end; cat\ndata 3\n"
    expected = b"data 1\ndata 2\nend\ndata 3\n"
    assert run("sh", stdin=program).out == expected
    (tmp_path / "in").write_bytes(program)
    with open(tmp_path / "in", "rb") as file:
        assert run("sh", stdin=file.fileno()).out == expected


def test_bytes_that_are_no_text_pass_through(run: Run, tmp_path: Path) -> None:
    result = run("sh", "-c", b"x='\xff\xfe'; echo $x ${#x}; echo $(printf '\\303\\251')")
    assert result.out == b"\xff\xfe 2\n\xc3\xa9\n"
    run("sh", "-c", b": >'\xff'; for f in *; do mv \"$f\" ok; done", cwd=tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["ok"]


def test_a_script_without_an_interpreter_line_is_run(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "s"
    script.write_text("echo $1 $0\n")
    script.chmod(0o755)
    assert run("sh", "-c", "./s a; echo $?", cwd=tmp_path).out == b"a ./s\n0\n"


def test_login_shells_read_their_profiles(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".profile").write_text("echo profile; x=1\n")
    result = run("sh", "-l", "-c", "echo $x", env={"HOME": str(tmp_path)})
    assert result.out.endswith(b"profile\n1\n")


def test_a_shell_with_a_broken_path_still_has_our_applets(run: Run) -> None:
    result = run("sh", "-c", "PATH=/nonexistent; basename /a/b; nosuch; echo $?")
    assert result.out == b"b\n127\n"


def test_verbose_and_trace_show_what_runs(run: Run) -> None:
    assert run("sh", "-v", "-c", "echo a\n").err == b"echo a\n"
    trace = run("sh", "-xc", "x='a b'; echo $x \"$x\" | cat; PS4=$x; :").err
    assert trace.startswith(b"+ x='a b'\n+ ")
    assert b"+ echo a b 'a b'\n" in trace
    assert trace.endswith(b"a b:\n")


def test_random_differs(run: Run) -> None:
    numbers = run("sh", "-c", "echo $RANDOM $RANDOM $RANDOM $RANDOM").out.split()
    assert len(set(numbers)) > 1
    assert all(0 <= int(number) < 32768 for number in numbers)


def test_the_environment_goes_through(run: Run) -> None:
    result = run(
        "sh",
        "-c",
        "env | grep -e ^a -e ^b -e x-y; echo $IFS-",
        env={"a": "1", "x-y": "2", "IFS": "q"},
    )
    assert sorted(result.out.split()) == [b"-", b"a=1", b"x-y=2"]


def test_the_last_command_takes_the_place_of_the_shell(run: Run) -> None:
    result = run("sh", "-c", "echo $$; exec sh -c 'echo $$'")
    first, second = result.out.split()
    assert first == second


def test_signals_end_the_shell_as_signals(run: Run) -> None:
    assert run("sh", "-c", "kill -TERM $$; echo no").status == -15
    assert run("sh", "-c", "(kill -KILL $(sh -c 'echo $PPID')); echo $?").out == b"137\n"


def test_deep_recursion_is_an_error_not_a_crash(run: Run) -> None:
    result = run("sh", "-c", "f() { f; }; f", timeout=120)
    assert result.status == 2
    assert b"nested too deeply" in result.err


def test_functions_may_nest_deeply(run: Run) -> None:
    result = run("sh", "-c", "f() { [ $1 = 0 ] || f $(($1-1)); }; f 500; echo $?", timeout=120)
    assert result.out == b"0\n"


#: The shell where there is no process to be had: as root, no limit brings that about.
ALONE = """
import errno, os, sys
from toolbox import multicall
def fork():
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
os.fork = fork
sys.exit(multicall.call(["sh", "-c", sys.argv[1]]))
"""


@pytest.mark.parametrize("command", ["sleep 0 | cat", "x=$(sleep 0; sleep 0)", "sleep 0 & :"])
def test_no_process_to_be_had(
    toolbox_argv: list[str], toolbox_env: dict[str, str], command: str
) -> None:
    """The shell says so and ends, and its trap is run."""
    script = f"trap 'echo end' EXIT; {command}; echo never"
    done = subprocess.run(
        [toolbox_argv[0], "-c", ALONE, script],
        env=toolbox_env,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == (b"end\n", 2)
    assert done.stderr == b"sh: cannot fork: Resource temporarily unavailable\n"


#: Prompts that cannot be expanded, each for another reason.
BAD_PROMPTS = [
    *("$nope> ", "${x?}> ", "${x:?gone}", "$((1/0))", "${x!}", "$(", "`", "$((", "${", "$(if)"),
    "${y:=${x?}}",
]


@pytest.mark.parametrize("prompt", BAD_PROMPTS)
def test_a_prompt_that_fails_is_shown_as_it_is_and_told_once(run: Run, prompt: str) -> None:
    """It was told for ever: neither Ctrl-C nor Ctrl-D led out of it."""
    typed = b"echo a\nfor i in 1\ndo echo b\ndone\n(exit 3)\nexit\n"
    result = run("sh", "-ui", stdin=typed, env={"PS1": prompt, "PS2": prompt}, timeout=30)
    assert result.out == b"a\nb\n"
    assert result.status == 3, "$? is the command's, not the prompt's"
    lines = result.err.replace(prompt.encode(), b"").split(b"\n")
    assert sum(b"PS1: " in line for line in lines) == 1
    assert sum(b"PS2: " in line for line in lines) == 1
    assert result.err.count(prompt.encode()) >= 6


@pytest.mark.parametrize("prompt", BAD_PROMPTS)
def test_a_trace_whose_prompt_fails_does_not_end_the_script(run: Run, prompt: str) -> None:
    program = "w=$(false); echo $?; echo b"
    result = run("sh", "-euxc", "w=1; echo a || w=$(false); echo $?; echo b", env={"PS4": prompt})
    assert result.out == b"a\n0\nb\n"
    assert result.err.count(b"PS4: ") == 1
    assert run("sh", "-uxc", program, env={"PS4": prompt}).out == b"1\nb\n"


def test_a_trace_s_prompt_leaves_the_status_of_what_is_traced(run: Run) -> None:
    result = run("sh", "-xc", "x=$(false); echo $?", env={"PS4": "$(true)+ "})
    assert result.out == b"1\n"


def test_a_file_of_env_that_cannot_be_named_does_not_end_the_shell(run: Run) -> None:
    result = run("sh", "-i", stdin=b"echo alive\n", env={"ENV": "${x?}"})
    assert result.out == b"alive\n"
    assert b"ENV: x: parameter not set" in result.err


def test_the_name_in_messages(run: Run) -> None:
    """`sh -c COMMANDS NAME` is called NAME, and tells the line, as other shells do."""
    result = run("sh", "-c", "\nnosuch\neval 'if'", "/a/NAME")
    assert result.err.startswith(b"/a/NAME: line 2: nosuch: not found\n/a/NAME: ")


@pytest.mark.parametrize("option", ["-o", "+o"])
def test_wrong_option_names_are_usage_errors(run: Run, option: str) -> None:
    wrong = run("sh", option, "zz", "-c", "echo no")
    assert (wrong.status, wrong.out) == (2, b"")
    assert wrong.err.startswith(b"sh: invalid option name -- 'zz'")
    listed = run("sh", "-o", stdin=b"echo goes on")
    assert b"errexit" in listed.out
    assert listed.out.endswith(b"goes on\n")


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["-s", "--", "-"], b"1 -\n"),
        (["-s", "--", "-", "a"], b"2 - a\n"),
        (["-s", "-", "a"], b"1 a\n"),
        (["-s", "-", "-", "a"], b"2 - a\n"),
        (["-s", "--", "--", "a"], b"2 -- a\n"),
        (["-es", "--", "-x", "-"], b"2 -x -\n"),
        (["-"], b"0\n"),
    ],
)
def test_a_lone_dash_ends_the_options_and_is_an_operand_after_them(
    run: Run, words: list[str], out: bytes
) -> None:
    assert run("sh", *words, stdin=b'echo $# "$@"\n').out.replace(b" \n", b"\n") == out


def test_verbose_shows_what_is_sourced(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("echo a\n# c\n")
    result = run("sh", "-v", stdin=b". ./s\n", cwd=tmp_path)
    assert result.err == b". ./s\necho a\n# c\n"

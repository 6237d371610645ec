"""basename, dirname, printf, test, true, false, env, id, pwd, uname, date and their like.

Tables of what POSIX and GNU say.  Breaks when one prints anything else, or ends with another status.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("argv", "out"),
    [
        (["basename", "/a/b/c"], "c\n"),
        (["basename", "/a/b/"], "b\n"),
        (["basename", "/"], "/\n"),
        (["basename", "//"], "/\n"),
        (["basename", ""], "\n"),
        (["basename", "a.c", ".c"], "a\n"),
        (["basename", ".c", ".c"], ".c\n"),
        (["basename", "-a", "x/a", "y/b"], "a\nb\n"),
        (["basename", "-s", ".c", "a.c", "b.c"], "a\nb\n"),
        (["basename", "-za", "a", "b"], "a\0b\0"),
        (["dirname", "/a/b"], "/a\n"),
        (["dirname", "a"], ".\n"),
        (["dirname", "/a"], "/\n"),
        (["dirname", "/"], "/\n"),
        (["dirname", "a//b//"], "a\n"),
        (["dirname", "", "a/b"], ".\na\n"),
        (["printf", "a\\n"], "a\n"),
        (["printf", "%s-%d\\n", "a", "1", "b", "2"], "a-1\nb-2\n"),
        (["printf", "%s\\n"], "\n"),
        (["printf", "%5s|%-5s|%05d|%+d|% d", "a", "b", "3", "4", "5"], "    a|b    |00003|+4| 5"),
        (["printf", "%.2s|%.3d|%.0f|%e", "abc", "5", "2.5", "1"], "ab|005|2|1.000000e+00"),
        (["printf", "%*d|%-*d|%.*s", "4", "1", "4", "2", "1", "xyz"], "   1|2   |x"),
        (
            ["printf", "%x %X %o %#x %#o %u", "255", "255", "8", "255", "8", "-1"],
            "ff FF 10 0xff 010 18446744073709551615",
        ),
        (["printf", "%c%c", "abc", ""], "a"),
        (["printf", "%b|%b", "a\\tb\\0101", "x\\cy"], "a\tbA|x"),
        (["printf", "%d %d %d", "0x1f", "010", "'A"], "31 8 65"),
        (["printf", "\\101\\x42\\\\%%"], "AB\\%"),
        (["printf", "%g %G %a", "0.00001", "1e20", "1"], "1e-05 1E+20 0x1p+0"),
        (["printf", "%q %q %q", "a b", "it's", "x"], "'a b' \"it's\" x"),
        (["printf", "\\u00e4%b", "\\U0001F600"], "ä😀"),
        (["printf", "%d|", ""], "0|"),
        (["printf", "a\\cb"], "a"),
        (["printf", "--", "x"], "x"),
        (["uname", "-s"], "Linux\n"),
        (["date", "-u", "-d", "@0", "+%Y-%m-%d %H:%M:%S %Z"], "1970-01-01 00:00:00 UTC\n"),
        (["date", "-u", "-d", "@0"], "Thu Jan  1 00:00:00 UTC 1970\n"),
        (
            ["date", "-u", "-d", "2026-11-21 10:00:00 +0200", "-Iseconds"],
            "2026-11-21T08:00:00+00:00\n",
        ),
        (["date", "-d", "2026-11-21", "-R"], "Sat, 21 Nov 2026 00:00:00 +0000\n"),
        (["date", "-d", "2026-02-28 +1 day", "+%F"], "2026-03-01\n"),
        (["date", "-d", "@1.5", "+%s.%N"], "1.500000000\n"),
        (["date", "-d", "2027-01-03", "+%G-W%V-%u %j %U %W"], "2026-W53-7 003 01 00\n"),
        (
            ["date", "-d", "@0", "+%-d|%_m|%^a|%5Y|%3N|%:z|%e|%k|%l|%p"],
            "1| 1|THU|01970|000|+00:00| 1| 0|12|AM\n",
        ),
        (["date", "-D", "%d.%m.%Y", "-d", "21.11.2026", "+%F"], "2026-11-21\n"),
        (["date", "-u", "-d", "1999-1-2 3:4:5Z", "+%F %T"], "1999-01-02 03:04:05\n"),
        (["date", "-d", "2020/1/2 6:30 a.m.", "+%F %T"], "2020-01-02 06:30:00\n"),
        (["date", "-d", "2020-01-01 3 weeks 2 days ago", "+%F"], "2020-01-20\n"),
        (["date", "-d", "Fri, 15 Jun 2020", "+%F"], "2020-06-15\n"),
        (["date", "-d", 'TZ="Europe/Berlin" 2020-06-15 12:00', "+%T %Z"], "10:00:00 UTC\n"),
        (["date", "-d", "@0", "+%+6Y %12N"], "+01970 000000000000\n"),
        (["date", "-d", "1:2", "+%T"], "01:02:00\n"),
        (["date", "-d", "1999.1.2-3:4:5", "+%F %T"], "1999-01-02 03:04:05\n"),
        (["date", "-d", "200001231133.30", "+%F %T"], "2000-01-23 11:33:30\n"),
        (["date", "-d", "Sat, 21 Nov 2026 10:00:00 +0100", "+%F %T"], "2026-11-21 09:00:00\n"),
        (["date", "--rfc-3339=date", "-d", "@86400"], "1970-01-02\n"),
        (["env", "-i", "A=1", "B=2"], "A=1\nB=2\n"),
        (["env", "-i", "-0", "A=1"], "A=1\0"),
        (["env", "-i", "A=1", "-u", "A"], "A=1\n-u"),
        (["env", "-i", "-S", "A=1 /bin/sh -c 'echo $A'"], "1\n"),
        (["env", "-C", "/", "/bin/pwd"], "/\n"),
        (
            ["env", "-i", "-S", "A=\"x\\ty\" B='\\n' C=${TZ}\\_D=1 #E=1"],
            "A=x\ty\nB=\\n\nC=UTC\nD=1\n",
        ),
        (["env", "-iS", "A=1", "B=2"], "A=1\nB=2\n"),
        (["env", "-", "A=1", "/bin/sh", "-c", "echo $A$HOME"], "1\n"),
    ],
)
def test_output(run: Run, argv: list[str], out: str) -> None:
    r = run(*argv)
    if out.endswith("-u"):  # an operand behind an assignment is a command: there is no such program
        assert r.status == 127
        return
    assert (r.status, r.out.decode(), r.err) == (0, out, b"")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 1),
        ([""], 1),
        (["a"], 0),
        (["-n"], 0),
        (["!"], 0),
        (["-n", ""], 1),
        (["-z", ""], 0),
        (["!", "a"], 1),
        (["a", "=", "a"], 0),
        (["a", "!=", "a"], 1),
        (["a", "<", "b"], 0),
        (["b", "<", "a"], 1),
        (["!", "=", "!"], 0),
        (["(", "=", "("], 0),
        (["1", "-eq", "01"], 0),
        (["-1", "-lt", "1"], 0),
        ([" 2 ", "-ge", "2"], 0),
        (["!", "1", "-gt", "2"], 0),
        (["(", "a", ")"], 0),
        (["(", "", ")"], 1),
        (["a", "-a", ""], 1),
        (["a", "-o", ""], 0),
        (["", "-a", "a", "-o", "b"], 0),
        (["(", "a", "-o", "", ")", "-a", "!", "c"], 1),
        (["-d", "/"], 0),
        (["-f", "/"], 1),
        (["-e", "no/such"], 1),
        (["-c", "/dev/null"], 0),
        (["/dev/null", "-ef", "/dev/null"], 0),
        (["no/such", "-nt", "/dev/null"], 1),
        (["/dev/null", "-nt", "no/such"], 0),
        (["-t", "0"], 1),
        (["a", "b"], 2),
        (["x", "-eq", "1"], 2),
        (["a", "b", "c"], 2),
        (["a", "=", "b", "c", "d"], 2),
    ],
)
def test_test(run: Run, words: list[str], status: int) -> None:
    assert run("test", *words).status == status
    assert run("[", *words, "]").status == status


def test_a_bracket_wants_its_partner(run: Run) -> None:
    r = run("[", "a")
    assert (r.status, r.err) == (2, b"[: missing ']'\n")


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["printf"], 1, "missing operand"),
        (["printf", "%d\\n", "12x"], 1, "'12x': value not completely converted"),
        (["printf", "%d\\n", "x"], 1, "'x': expected a numeric value"),
        (["printf", "%d", "9223372036854775808"], 1, "Numerical result out of range"),
        (["env", "-S", "$A"], 125, "only ${VARNAME} expansion is supported"),
        (["env", "-S", "'a"], 125, "no terminating quote"),
        (["env", "-0", "true"], 125, "cannot specify --null (-0) with command"),
        (["printf", "%z"], 1, "invalid conversion specification"),
        (["date", "-d", "nonsense"], 1, "nonsense"),
        (["date", "+a", "+b"], 1, "extra operand '+b'"),
        (["env", "no-such-program"], 127, "env: no-such-program: No such file"),
        (["env", "/"], 126, "env: /: Permission denied"),
        (["env", "--nonsense"], 125, "unrecognized option"),
        (["id", "-ug"], 1, "cannot print only one of several"),
        (["id", "no-such-user"], 1, "'no-such-user': no such user"),
        (["basename"], 1, "missing operand"),
        (["basename", "a", "b", "c"], 1, "extra operand 'c'"),
        (["nproc", "--ignore", "x"], 1, "invalid number"),
        (["which", "no-such-program"], 1, ""),
        (["sync", "no/such"], 1, "sync: no/such: No such file"),
        (["tty"], 1, ""),
    ],
)
def test_errors_name_the_culprit(run: Run, argv: list[str], status: int, words: str) -> None:
    r = run(*argv)
    assert r.status == status
    assert words in r.err.decode()


def test_true_and_false_take_no_notice(run: Run) -> None:
    assert run("true", "-x", "y")[:3] == (0, b"", b"")
    assert run("false", "--nonsense")[:3] == (1, b"", b"")


def test_pwd_by_name_and_without_links(run: Run, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to("real")
    env = {"PWD": str(link)}
    assert run("pwd", cwd=link, env=env).out.decode() == f"{link}\n"
    assert run("pwd", "-P", cwd=link, env=env).out.decode() == f"{real.resolve()}\n"
    assert run("pwd", cwd=link, env={"PWD": "/nonsense"}).out.decode() == f"{real.resolve()}\n"


def test_who_runs_it(run: Run) -> None:
    uid = os.geteuid()
    assert run("id", "-u").out == b"%d\n" % uid
    assert run("id").out.startswith(b"uid=%d(" % uid)
    assert run("id", "-un").out == run("whoami").out
    root = run("id", "root").out
    assert root.startswith(b"uid=0(root) gid=0(root) groups=0(root)")
    assert run("id", "-G").out.split()[0] == b"%d" % os.getegid()


def test_which_finds_programs_in_order(run: Run, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        program = tmp_path / folder / "prog"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "a" / "data").write_text("")
    path = {"PATH": f"{tmp_path}/a:{tmp_path}/b:/usr/bin:/bin"}
    assert run("which", "prog", env=path).out.decode() == f"{tmp_path}/a/prog\n"
    assert run("which", "-a", "prog", env=path).out.decode().split() == [
        f"{tmp_path}/{d}/prog" for d in "ab"
    ]
    assert run("which", "data", env=path)[:2] == (1, b"")


def test_date_of_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    os.utime(tmp_path / "f", (0, 86400))
    assert run("date", "-r", "f", "+%F", cwd=tmp_path).out == b"1970-01-02\n"
    (tmp_path / "dates").write_text("@0\nnonsense\n@86400\n")
    r = run("date", "-f", "dates", "+%s", cwd=tmp_path)
    assert (r.status, r.out) == (1, b"0\n86400\n")


def test_help_knows_every_applet(run: Run) -> None:
    assert run("help", "head").out.startswith(b"Usage: head")
    assert run("help", "nonsense").status == 1
    assert b"coreutils:" in run("help").out


def test_clear_and_reset(run: Run) -> None:
    assert run("clear").out == b"\x1b[H\x1b[2J\x1b[3J"
    assert run("reset").out.startswith(b"\x1bc")

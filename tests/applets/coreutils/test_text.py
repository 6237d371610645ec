"""cat, head, tail, tee, wc, tr, cut, uniq, sort, seq, yes, echo: tables of what POSIX and GNU say.

Breaks when one of them prints anything else, to the byte, or ends with another status.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

TEN = b"".join(b"%d\n" % n for n in range(1, 11))
TWELVE = b"".join(b"%d\n" % n for n in range(1, 13))

TABLE = [
    # cat
    (["cat"], b"a\0\xff", b"a\0\xff"),
    (["cat", "-n"], b"a\n\nb", b"     1\ta\n     2\t\n     3\tb"),
    (["cat", "-b"], b"a\n\nb\n", b"     1\ta\n\n     2\tb\n"),
    (["cat", "-s"], b"a\n\n\n\nb\n", b"a\n\nb\n"),
    (["cat", "-A"], b"\ta\x01\x7f\x80\xff\r\n", b"^Ia^A^?M-^@M-^?^M$\n"),
    (["cat", "-v"], b"\t\x9f", b"\tM-^_"),
    (["cat", "-u", "-", "-"], b"x", b"x"),
    # head
    (["head"], TWELVE, TEN),
    (["head", "-n", "2"], TWELVE, b"1\n2\n"),
    (["head", "-2"], TWELVE, b"1\n2\n"),
    (["head", "-n", "-10"], TWELVE, b"1\n2\n"),
    (["head", "-n", "-0"], b"a\nb", b"a\nb"),
    (["head", "-n", "-1"], b"a\nb", b"a\n"),
    (["head", "-n", "0"], TWELVE, b""),
    (["head", "-c", "3"], b"abcdef", b"abc"),
    (["head", "-c", "-2"], b"abcdef", b"abcd"),
    (["head", "-c", "1k"], b"x" * 2000, b"x" * 1024),
    (["head", "-3c"], b"abcdef", b"abc"),
    (["head", "-1k"], b"x" * 2000, b"x" * 1024),
    (["head", "-2q"], TWELVE, b"1\n2\n"),
    (["head", "-v", "-n1"], b"a\nb\n", b"==> standard input <==\na\n"),
    (["head", "-z", "-n1"], b"a\0b\0", b"a\0"),
    (["head", "-n", "5"], b"a\nb", b"a\nb"),
    # tail
    (["tail"], TWELVE, TWELVE[4:]),
    (["tail", "-n", "2"], TWELVE, b"11\n12\n"),
    (["tail", "-2"], TWELVE, b"11\n12\n"),
    (["tail", "-n", "+11"], TWELVE, b"11\n12\n"),
    (["tail", "+11"], TWELVE, b"11\n12\n"),
    (["tail", "-n", "1"], b"a\nb", b"b"),
    (["tail", "-n", "0"], TWELVE, b""),
    (["tail", "-n", "+0"], b"a\nb\n", b"a\nb\n"),
    (["tail", "-c", "3"], b"abcdef", b"def"),
    (["tail", "-c", "+3"], b"abcdef", b"cdef"),
    (["tail", "-2c"], b"abcdef", b"ef"),
    (["tail", "+3c"], b"abcdef", b"cdef"),
    (["tail", "-1l"], b"a\nb\n", b"b\n"),
    (["tail", "-c", "99"], b"abc", b"abc"),
    # wc
    (["wc"], b"a b\nc\n", b"      2       3       6\n"),
    (["wc", "-l"], b"a\nb", b"1\n"),
    (["wc", "-w"], b" a\tb\n\nc ", b"3\n"),
    (["wc", "-c"], b"\xc3\xa4", b"2\n"),
    (["wc", "-m"], b"\xc3\xa4x", b"2\n"),
    (["wc", "-m"], b"\xc3\xa4\xff\xc3x\n", b"3\n"),
    (["wc", "-lc", "-"], b"a\n", b"      1       2 -\n"),
    (["wc", "-L"], b"a\tb\nccc\n", b"9\n"),
    (["wc", "-L"], b"ab\bc\n", b"3\n"),
    (["wc", "-L"], b"ab\b\b\bc\td\n", b"9\n"),
    (["wc", "-L"], b"abc\rd\n\fabcd\vx\n", b"5\n"),
    (["wc", "-L"], b"ab\ac\x7f\n", b"3\n"),
    (["wc", "-lc"], b"", b"      0       0\n"),
    # tr
    (["tr", "a-z", "A-Z"], b"Hello", b"HELLO"),
    (["tr", "-d", "[:digit:]"], b"a1b2", b"ab"),
    (["tr", "-s", "ab"], b"aabbcc", b"abcc"),
    (["tr", "-s", "a", "b"], b"aab", b"b"),
    (["tr", "-cd", "a-c"], b"abcd\n", b"abc"),
    (["tr", "-c", "a-c", "x"], b"abcd\n", b"abcxx"),
    (["tr", "abc", "x"], b"abcd", b"xxxd"),
    (["tr", "-t", "abc", "x"], b"abcd", b"xbcd"),
    (["tr", "abcd", "[x*2]yz"], b"abcd", b"xxyz"),
    (["tr", "abcd", "x[y*]z"], b"abcd", b"xyyz"),
    (["tr", "\\n\\101", "_b"], b"A\n", b"b_"),
    (["tr", "[=a=]", "b"], b"a", b"b"),
    (["tr", "-ds", "a", "b"], b"aabb", b"b"),
    # cut
    (["cut", "-b", "2-3,5"], b"abcdef\n", b"bce\n"),
    (["cut", "-c", "2"], "äöü\n".encode(), "ö\n".encode()),
    (["cut", "-f", "2"], b"a\tb\tc\nno\n", b"b\nno\n"),
    (["cut", "-s", "-f", "2"], b"a\tb\nno\n", b"b\n"),
    (["cut", "-d:", "-f", "1,3-"], b"a:b:c:d\n", b"a:c:d\n"),
    (["cut", "-d:", "-f", "-2"], b"a:b:c\n", b"a:b\n"),
    (["cut", "-d:", "-f", "2", "--complement"], b"a:b:c\n", b"a:c\n"),
    (["cut", "-d:", "-f1,2", "--output-delimiter=--"], b"a:b:c\n", b"a--b\n"),
    (["cut", "-F", "3,1"], b"a  b\tc\n", b"a c\n"),
    (["cut", "-DF", "3,1"], b"a  b\tc\n", b"c a\n"),
    (["cut", "-O:", "-F", "2,4-6,7"], b"1 2  3  4\t\t5  6  7 8\n", b"2:4\t\t5  6:7\n"),
    (["cut", "-d", "(,|;)+", "-F", "2"], b"a,;b;c\n", b"b\n"),
    (["cut", "-F", "2"], b"alone\n", b"alone\n"),
    (["cut", "-DF", "2"], b"alone\n", b"\n"),
    (["cut", "-d", "\n", "-f", "4,2,6-"], b"1\n2\n3\n4\n5\n6\n7", b"2\n4\n6\n7\n"),
    (["cut", "-d", "\n", "-f", "1-2", "-O,"], b"1\n2\n3\n", b"1,2\n"),
    (["cut", "-d", "\n", "-f", "1"], b"", b""),
    (["cut", "-D", "-b", "3,1,1"], b"abc\n", b"caa\n"),
    (["cut", "-z", "-f1"], b"a\tb\0c\td\0", b"a\0c\0"),
    (["cut", "-b1"], b"abc", b"a\n"),
    # uniq
    (["uniq"], b"a\na\nb\na\n", b"a\nb\na\n"),
    (["uniq", "-c"], b"a\na\nb\n", b"      2 a\n      1 b\n"),
    (["uniq", "-d"], b"a\na\nb\n", b"a\n"),
    (["uniq", "-u"], b"a\na\nb\n", b"b\n"),
    (["uniq", "-D"], b"a\na\nb\n", b"a\na\n"),
    (["uniq", "-i"], b"a\nA\n", b"a\n"),
    (["uniq", "-f1"], b"1 x\n2 x\n", b"1 x\n"),
    (["uniq", "-s1"], b"1x\n2x\n", b"1x\n"),
    (["uniq", "-w1"], b"ab\nac\n", b"ab\n"),
    (["uniq", "--group"], b"a\na\nb\n", b"a\na\n\nb\n"),
    (["uniq", "--all-repeated=separate"], b"a\na\nb\nc\nc\n", b"a\na\n\nc\nc\n"),
    # sort
    (["sort"], b"b\na\nB\n", b"B\na\nb\n"),
    (["sort", "-r"], b"a\nb\n", b"b\na\n"),
    (["sort", "-n"], b"10\n9\n-1\nx\n1.5\n", b"-1\nx\n1.5\n9\n10\n"),
    (["sort", "-u"], b"b\na\nb\n", b"a\nb\n"),
    (["sort", "-f"], b"b\nA\na\n", b"A\na\nb\n"),
    (["sort", "-k2"], b"a 2\nb 1\n", b"b 1\na 2\n"),
    (["sort", "-t:", "-k2,2n"], b"a:10\nb:9\n", b"b:9\na:10\n"),
    (["sort", "-k1,1", "-k2nr"], b"a 1\nb 1\na 2\n", b"a 2\na 1\nb 1\n"),
    (["sort", "-s", "-k1,1"], b"a 2\na 1\n", b"a 2\na 1\n"),
    (["sort", "-h"], b"1M\n2K\n3\n", b"3\n2K\n1M\n"),
    (["sort", "-h"], b"5y\n1k\n900\n1M\n2K\n", b"5y\n900\n1k\n2K\n1M\n"),
    (["sort", "-V"], b"f10\nf9\n", b"f9\nf10\n"),
    (["sort", "-M"], b"feb\nJAN\nx\n", b"x\nJAN\nfeb\n"),
    (["sort", "-g"], b"1e3\n2e2\n", b"2e2\n1e3\n"),
    (["sort", "-z"], b"b\0a\0", b"a\0b\0"),
    (["sort", "-b", "-k1.1,1.1"], b" b\na\n", b"a\n b\n"),
    (["sort"], b"b\na", b"a\nb\n"),
    # seq
    (["seq", "3"], b"", b"1\n2\n3\n"),
    (["seq", "2", "4"], b"", b"2\n3\n4\n"),
    (["seq", "5", "-2", "1"], b"", b"5\n3\n1\n"),
    (["seq", "-w", "9", "11"], b"", b"09\n10\n11\n"),
    (["seq", "-w", "03", ".3", "0004"], b"", b"0003.0\n0003.3\n0003.6\n0003.9\n"),
    (["seq", "-w", "1.0", "003"], b"", b"001.0\n002.0\n003.0\n"),
    (["seq", "-w", "-1", "10"], b"", b"-1\n00\n01\n02\n03\n04\n05\n06\n07\n08\n09\n10\n"),
    (["seq", "-.0", "-.25", "-.3"], b"", b"-0.00\n-0.25\n"),
    (["seq", "2.", "3.4"], b"", b"2\n3\n"),
    (["seq", "-w", "-.5", "1"], b"", b"-0.5\n00.5\n"),
    (["seq", "-s", "-1", "2"], b"", b"1-12\n"),
    (["seq", "-s,", "3"], b"", b"1,2,3\n"),
    (["seq", "0", "0.1", "0.3"], b"", b"0.0\n0.1\n0.2\n0.3\n"),
    (["seq", "-f", "%03g", "2"], b"", b"001\n002\n"),
    (["seq", "-f", "a\\t%%%Lg%%", "2"], b"", b"a\\t%1%\na\\t%2%\n"),
    (["seq", "-f", "%f\\x", "1"], b"", b"1.000000\\x\n"),
    (["seq", "-f", "%'g|", "1"], b"", b"1|\n"),
    (["seq", "-f", "%-+0 #8.3Lg|", "1"], b"", b"+1.00   |\n"),
    (["seq", "-1", "1"], b"", b"-1\n0\n1\n"),
    (["seq", "3", "1"], b"", b""),
    # echo
    (["echo"], b"", b"\n"),
    (["echo", "a", "  b"], b"", b"a   b\n"),
    (["echo", "-n", "a"], b"", b"a"),
    (["echo", "-e", "a\\tb\\0101\\x41\\c", "z"], b"", b"a\tbAA"),
    (["echo", "-E", "a\\t"], b"", b"a\\t\n"),
    (["echo", "--", "-x"], b"", b"-- -x\n"),
    (["echo", "-nx"], b"", b"-nx\n"),
    (["echo", "-"], b"", b"-\n"),
    (["tee"], b"abc", b"abc"),
]


@pytest.mark.parametrize(
    ("argv", "stdin", "out"), TABLE, ids=lambda v: " ".join(v) if isinstance(v, list) else ""
)
def test_output(run: Run, argv: list[str], stdin: bytes, out: bytes) -> None:
    r = run(*argv, stdin=stdin)
    assert (r.status, r.out, r.err) == (0, out, b"")


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["head", "-n", "x"], 1, "invalid number of lines: 'x'"),
        (["head", "no/such"], 1, "head: no/such: No such file or directory"),
        (["cat", "/"], 1, "cat: /: Is a directory"),
        (["tr", "a"], 1, "two sets are needed"),
        (["tr", "[:nonsense:]", "x"], 1, "invalid character class 'nonsense'"),
        (["tr", "z-a", "x"], 1, "reverse collating sequence order"),
        (["tr", "[:lower:]", "[:digit:]"], 1, "only character classes that may appear"),
        (["uniq", "-cD"], 1, "repeat counts is meaningless"),
        (["sort", "-nM"], 2, "options '-Mn' are incompatible"),
        (["sort", "-k1nh"], 2, "options '-hn' are incompatible"),
        (["sort", "-cC"], 2, "options '-cC' are incompatible"),
        (["tee", "--output-error=no"], 1, "invalid argument 'no'"),
        (["cut"], 1, "you must specify a list"),
        (["cut", "-f", "0"], 1, "numbered from 1"),
        (["cut", "-f", "3-1"], 1, "invalid decreasing range '3-1'"),
        (["cut", "-f", "x"], 1, "'x' is no number or range"),
        (["cut", "-b1", "-f1"], 1, "only one type of list"),
        (["sort", "-k", "0"], 2, "invalid key '0'"),
        (["sort", "-k", "x"], 2, "a field's number is expected"),
        (["sort", "no/such"], 2, "sort: no/such: No such file"),
        (["sort", "-t", "ab"], 2, "multi-character tab 'ab'"),
        (["seq"], 1, "missing operand"),
        (["seq", "x"], 1, "invalid floating point argument: 'x'"),
        (["seq", "1", "0", "2"], 1, "invalid Zero increment"),
        (["seq", "-f", "%d", "2"], 1, "has unknown %d directive"),
        (["seq", "-f", "x", "2"], 1, "has no % directive"),
        (["seq", "-f", "%f%f", "2"], 1, "has too many % directives"),
        (["seq", "-f", "%f%", "2"], 1, "has too many % directives"),
        (["seq", "-f", "%f%%%f", "2"], 1, "has too many % directives"),
        (["seq", "-f", "%%", "2"], 1, "has no % directive"),
        (["seq", "-f", "", "2"], 1, "has no % directive"),
        (["seq", "-f", "%", "2"], 1, "ends in %"),
        (["seq", "-f", "%5", "2"], 1, "ends in %"),
        (["seq", "-f", "%*f", "2"], 1, "has unknown %* directive"),
        (["seq", "-f", "%.*f", "2"], 1, "has unknown %* directive"),
        (["seq", "-f", "%lf", "2"], 1, "has unknown %l directive"),
        (["seq", "-f", "%LLf", "2"], 1, "has unknown %L directive"),
        (["seq", "-f", "%5.2.f", "2"], 1, "has unknown %. directive"),
        (["seq", "-f", "%1$f", "2"], 1, "has unknown %$ directive"),
        (["seq", "-f", "%99999999999f", "2"], 1, "too large"),
        (["wc", "no/such"], 1, "wc: no/such: No such file"),
        (["tail", "-c", "x"], 1, "invalid number of bytes: 'x'"),
        (["uniq", "a", "b", "c"], 1, "extra operand 'c'"),
    ],
)
def test_errors_name_the_culprit(run: Run, argv: list[str], status: int, words: str) -> None:
    r = run(*argv)
    assert r.status == status
    assert words in r.err.decode()


def test_several_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n")
    (tmp_path / "b").write_bytes(b"3\n")
    assert run("head", "-n1", "a", "b", cwd=tmp_path).out == b"==> a <==\n1\n\n==> b <==\n3\n"
    assert run("tail", "-n1", "a", "b", cwd=tmp_path).out == b"==> a <==\n2\n\n==> b <==\n3\n"
    assert run("wc", "a", "b", cwd=tmp_path).out == b"2 2 4 a\n1 1 2 b\n3 3 6 total\n"
    assert run("wc", "-l", "a", cwd=tmp_path).out == b"2 a\n"
    assert run("cat", "-n", "a", "b", cwd=tmp_path).out == b"     1\t1\n     2\t2\n     3\t3\n"
    missing = run("cat", "a", "no", "b", cwd=tmp_path)
    assert (missing.status, missing.out) == (1, b"1\n2\n3\n")


def test_cat_refuses_to_append_a_file_to_itself(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    with path.open("ab") as out:
        done = subprocess.run(
            [*toolbox_argv, "cat", str(path)],
            stdout=out,
            stderr=subprocess.PIPE,
            env=toolbox_env,
            check=False,
        )
    assert done.returncode == 1
    assert b"input file is output file" in done.stderr
    assert path.read_bytes() == b"x"


def test_sort_may_write_its_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"b\na\n")
    assert run("sort", "-o", "f", "f", cwd=tmp_path).status == 0
    assert (tmp_path / "f").read_bytes() == b"a\nb\n"


def test_sort_checks(run: Run) -> None:
    assert run("sort", "-c", stdin=b"a\nb\n").status == 0
    wrong = run("sort", "-c", stdin=b"b\na\n")
    assert (wrong.status, wrong.err) == (1, b"sort: -:2: disorder: a\n")
    assert run("sort", "-C", stdin=b"b\na\n")[:3] == (1, b"", b"")
    assert run("sort", "--check=quiet", stdin=b"b\na\n")[:3] == (1, b"", b"")
    assert run("sort", "--check", stdin=b"b\na\n").err == wrong.err
    assert run("sort", "-cu", stdin=b"a\na\n").status == 1


def test_head_leaves_the_rest_of_the_input(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(TWELVE)
    argv = " ".join(toolbox_argv)
    done = subprocess.run(
        ["/bin/sh", "-c", f"({argv} head -n 2; {argv} head -n 1) < f"],
        cwd=tmp_path,
        capture_output=True,
        env=toolbox_env,
        check=True,
    )
    assert done.stdout == b"1\n2\n3\n"


def test_tee_writes_all_its_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old ")
    assert run("tee", "a", cwd=tmp_path, stdin=b"new").out == b"new"
    run("tee", "-a", "b", cwd=tmp_path, stdin=b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "b").read_bytes() == b"old new"
    assert run("tee", "--output-error=exit", "/dev/full", stdin=b"x").status == 1
    failed = run("tee", "no/such", cwd=tmp_path, stdin=b"x")
    assert (failed.status, failed.out) == (1, b"x")


def test_long_lines_and_many_blocks(run: Run) -> None:
    line = b"x" * 3_000_000
    data = line + b"\n" + TWELVE * 200_000
    assert run("wc", "-lc", stdin=data).out.split() == [b"2400001", b"%d" % len(data)]
    assert run("tail", "-n", "2", stdin=data).out == b"11\n12\n"
    assert run("head", "-n", "1", stdin=data).out == line + b"\n"
    assert run("cut", "-b", "-2", stdin=data).out == b"xx\n" + TWELVE * 200_000
    assert run("tr", "-d", "x\n", stdin=data).out == TWELVE.replace(b"\n", b"") * 200_000


def test_tail_follows_growth_rotation_and_the_end_of_a_process(
    toolbox_argv: list[str], toolbox_env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    with subprocess.Popen(["/bin/sleep", "100"]) as other:
        tail = subprocess.Popen(
            [*toolbox_argv, "tail", "-F", "-s", "0.05", f"--pid={other.pid}", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=toolbox_env,
        )
        assert tail.stdout and tail.stderr
        assert tail.stdout.readline() == b"one\n"
        with path.open("ab") as file:
            file.write(b"two\n")
        assert tail.stdout.readline() == b"two\n"
        path.rename(tmp_path / "log.1")
        path.write_bytes(b"three\n")
        assert tail.stdout.readline() == b"three\n"
        other.kill()
        other.wait()
        assert tail.stdout.read() == b""
        assert b"following new file" in tail.stderr.read()
        tail.wait(timeout=20)


def test_yes_is_endless_and_dies_of_its_signal(
    toolbox_argv: list[str], toolbox_env: dict[str, str]
) -> None:
    with subprocess.Popen(
        [*toolbox_argv, "yes", "a", "b"], stdout=subprocess.PIPE, env=toolbox_env
    ) as yes:
        assert yes.stdout
        assert yes.stdout.read(8) == b"a b\na b\n"
        yes.send_signal(signal.SIGINT)
        yes.stdout.close()
        assert yes.wait(timeout=20) in (-signal.SIGINT, -signal.SIGPIPE)


def test_sleep_adds_up(run: Run) -> None:
    started = time.monotonic()
    assert run("sleep", "0.1", "0.1s").status == 0
    assert time.monotonic() - started >= 0.2
    assert run("sleep", "x").err.startswith(b"sleep: invalid time interval: 'x'")


def test_names_that_are_no_text(run: Run, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe")
    (tmp_path / name).write_bytes(b"x\n")
    assert run("cat", b"\xff\xfe", cwd=tmp_path).out == b"x\n"
    assert run("wc", "-c", b"\xff\xfe", cwd=tmp_path).out == b"2 \xff\xfe\n"

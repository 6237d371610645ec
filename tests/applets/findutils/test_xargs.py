"""xargs: breaks when input is split, command lines are filled, or statuses are told other than POSIX and GNU say."""

from __future__ import annotations

import pytest

INPUT = b"a b \"c d\" e\\ f\n'x y' z \n1 2\n\n3\n"

RUNS = [
    ([], INPUT, b"a b c d e f x y z 1 2 3\n"),
    (["-n2", "echo", "-"], b"1 2 3\n", b"- 1 2\n- 3\n"),
    (["-n1"], INPUT, b"a\nb\nc d\ne f\nx y\nz\n1\n2\n3\n"),
    (["-L1", "echo", "-"], INPUT, b"- a b c d e f\n- x y z 1 2\n- 3\n"),  # a blank at the end joins
    (["-L2", "echo", "-"], b"1\n2\n3\n", b"- 1 2\n- 3\n"),
    (["-I{}", "echo", "[{}]{}"], b"  a b\n\nc\n", b"[a b]a b\n[c]c\n"),
    (["-i", "echo", "<{}>"], b"x\n", b"<x>\n"),
    (["-0", "-n1"], b"a b\0c\n\0", b"a b\nc\n\n"),
    (["-d", ",", "-n1"], b"a,b c,d", b"a\nb c\nd\n"),
    (["-d", "\\n", "-n1"], b"it's\n", b"it's\n"),
    (["-E", "end"], b"a b\nend c\n", b"a b\n"),
    (["-r", "echo", "x"], b"", b""),
    (["echo", "x"], b"", b"x\n"),
    (["-s", "12", "echo"], b"1 22 333 4\n", b"1 22\n333 4\n"),
    (["echo", "-n", "-t"], b"x\n", b"-t x"),  # options of the command are its own
    (["-n", "3", "sh", "-c", 'echo "$#"', "x"], b"1 2 3 4\n", b"3\n1\n"),
]


@pytest.mark.parametrize(("args", "stdin", "out"), RUNS, ids=lambda v: repr(v)[:30])
def test_runs(run, args, stdin, out):
    r = run("xargs", *args, stdin=stdin)
    assert (r.out, r.err, r.status) == (out, b"", 0)


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (["false"], 123),
        (["sh", "-c", "exit 255"], 124),
        (["sh", "-c", "kill -9 $$"], 125),
        (["/"], 126),
        (["no-such-command"], 127),
        (["-n0", "echo"], 1),
        (["-s", "5", "echo"], 1),
    ],
)
def test_statuses(run, args, status):
    assert run("xargs", *args, stdin=b"a\n").status == status


def test_a_failure_does_not_stop_the_others(run):
    r = run("xargs", "-n1", "sh", "-c", "echo $0; test $0 != 1", stdin=b"1 2 3\n")
    assert (r.out, r.status) == (b"1\n2\n3\n", 123)


def test_unmatched_quote(run):
    r = run("xargs", "echo", stdin=b"it's\n")
    assert r.status == 1
    assert b"unmatched single quote" in r.err


def test_trace(run):
    assert run("xargs", "-t", "echo", stdin=b"a 'b c'\n").err == b"echo a 'b c'\n"


def test_parallel_and_input_file(run, tmp_path):
    (tmp_path / "in").write_bytes(b"".join(b"%d\n" % i for i in range(20)))
    r = run("xargs", "-P4", "-n1", "-a", "in", "echo", cwd=tmp_path)
    assert sorted(map(int, r.out.split())) == list(range(20))


def test_long_input_is_split(run):
    stdin = b"".join(b"%d\n" % i for i in range(60000))
    r = run("xargs", "sh", "-c", 'echo "$#"', "x", stdin=stdin)
    counts = list(map(int, r.out.split()))
    assert len(counts) > 1
    assert sum(counts) == 60000

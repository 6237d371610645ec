"""Odd values for every option and operand of the applets that change nothing: an answer in words, never a traceback.

Numbers of twenty and of thousands of digits, negative, empty, not ASCII, bytes that are no UTF-8, printf's widths.
Each option takes every value, in forks of one process: a minute in all.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import applets
from toolbox import multicall

BIG = "9" * 20
VALUES = [
    *("", "-1", "0", BIG, f"-{BIG}", "9" * 5000, "1e400", "inf", "nan", "0x10", "0x1p-1", "²", "٣"),
    *("\udcff\udcfe", f"%{BIG}d", "%*d", "%", f"[b*{BIG}]", f"{BIG},{BIG}", f"1-{BIG}", "a..b"),
    *(f"@{BIG}", f"+{BIG}", "x" * 5000, "\\", "1Y", "--", "-", "/nonexistent/x", "2147483648"),
]

#: Those that only read and print, and end by themselves.  `date -s` sets the clock, so date is not among them.
READERS = [
    *(
        "basename",
        "cat",
        "cut",
        "dirname",
        "echo",
        "env",
        "expr",
        "find",
        "grep",
        "head",
        "id",
        "ls",
    ),
    *("nproc", "printf", "ps", "readlink", "realpath", "seq", "sort", "stat", "tail", "test", "tr"),
    *("uniq", "wc", "which", "xargs", "pidof", "df", "uptime", "free"),
]

#: Options whose value makes an applet wait, go on for ever, or write.
LEFT_OUT = {
    ("tail", "follow"),
    ("sort", "output"),
    ("free", "seconds"),
    ("free", "count"),
    ("env", "chdir"),
}


def call(argv: list[str], folder: Path) -> tuple[int, str]:
    """Status and messages of one call in a fork: bounded in time and in what it may write."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        status = 99
        try:
            signal.alarm(20)
            os.chdir(folder)
            null = os.open(os.devnull, os.O_RDWR)
            for fd, to in ((null, 0), (null, 1), (writer, 2)):
                os.dup2(fd, to)
            status = multicall.call(argv)
        except BaseException as error:
            os.write(2, f"internal error: {error!r}"[:300].encode("utf-8", "replace"))
        finally:
            os._exit(status & 0xFF)
    os.close(writer)
    parts = []
    while part := os.read(reader, 65536):
        parts.append(part)
    os.close(reader)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), b"".join(parts).decode(
        "utf-8", "replace"
    )


@pytest.mark.parametrize("name", [name for name in READERS if name in applets.MODULES])
def test_no_value_is_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "f").write_text("x y\n1 2\n")
    options = multicall.load(multicall.find(name) or "").options
    mode = ["-x"] if name == "ls" else []  # in columns, where widths count
    cases = [[name, value] for value in VALUES[::2]] + [
        [name, "f", value] for value in VALUES[1::2]
    ]
    for option in options.options:
        if option.word and (name, option.attribute) not in LEFT_OUT:
            shown = f"--{option.longs[0]}=" if option.longs else f"-{option.letters[0]}"
            cases += [[name, *mode, shown + value, "f"] for value in VALUES]
    # What only takes long is no fault.
    long = ("inf", "1e400", "2147483648", BIG, f"+{BIG}")
    cases = [c for c in cases if not (name == "seq" and any(word in long for word in c))]
    bad = []
    with capfd.disabled():
        for argv in cases:
            status, err = call(argv, tmp_path)
            if "internal error" in err or "Traceback" in err or status == -signal.SIGALRM:
                bad.append(([word[:30] for word in argv], status, err[:200]))
    assert bad == []


@pytest.mark.parametrize(
    ("argv", "values"),
    [
        (["seq", "{}"], ("٣", "²", "1_0", " 1", "", "nan")),
        (["date", "-d", "{}"], ("@٣", "٢٠٢٠-01-01", "٣ days", "-", "24:00")),
        (["find", ".", "-size", "{}"], ("٣", "1 ", "--1", "1_0", "+", "-", ".", "1.2.3")),
        (["find", ".", "-mtime", "{}"], ("٣", "1\n", "--1", "+-1", "inf", "nan", "1e3")),
        (["ls", "--width={}"], ("-1", "", "٣", "1k", "1.5", "0x10")),
        (["ls", "--tabsize={}"], ("-1", "", "٣", "1k", "1.5", "0x10", BIG)),
        (["tail", "--pid={}", "f"], ("-1", "", "٣", "x", BIG)),
        (["uniq", "-f{}", "f"], ("-1", "", "٣", "1.5")),
        (["nproc", "--ignore={}"], ("-1", "", "٣", "x")),
        (["du", "--max-depth={}"], ("-1", "", "٣", "x")),
        (["mknod", "node", "c", "{}", "1"], ("-1", "", "٣", "1 ", "1_0", BIG)),
        (["mkdir", "-m", "{}", "d"], ("", ",", "8", "٣", "77777")),
        (["mkdir", "-p", "{}"], ("",)),
        (["sh", "-c", "trap : {}"], ("٣", "²", "99", "-1")),
        (["pidof", "{}"], ("",)),
    ],
)
def test_what_is_no_number_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], argv: list[str], values: tuple[str, ...]
) -> None:
    """Digits of other alphabets, blanks, signs and fractions where there are none: whether the value is used or not."""
    (tmp_path / "f").write_text("x y\n1 2\n")
    with capfd.disabled():
        for value in values:
            status, err = call([word.format(value) for word in argv], tmp_path)
            assert status > 0, value
            assert "internal error" not in err and (err or argv[0] == "pidof"), (value, err)
    assert os.listdir(tmp_path) == ["f"]

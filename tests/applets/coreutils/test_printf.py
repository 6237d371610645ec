r"""printf: breaks when a format is read, used again or refused other than POSIX and GNU say.

GNU's own program is held to the same table on hosts that have it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]

GNU = shutil.which("printf", path="/usr/bin:/bin")

#: What the program says, without its own name: the quotes are those of the C locale.
INVALID = "invalid conversion specification"
DIGITS = "missing hexadecimal number in escape"

TABLE = [
    ([r"\x"], 1, b"", DIGITS),
    ([r"\xg"], 1, b"", DIGITS),
    ([r"ab\x"], 1, b"ab", DIGITS),
    ([r"%s\x", "a"], 1, b"a", DIGITS),
    (["%b", r"\x"], 1, b"", DIGITS),
    ([r"\u"], 1, b"", DIGITS),
    ([r"\Ug"], 1, b"", DIGITS),
    ([r"\ud800"], 1, b"", r"invalid universal character name \ud800"),
    ([r"\x4|\x41|\x411"], 0, b"\x04|A|A1", ""),
    *(
        ([form, "4"], 1, b"", f"{form}: {INVALID}")
        for form in (
            *("%#d", "%#i", "%#u", "%#s", "%#c", "%#b", "%0s", "%05s", "%0c", "%0b", "%0q"),
            *("%.9c", "%.c", "%'x", "%'o", "%'s", "%'c", "%'e", "%'a", "%lb", "%lq", "%-+ #05d"),
            *("%n", "%m", "%C", "%S", "%D", "%5y", "%.y"),
        )
    ),
    (["a%s%#d", "b", "4"], 1, b"ab", f"%#d: {INVALID}"),
    (["%+s|% s|%+c|%+5u|%+x|% o", "a", "b", "c", "3", "4", "5"], 0, b"a|b|c|    3|4|5", ""),
    (["%#o|%#x|%#f", "4", "4", "4"], 0, b"04|0x4|4.000000", ""),
    (["%'d|%'f|%- 05d|", "4000", "1", "3"], 0, b"4000|1.000000| 3   |", ""),
    (["%ls|%lc|%hhd|%Lf|%hf", "a", "b", "300", "3", "3"], 0, b"a|b|300|3.000000|3.000000", ""),
    (["x", "y", "z"], 0, b"x", "warning: ignoring excess arguments, starting with 'y'"),
    (["x%%", "y"], 0, b"x%", "warning: ignoring excess arguments, starting with 'y'"),
    (["x", ""], 0, b"x", "warning: ignoring excess arguments, starting with ''"),
    ([r"a\c", "y"], 0, b"a", ""),
    (["%s|", "a", "b"], 0, b"a|b|", ""),
]


@pytest.mark.parametrize("how", ["ours", *(["GNU"] if GNU else [])])
@pytest.mark.parametrize(("words", "status", "out", "err"), TABLE)
def test_as_gnu(run: Run, how: str, words: list[str], status: int, out: bytes, err: str) -> None:
    if how == "GNU":
        env = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run([str(GNU), *words], capture_output=True, check=False, env=env)
        found = done.returncode, done.stdout, done.stderr
    else:
        r = run("printf", *words)
        found = r.status, r.out, r.err
    said = found[2].decode().partition("printf: ")[2].removesuffix("\n")
    assert (*found[:2], said) == (status, out, err)


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["%1$s", "a"], "a"),
        (["%2$s %1$s", "a", "b"], "b a"),
        (["%2$s %1$s|", "a", "b", "c", "d"], "b a|d c|"),
        (["%1$s%1$s|", "a", "b"], "aa|bb|"),
        (["%2$s|", "a", "b", "c"], "b||"),
        (["%3$s|", "a"], "|"),
        (["%1$05d|%1$x|%1$-4s|", "10"], "00010|a|10  |"),
        (["%2$d|", "x"], "0|"),
        (["%1$%"], None),
        (["%0$s", "a"], None),
        (["%1$*d", "1", "2"], None),
        (["%1$$s", "a"], None),
        (["%$s", "a"], None),
        (["%1$"], None),
        (["%99999999999999999999$s|", "a"], "|"),
    ],
)
def test_numbered_arguments(run: Run, words: list[str], out: str | None) -> None:
    """POSIX.1-2024: `%n$`, and the format is used again behind the last argument that it names."""
    r = run("printf", *words)
    if out is None:
        assert (r.status, r.out) == (1, b"")
        assert b"printf: %" in r.err
    else:
        assert (r.status, r.out.decode(), r.err) == (0, out, b"")

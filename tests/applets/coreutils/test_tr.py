"""tr: breaks when SETs are read, paired or refused other than POSIX and GNU say.

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

GNU = shutil.which("tr", path="/usr/bin:/bin")

TEXT = b"ABCxyzabc aab123"

MISALIGNED = "misaligned [:upper:] and/or [:lower:] construct"
ENDS_IN_CLASS = "the latter string must not end with a character class"
FIRST = "the [c*] repeat construct may not appear in string1"
ONE_CLASS = "string2 must map all characters in the domain to one"

TABLE = [
    ("[:upper:] [:lower:]", b"abcxyzabc aab123"),
    ("[:upper:] [:upper:]", TEXT),
    ("[:upper:][:lower:] [:lower:][:upper:]", b"abcXYZABC AAB123"),
    ("x[:lower:] y[:upper:]", b"ABCXYZABC AAB123"),
    ("[:upper:]a [:lower:]_", b"abcxyz_bc __b123"),
    ("[:upper:] [:lower:]b", b"abcxyzabc aab123"),
    ("[:upper:]xyz [:lower:]b", b"abcbbbabc aab123"),
    ("[:upper:] ab", b"abbxyzabc aab123"),
    ("[:upper:] [_*]", b"___xyzabc aab123"),
    ("[:digit:][:upper:] [_*][:lower:]", b"abcxyzabc aab___"),
    ("[:digit:][:upper:] [_*10][:lower:]", b"abcxyzabc aab___"),
    ("-t [:upper:] [:lower:]", b"abcxyzabc aab123"),
    ("-t [:upper:] a", b"aBCxyzabc aab123"),
    ("-s [:lower:] [:upper:]", b"ABCXYZABC AB123"),
    ("ab abc[:lower:]", TEXT),
    ("a-z [:upper:]", MISALIGNED),
    ("ABC [:lower:]", MISALIGNED),
    ("A-Z [:lower:]x", MISALIGNED),
    ("xy[:lower:] y[:upper:]", MISALIGNED),
    ("a[:lower:] [:upper:]", MISALIGNED),
    ("[:alpha:] [:upper:]", MISALIGNED),
    ("[:digit:] [:lower:]", MISALIGNED),
    ("[:digit:][:upper:] a[:lower:]", MISALIGNED),
    ("-t ABC [:lower:]", MISALIGNED),
    ("-t a-z [:upper:]x", MISALIGNED),
    ("abc abc[:lower:]", MISALIGNED),
    ("[:lower:]a [:upper:]", ENDS_IN_CLASS),
    ("-c a [:lower:]", ENDS_IN_CLASS),
    ("-c [:upper:] [:lower:]", ENDS_IN_CLASS),
    ("[a*3] b", b"ABCxyzbbc bbb123"),
    ("[a*2]b xyz", b"ABCxyzyzc yyz123"),
    ("-d [a*3]", b"ABCxyzbc b123"),
    ("-s [a*3]", b"ABCxyzabc ab123"),
    ("-cd [a*3]", b"aaa"),
    ("[a*010]b xxxxxxxyz", b"ABCxyzyzc yyz123"),
    ("a [b*999999999999]", b"ABCxyzbbc bbb123"),
    ("[a*] b", FIRST),
    ("[a*0] b", FIRST),
    ("-d [a*]", FIRST),
    ("-s [a*]", FIRST),
    ("[a*x] b", "invalid repeat count 'x' in [c*n] construct"),
    ("[a*08] b", "invalid repeat count '08' in [c*n] construct"),
    ("[a*99999999999999999999] b", "invalid repeat count"),
    ("[a*b x", b"ABCxyzxxc xxx123"),
    ("abc [x*]y[z*]", "only one [c*] repeat construct may appear in string2"),
    ("-ds a [x*]", "the [c*] construct may appear in string2 only when translating"),
    ("-ds a [:alpha:]", b"ABCxyzbc b123"),
    ("a-c [=x=]", "[=c=] expressions may not appear in string2 when translating"),
    ("-c [:upper:] x", b"ABCxxxxxxxxxxxxx"),
    ("-c [:upper:] [x*]", b"ABCxxxxxxxxxxxxx"),
    ("-c [:upper:] xy", ONE_CLASS),
    ("-ct [:upper:] x", ONE_CLASS),
    ("-c a-z y", b"yyyxyzabcyaabyyy"),
]


@pytest.mark.parametrize("how", ["ours", *(["GNU"] if GNU else [])])
@pytest.mark.parametrize(("line", "out"), TABLE)
def test_as_gnu(run: Run, how: str, line: str, out: bytes | str) -> None:
    """Bytes are what is printed, words are in the error."""
    words = line.split(" ")
    if how == "GNU":
        env = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(
            [str(GNU), *words], input=TEXT, capture_output=True, check=False, env=env
        )
        found = done.returncode, done.stdout, done.stderr
    else:
        r = run("tr", *words, stdin=TEXT)
        found = r.status, r.out, r.err
    if isinstance(out, str):
        assert found[:2] == (1, b"")
        assert out in found[2].decode()
    else:
        assert found == (0, out, b"")


@pytest.mark.parametrize("line", ["-d [a*999999999999]", "-ds a [b*999999999999]"])
def test_a_repetition_that_costs_no_time(run: Run, line: str) -> None:
    """GNU's tr counts through all of it, for hours: no oracle here."""
    assert run("tr", *line.split(" "), stdin=TEXT) == (0, b"ABCxyzbc b123", b"")


def test_two_empty_sets(run: Run) -> None:
    assert run("tr", "", "", stdin=TEXT)[:2] == (0, TEXT)
    assert b"must be non-empty" in run("tr", "a", "", stdin=TEXT).err


def test_a_repetition_too_long_to_hold(run: Run) -> None:
    r = run("tr", "[a*999999999999]", "b", stdin=TEXT)
    assert r.status == 1
    assert b"longer than" in r.err

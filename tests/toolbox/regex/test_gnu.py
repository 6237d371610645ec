"""Expressions beside GNU grep: breaks when other lines or other parts of them are found."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from toolbox.errors import UsageError
from toolbox.line_search import Matcher

GREP = "/bin/grep"


def test_the_grep_is_gnus():
    version = subprocess.run([GREP, "--version"], capture_output=True, text=True).stdout
    assert version.startswith("grep (GNU grep) 3.")


_COMMON = [
    r"a",
    r"b",
    r"x",
    r"-",
    r"é",
    r"€",
    r".",
    r"[ab]",
    r"[^a]",
    r"[^é]",
    r"[b-]",
    r"*",
    r"^",
    r"$",
    r"\b",
    r"\B",
    r"\<",
    r"\>",
    r"\w",
    r"\W",
    r"A",
    r"B",
    r"É",
    r"\1",
]
_PIECES = {
    True: [
        *_COMMON,
        *[r"+", r"?", r"{2}", r"{1,2}", r"{,2}", r"{2,}", r"(", r")", r"|", r"()", r"(a|b)", r"\."],
    ],
    False: [
        *_COMMON,
        *[
            r"\+",
            r"\?",
            r"\{2\}",
            r"\{1,2\}",
            r"\(",
            r"\)",
            r"\|",
            r"\(a\|b\)",
            r"+",
            r"?",
            r"{",
            r"{1}",
            r"|",
            r"(",
            r")",
        ],
    ],
}
_OPTIONS = [[], ["-i"], ["-x"], ["-w"], ["-i", "-x"]]

#: A repetition of nothing: GNU warns of it, and does not take it the same way each time.
_NOTHING_REPEATED = re.compile(r"(^|[(|^$*+?}]|\\[bB<>])(\(\))*[*+?{]|\(\)[*+?{]")


@st.composite
def _questions(draw):
    extended = draw(st.booleans())
    pattern = "".join(draw(st.lists(st.sampled_from(_PIECES[extended]), min_size=1, max_size=8)))
    options = draw(st.sampled_from(_OPTIONS))
    # GNU's letters are Unicode's, ours ASCII's; -x is text around the pattern to GNU, and -w its own search.
    letters = re.search(r"\\[wWbB<>]", pattern) or "-w" in options
    lines = draw(
        st.lists(st.text("aabbx-AB " + ("" if letters else "éüÉ€"), max_size=9), max_size=6)
    )
    return extended, pattern, options, lines


def gnu(extended: bool, pattern: str, options: list[str], block: bytes) -> tuple[int, bytes, bytes]:
    """Status, matches with their places, number of lines."""
    argv = [GREP, "-E" if extended else "-G", *options, "-e", pattern]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    parts, count = (
        subprocess.run(
            [*argv, option], input=block, capture_output=True, env=environment, timeout=20
        )
        for option in ("-ob", "-c")
    )
    return parts.returncode, parts.stdout, count.stdout


def ours(
    extended: bool, pattern: str, options: list[str], block: bytes
) -> tuple[int, bytes, bytes]:
    """The same from the matcher."""
    try:
        matcher = Matcher(
            [pattern.encode()],
            "extended_regexp" if extended else "basic_regexp",
            ignore_case="-i" in options,
            words="-w" in options,
            whole="-x" in options,
            utf8=True,
        )
    except UsageError:
        return 2, b"", b""
    out = []
    lines = list(matcher.lines(block))
    for start, stop in lines:
        line = block[start:stop].removesuffix(b"\n")
        out += [b"%d:%s\n" % (start + a, line[a:b]) for a, b in matcher.parts(line)]
    return 0 if lines else 1, b"".join(out), b"%d\n" % len(lines)


@given(_questions())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_expression(question):
    extended, pattern, options, lines = question
    assume(not (extended and _NOTHING_REPEATED.search(pattern)))
    assume(not ("-x" in options and pattern.count("(") != pattern.count(")")))
    block = "".join(line + "\n" for line in lines).encode()
    theirs = gnu(extended, pattern, options, block)
    assume(not ("-w" in options and not theirs[1]))  # GNU gives up early there, now and then
    assert ours(extended, pattern, options, block) == theirs


@pytest.mark.parametrize(
    "pattern",
    [
        "(a|ab)(c|bcd)(d*)",
        "(a|ab)(bcd|c)(d*)",
        "a?(ab)?",
        "(a*)(ab)*(b*)",
        "(a*|b)(a|bb|abb)*",
        "x*|xab",
        "(x|xa|xab)(b|bb|)",
        "[ab]*(ab|ba)",
        "(ab?)*(bb)*",
        "(a|b|)*b{2}",
        r"(a|ab)\b",
        r"(aa|a)*\>",
        "^(aa|a)*b?$|b+",
    ],
)
def test_the_leftmost_longest(pattern):
    """What an engine that prefers the first alternative gets wrong."""
    block = b"".join(
        b"%s\n" % line.encode() for line in ("xabcd abb", "aabb", "xxabb", "baab-ab", "")
    )
    assert ours(True, pattern, [], block) == gnu(True, pattern, [], block)

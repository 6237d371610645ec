"""The grammar in each applet's docstring: an option's line that the parser does not see is no option, silently.

Breaks when a line with an option is indented by anything but two spaces (six before a long name alone), and when a
letter of the synopsis has no line.
"""

from __future__ import annotations

import re

import pytest

import applets
from toolbox.multicall import find, load
from toolbox.options import Options

NAMES = sorted({n for family in applets.FAMILIES.values() for n in family.split()})

#: Applets that parse their own operands: their dashes are words of an expression.
OWN_GRAMMAR = {"find", "test", "ip", "sh", "ps", "nslookup"}


def mistakes(options: Options) -> list[str]:
    """What of a docstring looks like an option and is none; what of the synopsis has no line."""
    text = options.doc.partition("\n\n")[2]
    known = {f"-{letter}" for letter in options.by_letter} | {f"--{w}" for w in options.by_long}
    found = []
    for line in text.split("\n"):
        # `   -x, --long   help`: names and, behind two spaces or nothing, what they do.
        looks = re.match(
            r" +(--?[A-Za-z0-9][\w-]*)(\[?=\S+| [A-Z]+)?(, -\S+)*(\.\.\.)?(  .*)?$", line
        )
        if looks and looks[1] not in known and looks[1] not in ("-NUM", "--help", "--version"):
            found.append(f"no option for the parser: {line!r}")
    for line in options.synopsis:
        for cluster in re.findall(r"\[-([A-Za-z0-9]+)\]", line):
            if cluster == "NUM" or not options.options:
                continue
            found += [
                f"-{letter} of the synopsis has no line"
                for letter in cluster
                if f"-{letter}" not in known
            ]
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OWN_GRAMMAR])
def test_every_option_is_one(name: str) -> None:
    module = find(name)
    assert module
    assert mistakes(load(module).options) == []


@pytest.mark.parametrize(
    ("doc", "count"),
    [
        ("x [-a]\n\nDo.\n\n  -a, --all   all\n", 0),
        ("x [-a]\n\nDo.\n\n   -a, --all   all\n", 1),
        ("x [-ab]\n\nDo.\n\n  -a   all\n", 1),
        ("x\n\nDo.\n\n    --all   all\n", 1),
        ("x\n\nDo.\n\n      --all   all\n", 0),
    ],
)
def test_the_test_finds_mistakes(doc: str, count: int) -> None:
    assert len(mistakes(Options(doc))) == count

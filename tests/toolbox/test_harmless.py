"""Foreign text: nothing of it reaches a terminal or a log as anything but text.

Breaks when a control or format character passes, when a letter or a sign no longer does, or when somebody writes a
cleaner of his own instead of calling `harmless`.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.conftest import ROOT
from toolbox.errors import say
from toolbox.harmless import harmless, one_line

#: What acts on a terminal or hides from its reader, by kind.
HOSTILE = {
    "escape": "\x1b[31mred",
    "title": "\x1b]0;title\x07",
    "C1": "\x9b31m",
    "backspace": "good\x08\x08\x08\x08evil",
    "carriage return": "good\revil",
    "line": "one\ntwo",
    "form feed": "\x0b\x0c",
    "delete": "\x7f",
    "nul": "\0",
    "override": "\u202egnp.exe",
    "isolate": "\u2066x\u2069",
    "marks": "\u200e\u200f\u061c",
    "zero width": "a\u200bb\u2060c\ufeffd\u00ade",
    "line separator": "a\u2028b\u2029c\x85d",
    "tags": "\U000e0041\U000e0042",
    "interlinear": "\ufff9a\ufffab\ufffb",
    "surrogates": "\ud800\udc9b",
    "private": "\ue000\U0010fffd",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_acts_or_hides_is_only_shown(kind: str) -> None:
    shown = harmless(HOSTILE[kind])
    assert shown.isprintable() and shown != HOSTILE[kind]
    assert harmless(f"before {HOSTILE[kind]} after").startswith("before ")
    assert one_line(HOSTILE[kind]).isprintable()


def test_every_character_by_its_category() -> None:
    """Letters, marks, numbers, signs and spaces pass; controls, formats and what has no meaning do not."""
    passing, others = [], []
    for c in map(chr, range(sys.maxunicode + 1)):
        category = unicodedata.category(c)
        (passing if category[0] in "LMNPS" or category == "Zs" else others).append(c)
    assert harmless("".join(passing)) == "".join(passing)
    assert harmless("".join(others), form="?") == "?" * len(others)


@pytest.mark.parametrize(
    ("text", "form", "shown"),
    [
        ("\x1b[1m", "\\x%02x", "\\x1b[1m"),
        ("\u202e", "\\x%02x", "\\xe2\\x80\\xae"),
        ("\u202e", "\\%03d", "\\226\\128\\174"),
        ("\x07", "\\%03o", "\\007"),
        ("a\udc9bz", "\\x%02x", "a\\x9bz"),
        ("\u202e\x1b", "?", "??"),
        ("naïve — 日本 ☃ 50\u00a0€", "\\x%02x", "naïve — 日本 ☃ 50\u00a0€"),
    ],
)
def test_forms(text: str, form: str, shown: str) -> None:
    assert harmless(text, form=form) == shown


def test_what_is_kept() -> None:
    assert harmless("a\tb\nc\r", keep="\t\n") == "a\tb\nc\\x0d"
    assert one_line("  a \n b\t" + "c" * 300) == "a b " + "c" * 196


def test_say_is_one_line_whatever_it_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    for text in HOSTILE.values():
        say(f"x: {text}")
    say("first", "second\nthird")
    *lines, end = capfd.readouterr().err.split("\n")
    assert len(lines) == len(HOSTILE) + 2 and end == ""
    assert all(line.isprintable() for line in lines)
    assert lines[-2:] == ["first", "second\\x0athird"]


def test_there_is_one_cleaner() -> None:
    """Nobody else decides character by character what a terminal may see; quoting is another thing."""
    own = re.compile(r"isprintable\(\)(?: or [^)]*)? else")
    found = [
        str(path.relative_to(ROOT))
        for top in ("toolbox", "applets", "packaging/snakeroot")
        for path in sorted(Path(ROOT, top).rglob("*.py"))
        if own.search(path.read_text()) and path.name not in ("harmless.py", "quoting.py")
    ]
    assert found == []
    assert os.path.exists(ROOT / "toolbox" / "harmless.py")

"""authorized_keys and terminal modes.  Breaks when a line is obeyed in part, or a mode is set wrongly."""

from __future__ import annotations

import os
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.breakglass.keys import option_names, read_keys, select
from applets.breakglass.terminal import apply_modes, end_of_file, open_terminal, resize

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGlvMbXc2DzbAHRZ9NbkbS1m9OGzcmBCBlJDEJz3vO3p me@there"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (KEY, []),
        (f"no-pty {KEY}", ["no-pty"]),
        (f'command="echo a, b \\"c\\"",No-Pty {KEY}', ["command", "no-pty"]),
        (f'from="10.0.0.0/8,!10.1.0.0/16" {KEY}', ["from"]),
        (f"restrict,pty {KEY}", ["restrict", "pty"]),
        ("ecdsa-sha2-nistp256 AAAA", []),
    ],
)
def test_option_names(line: str, expected: list[str]) -> None:
    assert option_names(line) == expected


@pytest.mark.parametrize("line", ["nonsense", 'command="open ssh-ed25519 AAAA', "no-pty", "a b c"])
def test_lines_that_are_no_keys(line: str) -> None:
    with pytest.raises(ValueError):
        option_names(line)


def test_what_cannot_be_obeyed_is_refused_and_reported() -> None:
    said: list[str] = []
    text = f"# comment\n\n{KEY}\nrestrict {KEY}\nnonsense\nno-pty {KEY}\r\ncert-authority {KEY}\n"
    assert select(text, said.append) == [KEY, f"no-pty {KEY}"]
    assert said == [
        "line 4: option 'restrict' is not supported; the key is refused",
        "line 5: not a public key; the key is refused",
        "line 7: option 'cert-authority' is not supported; the key is refused",
    ]


@given(st.text())
def test_any_text_is_keys_or_reports(text: str) -> None:
    select(text, lambda problem: None)


def test_files(tmp_path: Path) -> None:
    said: list[str] = []
    good, loose, large = (tmp_path / name for name in ("good", "loose", "large"))
    for path in (good, loose):
        path.write_text(f"{KEY}\n")
    loose.chmod(0o666)
    large.write_text("#" * 300_000)
    paths = [str(p) for p in (tmp_path / "missing", good, loose, large, tmp_path)]
    assert read_keys(paths, said.append) == [KEY]
    assert said == [
        f"{loose}: others could write it; its keys are refused",
        f"{large}: too large; its keys are refused",
        f"{tmp_path}: not a regular file; its keys are refused",
    ]


def test_terminal_modes() -> None:
    """The opcodes of RFC 4254, section 8."""
    master, slave, name = open_terminal(
        (100, 40, 0, 0), {3: 8, 1: 255, 51: 0, 53: 0, 42: 1, 72: 1, 999: 5}
    )
    try:
        attributes = termios.tcgetattr(slave)
        assert attributes[6][termios.VERASE] == b"\x08" and attributes[6][termios.VINTR] == b"\0"
        assert not attributes[3] & (termios.ICANON | termios.ECHO)
        assert attributes[0] & 0o40000 and attributes[1] & termios.ONLCR
        assert os.get_terminal_size(slave) == (100, 40) and name.startswith("/dev/")
        resize(master, (0, 0, 0, 0))
        assert os.get_terminal_size(slave) == (80, 24), "a client without a size gets the usual one"
        resize(master, (1 << 32, 5, -1, 0))
        assert os.get_terminal_size(slave) == (65535, 5)
        assert end_of_file(master) == b"", "a program that reads single keys gets no character"
        apply_modes(attributes, {51: 1})
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        assert end_of_file(master) == b"\x04"
    finally:
        os.close(master)
        os.close(slave)

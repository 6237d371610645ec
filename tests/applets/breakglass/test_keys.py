"""authorized_keys and terminal modes.  Breaks when a line is obeyed in part, or a mode is set wrongly."""

from __future__ import annotations

import os
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.breakglass.keys import parse_line, read_keys, select
from applets.breakglass.library import asyncssh
from applets.breakglass.terminal import apply_modes, end_of_file, open_terminal, resize

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGlvMbXc2DzbAHRZ9NbkbS1m9OGzcmBCBlJDEJz3vO3p me@there"


BARE = KEY.rpartition(" ")[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (KEY, ""),
        (f"no-pty {KEY}", "no-pty "),
        (f"No-PTY,NO-Port-Forwarding\t{KEY}", "no-pty,no-port-forwarding "),
        (
            f'COMMAND="echo a, b \\"c\\" \\n",No-Pty {KEY}',
            'command="echo a, b \\"c\\" \\\\n",no-pty ',
        ),
        (f'From="10.0.0.0/8,!10.1.0.0/16" {KEY}', 'from="10.0.0.0/8,!10.1.0.0/16" '),
        (f'from="::ffff:10.0.0.7,!::ffff:10.1.0.0/112" {KEY}', 'from="10.0.0.7,!10.1.0.0/16" '),
        (
            f'from="fe80::1%eth0,2001:DB8::/32,*.lan" {KEY}',
            'from="fe80::1%eth0,2001:db8::/32,*.lan" ',
        ),
        (
            f'PermitOpen="nas:80",permitopen="[::1]:*" {KEY}',
            'permitopen="nas:80",permitopen="[::1]:*" ',
        ),
        (f'environment="A=b c",Environment="D=" {KEY}', 'environment="A=b c",environment="D=" '),
    ],
)
def test_a_line_is_written_anew(line: str, expected: str) -> None:
    assert parse_line(line).text == f"{expected}{BARE}"


@pytest.mark.parametrize("line", [KEY, f'COMMAND="a \\"b\\" \\c",FROM="1.2.3.4" {KEY}'])
def test_the_library_reads_what_was_parsed(line: str) -> None:
    parsed = parse_line(line)
    entry = asyncssh.import_authorized_keys(parsed.text)._user_entries[0]
    for name, value in parsed.options:
        if name == "command":
            assert entry.options[name] == value == 'a "b" \\c'
        else:
            assert name in entry.options


@given(st.text(st.characters(exclude_categories=["Cc"]), min_size=1))
def test_any_command_reaches_the_library(command: str) -> None:
    quoted = command.replace('"', '\\"')
    if command.endswith("\\") or '\\"' in command:
        return  # sshd has no way to write these
    parsed = parse_line(f'COMMAND="{quoted}" {KEY}')
    assert parsed.options == [("command", command)]
    entry = asyncssh.import_authorized_keys(parsed.text)._user_entries[0]
    assert entry.options == {"command": command}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "not a public key"),
        ("a b c", "not a public key"),
        ("no-pty", "not a public key"),
        ("ssh-ed25519", "not a public key"),
        (f"no-pty,{KEY}", "not a public key"),
        (f",no-pty {KEY}", "not a public key"),
        (f"no-pty, {KEY}", "an option without a name"),
        ('command="open ssh-ed25519 AAAA', "a quote is not closed"),
        (f"command=ls {KEY}", "option command: its value is not in quotes"),
        (f'command="" {KEY}', "the command is empty"),
        (f"command {KEY}", "option command needs a value"),
        (f"from {KEY}", "option from needs a value"),
        (f'No-Pty="x" {KEY}', "option no-pty has no value"),
        (f'command="a",Command="b" {KEY}', "option command is there twice"),
        (f'from="10.0.0.1",FROM="*" {KEY}', "option from is there twice"),
        (f'"from"="10.0.0.1" {KEY}', "not a public key"),
        (f'fr"om"="10.0.0.1" {KEY}', "not a public key"),
        (f'from="10.0.0.1"x {KEY}', "not a public key"),
        (f"restrict {KEY}", "option 'restrict' is not supported"),
        (f"Cert-Authority {KEY}", "option 'cert-authority' is not supported"),
        (f'expiry-time="20300101" {KEY}', "option 'expiry-time' is not supported"),
        (f'permitopen="nas" {KEY}', "permitopen 'nas' is not HOST:PORT"),
        (f'permitopen="nas:0" {KEY}', "permitopen 'nas:0' is not HOST:PORT"),
        (f'permitopen=":80" {KEY}', "permitopen ':80' is not HOST:PORT"),
        (f'permitopen="nas:{"9" * 5000}" {KEY}', "permitopen"),
        (f'environment="X" {KEY}', "environment 'X' is not NAME=VALUE"),
        (f'environment="=x" {KEY}', "environment '=x' is not NAME=VALUE"),
        # Denials that the library would take for names, which match nobody: they would let everybody in.
        (f'from="!10.0.0.5/8,*" {KEY}', "from: 10.0.0.5/8 has host bits set"),
        (f'from="!10.0.0.0/33,*" {KEY}', "from: '10.0.0.0/33' does not appear to be"),
        (f'from="*, !10.0.0.1" {KEY}', "from: ' !10.0.0.1' is no pattern of addresses"),
        (f'from="*,!!10.0.0.1" {KEY}', "from: '!!10.0.0.1' is no pattern of addresses"),
        (f'from="" {KEY}', "from: '' is no pattern of addresses"),
        (f'from="*,!" {KEY}', "from: '!' is no pattern of addresses"),
        (f"no-pty\x0b {KEY}", "a control character"),
        (f"no\u017f-pty {KEY}", "not a public key"),
    ],
)
def test_lines_that_are_refused(line: str, problem: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_line(line)
    assert str(raised.value).startswith(problem)


def test_what_cannot_be_obeyed_is_refused_and_reported() -> None:
    said: list[str] = []
    text = f"# comment\n\n{KEY}\nrestrict {KEY}\nnonsense\nno-pty {KEY}\r\ncert-authority {KEY}\n"
    assert [line.text for line in select(text, "/keys", said.append)] == [BARE, f"no-pty {BARE}"]
    assert said == [
        "/keys: line 4: option 'restrict' is not supported; the key is refused",
        "/keys: line 5: not a public key; the key is refused",
        "/keys: line 7: option 'cert-authority' is not supported; the key is refused",
    ]


@given(st.text())
def test_any_text_is_keys_or_reports(text: str) -> None:
    select(text, "/keys", lambda problem: None)


def test_files(tmp_path: Path) -> None:
    said: list[str] = []
    good, loose, large = (tmp_path / name for name in ("good", "loose", "large"))
    for path in (good, loose):
        path.write_text(f"{KEY}\n")
    loose.chmod(0o666)
    large.write_text("#" * 300_000)
    paths = [str(p) for p in (tmp_path / "missing", good, loose, large, tmp_path)]
    found = read_keys(paths, said.append)
    assert [(line.where, line.text) for line in found] == [(f"{good}: line 1", BARE)]
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

"""dhcp's command line.  Breaks when a wrong option is taken or a right one refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Result

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-O", "nonsense"), b"unknown DHCP option: 'nonsense'"),
        (("-O", "255"), b"unknown DHCP option: '255'"),
        (("-x", "hostname"), b"not OPTION:VALUE: 'hostname'"),
        (("-x", "60:xyz"), b"not OPTION:VALUE: '60:xyz'"),
        (("-x", "0:00"), b"unknown DHCP option: '0'"),
        (("-r", "1.2.3"), b"not an IPv4 address: '1.2.3'"),
        (("-t", "x"), b"invalid number for '-t': 'x'"),
        (("-Z",), b"invalid option -- 'Z'"),
    ],
)
def test_wrong_options(run: Run, argv: tuple[str, ...], message: bytes) -> None:
    result = run("dhcp", *argv, "lo")
    assert result.status == 1
    assert result.err.splitlines()[0] == b"dhcp: " + message
    assert b"Try 'dhcp --help'" in result.err


def test_help(run: Run) -> None:
    result = run("dhcp", "--help")
    assert result.status == 0 and b"--retries=N" in result.out


def test_interface_that_is_not_there(run: Run) -> None:
    result = run("dhcp", "-n", "-q", "nonexistent0")
    assert (result.status, result.err) == (1, b"dhcp: nonexistent0: no such interface\n")

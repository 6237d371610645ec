"""Names of hosts: any text is addresses or one error that names it, and nobody asks the resolver otherwise.

Breaks when a name that can be nobody's is a traceback, when a zone is lost, or when an applet sees only a
part of a name's addresses.
"""

from __future__ import annotations

import ast
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox import names
from toolbox.names import Unresolved, resolve
from toolbox.net import ProtocolError
from toolbox.net.host import ascii_name

ROOT = Path(__file__).resolve().parents[2]

#: What no host can be called.
NOBODY = [
    "",
    ".",
    "a..b",
    "..",
    ".a",
    "a" * 64 + ".example",
    ".".join(["a" * 60] * 5),
    "a b",
    "a\0b",
    "a\nb",
    "\udcff",
    "\udcff.example",
    "ü" * 70 + ".example",
    "xn--\u00fc" + "a" * 70,
    "\u200b..x",
    "-" * 300,
]


@pytest.mark.parametrize("name", NOBODY)
def test_what_is_nobodys_name_is_one_error(name: str) -> None:
    with pytest.raises(Unresolved) as caught:
        resolve(name, 80)
    assert caught.value.filename == name
    assert caught.value.strerror
    assert names.numeric(name) is None
    assert names.canonical(name) == name


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_one_error(text: str) -> None:
    try:
        found = ascii_name(text)
    except ProtocolError:
        return
    assert found.isascii() and len(found) <= 254
    assert all(0 < len(label) < 64 for label in found.removesuffix(".").split("."))


def test_international_names_and_a_dot_at_the_end() -> None:
    assert ascii_name("bücher.example") == "xn--bcher-kva.example"
    assert ascii_name("bücher.example.") == "xn--bcher-kva.example."
    assert ascii_name("localhost.") == "localhost."


def test_addresses() -> None:
    (place,) = resolve("127.0.0.1", 80)
    assert place == (socket.AF_INET, ("127.0.0.1", 80), "127.0.0.1")
    (place,) = resolve("::1", 80, kind=socket.SOCK_DGRAM)
    assert (place.family, place.address[:2]) == (socket.AF_INET6, ("::1", 80))
    with pytest.raises(Unresolved):
        resolve("127.0.0.1", family=socket.AF_INET6)


def test_which_texts_are_addresses() -> None:
    for text, address in (
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("time.example", None),
        ("x" * 300, None),
    ):
        assert names.numeric(text) == address


def test_zones() -> None:
    for zone in ("lo", "1"):
        (place,) = resolve(f"fe80::1%{zone}", 80)
        assert (place.text, place.address[3]) == ("fe80::1", socket.if_nametoindex("lo"))
    for zone in ("", "nosuch", "0", "9" * 20, "\udcff", "a\0"):
        with pytest.raises(Unresolved):
            resolve(f"fe80::1%{zone}", 80)
    assert names.numeric("fe80::1%lo") == f"fe80::1%{socket.if_nametoindex('lo')}"


def test_every_address_once_in_the_resolvers_order(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        (socket.AF_INET6, 1, 6, "", ("2001:db8::1", 80, 0, 0)),
        (socket.AF_INET, 1, 6, "", ("192.0.2.1", 80)),
        (socket.AF_INET6, 2, 17, "", ("2001:db8::1", 80, 0, 0)),
        (socket.AF_INET, 1, 6, "", ("192.0.2.2", 80)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a: answers)
    assert [p.text for p in resolve("x", 80)] == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a: [])
    with pytest.raises(Unresolved):
        resolve("x", 80)


def test_a_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a: over.wait(30) and [])
    with pytest.raises(Unresolved, match="no answer within"):
        resolve("x", timeout=0.05)
    over.set()


def test_the_resolvers_own_errors_come_through_the_time_limit() -> None:
    with pytest.raises(Unresolved, match="empty label"):
        resolve("a..b", timeout=5)


@pytest.mark.parametrize(
    "name",
    ["a..b", "a" * 64, b"\xff.example", "fe80::1%nosuch", "ü" * 70],
    ids=["empty", "long", "bytes", "zone", "international"],
)
@pytest.mark.parametrize(
    "words",
    [
        ["ping", "-c1", "NAME"],
        ["wget", "-qO-", "http://NAME/"],
        ["nslookup", "localhost", "NAME"],
        ["nslookup", "NAME", "127.0.0.1"],
        ["ntp", "-n", "-q", "-t", "0.1", "NAME"],
    ],
    ids=["ping", "wget", "nslookup-server", "nslookup-name", "ntp"],
)
def test_every_applet_says_it_in_a_line(
    run: Callable[..., object], words: list[str], name: str | bytes
) -> None:
    raw = name if isinstance(name, bytes) else name.encode()
    argv = [word.encode().replace(b"NAME", raw) for word in words]
    if words[:2] == ["nslookup", "NAME"]:
        argv[1:1] = [b"-timeout=1", b"-retry=1", b"-port=9"]
    done = run(*argv)
    assert done.status != 0  # type: ignore[attr-defined]
    assert b"Traceback" not in done.err  # type: ignore[attr-defined]


# -- nobody asks otherwise ---------------------------------------------------------------------------

_ASKS = (
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostbyaddr",
    "getfqdn",
    "getnameinfo",
)


def asks(source: str) -> list[int]:
    """The lines that ask the system's resolver."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, name = node.func.value, node.func.attr
            of_socket = isinstance(owner, ast.Name) and owner.id == "socket"
            if name in _ASKS or (of_socket and name == "create_connection"):
                found.append(node.lineno)
    return found


def test_nobody_else_asks_the_resolver() -> None:
    found = []
    for top in ("applets", "toolbox"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if path != ROOT / "toolbox" / "names.py":
                found += [f"{path.relative_to(ROOT)}:{n}" for n in asks(path.read_text())]
    assert found == [], "toolbox.names is the way"


def test_the_check_finds_what_it_should() -> None:
    assert asks("socket.getaddrinfo(a, 1)\nloop.getaddrinfo(a)\nsocket.create_connection(a)") == [
        1,
        2,
        3,
    ]
    assert asks("names.resolve(a)\nloop.create_connection(f, a, 1)") == []

"""The files that wget's URLs become.  Breaks when a name leads out of the directory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applets.networking.wget.names import file_name, safe_name
from toolbox.net import ProtocolError
from toolbox.net.url import URL


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.org", "index.html"),
        ("example.org:81/a/b", "b"),
        ("HTTPS://h/x?q=/y#f", "x?q=%2Fy"),
        ("http://[::1]:8/é x", "é x"),
        ("http://h?q", "index.html?q"),
        ("http://h/a%2Fb", "a%2Fb"),
        ("http://h/a%00b", "a%00b"),
    ],
)
def test_the_name_of_a_url(text: str, name: str) -> None:
    assert file_name(URL(text)) == name


@given(st.text())
def test_whatever_is_typed(text: str) -> None:
    try:
        url = URL(text)
    except ProtocolError:
        return
    name = file_name(url)
    assert "/" not in name
    assert name not in ("", ".", "..")


@given(st.binary())
def test_names_stay_in_the_directory(raw: bytes) -> None:
    name = safe_name(raw)
    assert "/" not in name
    assert "\0" not in name
    assert name not in ("", ".", "..")

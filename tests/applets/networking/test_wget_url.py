"""wget's URLs.  Breaks when a URL is taken apart wrongly, or a name leads out of the directory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.errors import Fatal
from toolbox.net.url import URL, proxy_for, safe_name


@pytest.mark.parametrize(
    ("text", "parts", "name"),
    [
        ("example.org", ("http", "example.org", 80, "/"), "index.html"),
        ("example.org:81/a/b", ("http", "example.org", 81, "/a/b"), "b"),
        ("HTTPS://h/x?q=/y#f", ("https", "h", 443, "/x?q=/y"), "x?q=%2Fy"),
        ("http://[::1]:8/é x", ("http", "::1", 8, "/%C3%A9%20x"), "é x"),
        ("http://h?q", ("http", "h", 80, "/?q"), "index.html?q"),
        ("http://h/a%2Fb", ("http", "h", 80, "/a%2Fb"), "a%2Fb"),
    ],
)
def test_parts(text, parts, name) -> None:
    url = URL(text)
    assert (url.scheme, url.host, url.port, url.target) == parts
    assert url.file_name() == name


def test_login_and_joining() -> None:
    url = URL("http://me:s%40x@h:81/a/b?c")
    assert (url.user, url.password, url.authority) == ("me", "s@x", "h:81")
    assert "s@x" not in str(url)
    assert str(url.join("../d")) == "http://h:81/d"
    assert str(url.join("//other/e")) == "http://other/e"
    assert str(url.join("https://other")) == "https://other/"
    for wrong in ("http://[bad", "ftp://x"):
        with pytest.raises(Fatal):
            url.join(wrong)


@given(st.text())
def test_whatever_is_typed(text) -> None:
    try:
        url = URL(text)
    except Fatal:
        return
    name = url.file_name()
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert url.target.isascii()
    assert not set(url.target) & set(" \r\n\0")


@given(st.text(), st.text())
def test_wherever_a_server_sends_us(base, location) -> None:
    try:
        URL("http://h/" + base).join(location)
    except Fatal:
        pass


@given(st.binary())
def test_names_stay_in_the_directory(raw) -> None:
    name = safe_name(raw)
    assert "/" not in name
    assert "\0" not in name
    assert name not in ("", ".", "..")


def test_proxies(monkeypatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for(URL("http://h/")) is None
    monkeypatch.setenv("HTTP_PROXY", "http://evil:1")
    assert proxy_for(URL("http://h/")) is None
    monkeypatch.setenv("http_proxy", "http://p:3128")
    found = proxy_for(URL("http://h/"))
    assert found is not None
    assert (found.host, found.port) == ("p", 3128)
    monkeypatch.setenv("no_proxy", "a.test, .b.test")
    assert [proxy_for(URL(f"http://{h}/")) is None for h in ("a.test", "x.b.test", "xa.test")] == [
        *(True, True, False),
    ]

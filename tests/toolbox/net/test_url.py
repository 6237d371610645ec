"""URLs and whom a proxy is not asked for.  Breaks when a URL is taken apart wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.net import ProtocolError
from toolbox.net.url import URL, is_exempt
from toolbox.web.connect import proxy_for


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("example.org", ("http", "example.org", 80, "/")),
        ("example.org:81/a/b", ("http", "example.org", 81, "/a/b")),
        ("HTTPS://h/x?q=/y#f", ("https", "h", 443, "/x?q=/y")),
        ("http://[::1]:8/é x", ("http", "::1", 8, "/%C3%A9%20x")),
        ("http://h?q", ("http", "h", 80, "/?q")),
        ("http://h/a%2Fb", ("http", "h", 80, "/a%2Fb")),
        ("http://h/a\0b", ("http", "h", 80, "/a%00b")),
        ("http://[fe80::1%eth0]/", ("http", "fe80::1%eth0", 80, "/")),
        ("http://[fe80::1%25eth0]:8/", ("http", "fe80::1%eth0", 8, "/")),
        ("http://[fe80::1%252]/", ("http", "fe80::1%2", 80, "/")),
    ],
)
def test_parts(text: str, parts: tuple[str, str, int, str]) -> None:
    url = URL(text)
    assert (url.scheme, url.host, url.port, url.target) == parts


@pytest.mark.parametrize(
    ("text", "authority", "full", "tls_name"),
    [
        ("http://h/", "h", "h:80", "h"),
        ("https://h:8443/", "h:8443", "h:8443", "h"),
        ("https://example.org./", "example.org.", "example.org.:443", "example.org"),
        (
            "https://bücher.example/",
            *["xn--bcher-kva.example", "xn--bcher-kva.example:443"],
            "xn--bcher-kva.example",
        ),
        ("https://[::1]/", "[::1]", "[::1]:443", "::1"),
        ("https://[fe80::1%eth0]:8/", "[fe80::1]:8", "[fe80::1]:8", "fe80::1"),
    ],
)
def test_what_servers_are_told_of_it(text: str, authority: str, full: str, tls_name: str) -> None:
    url = URL(text)
    assert (url.authority, url.full, url.tls_name) == (authority, full, tls_name)


@pytest.mark.parametrize(
    "text",
    [
        *("ftp://x/", "http:///x", "http://", "", "http://a..b/", "http://a b/", "http://a\0b/"),
        *(
            "http://x:99999/",
            "http://x:0/",
            "http://x:" + "9" * 5000,
            "http://x:-1/",
            "http://x:²/",
        ),
        *("http://[::1/", "http://[::1]x/", "http://[x]/", "http://[]/", "http://" + "a" * 64),
        *("http://\udcff/", "http://[fe80::1%a b]/", "http://h\n/", "://h", "http://u@/"),
    ],
)
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ProtocolError):
        URL(text)


def test_login_and_joining() -> None:
    url = URL("http://me:s%40x@h:81/a/b?c")
    assert (url.user, url.password, url.authority) == ("me", "s@x", "h:81")
    assert "s@x" not in str(url)
    assert str(url.join("../d")) == "http://h:81/d"
    assert str(url.join("//other/e")) == "http://other/e"
    assert str(url.join("https://other")) == "https://other/"
    assert str(URL("http://[fe80::1%25lo]/a").join("b")) == "http://[fe80::1%lo]/b"
    assert str(URL("http://[fe80::1%252525]/a").join("b")) == "http://[fe80::1%252525]/b"
    for wrong in ("http://[bad", "ftp://x"):
        with pytest.raises(ProtocolError):
            url.join(wrong)


@given(st.text())
def test_whatever_is_typed(text: str) -> None:
    try:
        url = URL(text)
    except ProtocolError:
        return
    assert url.target.isascii()
    assert not set(url.target) & set(" \r\n\0")
    assert url.authority.isascii()
    again = URL(str(url))
    assert (again.origin, again.target) == (url.origin, url.target)


@given(st.text(), st.text())
def test_wherever_a_server_sends_us(base: str, location: str) -> None:
    try:
        URL("http://h/" + base).join(location)
    except ProtocolError:
        pass


def test_proxies() -> None:
    def found(url: str, **environment: str) -> str:
        proxy = proxy_for(URL(url), environment)
        return "" if proxy is None else str(proxy)

    assert found("http://h/") == ""
    assert found("http://h/", HTTP_PROXY="http://evil:1") == "", "a request's header could set it"
    assert found("http://h/", http_proxy="http://p:3128") == "http://p:3128/"
    assert found("http://h/", http_proxy="p:3128") == "http://p:3128/"
    assert found("http://h/", http_proxy="") == ""
    assert found("http://h/", https_proxy="http://p:1") == ""
    assert found("https://h/", https_proxy="http://p:1") == "http://p:1/"
    assert found("https://h/", HTTPS_PROXY="http://p:1") == "http://p:1/"
    assert found("http://h/", http_proxy="http://p:1", no_proxy="h") == ""
    assert found("http://h/", http_proxy="http://p:1", NO_PROXY="x, h") == ""
    with pytest.raises(ProtocolError):
        found("http://h/", http_proxy="socks5://p")


@pytest.mark.parametrize(
    ("host", "exceptions", "exempt"),
    [
        *[("a.test", "a.test, .b.test", True), ("x.b.test", "a.test, .b.test", True)],
        *[("xa.test", "a.test", False), ("b.test", ".b.test", True), ("A.Test", "a.TEST", True)],
        *[("a.test.", "a.test", True), ("x.a.test", "*.a.test", True), ("any", "*", True)],
        *[("h:8080", "h:80", False), ("h:8080", "h:8080", True), ("h", "h:80", True)],
        *[("10.1.2.3", "10.0.0.0/8", True), ("11.1.2.3", "10.0.0.0/8", False)],
        *[("[::1]", "::1", True), ("[::1]:8", "[::1]:8", True), ("[::1]:8", "[::1]:9", False)],
        *[("[fe80::1%lo]", "fe80::/10", True), ("h", "10.0.0.0/99", False), ("h", "", False)],
        *[("0.0.0.0", "a/b", False), ("one", "one two", True), ("two", "one  two", True)],
    ],
)
def test_whom_no_proxy_is_asked_for(host: str, exceptions: str, exempt: bool) -> None:
    assert is_exempt(URL(f"http://{host}/"), exceptions) == exempt

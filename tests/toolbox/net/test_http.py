"""HTTP's words.  Breaks when a date, tag, range, path, form or credential is understood otherwise than its RFC says."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.net import ProtocolError
from toolbox.net.http import (
    host_name,
    http_date,
    parse_basic,
    parse_cookies,
    parse_date,
    parse_form,
    parse_ranges,
    percent_decode,
    percent_encode,
    precondition,
    preferred,
    range_applies,
    split_target,
)
from toolbox.net.http_types import media_type

FORMS = (
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
)


@pytest.mark.parametrize("text", FORMS)
def test_the_three_forms_of_a_date(text: str) -> None:
    assert parse_date(text) == 784111777


def test_date_is_written_in_the_first_form() -> None:
    assert http_date(784111777) == FORMS[0]


@given(st.integers(0, 253402300799))
def test_dates_agree_with_the_standard_library(seconds: int) -> None:
    assert http_date(seconds) == email.utils.formatdate(seconds, usegmt=True)
    assert parse_date(http_date(seconds)) == seconds


@given(st.text())
def test_any_text_is_a_date_or_none(text: str) -> None:
    parse_date(text)
    parse_date(f"Sun, {text} GMT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "0",
        "Sun, 06 Nob 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-499", [(0, 100)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("BYTES = 5-6 , 8-9", [(5, 7), (8, 10)]),
        ("bytes=50-60,0-9", [(50, 61), (0, 10)]),
        ("bytes=100-", []),
        ("bytes=100-200,300-", []),
        ("bytes=-0", []),
        ("bytes=0-9,100-", [(0, 10)]),
        ("bytes=0-9,5-20", None),
        ("bytes=9-5", None),
        ("bytes=a-b", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=--5", None),
        ("bytes=1-2-3", None),
        ("bytes=²-3", None),
        ("lines=0-1", None),
        ("", None),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 40, 2)), None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_ranges_of_a_hundred_bytes(text: str, expected: list[tuple[int, int]] | None) -> None:
    assert parse_ranges(text, 100) == expected


@given(st.text(alphabet="bytes=0123456789-, "), st.integers(0, 1000))
def test_ranges_lie_within_the_body_and_apart(text: str, size: int) -> None:
    ranges = sorted(parse_ranges(f"bytes={text}", size) or [])
    end = 0
    for start, stop in ranges:
        assert end <= start < stop <= size
        end = stop


@pytest.mark.parametrize(
    ("target", "names", "slash", "query"),
    [
        ("/", [], True, ""),
        ("/a/b.txt", [b"a", b"b.txt"], False, ""),
        ("/a/b/?x=1&y=?", [b"a", b"b"], True, "x=1&y=?"),
        ("//a///b//", [b"a", b"b"], True, ""),
        ("/a/./b/../c", [b"a", b"c"], False, ""),
        ("/a/..", [], True, ""),
        ("/%61%2f%2e%2e/b", [b"b"], False, ""),
        ("/%C3%A4%20+", [b"\xc3\xa4 +"], False, ""),
        ("/a#b?c", [b"a"], False, ""),
        ("http://box:80/a?b", [b"a"], False, "b"),
        ("http://box", [], True, ""),
    ],
)
def test_targets(target: str, names: list[bytes], slash: bool, query: str) -> None:
    assert split_target(target) == (names, slash, query)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "a",
        "/..",
        "/a/../../etc",
        "/%2e%2e/x",
        "/%2e%2e%2fx",
        "/a%00b",
        "/%",
        "/%4",
        "/%zz",
        "/% 1",
        "ftp://x/",
    ],
)
def test_targets_that_are_refused(target: str) -> None:
    with pytest.raises(ProtocolError):
        split_target(target)


@given(st.text())
def test_any_target_is_names_or_an_error(text: str) -> None:
    try:
        names, _, _ = split_target("/" + text)
    except ProtocolError:
        return
    for name in names:
        assert name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


@given(st.binary())
def test_percent_coding_round_trip(data: bytes) -> None:
    assert percent_decode(percent_encode(data)) == data


def test_forms_and_cookies() -> None:
    assert parse_form("a=1&b=x+y%20%C3%A4&a=2&c&&d=") == {"a": "2", "b": "x y ä", "c": "", "d": ""}
    assert parse_form("%ff=1") == {"\ufffd": "1"}
    with pytest.raises(ProtocolError):
        parse_form("a=%")
    assert parse_cookies('a=1; b="2";c; a=3; d=x=y') == {"a": "1", "b": "2", "d": "x=y"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Basic OmdlaGVpbQ==", ("", "geheim")),
        ("basic   dTpwOnE=", ("u", "p:q")),
        ("Basic dXA=", None),  # no colon
        ("Basic dTpw!", None),
        ("Basic /w==", None),  # not UTF-8
        ("Basic", None),
        ("Bearer dTpw", None),
        ("", None),
    ],
)
def test_basic_credentials(text: str, expected: tuple[str, str] | None) -> None:
    assert parse_basic(text) == expected


@given(st.text())
def test_any_header_is_credentials_or_none(text: str) -> None:
    parse_basic(f"Basic {text}")
    preferred(text, ["text/html", "application/json"])
    host_name(text)
    parse_cookies(text)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.9", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/*, text/html;q=0.1", "application/json"),
        ("text/html;q=x, application/json;q=0.1", "application/json"),
        ("image/png", "text/html"),
    ],
)
def test_preferred_media_type(accept: str, expected: str) -> None:
    assert preferred(accept, ["text/html", "application/json"]) == expected


DATE = http_date(1000)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"if-none-match": '"x"'}, 304),
        ({"if-none-match": 'W/"x"'}, 304),
        ({"if-none-match": '"a", "x"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"a"'}, None),
        ({"if-none-match": '"a"', "if-modified-since": DATE}, None),
        ({"if-modified-since": DATE}, 304),
        ({"if-modified-since": http_date(999)}, None),
        ({"if-modified-since": "nonsense"}, None),
        ({"if-match": '"x"'}, None),
        ({"if-match": 'W/"x"'}, 412),
        ({"if-match": '"a"'}, 412),
        ({"if-unmodified-since": DATE}, None),
        ({"if-unmodified-since": http_date(999)}, 412),
    ],
)
def test_conditions(headers: dict[str, str], expected: int | None) -> None:
    assert precondition("GET", headers, '"x"', 1000.7) == expected


def test_if_range() -> None:
    assert range_applies({}, '"x"', 1000)
    assert range_applies({"if-range": '"x"'}, '"x"', 1000)
    assert not range_applies({"if-range": 'W/"x"'}, '"x"', 1000)
    assert range_applies({"if-range": DATE}, '"x"', 1000.5)
    assert not range_applies({"if-range": http_date(2000)}, '"x"', 1000)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Box:80", "box"),
        ("box.", "box"),
        ("[FE80::1]:80", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("", ""),
    ],
)
def test_host_names(header: str, expected: str) -> None:
    assert host_name(header) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"index.html", "text/html; charset=utf-8"),
        (b"a.tar.GZ", "application/gzip"),
        (b"x.js", "text/javascript; charset=utf-8"),
        (b"x.svg", "image/svg+xml; charset=utf-8"),
        (b"x.own", "text/x-own; charset=utf-8"),
        (b"README", "application/octet-stream"),
        (b"\xff.\xff", "application/octet-stream"),
    ],
)
def test_media_types(name: bytes, expected: str) -> None:
    assert media_type(name, {"own": "text/x-own"}) == expected

"""Dates as people write them: breaks when one means another moment than GNU's "Date input formats" say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolbox.dates import parse, stamp
from toolbox.errors import Fatal

NOW = 1795238167.0  # Sat 2026-11-21 05:16:07 UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(year, month, day, hour=0, minute=0, second=0):
    import calendar

    return calendar.timegm((year, month, day, hour, minute, second))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21", at(2026, 11, 21)),
        ("20261121", at(2026, 11, 21)),
        ("2026-11-21 05:16", at(2026, 11, 21, 5, 16)),
        ("2026-11-21T05:16:07Z", at(2026, 11, 21, 5, 16, 7)),
        ("2026-11-21 05:16:07 +0200", at(2026, 11, 21, 3, 16, 7)),
        ("2026-11-21T05:16:07-05:30", at(2026, 11, 21, 10, 46, 7)),
        ("Sat, 21 Nov 2026 05:16:07 +0000", at(2026, 11, 21, 5, 16, 7)),
        ("Sat Nov 21 05:16:07 UTC 2026", at(2026, 11, 21, 5, 16, 7)),
        ("Nov 21, 2026", at(2026, 11, 21)),
        ("21-Nov-2026", at(2026, 11, 21)),
        ("11/21/2026", at(2026, 11, 21)),
        ("2026-07-01 12:00 CEST", at(2026, 7, 1, 10)),
        ("@1700000000", 1700000000),
        ("@-5", -5),
        ("now", int(NOW)),
        ("today", int(NOW)),
        ("yesterday", int(NOW) - 86400),
        ("2026-11-21 05:16:00 UTC +300 sec", at(2026, 11, 21, 5, 21)),
        ("2026-11-21 05:16:00 UTC +30 min", at(2026, 11, 21, 5, 46)),
        ("2026-11-21 GMT+3", at(2026, 11, 20, 21)),
        ("2026-11-21 EST -1 1 day", at(2026, 11, 22, 6)),
        ("Nov 21, 2026 fortnight", at(2026, 12, 5)),
        ("21 nov 2026 day", at(2026, 11, 22)),
        ("3 days ago", int(NOW) - 3 * 86400),
        ("+30 days", int(NOW) + 30 * 86400),
        ("1 hour ago", int(NOW) - 3600),
        ("2 weeks", int(NOW) + 14 * 86400),
        ("next month", at(2026, 12, 21, 5, 16, 7)),
        ("last year", at(2025, 11, 21, 5, 16, 7)),
        ("2026-01-31 +1 month", at(2026, 3, 3)),
        ("2026-01-31 12:00 +1 day", at(2026, 2, 1, 12)),
        ("monday", at(2026, 11, 23)),
        ("saturday", at(2026, 11, 21)),
        ("next saturday", at(2026, 11, 28)),
        ("last friday", at(2026, 11, 20)),
        ("tomorrow 09:00", at(2026, 11, 22, 9)),
        ("5:30 pm", at(2026, 11, 21, 17, 30)),
        ("12am", at(2026, 11, 21)),
        # Years that datetime does not know, as GNU's date has them.
        ("9999-12-31 +1 day", 253402300800),
        ("0001-01-01 -1 day", -62135683200),
        ("0000-01-01", -62167219200),
        ("202001-01-01 10:00:00 UTC +3 days", 6312369002400),
        ("202000-02-29", 6312342182400),
        ("202001-01-01 next friday", 6312368707200),
    ],
)
def test_dates(text, expected):
    assert parse(text, NOW) == expected * 1_000_000_000
    assert parse(text, NOW, utc=True) == expected * 1_000_000_000


def test_fraction():
    assert parse("2026-11-21 00:00:00.25", NOW) == at(2026, 11, 21) * 10**9 + 250_000_000
    noon = at(2026, 11, 21, 12) * 10**9
    assert parse("2026-11-21 12:00 UTC +1.5 sec", NOW) == noon + 1_500_000_000
    assert parse("2026-11-21 12:00:00.5 0,75 seconds ago", NOW) == noon - 250_000_000
    assert parse("2026-11-21 12:00 -0.25 sec", NOW) == noon - 250_000_000


@pytest.mark.parametrize(
    "text",
    [
        "garbage",
        "2026-13-01",
        "2026-02-30",
        "25:00",
        "12:60",
        "2026-01-01 2026-01-02",
        # Nothing that is said is passed over, with status 0 for another moment.
        *("@1 12:00", "@0 +3 days", "@0 1 month", "3 days @0", "@0 UTC", "@0 @1", "@0 +1 sec"),
        *("2026-01-01 +3", "+3", "2026-01-01 noon +0200", "2026-01-01 -0300"),
        *("2026-01-01 00:00 +2500", "2026-01-01 00:00 UTC-99", "2026-01-01 1.5 days"),
        "-2020-01-01",
        "99999999999-01-01",
        "202001-02-29",
        "2020-01-01 +99999999999 days",
    ],
)
@pytest.mark.parametrize("utc", [False, True])
def test_what_is_not_a_date(text, utc):
    with pytest.raises(Fatal):
        parse(text, NOW, utc=utc)


_DATES = st.builds(
    "{}-{:02}-{:02} {:+} {}".format,
    st.integers(-10, 10**12),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(-(10**12), 10**12),
    st.sampled_from(["", "sec", "days", "weeks", "months", "years", "friday"]),
)


@given(_DATES | st.text("0123456789:-/ +@aopdnmtz.", max_size=16), st.booleans())
def test_any_text_is_a_date_or_refused(text, utc):
    try:
        parse(text, NOW, utc=utc)
    except Fatal:
        pass


def test_stamp():
    assert stamp("202001020304.05", NOW) == at(2020, 1, 2, 3, 4, 5) * 10**9
    assert stamp("11210516", NOW) == at(2026, 11, 21, 5, 16) * 10**9
    assert stamp("7001020304", NOW) == at(1970, 1, 2, 3, 4) * 10**9
    for text in ("9", "202013020304", "2020010203045", "20200102030a", "01020304.6x"):
        with pytest.raises(Fatal):
            stamp(text, NOW)

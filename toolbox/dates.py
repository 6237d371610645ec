"""Dates and times as people write them: touch -d, date -d, find -newermt (GNU's "Date input formats").

    parse("2026-11-21 05:16:07.5 UTC", now)     nanoseconds since 1970
    parse("3 days ago", now), parse("next friday", now), parse("@1700000000", now)

What is not said is taken from `now`, in the local time zone; a date without a time means its midnight.
"""

from __future__ import annotations

import calendar
import datetime
import os
import re
import time

from toolbox.errors import Fatal

_TOKEN = re.compile(
    r"""
    (?P<comment>\([^)]*\))
  | (?P<stamp>\d{12}(?:\.\d\d)?)(?!\d)
  | (?:(?P<dotted_year>\d{4})\.)?(?P<dotted_month>\d{1,2})\.(?P<dotted_day>\d{1,2})-(?=\d{1,2}:)
  | @(?P<unix>[-+]?\d+(?:[.,]\d*)?)
  | (?P<iso>[-+]?\d{4,})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:[tT](?=\d))?
  | (?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})
  | (?P<us_month>\d{1,2})/(?P<us_day>\d{1,2})(?:/(?P<us_year>\d{2,}))?
  | (?P<day_first>\d{1,2})-(?P<middle>[a-z]{3,9})-(?P<year_last>\d{2,4})
  | (?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d+))?)?
    (?:\s*(?P<half>[ap])\.?m\b\.?)?
    (?:\s*(?P<zone>z\b|(?:utc|gmt)?\s?[-+]\d{1,2}(?::?\d{2})?(?!\d|[.,]\d|\s*(?:sec|min|hour|day|week|fortnight|month|year|\w*day)))|)
  | (?P<full_hour>\d{1,2})\s*(?P<full_half>[ap])\.?m\b\.?
  | (?P<part>[-+]?\s*\d+[.,]\d+)(?=\s*sec(?:ond)?s?\b)
  | (?P<number>[-+]\s*\d+|\d+)
  | (?P<word>[a-z]+)\.?
  | (?P<space>[\s,]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

#: More digits than any moment or distance in seconds has that a calendar can show.
_DIGITS = 18

#: The largest day and year of the C library's calendar.
_INT_MAX = (1 << 31) - 1

_ZONE_PREFIX = re.compile(r'\s*TZ="((?:[^"\\]|\\.)*)"')

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_DAYS = "mon tue wed thu fri sat sun".split()  # noqa: SIM905
_LONG = {
    **{name.lower(): i for i, name in enumerate(calendar.month_name) if name},
    "sept": 9,
}

_UNITS = {
    "sec": ("ns", 1_000_000_000),
    "second": ("ns", 1_000_000_000),
    "min": ("ns", 60_000_000_000),
    "minute": ("ns", 60_000_000_000),
    "hour": ("ns", 3600_000_000_000),
    "day": ("days", 1),
    "week": ("days", 7),
    "fortnight": ("days", 14),
    "month": ("months", 1),
    "year": ("months", 12),
}
_ORDINALS = {
    "last": -1,
    "this": 0,
    "next": 1,
    "first": 1,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
}
_ZONES = {
    "utc": 0,
    "gmt": 0,
    "ut": 0,
    "z": 0,
    "wet": 0,
    "west": 60,
    "bst": 60,
    "cet": 60,
    "cest": 120,
    "met": 60,
    "mest": 120,
    "eet": 120,
    "eest": 180,
    "msk": 180,
    "est": -300,
    "edt": -240,
    "cst": -360,
    "cdt": -300,
    "mst": -420,
    "mdt": -360,
    "pst": -480,
    "pdt": -420,
    "jst": 540,
}


def parse(text: str, now: float, *, utc: bool = False) -> int:
    """Nanoseconds since 1970 of a date; `now` in seconds is what it may be relative to.

    utc: times without a zone are UTC.  `TZ="Europe/Berlin"` before the date is the zone it is in (GNU).
    Fatal when the text is no date.
    """
    prefix = _ZONE_PREFIX.match(text)
    if prefix is None:
        return _Parser(text, now, utc).result()
    before = os.environ.get("TZ")
    try:
        os.environ["TZ"] = prefix[1].replace("\\", "")
        time.tzset()
        return _Parser(text[prefix.end() :], now, False).result()
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def stamp(text: str, now: float) -> int:
    """Nanoseconds since 1970 of POSIX touch -t's `[[CC]YY]MMDDhhmm[.SS]`, in local time.  Fatal when it is none."""
    digits, dot, second = text.partition(".")
    if not (digits.isascii() and digits.isdecimal() and len(digits) in (8, 10, 12)) or (
        dot and not (len(second) == 2 and second.isdecimal())
    ):
        raise Fatal(f"invalid date format {text!r}")
    year_digits, rest = digits[:-8], digits[-8:]
    if not year_digits:
        year = time.localtime(now).tm_year
    elif len(year_digits) == 2:
        year = _century(int(year_digits))
    else:
        year = int(year_digits)
    month, day, hour, minute = (int(rest[i : i + 2]) for i in range(0, 8, 2))
    return _local(year, month, day, hour, minute, int(second or 0), text) * 1_000_000_000


def _century(two: int) -> int:
    """POSIX: 69 to 99 are of the last century."""
    return two + (1900 if two >= 69 else 2000)


def _check(year: int, month: int, day: int, hour: int, minute: int, second: int, text: str) -> None:
    if (
        year < 0
        or not 1 <= month <= 12
        or not 1 <= day <= calendar.monthrange(_alike(year), month)[1]
        or hour > 23
        or minute > 59
        or second > 60
    ):
        raise Fatal(f"invalid date {text!r}")


def _local(year: int, month: int, day: int, hour: int, minute: int, second: int, text: str) -> int:
    _check(year, month, day, hour, minute, second, text)
    try:
        return int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    except (OverflowError, ValueError):
        raise Fatal(f"invalid date {text!r}") from None


class _Parser:
    def __init__(self, text: str, now: float, utc: bool) -> None:
        self.text = text
        self.now = now
        self.utc = utc
        self.date: tuple[int, int, int] | None = None
        self.clock: tuple[int, int, int, int] | None = None  # with nanoseconds
        self.zone: int | None = None  # minutes east of Greenwich
        self.unix: int | None = None
        self.weekday: tuple[int, int] | None = None  # which, how many weeks on
        self.moved = {"ns": 0, "days": 0, "months": 0}
        self.number: str | None = None  # a number whose unit comes next
        self.last_moves: list[tuple[str, int]] = []
        try:
            self._parse(text.strip())
        except ValueError:
            raise self._bad() from None  # a number of thousands of digits

    def _bad(self) -> Fatal:
        return Fatal(f"invalid date {self.text!r}")

    # -- reading ---------------------------------------------------------------------------

    def _parse(self, text: str) -> None:
        at = 0
        words = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise self._bad()
            at = found.end()
            if found["space"] or found["comment"]:
                continue
            words += 1
            if found["word"]:
                self._word(found["word"].lower())
                continue
            self._flush_number()
            if found["unix"]:
                if len(found["unix"].lstrip("-+0")) > _DIGITS:
                    raise self._bad()
                whole, _, fraction = found["unix"].replace(",", ".").partition(".")
                ns = int(fraction[:9].ljust(9, "0")) if fraction else 0
                self.unix = int(whole) * 1_000_000_000 + (-ns if whole.startswith("-") else ns)
            elif found["iso"]:
                self._set_date(int(found["iso"]), int(found["month"]), int(found["day"]))
            elif found["dotted_month"]:
                # BusyBox: [CCYY.]MM.DD-hh:mm[:ss]
                year = self._year(found["dotted_year"])
                self._set_date(year, int(found["dotted_month"]), int(found["dotted_day"]))
            elif found["stamp"]:
                # BusyBox: CCYYMMDDhhmm[.SS]
                digits = found["stamp"].replace(".", "")
                self._set_date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
                hour, minute, second = (int(digits[i : i + 2] or 0) for i in (8, 10, 12))
                self._set_clock(hour, minute, second, 0, None)
            elif found["y"]:
                self._set_date(int(found["y"]), int(found["m"]), int(found["d"]))
            elif found["us_month"]:
                year = self._year(found["us_year"])
                self._set_date(year, int(found["us_month"]), int(found["us_day"]))
            elif found["day_first"]:
                month = _month(found["middle"].lower())
                if month is None:
                    raise self._bad()
                self._set_date(self._year(found["year_last"]), month, int(found["day_first"]))
            elif found["hour"]:
                self._time(found)
            elif found["full_hour"]:
                self._set_clock(int(found["full_hour"]), 0, 0, 0, found["full_half"])
            elif found["part"]:
                # A number of seconds with a fraction: the word that follows is its unit.
                whole, fraction = "".join(found["part"].split()).replace(",", ".").split(".")
                if len(whole) > _DIGITS:
                    raise self._bad()
                ns = int(fraction[:9].ljust(9, "0"))
                self.part = -ns if whole.startswith("-") else ns
                self.number = whole
            else:
                self.number = "".join(found["number"].split())
        self._flush_number()
        if self.unix is not None and words > 1:
            raise self._bad()  # it stands alone (GNU): what is said besides may not be passed over

    def _year(self, text: str | None) -> int:
        if text is None:
            return time.localtime(self.now).tm_year
        return _century(int(text)) if len(text) <= 2 else int(text)

    def _set_date(self, year: int, month: int, day: int) -> None:
        if self.date is not None:
            raise self._bad()
        self.date = (year, month, day)

    def _set_clock(self, hour: int, minute: int, second: int, ns: int, half: str | None) -> None:
        if self.clock is not None:
            raise self._bad()
        if half:
            if not 1 <= hour <= 12:
                raise self._bad()
            hour = hour % 12 + (12 if half.lower() == "p" else 0)
        self.clock = (hour, minute, second, ns)

    def _time(self, found: re.Match[str]) -> None:
        fraction = int((found["fraction"] or "0")[:9].ljust(9, "0"))
        second = int(found["second"] or 0)
        self.timed = True
        self._set_clock(int(found["hour"]), int(found["minute"]), second, fraction, found["half"])
        if found["zone"]:
            self.zone = _offset(found["zone"].lower())

    def _flush_number(self) -> None:
        """A number without a unit: YYYYMMDD, a year after a date in words, HHMM or HH."""
        text, self.number = self.number, None
        if text is None:
            return
        digits = text.lstrip("+-")
        if self.date is not None and not self.date[2] and len(digits) <= 2:
            self.date = (*self.date[:2], int(digits))  # `Nov 21`
        elif text[0] in "+-":
            # Never an hour: what is east of Greenwich, of a zone that was named, or after a time.
            if self.zone_named:
                self.zone = (self.zone or 0) + _offset(text)
                self.zone_named = False
            elif self.clock is not None and self.zone is None and self.timed:
                self.zone = _offset(text)
            else:
                raise self._bad()
        elif len(digits) == 8 and self.date is None:
            self._set_date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        elif self.date is not None and self.pending_year and (len(digits) == 4 or self.clock):
            self.date = (self._year(digits), *self.date[1:])
            self.pending_year = False
        elif len(digits) <= 2 and self.clock is None:
            self._set_clock(int(digits), 0, 0, 0, None)
        elif len(digits) in (3, 4) and self.clock is None:
            self._set_clock(int(digits[:-2]), int(digits[-2:]), 0, 0, None)
        else:
            raise self._bad()

    zone_named = False  # by a word, which an offset may follow: GMT+3
    part = 0  # nanoseconds of the number's fraction, when seconds come next
    timed = False  # a time with a colon, which a zone may follow
    pending_year = False  # a date in words without a year: a number may still be it

    def _word(self, word: str) -> None:
        unit = _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))
        if unit is not None and word not in ("s",):
            if (
                self.pending_year
                and self.number
                and self.number.isdecimal()
                and len(self.number) == 4
            ):
                self._flush_number()  # `Feb 1, 2020 fortnight`
            if self.number is not None and len(self.number) > _DIGITS:
                raise self._bad()
            count = int(self.number) if self.number is not None else 1
            self.number = None
            self._move(unit, count, self.part)
            self.part = 0
            return
        month = _month(word)
        if month is not None:
            self._month_word(month)
            return
        if word in ("th", "st", "nd", "rd") and self.number is not None:
            return
        if word == "t" and self.date is not None:
            return
        self._flush_number_unless(word)
        if word == "ago":
            # It turns round the one before it (GNU).
            for kind, count in self.last_moves[-1:]:
                self.moved[kind] -= 2 * count
            self.last_moves = []
        elif word in ("now", "today"):
            if word == "today":
                return
        elif word in ("tomorrow", "yesterday"):
            self._move(("days", 1), 1 if word == "tomorrow" else -1)
        elif word in ("midnight", "noon"):
            self._set_clock(12 if word == "noon" else 0, 0, 0, 0, None)
        elif word in _ORDINALS:
            self.number = f"{_ORDINALS[word]:+d}"
        elif word[:3] in _DAYS and (word.endswith("day") or len(word) <= 4 or word == "thurs"):
            self.weekday = (_DAYS.index(word[:3]), self.weeks)
            self.weeks = 0
        elif word in _ZONES:
            self.zone = _ZONES[word]
            self.zone_named = True
        elif word == "dst" and self.zone is not None:
            self.zone += 60
        elif word not in ("at", "on", "and", "of", "the"):
            raise self._bad()

    weeks = 0  # `next` or `last` before the name of a day

    def _flush_number_unless(self, word: str) -> None:
        if self.number is not None and word[:3] in _DAYS:
            self.weeks = int(self.number)
            self.number = None
        else:
            self._flush_number()

    def _month_word(self, month: int) -> None:
        now = time.localtime(self.now)
        day = 1
        number, self.number = self.number, None
        self.pending_year = True
        if number is not None:
            day = int(number)
            self._set_date(now.tm_year, month, day)
        else:
            # `Nov 21`: the day follows.
            self._set_date(now.tm_year, month, 0)

    def _move(self, unit: tuple[str, int], count: int, part: int = 0) -> None:
        """Count times the unit, and `part` nanoseconds, to what was said before."""
        kind, factor = unit
        self.moved[kind] += factor * count + part
        self.last_moves.append((kind, factor * count + part))

    # -- result ----------------------------------------------------------------------------

    def result(self) -> int:
        """The moment that was meant."""
        if self.unix is not None:
            return self.unix
        utc = self.utc or self.zone is not None
        base = time.gmtime(self.now + 60 * (self.zone or 0)) if utc else time.localtime(self.now)
        year, month, day = self.date or base[:3]
        if self.clock is not None:
            hour, minute, second, ns = self.clock
        elif self.date is not None or self.weekday is not None or not self._relative_to_now():
            hour = minute = second = ns = 0
        else:
            hour, minute, second = base[3:6]
            ns = int(self.now % 1 * 1_000_000_000)
        day = day or 1
        _check(year, month, day, hour, minute, second, self.text)
        month += self.moved["months"]
        year += (month - 1) // 12
        month = (month - 1) % 12 + 1
        day += self.moved["days"]
        if max(abs(year), abs(day)) > _INT_MAX:
            raise self._bad()
        # Beside a date the name of its day says nothing new (GNU).
        if self.weekday is not None and self.date is None:
            wanted, weeks = self.weekday
            today = (_days(year, month, day) + calendar.THURSDAY) % 7
            ahead = (wanted - today) % 7
            # `next friday` on a friday is in a week; `friday` is today.
            day += ahead + 7 * (weeks - (1 if weeks > 0 and ahead else 0))
        seconds = self._seconds(year, month, day, hour, minute, second, utc)
        more, ns = divmod(ns + self.moved["ns"], 1_000_000_000)
        seconds += more
        try:
            time.gmtime(seconds)
        except (OverflowError, OSError):
            raise self._bad() from None  # of a year that the C library cannot count to
        return seconds * 1_000_000_000 + ns

    def _relative_to_now(self) -> bool:
        return self.text.strip() != ""

    def _seconds(
        self, year: int, month: int, day: int, hour: int, minute: int, second: int, utc: bool
    ) -> int:
        if utc:
            days = _days(year, month, day)
            return days * 86400 + hour * 3600 + minute * 60 + second - 60 * (self.zone or 0)
        try:
            # mktime(3) carries days and months that are too large.
            return int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
        except (OverflowError, ValueError):
            raise self._bad() from None


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of any year, whose day may lie outside of its month."""
    alike = _alike(year)
    there = datetime.date(alike, month, 1) - datetime.date(1970, 1, 1)
    return there.days + (year - alike) // 400 * 146097 + day - 1


def _alike(year: int) -> int:
    """A year that datetime knows, with the same calendar: it repeats after 400 years."""
    return 2000 + year % 400


def _month(word: str) -> int | None:
    if word in _LONG:
        return _LONG[word]
    return _MONTHS.index(word) + 1 if word in _MONTHS else None


def _offset(text: str) -> int:
    """Minutes east of Greenwich of `z`, `+02:00`, `-0530`, `utc+2`.  ValueError: more than a day (GNU)."""
    text = text.removeprefix("utc").removeprefix("gmt").strip()
    if text in ("", "z"):
        return 0
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    if len(digits) <= 2:
        digits += "00"
    minutes = int(digits[:-2]) * 60 + int(digits[-2:])
    if minutes > 24 * 60:
        raise ValueError(f"no place is {text} from Greenwich")
    return sign * minutes

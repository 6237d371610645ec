"""strftime(3) with what GNU date adds: %N, %s, %:z, flags and widths; always in the C locale."""

from __future__ import annotations

import time

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_COMPOUND = {
    "c": "%a %b %e %H:%M:%S %Y",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "h": "%b",
    "r": "%I:%M:%S %p",
    "R": "%H:%M",
    "T": "%H:%M:%S",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
}
_PLAIN = {"n": "\n", "t": "\t", "%": "%"}


def strftime(form: str, fields: time.struct_time, seconds: int, nanoseconds: int = 0) -> str:
    """`fields` and `seconds` (since 1970) are the same moment; `nanoseconds` goes with it."""
    out = []
    at = 0
    while (found := form.find("%", at)) >= 0:
        out.append(form[at:found])
        text, at = _directive(form, found + 1, fields, seconds, nanoseconds)
        out.append(text)
    return "".join(out) + form[at:]


#: The widest field: what is padded to it is held in memory.
_WIDEST = 1 << 20


def _directive(
    form: str, at: int, fields: time.struct_time, seconds: int, nanoseconds: int
) -> tuple[str, int]:
    start = at
    while form[at : at + 1] and form[at] in "-_0+^#":
        at += 1
    flags = form[start:at]
    digits = at
    while form[at : at + 1].isdecimal() and form[at].isascii():
        at += 1
    # No wider than C's int, and than what a line should be (date writes it all at once).
    width = min(int(form[digits:at].lstrip("0")[:12] or "0"), _WIDEST) if at > digits else None
    while form[at : at + 1] and form[at] in "EO":
        at += 1
    colons = at
    while form[at : at + 1] == ":":
        at += 1
    colons = at - colons
    letter = form[at : at + 1]
    if colons and letter != "z":
        return form[start - 1 : at], at
    found = _value(letter, fields, seconds, nanoseconds, colons, width)
    if found is None:
        return form[start - 1 : at + 1], at + 1
    text, own_width, own_pad = found
    if letter == "N":
        return text, at + 1
    pad = own_pad
    for flag in flags:
        pad = {"-": "", "_": " ", "0": "0", "+": "0"}.get(flag, pad)
        if flag == "^":
            text = text.upper()
        elif flag == "#":
            text = text.lower() if letter == "p" or letter == "Z" else text.upper()
    length = own_width if width is None else width
    if "+" in flags and letter in "YGCF" and text[:1].isdigit():
        # A year that needs more than four digits bears a sign (ISO 8601; GNU).
        usual = {"C": 2, "F": 10}.get(letter, 4)
        if len(text) > usual or length > usual:
            text = "+" + text
    if pad and len(text) < length:
        sign = text[0] if pad == "0" and text[:1] in "+-" else ""
        text = sign + text[len(sign) :].rjust(length - len(sign), pad)
    return text, at + 1


def _value(
    letter: str,
    fields: time.struct_time,
    seconds: int,
    nanoseconds: int,
    colons: int,
    width: int | None,
) -> tuple[str, int, str] | None:
    """The text of one letter, its usual width, and what it is padded with; None for an unknown one."""
    year, month, day, hour, minute, second, weekday, yearday = fields[:8]
    if letter in _COMPOUND:
        return strftime(_COMPOUND[letter], fields, seconds, nanoseconds), 0, " "
    if letter in _PLAIN:
        return _PLAIN[letter], 0, " "
    if letter == "N":
        return (
            f"{nanoseconds:09}".ljust(width or 9, "0")[: width or 9],
            0,
            "",
        )  # a fraction's digits: a width cuts them off
    if letter == "z":
        return _zone(fields.tm_gmtoff or 0, colons), 0, "0"
    names = {
        "a": _DAYS[weekday][:3],
        "A": _DAYS[weekday],
        "b": _MONTHS[month - 1][:3],
        "B": _MONTHS[month - 1],
        "p": "PM" if hour >= 12 else "AM",
        "P": "pm" if hour >= 12 else "am",
        "Z": fields.tm_zone or "",
    }
    if letter in names:
        return names[letter], 0, " "
    iso_year, iso_week, iso_day = _iso(year, yearday, weekday)
    numbers = {
        "C": (year // 100, 2, "0"),
        "d": (day, 2, "0"),
        "e": (day, 2, " "),
        "g": (iso_year % 100, 2, "0"),
        "G": (iso_year, 1, "0"),
        "H": (hour, 2, "0"),
        "I": ((hour + 11) % 12 + 1, 2, "0"),
        "j": (yearday, 3, "0"),
        "k": (hour, 2, " "),
        "l": ((hour + 11) % 12 + 1, 2, " "),
        "m": (month, 2, "0"),
        "M": (minute, 2, "0"),
        "q": ((month + 2) // 3, 1, "0"),
        "s": (seconds, 1, "0"),
        "S": (second, 2, "0"),
        "u": (iso_day, 1, "0"),
        "U": ((yearday + 6 - (weekday + 1) % 7) // 7, 2, "0"),
        "V": (iso_week, 2, "0"),
        "w": ((weekday + 1) % 7, 1, "0"),
        "W": ((yearday + 6 - weekday) // 7, 2, "0"),
        "y": (year % 100, 2, "0"),
        "Y": (year, 1, "0"),
    }
    if letter not in numbers:
        return None
    value, own_width, pad = numbers[letter]
    return str(value), own_width, pad


def _iso(year: int, yearday: int, weekday: int) -> tuple[int, int, int]:
    """Year, week and day (1: Monday) of ISO 8601; weekday counts from Monday, 0."""
    week = (yearday - weekday + 9) // 7
    if week < 1:
        year -= 1
        return year, _weeks(year), weekday + 1
    if week > _weeks(year):
        return year + 1, 1, weekday + 1
    return year, week, weekday + 1


def _weeks(year: int) -> int:
    """How many weeks an ISO 8601 year has."""

    def last_day(y: int) -> int:
        return (y + y // 4 - y // 100 + y // 400) % 7

    return 53 if last_day(year) == 4 or last_day(year - 1) == 3 else 52


def _zone(offset: int, colons: int) -> str:
    sign = "-" if offset < 0 else "+"
    hours, rest = divmod(abs(offset), 3600)
    minutes, seconds = divmod(rest, 60)
    if colons == 0:
        return f"{sign}{hours:02}{minutes:02}"
    if colons == 1:
        return f"{sign}{hours:02}:{minutes:02}"
    if colons == 2:
        return f"{sign}{hours:02}:{minutes:02}:{seconds:02}"
    shortest = f":{minutes:02}" if minutes or seconds else ""
    return f"{sign}{hours:02}{shortest}{f':{seconds:02}' if seconds else ''}"

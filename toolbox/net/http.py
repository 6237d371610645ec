"""HTTP's words without sockets: dates, entity tags, ranges, paths, forms, cookies, credentials (RFC 9110, 7233, 6265).

Whatever a peer may send ends in a value or in ProtocolError, which a server answers with 400.
"""

from __future__ import annotations

import binascii
import itertools

from toolbox.net import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: A request with more ranges, or with ranges that overlap, is answered with the whole (RFC 9110, 14.2).
MOST_RANGES = 16

REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    303: "See Other",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


# Dates (RFC 9110, 5.6.7).


def http_date(seconds: float) -> str:
    """Unix seconds as `Sun, 06 Nov 1994 08:49:37 GMT`, whatever the locale."""
    days, rest = divmod(int(seconds), 86400)
    year, month, day = _civil(days)
    return (
        f"{_DAYS[(days + 3) % 7]}, {day:02} {_MONTHS[month - 1]} {year:04} "
        f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} GMT"
    )


def parse_date(text: str) -> int | None:
    """Unix seconds of a date in any of HTTP's three forms; None when it is none (it is then ignored)."""
    words = text.replace(",", " ").replace("-", " ").split()
    try:
        if len(words) == 6 and words[5] == "GMT":  # Sun, 06 Nov 1994 / Sunday, 06-Nov-94
            _, day, month, year, time, _ = words
            number = int(year)
            if len(year) == 2:
                number += 1900 if number >= 70 else 2000
        elif len(words) == 5:  # Sun Nov  6 08:49:37 1994
            _, month, day, time, year = words
            number = int(year)
        else:
            return None
        hour, minute, second = map(int, time.split(":"))
        month_number = _MONTHS.index(month) + 1
        if not (
            1 <= int(day) <= 31
            and 0 <= hour < 24
            and 0 <= minute < 60
            and 0 <= second <= 60
            and 1601 <= number <= 9999
        ):
            return None
        return _days(number, month_number, int(day)) * 86400 + hour * 3600 + minute * 60 + second
    except ValueError:
        return None


def _days(year: int, month: int, day: int) -> int:
    """Days from 1 January 1970 to a date of the Gregorian calendar."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _civil(days: int) -> tuple[int, int, int]:
    """The inverse of `_days`."""
    era, of_era = divmod(days + 719468, 146097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


# Conditional requests (RFC 9110, 13).


def precondition(method: str, headers: Mapping[str, str], etag: str, modified: float) -> int | None:
    """304 or 412 when a condition of the request says so; None: go on.

    etag: the strong tag of what there is, with its quotes; modified: its time, Unix seconds.
    """
    stamp = int(modified)
    if (tags := headers.get("if-match")) is not None:
        if not _tag_in(etag, tags, weak=False):
            return 412
    elif (
        since := parse_date(headers.get("if-unmodified-since", ""))
    ) is not None and stamp > since:
        return 412
    if (tags := headers.get("if-none-match")) is not None:
        if _tag_in(etag, tags, weak=True):
            return 304 if method in ("GET", "HEAD") else 412
    elif (
        method in ("GET", "HEAD")
        and (since := parse_date(headers.get("if-modified-since", ""))) is not None
        and stamp <= since
    ):
        return 304
    return None


def range_applies(headers: Mapping[str, str], etag: str, modified: float) -> bool:
    """Whether If-Range, when there is one, still means what there is (RFC 9110, 13.1.5)."""
    condition = headers.get("if-range")
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == etag
    return parse_date(condition) == int(modified)


def _tag_in(etag: str, tags: str, weak: bool) -> bool:
    if tags.strip() == "*":
        return True
    listed = [tag.strip() for tag in tags.split(",")]
    return etag in ([tag.removeprefix("W/") for tag in listed] if weak else listed)


# Ranges (RFC 9110, 14).


def parse_ranges(text: str, size: int) -> list[tuple[int, int]] | None:
    """The [first, end) byte ranges asked for, of a body of `size` bytes.

    None: there is no range to obey, send the whole.  An empty list: none can be satisfied (416).
    """
    unit, equals, specs = text.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    ranges: list[tuple[int, int]] = []
    parts = [spec.strip() for spec in specs.split(",")]
    if len(parts) > MOST_RANGES:
        return None
    for part in parts:
        first, dash, last = part.partition("-")
        first, last = first.strip(), last.strip()
        if not dash or not all(n == "" or (n.isascii() and n.isdecimal()) for n in (first, last)):
            return None
        if not (first or last) or len(first) > 18 or len(last) > 18:
            return None
        if not first:
            start, end = max(0, size - int(last)), size
        else:
            start, end = int(first), min(int(last) + 1, size) if last else size
            if last and int(last) < start:
                return None
        if start < end:
            ranges.append((start, end))
    ordered = sorted(ranges)
    if any(a[1] > b[0] for a, b in itertools.pairwise(ordered)):
        return None
    return ranges


def parse_content_range(text: str) -> tuple[int, int, int | None] | None:
    """(first, end, size of the whole or None) of a Content-Range of bytes, [first, end); None for any other."""
    unit, _, rest = text.strip().partition(" ")
    span, slash, whole = rest.strip().partition("/")
    first, _, last = span.partition("-")
    if unit.lower() != "bytes" or not slash:
        return None
    if not (_is_number(first) and _is_number(last) and (whole == "*" or _is_number(whole))):
        return None
    begin, end, size = int(first), int(last) + 1, None if whole == "*" else int(whole)
    return None if begin >= end or (size is not None and end > size) else (begin, end, size)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


#: Statuses that send a client elsewhere.
REDIRECTIONS = (301, 302, 303, 307, 308)


def redirected_method(status: int, method: str) -> str:
    """The method of the request that follows a redirection (RFC 9110, 15.4); a GET has no body."""
    return "GET" if status in (301, 302, 303) and method not in ("GET", "HEAD") else method


# Targets, forms, cookies.


def percent_decode(text: str) -> bytes:
    """The bytes of percent-encoded text; ProtocolError for a stray percent sign."""
    first, *rest = text.encode("latin-1", "replace").split(b"%")
    parts = [first]
    for part in rest:
        if len(part) < 2:
            raise ProtocolError("a percent sign without two hexadecimal digits")
        try:
            parts.append(binascii.unhexlify(part[:2]) + part[2:])
        except binascii.Error:
            raise ProtocolError("a percent sign without two hexadecimal digits") from None
    return b"".join(parts)


def percent_encode(data: bytes, safe: bytes = b"/-._~") -> str:
    """Bytes as the path of a URL."""
    return "".join(
        chr(byte)
        if chr(byte).isascii() and (chr(byte).isalnum() or byte in safe)
        else f"%{byte:02X}"
        for byte in data
    )


def split_target(target: str) -> tuple[list[bytes], bool, str]:
    """A request's target: the names on its path, whether the path ends with a slash, and the query.

    The path is decoded once, then `.` and `..` are resolved (RFC 3986, 5.2.4); a path that leaves its root or
    holds a NUL is a ProtocolError.  The absolute form (`http://host/path`) is understood.
    """
    if target[:7].lower() == "http://" or target[:8].lower() == "https://":
        target = "/" + target.partition("//")[2].partition("/")[2]
    if not target.startswith("/"):
        raise ProtocolError("the target is not a path")
    path, _, query = target.partition("#")[0].partition("?")
    names: list[bytes] = []
    last = b""
    for name in percent_decode(path).split(b"/")[1:]:
        last = name
        if name == b"..":
            if not names:
                raise ProtocolError("the path leaves the root")
            names.pop()
        elif name not in (b"", b"."):
            if b"\0" in name:
                raise ProtocolError("a NUL in the path")
            names.append(name)
    return names, last in (b"", b".", b".."), query


def parse_form(text: str) -> dict[str, str]:
    """The fields of a query or of an application/x-www-form-urlencoded body; the last of a name wins."""
    fields = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if pair:
            fields[_field(name)] = _field(value)
    return fields


def _field(text: str) -> str:
    return percent_decode(text.replace("+", " ")).decode("utf-8", "replace")


def parse_cookies(text: str) -> dict[str, str]:
    """The cookies of a Cookie header; the first of a name wins, as it has the longest path."""
    cookies: dict[str, str] = {}
    for pair in text.split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            cookies.setdefault(name, value.strip('"'))
    return cookies


def parse_basic(text: str) -> tuple[str, str] | None:
    """User and password of an `Authorization: Basic` header (RFC 7617); None when it is none."""
    scheme, _, value = text.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = binascii.a2b_base64(value.strip(), strict_mode=True).decode("utf-8")
    except ValueError:
        return None
    user, colon, password = decoded.partition(":")
    return (user, password) if colon else None


def parse_bearer(text: str) -> str | None:
    """The token of an `Authorization: Bearer` header (RFC 6750, 2.1); None when it is none."""
    scheme, _, value = text.strip().partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def preferred(accept: str, offers: list[str]) -> str:
    """Which of `offers` (media types) the Accept header likes best; ties go to the first (RFC 9110, 12.5.1)."""
    best, best_quality = offers[0], -1.0
    for offer in offers:
        quality = _quality(accept, offer) if accept.strip() else 1.0
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def _quality(accept: str, offer: str) -> float:
    best_match, best = -1, 0.0
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        if kind == offer:
            match = 2
        elif kind == offer.partition("/")[0] + "/*":
            match = 1
        elif kind == "*/*":
            match = 0
        else:
            continue
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if match > best_match:
            best_match, best = match, quality
    return best


def host_name(header: str) -> str:
    """The host of a Host header in small letters, without port, brackets and a last dot; "" for none."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")

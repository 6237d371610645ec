"""date [-u] [-d DATE] [-r FILE] [-D FORMAT] [-I[UNIT]] [-R] [+FORMAT]
date [-u] [-s] DATE

Print the date and time, or set the clock.

  -d, --date=DATE        not now but this: `tomorrow 9:00`, `3 days ago`, `@1700000000`
  -f, --file=FILE        the dates on the lines of FILE
  -r, --reference=FILE   when FILE was changed
  -u, --utc, --universal, --uct  in UTC
  -I, --iso-8601[=UNIT]  as ISO 8601 has it, to the date, hours, minutes, seconds or ns
  -R, --rfc-email, --rfc-2822  as mail has it
      --rfc-3339=UNIT    as RFC 3339 has it, to the date, seconds or ns
  -s, --set=DATE         set the clock
  -D FORMAT              DATE is written so (strptime)

A DATE to set is also understood as MMDDhhmm[[CC]YY][.SS].  FORMAT is that of strftime(3) with %N
(nanoseconds), %s, %:z, %::z and the flags - _ 0 ^ # before a letter.
"""

from __future__ import annotations

import os
import time

from toolbox import dates
from toolbox.errors import Fatal, UsageError, warn
from toolbox.options import Options
from toolbox.streams import inputs, stdout
from toolbox.strftime import strftime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values

options = Options(__doc__)

DEFAULT = "%a %b %e %H:%M:%S %Z %Y"
ISO_8601 = {
    "": "%Y-%m-%d",
    "date": "%Y-%m-%d",
    "hours": "%Y-%m-%dT%H%:z",
    "minutes": "%Y-%m-%dT%H:%M%:z",
    "seconds": "%Y-%m-%dT%H:%M:%S%:z",
    "ns": "%Y-%m-%dT%H:%M:%S,%N%:z",
}
RFC_3339 = {
    "date": "%Y-%m-%d",
    "seconds": "%Y-%m-%d %H:%M:%S%:z",
    "ns": "%Y-%m-%d %H:%M:%S.%N%:z",
}
RFC_EMAIL = "%a, %d %b %Y %H:%M:%S %z"


def main(argv: list[str]) -> int:
    """POSIX XCU date, with GNU's dates."""
    opt, operands = options.parse(argv)
    if opt.utc:
        os.environ["TZ"] = "UTC0"
        time.tzset()
    formats = [word for word in operands if word.startswith("+")]
    others = [word for word in operands if not word.startswith("+")]
    if len(formats) > 1 or len(others) > 1:
        raise UsageError(f"extra operand {operands[1]!r}")
    form = chosen_format(opt, formats)
    if opt.file is not None:
        for source in inputs([opt.file]):
            for line in source.lines():
                try:
                    show(parse(os.fsdecode(line), opt), form)
                except Fatal as error:
                    warn(str(error))
        return 0
    if opt.set is not None or others:
        moment = parse(opt.set, opt) if opt.set is not None else posix_moment(others[0], opt)
        try:
            time.clock_settime_ns(time.CLOCK_REALTIME, moment)
        except OSError as error:
            warn(f"cannot set date: {error.strerror}")
    elif opt.reference is not None:
        moment = os.stat(opt.reference).st_mtime_ns
    elif opt.date is not None:
        moment = parse(opt.date, opt)
    else:
        moment = time.time_ns()
    show(moment, form)
    return 0


alters_process = True  # -u changes the process's time zone


def chosen_format(opt: Values, formats: list[str]) -> str:
    """The one format that was asked for."""
    asked = [f[1:] for f in formats]
    if opt.iso_8601 is not None:
        asked.append(_unit("--iso-8601", opt.iso_8601, ISO_8601))
    if opt.rfc_3339 is not None:
        asked.append(_unit("--rfc-3339", opt.rfc_3339, RFC_3339))
    if opt.rfc_email:
        asked.append(RFC_EMAIL)
    if len(asked) > 1:
        raise UsageError("multiple output formats specified")
    return asked[0] if asked else DEFAULT


def _unit(option: str, word: str, known: dict[str, str]) -> str:
    fits = [name for name in known if name == word] or [
        n for n in known if word and n.startswith(word)
    ]
    if len(fits) != 1:
        raise UsageError(
            f"invalid argument {word!r} for '{option}'; valid are: {', '.join(filter(None, known))}"
        )
    return known[fits[0]]


def parse(text: str, opt: Values) -> int:
    """A date as nanoseconds since 1970; Fatal when it is none."""
    if opt.D is not None:
        try:
            fields = time.strptime(text, opt.D.removeprefix("+"))
        except ValueError:
            raise Fatal(f"invalid date {text!r} for the format {opt.D!r}") from None
        return int(time.mktime(fields)) * 10**9
    return dates.parse(text, time.time())


def posix_moment(text: str, opt: Values) -> int:
    """MMDDhhmm[[CC]YY][.SS] (POSIX); with -D, or else, a date as -d has it."""
    digits, _, _ = text.partition(".")
    if opt.D is not None or not digits.isdecimal():
        return parse(text, opt)
    # touch -t puts the year first, date last.
    stamp = digits[8:] + digits[:8] + text[len(digits) :]
    return dates.stamp(stamp, time.time())


def show(moment: int, form: str) -> None:
    """Print a moment (nanoseconds since 1970) by a format."""
    seconds, nanoseconds = divmod(moment, 10**9)
    try:
        fields = time.localtime(seconds)
    except (OverflowError, ValueError):
        raise Fatal(f"time {seconds} is out of range") from None
    stdout().write(os.fsencode(strftime(form, fields, seconds, nanoseconds)) + b"\n")

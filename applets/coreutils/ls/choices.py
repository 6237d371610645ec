"""What ls's options, the environment and the terminal choose together: format, order, times, quoting, colors."""

from __future__ import annotations

import os
import stat
import time

from toolbox.errors import UsageError
from toolbox.sizes import Scale, block_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from toolbox.options import Values

_MONTHS = ["", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

#: Half of a mean Gregorian year in seconds: files older than this show their year (POSIX ls, "Long format").
_HALF_YEAR = 31556952 // 2

_FORMATS = {
    "long": "long",
    "verbose": "long",
    "single-column": "single",
    "vertical": "vertical",
    "across": "across",
    "horizontal": "across",
    "commas": "commas",
}
_FORMAT_LETTERS = {
    "l": "long",
    "g": "long",
    "o": "long",
    "numeric_uid_gid": "long",
    "full_time": "long",
    "C": "vertical",
    "x": "across",
    "m": "commas",
    "_1": "single",
}
_SORT_LETTERS = {
    "t": "time",
    "S": "size",
    "X": "extension",
    "v": "version",
    "U": "none",
    "f": "none",
}
_SORTS = ("name", "none", "size", "time", "version", "extension", "width")
_TIMES = {
    "mtime": "mtime",
    "modification": "mtime",
    "ctime": "ctime",
    "status": "ctime",
    "atime": "atime",
    "access": "atime",
    "use": "atime",
    "birth": "btime",
    "creation": "btime",
}
_STYLES = {
    "full-iso": ("%Y-%m-%d %H:%M:%S.%N %z",) * 2,
    "long-iso": ("%Y-%m-%d %H:%M",) * 2,
    "iso": ("%Y-%m-%d ", "%m-%d %H:%M"),
}
_INDICATORS = {
    "none": {},
    "slash": {stat.S_IFDIR: "/"},
    "file-type": {
        stat.S_IFDIR: "/",
        stat.S_IFLNK: "@",
        stat.S_IFSOCK: "=",
        stat.S_IFIFO: "|",
    },
}
_INDICATORS["classify"] = _INDICATORS["file-type"]


def when(word: str | None, tty: bool) -> bool:
    """Whether --color=WORD or --classify=WORD holds; None: not given."""
    if word is None:
        return False
    if word in ("", "always", "yes", "force"):
        return True
    if word in ("auto", "tty", "if-tty"):
        return tty and os.environ.get("TERM") != "dumb"
    if word in ("never", "no", "none"):
        return False
    raise UsageError(f"invalid argument {word!r}: always, never or auto")


def choice(word: str, of: Any, option: str) -> str:
    """A word of `of`, which may be shortened."""
    fits = [name for name in of if name.startswith(word)]
    if word in of:
        return word
    if len(fits) == 1:
        return str(fits[0])
    raise UsageError(f"invalid argument {word!r} for '--{option}'; valid are: {', '.join(of)}")


def format_of(opt: Values, tty: bool) -> str:
    """The layout: long, single, vertical, across or commas; the last option that says one holds."""
    chosen = "vertical" if tty else "single"
    for given in opt.order:
        new = _FORMAT_LETTERS.get(given)
        if given == "format":
            new = _FORMATS[choice(opt.format, _FORMATS, "format")]
        elif given == "zero" and chosen != "long":
            new = "single"
        # -1 does not undo -l: each of its entries already has a line of its own.
        if new and not (given == "_1" and chosen == "long"):
            chosen = new
    return chosen


def sort_of(opt: Values, long: bool) -> str:
    """What entries are sorted by, one of `_SORTS`."""
    given = opt.last(*_SORT_LETTERS, "sort")
    if given == "sort":
        return choice(opt.sort, _SORTS, "sort")
    if given:
        return _SORT_LETTERS[given]
    if (opt.c or opt.u or opt.time) and not long:
        return "time"
    return "name"


def time_of(opt: Values) -> str:
    """The time that is shown and sorted by, as toolbox.linux.statx names it."""
    given = opt.last("c", "u", "time")
    if given == "time":
        return _TIMES[choice(opt.time, _TIMES, "time")]
    return {"c": "ctime", "u": "atime"}.get(given or "", "mtime")


def time_shower(opt: Values, now: float) -> tuple[Callable[[int], str], bool]:
    """A function from seconds since 1970 to the text of the long format.

    When the second result is true, the text has %N where nine digits of nanoseconds belong.
    """
    style = opt.time_style or os.environ.get("TIME_STYLE", "locale")
    if opt.last("full_time", "time_style") == "full_time":
        style = "full-iso"
    style = style.removeprefix("posix-")
    localtime = time.localtime
    newest, oldest = now, now - _HALF_YEAR
    if style.startswith("+"):
        old, _, recent = style[1:].partition("\n")
        forms = (old, recent or old)
    elif style == "locale":

        def usual(t: int) -> str:
            at = localtime(t)
            if oldest < t <= newest:
                return f"{_MONTHS[at[1]]} {at[2]:2d} {at[3]:02d}:{at[4]:02d}"
            return f"{_MONTHS[at[1]]} {at[2]:2d}  {at[0]}"

        return usual, False
    else:
        forms = _STYLES[choice(style, _STYLES, "time-style")]

    def formatted(t: int) -> str:
        form = forms[oldest < t <= newest]
        return time.strftime(form.replace("%N", "%%N"), localtime(t))

    return formatted, any("%N" in form for form in forms)


def name_shower(opt: Values, tty: bool) -> Callable[[str], str]:
    """A function from a name to its text, quoted or masked as asked for."""
    from toolbox.quoting import STYLES, mask, quote

    letters = {"literal": "literal", "escape": "escape", "quote_name": "c"}
    given = opt.last(*letters, "quoting_style")
    environment = os.environ.get("QUOTING_STYLE", "")
    if opt.zero:
        style = "literal"
    elif given == "quoting_style":
        style = choice(opt.quoting_style, STYLES, "quoting-style")
    elif given:
        style = letters[given]
    elif environment in STYLES:
        style = environment
    else:
        style = "shell-escape" if tty else "literal"
    hide = opt.last("hide_control_chars", "show_control_chars")
    masked = hide == "hide_control_chars" or (tty and hide is None)
    if style == "literal":
        return mask if masked and not opt.zero else str
    if masked and style in ("shell", "shell-always"):
        return lambda name: mask(quote(name, style))
    return lambda name: quote(name, style)


def scales(opt: Values) -> tuple[Scale, Scale]:
    """How sizes and how blocks are shown."""
    given = opt.last("human_readable", "si", "kibibytes", "block_size")
    if given == "human_readable":
        return Scale(base=1024), Scale(base=1024)
    if given == "si":
        return Scale(base=1000), Scale(base=1000)
    if given == "block_size":
        return block_size(opt.block_size), block_size(opt.block_size)
    default = 512 if "POSIXLY_CORRECT" in os.environ and not opt.kibibytes else 1024
    return Scale(), Scale(default)


def indicators(opt: Values, tty: bool) -> tuple[dict[int, str], bool]:
    """The mark for each type (S_IFDIR...), and whether programs get one, too."""
    given = opt.last("F", "classify", "p", "file_type", "indicator_style")
    style = {"F": "classify", "p": "slash", "file_type": "file-type"}.get(given or "", "none")
    if given == "indicator_style":
        style = choice(opt.indicator_style, _INDICATORS, "indicator-style")
    elif given == "classify" and when(opt.classify, tty):
        style = "classify"
    return _INDICATORS[style], style == "classify"


def hidden_test(opt: Values, everything: bool) -> Callable[[str], bool] | None:
    """A test for names that the options leave out; None when they leave out none."""
    patterns = list(_patterns(opt, everything))
    if not patterns:
        return None
    from toolbox.patterns import matcher

    tests = [matcher(pattern, period=True) for pattern in patterns]
    return lambda name: any(test(name) for test in tests)


def _patterns(opt: Values, everything: bool) -> Iterator[str]:
    yield from opt.ignore
    if opt.ignore_backups:
        yield "*~"
    if not everything:
        yield from opt.hide

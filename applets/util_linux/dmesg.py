"""dmesg [-CcDEHJkrStTuwWxdep] [-F FILE] [-f FACILITIES] [-l LEVELS] [-n LEVEL] [-s BYTES]

Show the kernel's messages, or say which of them reach the console.

  -C, --clear          forget them; a later dmesg shows only newer ones
  -c, --read-clear     show them, then forget them
  -D, --console-off    no messages on the console
  -E, --console-on     messages on the console again
  -n, --console-level=LEVEL  on the console only what is more urgent than LEVEL (1 to 8, or a name)
  -F, --file=FILE      read them from FILE
  -f, --facility=FACILITIES  only these: kern, user, daemon...
  -l, --level=LEVELS   only these: emerg, alert, crit, err, warn, notice, info, debug;
                         LEVEL+ and more urgent
  -k, --kernel         only the kernel's own
  -u, --userspace      only those of programs
  -w, --follow         wait for more
  -W, --follow-new     only those that come now
  -r, --raw            as the kernel keeps them
  -S, --syslog         by syslog(2) instead of /dev/kmsg
  -s, --buffer-size=N  bytes to ask syslog(2) for
  -x, --decode         facility and level in words
  -d, --show-delta     with the time since the message before
  -e, --reltime        the time, then how long after
  -T, --ctime          with the date
  -t, --notime         without time
  -H, --human          for people
  -J, --json           as JSON
      --time-format=FORMAT  ctime, delta, iso, notime, raw or reltime
  -L, --color[=WHEN]   colours: auto, always or never
  -p, --force-prefix   time before each line of a message
  -P, --nopager        nothing
      --noescape       control characters as they are
      --since=TIME     not those before
      --until=TIME     not those after
"""

from __future__ import annotations

import os
import time

from toolbox.errors import Fatal, UsageError
from toolbox.harmless import harmless
from toolbox.options import Options, Values
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

options = Options(__doc__)

LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp"),
)

# syslog(2)
_READ_ALL, _CLEAR, _CONSOLE_OFF, _CONSOLE_ON, _CONSOLE_LEVEL, _BUFFER_SIZE = 3, 5, 6, 7, 8, 10

_ACTIONS = {
    _CLEAR: "clear kernel buffer",
    _CONSOLE_OFF: "disable logging to console",
    _CONSOLE_ON: "enable logging to console",
    _CONSOLE_LEVEL: "set console level",
}

_COLORS = {0: "\33[1;31m", 1: "\33[1;31m", 2: "\33[1;31m", 3: "\33[31m", 4: "\33[1m"}

#: priority (facility * 8 + level), seconds since the start or None, text
Record = tuple[int, "float | None", str]


def main(argv: list[str]) -> int:
    opt, _ = options.parse(argv)
    if opt.console_off or opt.console_on:
        _syslog(_CONSOLE_OFF if opt.console_off else _CONSOLE_ON)
        return 0
    if opt.console_level is not None:
        _syslog(_CONSOLE_LEVEL, number=_level(opt.console_level, 1))
        return 0
    if opt.clear and not opt.read_clear:
        _syslog(_CLEAR)
        return 0
    printer = _Printer(opt)
    for record in _records(opt):
        printer.show(record)
        if opt.follow or opt.follow_new:
            stdout().flush()
    printer.end()
    if opt.read_clear:
        _syslog(_CLEAR)
    return 0


def _level(text: str, added: int) -> int:
    if text in LEVELS:
        return LEVELS.index(text) + added
    if text.isascii() and text.isdecimal():
        return int(text)
    raise UsageError(f"unknown level {text!r}")


def _syslog(action: int, buffer: bytearray | None = None, number: int = 0) -> int:
    from toolbox.linux.syscall import syscall

    size = len(buffer) if buffer is not None else number
    try:
        return syscall("syslog", action, buffer, size)
    except OSError as error:
        what = _ACTIONS.get(action, "read kernel buffer")
        raise Fatal(f"{what} failed: {error.strerror}") from None


# -- reading --------------------------------------------------------------------------------------


def _records(opt: Values) -> Iterator[Record]:
    if opt.file is not None:
        with open(opt.file, "rb") as file:
            yield from _parse_lines(os.fsdecode(file.read()))
        return
    if not opt.syslog:
        try:
            fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            pass  # not there, or only for the superuser: the older way may be open
        else:
            try:
                yield from _read_kmsg(fd, opt)
            finally:
                os.close(fd)
            return
    size = opt.buffer_size or max(_syslog(_BUFFER_SIZE), 1 << 14)
    buffer = bytearray(size)
    length = _syslog(_READ_ALL, buffer)
    yield from _parse_lines(os.fsdecode(bytes(buffer[:length])))


def _read_kmsg(fd: int, opt: Values) -> Iterator[Record]:
    """One record is one read (Documentation/ABI/testing/dev-kmsg)."""
    # SEEK_DATA: after the last one that was cleared; SEEK_END: after the newest.
    os.lseek(fd, 0, os.SEEK_END if opt.follow_new else os.SEEK_DATA)
    while True:
        try:
            raw = os.read(fd, 8192)
        except BlockingIOError:
            if not (opt.follow or opt.follow_new):
                return
            import select

            stdout().flush()
            select.select([fd], [], [])
            continue
        except BrokenPipeError:
            continue  # overwritten before it was read; the next one is there
        head, _, text = raw.partition(b";")
        fields = head.split(b",")
        # Lines that start with a blank are properties of the device, not the message.
        message = _unescape(text.split(b"\n")[0])
        yield int(fields[0]), int(fields[2]) / 1e6, os.fsdecode(message)


def _unescape(text: bytes) -> bytes:
    """The kernel writes unprintable bytes, and the backslash, as \\xHH."""
    head, *parts = text.split(b"\\x")
    return head + b"".join(
        bytes.fromhex(part[:2].decode("ascii", "replace")) + part[2:]
        if len(part) >= 2 and all(c in b"0123456789abcdef" for c in part[:2])
        else b"\\x" + part
        for part in parts
    )


def _parse_lines(text: str) -> Iterator[Record]:
    """syslog(2)'s form: `<6>[    0.000000] text`; a line without a head goes on with the last one."""
    priority: int = 6
    when: float | None = None
    for line in text.splitlines():
        if line.startswith("<") and line[1 : line.find(">")].isdecimal():
            end = line.index(">")
            priority = int(line[1:end])
            line = line[end + 1 :]
            when = None
        if line.startswith("[") and "]" in line:
            end = line.index("]")
            try:
                when = float(line[1:end])
            except ValueError:
                pass  # a text in brackets
            else:
                line = line[end + 1 :].removeprefix(" ")
        yield priority, when, line


# -- writing --------------------------------------------------------------------------------------


class _Printer:
    """Chooses records and writes them in the form that was asked for."""

    def __init__(self, opt: Values) -> None:
        self.opt = opt
        self.out = stdout()
        self.last: float | None = None
        self.first = True
        self.levels = _chosen_levels(opt.level)
        self.facilities = _chosen_facilities(opt)
        self.form = _form(opt)
        if opt.color is not None:
            self.color = opt.color in ("", "always") or (opt.color == "auto" and os.isatty(1))
        else:
            self.color = os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"
        self.boot = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        self.since, self.until = _moment(opt.since), _moment(opt.until)

    def show(self, record: Record) -> None:
        priority, when, text = record
        level, facility = priority & 7, priority >> 3
        if self.levels and level not in self.levels:
            return
        if self.facilities and facility not in self.facilities:
            return
        if when is not None:
            if self.since is not None and self.boot + when < self.since:
                return
            if self.until is not None and self.boot + when > self.until:
                return
        if self.opt.json:
            self._show_json(priority, when, text)
            return
        head = ""
        if self.opt.raw:
            head = f"<{priority}>"
        elif self.opt.decode:
            name = FACILITIES[facility] if facility < len(FACILITIES) else str(facility)
            head = f"{name:<6}:{LEVELS[level]:<6}: "
        stamp = "" if when is None else self._stamp(when)
        if not (self.opt.noescape or self.opt.raw):
            text = harmless(text, keep="\t\n")
        for i, line in enumerate(text.split("\n")):
            if i and not self.opt.force_prefix:
                head, stamp = " " * len(head), " " * len(stamp)
            prefix = stamp
            if self.color and not self.opt.raw:
                color = _COLORS.get(level, "")
                prefix = f"\33[32m{prefix}\33[0m" if prefix else ""
                line = f"{color}{line}\33[0m" if color else line
            self.out.write(os.fsencode(f"{head}{prefix}{line}\n"))

    def end(self) -> None:
        """What comes after the last one."""
        if self.opt.json:
            self.out.write(b'{\n   "dmesg": []\n}\n' if self.first else b"\n      }\n   ]\n}\n")

    def _show_json(self, priority: int, when: float | None, text: str) -> None:
        import json

        self.out.write(b'{\n   "dmesg": [\n      {\n' if self.first else b"\n      },{\n")
        self.first = False
        rows = [f'"pri": {priority}']
        if when is not None:
            rows.append(f'"time": {when:12.6f}')
        rows.append(f'"msg": {json.dumps(text)}')
        self.out.write(os.fsencode(",\n".join(f"         {row}" for row in rows)))

    def _stamp(self, when: float) -> str:
        form = self.form
        before, self.last = self.last, when
        delta = 0.0 if before is None else when - before
        if form == "notime":
            return ""
        if form == "ctime":
            date = time.asctime(time.localtime(self.boot + when))
            return f"[{date} <{delta:12.6f}>] " if self.opt.show_delta else f"[{date}] "
        if form == "iso":
            moment = self.boot + when
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))
            zone = time.strftime("%z", time.localtime(moment))
            return f"{text},{int(moment % 1 * 1e6):06d}{zone[:3]}:{zone[3:]} "
        if form == "delta" and self.opt.last("time_format", "show_delta") == "time_format":
            return f"[<{delta:12.6f}>] "
        if form == "delta":
            return f"[{when:12.6f} <{delta:12.6f}>] "
        if form == "reltime":
            then = time.localtime(self.boot + when)
            if before is None or time.localtime(self.boot + before)[:5] != then[:5]:
                return time.strftime("[%b%d %H:%M] ", then)
            return f"[{delta:+11.6f}] "
        return f"[{when:12.6f}] "


def _form(opt: Values) -> str:
    given = opt.last("show_delta", "reltime", "ctime", "notime", "human", "time_format")
    if given == "time_format":
        if opt.time_format not in ("ctime", "delta", "iso", "notime", "raw", "reltime"):
            raise UsageError(f"unknown time format: {opt.time_format}")
        return str(opt.time_format)
    if given == "show_delta" and opt.ctime:
        return "ctime"
    names = {"show_delta": "delta", "human": "reltime"}
    return names.get(given or "", given or "")


def _chosen_levels(text: str | None) -> set[int]:
    chosen: set[int] = set()
    for word in text.split(",") if text else ():
        level = _level(word.strip("+"), 0)
        if word.endswith("+"):
            chosen |= set(range(level + 1))
        elif word.startswith("+"):
            chosen |= set(range(level, 8))
        else:
            chosen.add(level)
    return chosen


def _chosen_facilities(opt: Values) -> set[int]:
    chosen: set[int] = set()
    for word in opt.facility.split(",") if opt.facility else ():
        if word not in FACILITIES:
            raise UsageError(f"unknown facility {word!r}")
        chosen.add(FACILITIES.index(word))
    if opt.kernel:
        chosen.add(0)
    if opt.userspace:
        chosen |= set(range(1, 24))
    return chosen


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    from toolbox.dates import parse

    return parse(text, int(time.time())) / 1e9

"""What find prints about a file: -printf and -ls."""

from __future__ import annotations

import os
import stat
import time

from toolbox.errors import UsageError
from toolbox.options import too_wide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.users import Names
    from toolbox.walk import Visit

    Field = Callable[[Visit], str]

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "0": "\0",
    "\\": "\\",
    '"': '"',
}

_LETTERS = {
    stat.S_IFBLK: "b",
    stat.S_IFCHR: "c",
    stat.S_IFDIR: "d",
    stat.S_IFREG: "f",
    stat.S_IFLNK: "l",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "s",
}

_TIMES = {"A": "st_atime_ns", "C": "st_ctime_ns", "T": "st_mtime_ns", "B": "st_ctime_ns"}

#: GNU find shows times with ten digits of a second, the last always 0.
_FRACTION = "{:09d}0"


def compile_format(text: str, now: float) -> Callable[[Visit], tuple[str, bool]]:
    """A function from a file to its text, and whether to flush (`\\c`).  UsageError for an unknown directive."""
    pieces: list[str | tuple[str, Field]] = []
    literal: list[str] = []
    stop = False
    at = 0
    fields = _Fields()
    while at < len(text):
        c = text[at]
        at += 1
        if c == "\\":
            plain, at, stop = _escape(text, at)
            literal.append(plain)
            if stop:
                break
        elif c == "%":
            if text[at : at + 1] == "%":
                literal.append("%")
                at += 1
                continue
            pieces.append("".join(literal))
            literal = []
            piece, at = _directive(text, at, fields)
            pieces.append(piece)
        else:
            literal.append(c)
    pieces.append("".join(literal))

    def render(visit: Visit) -> tuple[str, bool]:
        out = []
        for piece in pieces:
            if isinstance(piece, str):
                out.append(piece)
            else:
                form, field = piece
                out.append(form % field(visit))
        return "".join(out), stop

    return render


def _escape(text: str, at: int) -> tuple[str, int, bool]:
    """The character that a backslash before `at` makes, where the text goes on, whether it ends (`\\c`)."""
    c = text[at : at + 1]
    if c == "c":
        return "", at + 1, True
    digits = text[at : at + 3]
    while digits and not set(digits) <= set("01234567"):
        digits = digits[:-1]
    if digits:
        return os.fsdecode(bytes((int(digits, 8) & 0xFF,))), at + len(digits), False
    if c in _ESCAPES and c:
        return _ESCAPES[c], at + 1, False
    return "\\" + c, at + len(c), False


def _directive(text: str, at: int, fields: _Fields) -> tuple[tuple[str, Field], int]:
    start = at
    while text[at : at + 1] in tuple("-+ #0") and at < len(text):
        at += 1
    while text[at : at + 1].isdecimal() or text[at : at + 1] == ".":
        at += 1
    flags = text[start:at]
    letter = text[at : at + 1]
    at += 1
    if too_wide(flags):
        raise UsageError(f"-printf: field too wide: %{flags}{letter}")
    if letter in _TIMES:
        form = text[at : at + 1]
        if not form:
            raise UsageError(f"-printf: missing letter after %{letter}")
        return (f"%{_text_flags(flags)}s", _time_field(_TIMES[letter], form)), at + 1
    field = getattr(fields, f"field_{letter}", None) if letter.isalpha() else None
    if field is None:
        raise UsageError(f"-printf: unknown directive '%{flags}{letter}'")
    if letter in "bdDGiknsU":
        # Numbers as text, but padded as numbers are.
        number: Field = field
        if "0" in flags.lstrip("-+ #")[:1] or "+" in flags or "." in flags:
            return (f"%{flags}d", lambda visit: int(number(visit))), at  # type: ignore[return-value]
        return (f"%{_text_flags(flags)}s", number), at
    if letter == "m":
        width = _text_flags(flags)
        if "#" in flags:
            return (f"%{width}s", lambda visit: "0" + field(visit).zfill(3)), at
        if flags[:1] == "0":
            wide = int(flags.lstrip("0") or 0)
            return ("%s", lambda visit: field(visit).zfill(wide)), at
    return (f"%{_text_flags(flags)}s", field), at


def _text_flags(flags: str) -> str:
    return flags.replace("#", "").replace("+", "").lstrip("0")


def _time_field(which: str, form: str) -> Field:
    def field(visit: Visit) -> str:
        ns = getattr(visit.status(), which)
        return _time_text(ns, form)

    return field


def _time_text(ns: int, form: str) -> str:
    """One field of a time: `@` seconds, `+` date+time, else a letter of strftime(3)."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    part = _FRACTION.format(fraction)
    if form == "@":
        return f"{seconds}.{part}"
    at = time.localtime(seconds)
    if form == "+":
        return time.strftime("%Y-%m-%d+%H:%M:%S.", at) + part
    if form in "STXr":
        # Seconds come with their fraction.
        text = {"S": "%S.", "T": "%H:%M:%S.", "X": "%H:%M:%S.", "r": "%I:%M:%S."}[form]
        return time.strftime(text, at) + part + (time.strftime(" %p", at) if form == "r" else "")
    if form == "k":
        return f"{at.tm_hour:2d}"
    if form == "l":
        return f"{(at.tm_hour - 1) % 12 + 1:2d}"
    return time.strftime("%" + form, at)


def default_time(ns: int) -> str:
    """A time as %a, %c and %t show it: `Sat Nov 21 05:16:00.0000000000 2026`."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    at = time.localtime(seconds)
    return time.strftime("%a %b %e %H:%M:%S.", at) + _FRACTION.format(fraction) + f" {at.tm_year}"


class _Fields:
    """One method for each letter of -printf."""

    def __init__(self) -> None:
        from toolbox.users import Names

        self.names = Names()
        self.types: dict[int, str] | None = None

    def field_p(self, visit: Visit) -> str:
        """The path."""
        return visit.path

    def field_f(self, visit: Visit) -> str:
        """The name; of an operand its last part."""
        if visit.level is None:
            return visit.name.rstrip("/").rpartition("/")[2] or "/"
        return visit.name

    def field_h(self, visit: Visit) -> str:
        """The directory part."""
        path = visit.path
        if visit.level is None:
            path = path.rstrip("/") or "/"
        head, slash, _ = path.rpartition("/")
        return head if slash else "."

    def field_H(self, visit: Visit) -> str:
        """The operand."""
        level = visit.level
        if level is None:
            return visit.name
        while level.parent is not None:
            level = level.parent
        return level.name

    def field_P(self, visit: Visit) -> str:
        """The path without the operand."""
        if visit.level is None:
            return ""
        return visit.path[len(self.field_H(visit)) :].lstrip("/")

    def field_d(self, visit: Visit) -> str:
        """The depth."""
        return str(visit.depth)

    def field_s(self, visit: Visit) -> str:
        """Bytes."""
        return str(visit.status().st_size)

    def field_b(self, visit: Visit) -> str:
        """Blocks of 512 bytes."""
        return str(visit.status().st_blocks)

    def field_k(self, visit: Visit) -> str:
        """KiB on disk."""
        return str(-(-visit.status().st_blocks // 2))

    def field_S(self, visit: Visit) -> str:
        """Sparseness: room taken per byte."""
        status = visit.status()
        return f"{status.st_blocks * 512 / status.st_size if status.st_size else 1:g}"

    def field_m(self, visit: Visit) -> str:
        """Permissions in octal."""
        return f"{visit.status().st_mode & 0o7777:o}"

    def field_M(self, visit: Visit) -> str:
        """Permissions as ls shows them."""
        return stat.filemode(visit.status().st_mode)

    def field_y(self, visit: Visit) -> str:
        """The type."""
        return _LETTERS.get(visit.kind, "U")

    def field_Y(self, visit: Visit) -> str:
        """The type of what a link points to; N: nothing, L: a loop, ?: cannot be told."""
        if visit.kind != stat.S_IFLNK:
            return self.field_y(visit)
        try:
            mode = os.stat(visit.name, dir_fd=visit.dir_fd).st_mode
        except OSError as error:
            import errno

            return {errno.ENOENT: "N", errno.ENOTDIR: "N", errno.ELOOP: "L"}.get(
                error.errno or 0, "?"
            )
        return _LETTERS.get(stat.S_IFMT(mode), "U")

    def field_l(self, visit: Visit) -> str:
        """A link's target."""
        if visit.kind != stat.S_IFLNK:
            return ""
        return os.readlink(visit.name, dir_fd=visit.dir_fd)

    def field_u(self, visit: Visit) -> str:
        """The owner."""
        return self.names.user(visit.status().st_uid)

    def field_g(self, visit: Visit) -> str:
        """The group."""
        return self.names.group(visit.status().st_gid)

    def field_U(self, visit: Visit) -> str:
        """The owner's number."""
        return str(visit.status().st_uid)

    def field_G(self, visit: Visit) -> str:
        """The group's number."""
        return str(visit.status().st_gid)

    def field_i(self, visit: Visit) -> str:
        """The inode number."""
        return str(visit.status().st_ino)

    def field_n(self, visit: Visit) -> str:
        """Hard links."""
        return str(visit.status().st_nlink)

    def field_D(self, visit: Visit) -> str:
        """The device number."""
        return str(visit.status().st_dev)

    def field_F(self, visit: Visit) -> str:
        """The type of the file system."""
        if self.types is None:
            from toolbox.mount_points import kinds_by_device

            self.types = kinds_by_device()
        return self.types.get(visit.status().st_dev, "unknown")

    def field_a(self, visit: Visit) -> str:
        """The time of last access."""
        return default_time(visit.status().st_atime_ns)

    def field_c(self, visit: Visit) -> str:
        """The time of last status change."""
        return default_time(visit.status().st_ctime_ns)

    def field_t(self, visit: Visit) -> str:
        """The time of last modification."""
        return default_time(visit.status().st_mtime_ns)


#: Half of a mean year in seconds; older files show their year.
_HALF_YEAR = 31556952 // 2


def long_line(visit: Visit, names: Names, now: float) -> str:
    """The line of -ls, as `ls -dils` prints it."""
    status = visit.status()
    at = time.localtime(status.st_mtime)
    recent = now - _HALF_YEAR < status.st_mtime <= now
    when = time.strftime("%b %e %H:%M" if recent else "%b %e  %Y", at)
    mode = status.st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        size = f"{os.major(status.st_rdev):3d}, {os.minor(status.st_rdev):3d}"
    else:
        size = f"{status.st_size:8d}"
    path = visit.path
    if not path.isprintable() or " " in path or "\\" in path:
        from toolbox.quoting import quote

        path = quote(path, "escape")
    if visit.kind == stat.S_IFLNK:
        path += " -> " + os.readlink(visit.name, dir_fd=visit.dir_fd)
    return (
        f"{status.st_ino:9d} {-(-status.st_blocks // 2):6d} {stat.filemode(mode)} "
        f"{status.st_nlink:3d} {names.user(status.st_uid):<8} {names.group(status.st_gid):<8} "
        f"{size} {when} {path}"
    )

"""find's tests and settings: each a function from its arguments to a function of the visited file."""

from __future__ import annotations

import errno
import os
import stat

from toolbox.errors import Fatal, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from applets.findutils.find.expression import Expression, Test
    from toolbox.walk import Visit

_TYPES = {
    "b": stat.S_IFBLK,
    "c": stat.S_IFCHR,
    "d": stat.S_IFDIR,
    "f": stat.S_IFREG,
    "l": stat.S_IFLNK,
    "p": stat.S_IFIFO,
    "s": stat.S_IFSOCK,
}

_UNITS = {"c": 1, "w": 2, "b": 512, "k": 1024, "M": 1024**2, "G": 1024**3}

_TIMES = {"a": "st_atime", "c": "st_ctime", "m": "st_mtime", "B": "st_ctime"}

#: Which syntax -regextype TYPE means: whether it is an extended expression; None: Emacs's.
_REGEX_TYPES = {
    "emacs": None,
    "findutils-default": None,
    "ed": False,
    "grep": False,
    "sed": False,
    "posix-basic": False,
    "posix-minimal-basic": False,
    "egrep": True,
    "awk": True,
    "gnu-awk": True,
    "posix-awk": True,
    "posix-egrep": True,
    "posix-extended": True,
}

_WITHOUT_ARGUMENT = frozenset(
    [
        "-depth",
        "-d",
        "-xdev",
        "-mount",
        "-follow",
        "-daystart",
        "-noleaf",
        "-warn",
        "-nowarn",
        "-ignore_readdir_race",
        "-noignore_readdir_race",
        "-true",
        "-false",
        "-empty",
        "-readable",
        "-writable",
        "-executable",
        "-nouser",
        "-nogroup",
        "-print",
        "-print0",
        "-ls",
        "-prune",
        "-delete",
        "-quit",
        "-not",
        "-a",
        "-and",
        "-o",
        "-or",
    ]
)


def arity(word: str) -> int:
    """How many words of the command line belong to `word` as its arguments."""
    if not word.startswith("-") or word in _WITHOUT_ARGUMENT or len(word) < 2:
        return 0
    return 2 if word == "-fprintf" else 1


def test(expression: Expression, word: str) -> Test | None:
    """The test that `word` names; None when it is none."""
    from applets.findutils.find.expression import always

    if word in (
        "-depth",
        "-d",
        "-xdev",
        "-mount",
        "-follow",
        "-noleaf",
        "-warn",
        "-nowarn",
        "-ignore_readdir_race",
        "-noignore_readdir_race",
        "-true",
    ):
        return always(True)
    if word == "-false":
        return always(False)
    if word == "-daystart":
        expression.start_at_day()
        return always(True)
    if word in ("-maxdepth", "-mindepth", "-files0-from"):
        expression.argument(word)
        return always(True)
    if word == "-regextype":
        kind = expression.argument(word)
        if kind not in _REGEX_TYPES:
            raise UsageError(f"unknown regular expression type {kind!r}: {', '.join(_REGEX_TYPES)}")
        expression.regex_type = kind
        return always(True)
    if word in _NO_ARGUMENT:
        return _NO_ARGUMENT[word]
    if word in _WITH_ARGUMENT:
        return _WITH_ARGUMENT[word](expression, word, expression.argument(word))
    if word.startswith("-newer") and len(word) == 8:
        return _newer_xy(expression, word, expression.argument(word))
    return None


# -- numbers -------------------------------------------------------------------------------


def _comparison(name: str, text: str) -> tuple[str, float]:
    """`+`, `-` or `=`, and the number behind it."""
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("=", text)
    try:
        if not digits.replace(".", "", 1).isdecimal() or not digits.isascii() or len(digits) > 20:
            raise ValueError
        value = float(digits) if "." in digits else int(digits)
    except ValueError:
        raise UsageError(f"invalid argument {text!r} to {name!r}") from None
    return sign, value


def _compare(name: str, text: str) -> Callable[[float], bool]:
    sign, value = _comparison(name, text)
    if sign == "+":
        return lambda x: x > value
    if sign == "-":
        return lambda x: x < value
    return lambda x: x == value


def _status_number(field: str) -> Callable[[Expression, str, str], Test]:
    def make(expression: Expression, name: str, text: str) -> Test:
        fits = _compare(name, text)
        return lambda visit: fits(getattr(visit.status(), field))

    return make


def _size(expression: Expression, name: str, text: str) -> Test:
    unit = 512
    if text[-1:] in _UNITS:
        unit, text = _UNITS[text[-1]], text[:-1]
    fits = _compare(name, text)
    return lambda visit: fits(-(-visit.status().st_size // unit))


# -- times ---------------------------------------------------------------------------------


def _age(field: str, seconds: int) -> Callable[[Expression, str, str], Test]:
    def make(expression: Expression, name: str, text: str) -> Test:
        sign, value = _comparison(name, text)
        reference = expression.reference()
        whole_days = seconds == 86400
        # Days are whole ones that have passed (POSIX: the remainder is discarded);
        # minutes are counted up, as GNU find does.
        low = (value if whole_days else value - 1) * seconds
        high = low + seconds
        if sign == "+":
            limit = reference - (high if whole_days else value * seconds)
            if whole_days:
                return lambda visit: getattr(visit.status(), field) <= limit
            return lambda visit: getattr(visit.status(), field) < limit
        if sign == "-":
            limit = reference - value * seconds
            return lambda visit: getattr(visit.status(), field) > limit
        return lambda visit: low <= reference - getattr(visit.status(), field) < high

    return make


def _used(expression: Expression, name: str, text: str) -> Test:
    fits = _compare(name, text)

    def used(visit: Visit) -> bool:
        status = visit.status()
        return fits((status.st_atime - status.st_ctime) // 86400)

    return used


def _newer(field: str) -> Callable[[Expression, str, str], Test]:
    def make(expression: Expression, name: str, text: str) -> Test:
        return _newer_than(field, _stat(expression, text).st_mtime_ns)

    return make


def _newer_xy(expression: Expression, name: str, text: str) -> Test | None:
    x, y = name[6], name[7]
    if x not in _TIMES or (y not in _TIMES and y != "t"):
        return None
    if y != "t":
        return _newer_than(_TIMES[x], getattr(_stat(expression, text), _TIMES[y] + "_ns"))
    from toolbox.dates import parse

    return _newer_than(_TIMES[x], parse(text, expression.now))


def _newer_than(field: str, when: int) -> Test:
    exact = field + "_ns"
    return lambda visit: getattr(visit.status(), exact) > when


def _stat(expression: Expression, name: str) -> os.stat_result:
    return os.stat(name, follow_symlinks=expression.follow != "never")


# -- names ---------------------------------------------------------------------------------


def _name(expression: Expression, name: str, text: str) -> Test:
    from toolbox.patterns import matcher

    fits = matcher(text, ignore_case=name == "-iname")

    def test(visit: Visit) -> bool:
        name = visit.name
        if visit.level is None:
            # An operand may be a path, perhaps with slashes at the end.
            name = name.rstrip("/").rpartition("/")[2] or "/"
        return fits(name)

    return test


def _path(expression: Expression, name: str, text: str) -> Test:
    from toolbox.patterns import matcher

    fits = matcher(text, ignore_case=name in ("-ipath", "-iwholename"))
    return lambda visit: fits(visit.path)


def _link_name(expression: Expression, name: str, text: str) -> Test:
    from toolbox.patterns import matcher

    fits = matcher(text, ignore_case=name == "-ilname")

    def test(visit: Visit) -> bool:
        return visit.kind == stat.S_IFLNK and fits(os.readlink(visit.name, dir_fd=visit.dir_fd))

    return test


def _regex(expression: Expression, name: str, text: str) -> Test:
    from toolbox.regex import compile

    extended = _REGEX_TYPES[expression.regex_type]
    pattern = os.fsencode(text)
    if extended is None:
        pattern = _from_emacs(pattern)
    fits = compile(
        [pattern], extended=bool(extended), ignore_case=name == "-iregex", utf8=True, end=None
    ).fullmatch
    return lambda visit: fits(os.fsencode(visit.path))


def _from_emacs(pattern: bytes) -> bytes:
    r"""An Emacs expression as GNU's basic one: `+` and `?` repeat, `\+` and `\?` do not."""
    import re

    swap = {b"+": b"\\+", b"?": b"\\?", b"\\+": b"+", b"\\?": b"?"}
    token = re.compile(rb"\[\^?\]?[^]]*\]|\\.|[+?]", re.DOTALL)
    return token.sub(lambda found: swap.get(found[0], found[0]), pattern)


# -- types, modes, owners ------------------------------------------------------------------


def _type(expression: Expression, name: str, text: str) -> Test:
    letters = text.split(",") if "," in text else list(text)
    for letter in letters:
        if letter not in _TYPES:
            raise UsageError(f"unknown argument to {name}: {letter}")
    kinds = frozenset(_TYPES[letter] for letter in letters)
    if name == "-type":
        if len(kinds) == 1:
            (only,) = kinds
            return lambda visit: visit.kind == only
        return lambda visit: visit.kind in kinds
    return lambda visit: _other_kind(visit, expression.follow) in kinds


def _other_kind(visit: Visit, follow: str) -> int:
    """-xtype: of the target without -L, of the link itself with it."""
    if follow == "always":
        return stat.S_IFMT(visit.lstat().st_mode)
    if visit.kind != stat.S_IFLNK:
        return visit.kind
    try:
        return stat.S_IFMT(os.stat(visit.name, dir_fd=visit.dir_fd).st_mode)
    except OSError as error:
        if error.errno == errno.EACCES:
            raise
        return stat.S_IFLNK


def _perm(expression: Expression, name: str, text: str) -> Test:
    from toolbox.modes import Mode

    sign = text[0] if text[:1] in ("-", "/") else ""
    bits = Mode(text[len(sign) :]).apply(0, umask=0)
    if sign == "-":
        return lambda visit: visit.status().st_mode & bits == bits
    if sign == "/":
        return lambda visit: not bits or bool(visit.status().st_mode & bits)
    return lambda visit: visit.status().st_mode & 0o7777 == bits


def _access(mode: int) -> Test:
    return lambda visit: os.access(visit.name, mode, dir_fd=visit.dir_fd)


def _empty(visit: Visit) -> bool:
    kind = visit.kind
    if kind == stat.S_IFREG:
        return visit.status().st_size == 0
    if kind != stat.S_IFDIR:
        return False
    fd = os.open(visit.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=visit.dir_fd)
    try:
        with os.scandir(fd) as entries:
            return next(entries, None) is None
    finally:
        os.close(fd)


def _user(expression: Expression, name: str, text: str) -> Test:
    from toolbox.users import user_id

    uid = user_id(text)
    return lambda visit: visit.status().st_uid == uid


def _group(expression: Expression, name: str, text: str) -> Test:
    from toolbox.users import group_id

    gid = group_id(text)
    return lambda visit: visit.status().st_gid == gid


def _no_user(visit: Visit) -> bool:
    from toolbox.users import user_name

    return user_name(visit.status().st_uid) is None


def _no_group(visit: Visit) -> bool:
    from toolbox.users import group_name

    return group_name(visit.status().st_gid) is None


def _same_file(expression: Expression, name: str, text: str) -> Test:
    wanted = _stat(expression, text)
    key = (wanted.st_dev, wanted.st_ino)

    def test(visit: Visit) -> bool:
        status = visit.status()
        return (status.st_dev, status.st_ino) == key

    return test


def _fstype(expression: Expression, name: str, text: str) -> Test:
    from toolbox.mount_points import kinds_by_device

    known = kinds_by_device()
    return lambda visit: known.get(visit.status().st_dev, "unknown") == text


def _context(expression: Expression, name: str, text: str) -> Test:
    raise Fatal("-context: there are no security contexts here")


_NO_ARGUMENT: dict[str, Test] = {
    "-empty": _empty,
    "-readable": _access(os.R_OK),
    "-writable": _access(os.W_OK),
    "-executable": _access(os.X_OK),
    "-nouser": _no_user,
    "-nogroup": _no_group,
}

_WITH_ARGUMENT: dict[str, Callable[[Expression, str, str], Test]] = {
    "-name": _name,
    "-iname": _name,
    "-path": _path,
    "-wholename": _path,
    "-ipath": _path,
    "-iwholename": _path,
    "-lname": _link_name,
    "-ilname": _link_name,
    "-regex": _regex,
    "-iregex": _regex,
    "-type": _type,
    "-xtype": _type,
    "-amin": _age("st_atime", 60),
    "-cmin": _age("st_ctime", 60),
    "-mmin": _age("st_mtime", 60),
    "-atime": _age("st_atime", 86400),
    "-ctime": _age("st_ctime", 86400),
    "-mtime": _age("st_mtime", 86400),
    "-used": _used,
    "-newer": _newer("st_mtime"),
    "-anewer": _newer("st_atime"),
    "-cnewer": _newer("st_ctime"),
    "-size": _size,
    "-perm": _perm,
    "-user": _user,
    "-group": _group,
    "-uid": _status_number("st_uid"),
    "-gid": _status_number("st_gid"),
    "-links": _status_number("st_nlink"),
    "-inum": _status_number("st_ino"),
    "-samefile": _same_file,
    "-fstype": _fstype,
    "-context": _context,
}

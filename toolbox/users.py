"""Names of users and groups, by pwd and grp, each number looked up once.

names = Names()
names.user(0)        "root"; the number as text when it has no name
user_id("root")      0; a number is taken as it is when no user bears it as a name
"""

from __future__ import annotations

from toolbox.errors import Fatal

#: The largest id; the one above it means "leave alone" to chown(2).
_MOST = 2**32 - 2


class Names:
    """A cache of names by number, for one run of an applet."""

    __slots__ = ("_groups", "_users")

    def __init__(self) -> None:
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def user(self, uid: int) -> str:
        """The name of a user, else the number in digits."""
        name = self._users.get(uid)
        if name is None:
            name = self._users[uid] = user_name(uid) or str(uid)
        return name

    def group(self, gid: int) -> str:
        """The name of a group, else the number in digits."""
        name = self._groups.get(gid)
        if name is None:
            name = self._groups[gid] = group_name(gid) or str(gid)
        return name


def user_name(uid: int) -> str | None:
    """The name of a user; None when the user database has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def group_name(gid: int) -> str | None:
    """The name of a group; None when the group database has none."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def user_id(text: str) -> int:
    """The number of a user given by name or number (`+5` is always a number).  Fatal when there is none."""
    import pwd

    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        return _number(text, "user")


def group_id(text: str) -> int:
    """The number of a group given by name or number (`+5` is always a number).  Fatal when there is none."""
    import grp

    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        return _number(text, "group")


def _number(text: str, what: str) -> int:
    digits = text.removeprefix("+")
    plain = digits.isascii() and digits.isdecimal() and len(digits.lstrip("0")) < 11
    if not plain or int(digits) > _MOST:
        raise Fatal(f"invalid {what}: {text!r}")
    return int(digits)

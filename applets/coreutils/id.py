"""id [-agGnruz] [USER]...

Print user and groups of this process, or of each USER.

  -u, --user    only the user id
  -g, --group   only the group id
  -G, --groups  only the ids of all groups
  -n, --name    names instead of numbers, with -u, -g, -G
  -r, --real    the real id instead of the effective one, with -u, -g, -G
  -z, --zero    separate by NULs, with -u, -g, -G
  -a            ignored
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError, warn
from toolbox.options import Options
from toolbox.streams import stdout
from toolbox.users import group_name, user_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.options import Values

options = Options(__doc__)


class Identity:
    """Whose ids are shown: of a named user all are the same, of a process they may differ."""

    def __init__(self, name: str | None) -> None:
        if name is None:
            self.uid, self.euid = os.getuid(), os.geteuid()
            self.gid, self.egid = os.getgid(), os.getegid()
            others = os.getgroups()
        else:
            import pwd

            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                digits = name.removeprefix("+")
                known = digits.isascii() and digits.isdecimal() and len(digits) < 12
                number = int(digits) if known else -1
                try:
                    entry = pwd.getpwuid(number)
                except (KeyError, OverflowError):
                    raise Fatal(f"{name!r}: no such user") from None
            self.uid = self.euid = entry.pw_uid
            self.gid = self.egid = entry.pw_gid
            others = os.getgrouplist(entry.pw_name, entry.pw_gid)
        # The effective group comes first, each once (POSIX).
        self.groups = list(dict.fromkeys([self.egid, *others]))


def main(argv: list[str]) -> int:
    """POSIX XCU id."""
    opt, operands = options.parse(argv)
    chosen = [kind for kind in ("user", "group", "groups") if getattr(opt, kind)]
    if len(chosen) > 1:
        raise UsageError("cannot print only one of several: choose -u, -g or -G")
    if not chosen and (opt.name or opt.real or opt.zero):
        raise UsageError("cannot print only names or real IDs in default format")
    out = stdout()
    for name in operands or [""]:
        try:
            who = Identity(name if operands else None)
        except Fatal as error:
            warn(str(error))
            continue
        out.write(os.fsencode(text(who, chosen[0] if chosen else None, opt, len(operands) > 1)))
    return 0


def text(who: Identity, kind: str | None, opt: Values, several: bool) -> str:
    """What is printed of one identity: `kind` is user, group, groups, or None for all of it."""
    if kind is None:
        return everything(who) + "\n"
    numbers = {
        "user": [who.uid if opt.real else who.euid],
        "group": [who.gid if opt.real else who.egid],
        "groups": who.groups,
    }[kind]
    lookup = user_name if opt.user else group_name
    words = [named(n, lookup(n)) if opt.name else str(n) for n in numbers]
    if not opt.zero:
        return " ".join(words) + "\n"
    # Where several users' groups follow each other, an empty word ends each (GNU).
    return "".join(word + "\0" for word in words) + ("\0" if several and opt.groups else "")


def named(number: int, name: str | None) -> str:
    """The name; without one the number, and a warning."""
    if name is None:
        warn(f"cannot find name for ID {number}")
    return str(number) if name is None else name


def everything(who: Identity) -> str:
    """uid=0(root) gid=0(root) [euid= egid=] groups=0(root),..."""
    parts = [
        f"uid={_both(who.uid, user_name(who.uid))}",
        f"gid={_both(who.gid, group_name(who.gid))}",
    ]
    if who.euid != who.uid:
        parts.append(f"euid={_both(who.euid, user_name(who.euid))}")
    if who.egid != who.gid:
        parts.append(f"egid={_both(who.egid, group_name(who.egid))}")
    groups = ",".join(_both(g, group_name(g)) for g in who.groups)
    return " ".join([*parts, f"groups={groups}"])


def _both(number: int, name: str | None) -> str:
    return f"{number}({name})" if name else str(number)

"""A process takes on what a service's settings say: resource limits, user and groups, capabilities.

init's child does this before its program takes over, and `service exec` before it runs a command as the service's.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Where programs are looked for when the service's environment does not say.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StepError(Exception):
    """A step of the child that failed for a reason that is no OSError."""


class Account:
    """The user that is become, as numbers; None: stay who we are.  home: "/" without an entry in /etc/passwd."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    name: str | None = None
    home = "/"


def account(user: str | int | None, group: str | int | None) -> Account:
    """The numbers of a user and a group, from /etc/passwd and /etc/group.  StepError when there is none of the name."""
    found = Account()
    if user is not None:
        import pwd

        try:
            entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
        except KeyError:
            if not isinstance(user, int):
                raise StepError(f"there is no user {user!r}") from None
            found.uid = found.gid = user
            found.groups = []
        else:
            found.uid, found.gid = entry.pw_uid, entry.pw_gid
            found.name, found.home = entry.pw_name, entry.pw_dir
            found.groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    if group is not None:
        found.gid = _group(group)
        found.groups = found.groups or [found.gid]
    if os.geteuid() != 0:
        # On a developer's machine everything runs as the developer; asking for that is no error.
        if found.uid in (None, os.geteuid()) and found.gid in (None, os.getegid()):
            found.uid = found.gid = found.groups = None
        else:
            raise StepError("only root can change the user")
    return found


def _group(group: str | int) -> int:
    if isinstance(group, int):
        return group
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise StepError(f"there is no group {group!r}") from None


def limit(limits: Mapping[str, Iterable[int]]) -> None:
    """Set resource limits (setrlimit(2)): name -> (soft, hard).  StepError names one that cannot be set."""
    import resource

    for name, (soft, hard) in limits.items():
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (soft, hard))
        except (AttributeError, ValueError, OSError) as error:
            raise StepError(f"{name}: {error}") from error


def become(account: Account, capabilities: Iterable[str] | None, step: list[str]) -> None:
    """Become the user, with these capabilities alone; None: with those that the user has.

    step: gets the name of what is being done.  OSError as setresuid(2), capset(2) and their like
    """
    step[0] = "user"
    if account.groups is not None:
        os.setgroups(account.groups)
    if account.gid is not None:
        os.setresgid(account.gid, account.gid, account.gid)
    step[0] = "capabilities"
    if capabilities is not None:
        from toolbox.linux.capability import become_with

        # Changing the user and keeping capabilities are one act (capabilities(7), securebits).
        become_with(capabilities, account.uid)
    elif account.uid is not None:
        step[0] = "user"
        os.setresuid(account.uid, account.uid, account.uid)

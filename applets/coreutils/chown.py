"""chown [-cfhRvHLP] OWNER[:[GROUP]] FILE...
chown [-cfhRvHLP] [--reference=FILE] FILE...

Change the owner and the group of files. The first operand is OWNER, OWNER:GROUP,
OWNER: (with the owner's own group) or :GROUP.
As chgrp: `chgrp GROUP FILE...`.

  -R, --recursive  all files below directories, too
  -h, --no-dereference  change links themselves
      --dereference  change what links point to (usual)
      --from=OWNER:GROUP  only files that are theirs now
      --reference=FILE  the owner and group of FILE
  -H               with -R follow links to directories among the FILEs
  -L               ... all links to directories
  -P               ... none (usual)
  -c, --changes    print what was changed
  -v, --verbose    print each file
  -f, --silent, --quiet  no messages about files that cannot be changed
      --preserve-root  refuse to change all below /
      --no-preserve-root  do not (usual)
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import Fatal, UsageError, current, warn
from toolbox.options import Options, Values
from toolbox.streams import stdout
from toolbox.users import Names, group_id, user_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.walk import Visit

options = Options(__doc__)

#: chown(2): leave it alone.
_ALONE = -1


def main(argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    opt, operands = options.parse(argv)
    if opt.reference is not None:
        status = os.stat(opt.reference)
        uid, gid = status.st_uid, status.st_gid
        if name == "chgrp":
            uid = _ALONE
    else:
        spec = operands.pop(0)
        if not operands:
            raise UsageError(f"missing operand after {spec!r}")
        uid, gid = (_ALONE, group_id(spec) if spec else _ALONE) if name == "chgrp" else owner(spec)
    changer = _Changer(opt, uid, gid, name)
    for file in operands:
        changer.operand(file)
    return 0


def owner(text: str) -> tuple[int, int]:
    """The numbers in OWNER:GROUP; -1 for what is not given.  Fatal for an unknown name."""
    user, colon, group = text.partition(":")
    if not colon and "." in text:
        # The old separator, unless it is part of the name.
        try:
            return user_id(text), _ALONE
        except Fatal:
            user, colon, group = text.partition(".")
            if not user:
                raise
    uid = user_id(user) if user else _ALONE
    if colon and user and not group:
        import pwd

        try:
            return uid, pwd.getpwuid(uid).pw_gid
        except KeyError:
            raise Fatal(f"invalid spec: {text!r}") from None
    return uid, group_id(group) if group else _ALONE


class _Changer:
    def __init__(self, opt: Values, uid: int, gid: int, applet: str) -> None:
        self.opt = opt
        self.uid = uid
        self.gid = gid
        self.what = "group" if applet == "chgrp" else "ownership"
        self.only = owner(opt.__dict__["from"]) if opt.__dict__["from"] is not None else None
        self.links = opt.last("no_dereference", "dereference") == "no_dereference"
        if opt.recursive and opt.last("H", "L", "P") in (None, "P"):
            # A walk that follows no link changes no link's target either.
            self.links = True
        self.names = Names()

    def operand(self, name: str) -> None:
        """Change one operand, and with -R what is below."""
        from toolbox.walk import Visit, walk

        opt = self.opt
        if not opt.recursive:
            self._change(Visit(name, 0, None, 0, not self.links))
            return
        which = opt.last("H", "L", "P")
        follow = {"H": "top", "L": "always"}.get(which or "P", "never")
        if opt.last("preserve_root", "no_preserve_root") == "preserve_root" and (
            os.path.samestat(os.stat(name), os.stat("/"))
        ):
            raise Fatal(f"it is dangerous to operate recursively on {name!r}")
        for visit in walk(name, follow=follow, failed=self._failed):
            # A directory last: we may lose the right to go into it.
            if visit.is_directory and not visit.leaving:
                continue
            self._change(visit)

    def _failed(self, error: OSError) -> None:
        if self.opt.silent:
            current().status = max(current().status, 1)
        else:
            warn(f"cannot access {error.filename!r}: {error.strerror}")

    def _change(self, visit: Visit) -> None:
        try:
            # Without -h what a link points to is changed, also where the walk does not follow it.
            status = os.stat(visit.name, dir_fd=visit.dir_fd, follow_symlinks=not self.links)
        except OSError as error:
            dangling = visit.kind == stat.S_IFLNK and not self.links
            if self.opt.silent:
                current().status = max(current().status, 1)
            elif dangling:
                warn(f"cannot dereference {visit.path!r}: {error.strerror}")
            else:
                warn(f"cannot access {visit.path!r}: {error.strerror}")
            return
        if self.only and (
            self.only[0] not in (_ALONE, status.st_uid)
            or self.only[1] not in (_ALONE, status.st_gid)
        ):
            return
        try:
            os.chown(
                visit.name, self.uid, self.gid, dir_fd=visit.dir_fd, follow_symlinks=not self.links
            )
        except OSError as error:
            if self.opt.silent:
                current().status = max(current().status, 1)
            else:
                warn(f"changing {self.what} of {visit.path!r}: {error.strerror}")
            return
        self._tell(visit.path, status)

    def _tell(self, path: str, status: os.stat_result) -> None:
        if not (self.opt.changes or self.opt.verbose):
            return
        new = (
            status.st_uid if self.uid == _ALONE else self.uid,
            status.st_gid if self.gid == _ALONE else self.gid,
        )
        old = (status.st_uid, status.st_gid)
        if old != new:
            text = (
                f"changed {self.what} of {path!r} from {self._shown(old)} to {self._shown(new)}\n"
            )
        elif self.opt.verbose and not self.opt.changes:
            text = f"{self.what} of {path!r} retained as {self._shown(old)}\n"
        else:
            return
        stdout().write(os.fsencode(text))

    def _shown(self, ids: tuple[int, int]) -> str:
        uid, gid = ids
        if self.what == "group" or self.uid == _ALONE:
            group = self.names.group(gid)
            return group if self.what == "group" else f":{group}"
        user = self.names.user(uid)
        return user if self.gid == _ALONE else f"{user}:{self.names.group(gid)}"

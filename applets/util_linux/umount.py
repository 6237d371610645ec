"""umount [-AcdfilnqRrv] [-t TYPES] SOURCE-OR-DIRECTORY...
umount -a [-fnrv] [-t TYPES] [-O OPTIONS]

Unmount file systems.

  -a, --all            all of them, the last one first, but /, /proc, /sys and /dev
  -A, --all-targets    wherever the device is mounted
  -R, --recursive      with all that is mounted below
  -l, --lazy           take it out of sight now, let go of it when nobody uses it any more
  -f, --force          even though the server does not answer (NFS)
  -r, --read-only      when it is in use, make it read-only
  -d, --detach-loop    free its loop device
  -t, --types=TYPES    only these (noTYPE: not these)
  -O, --test-opts=OPTIONS  only with these options
  -c, --no-canonicalize  take names as they are
  -n, --no-mtab        nothing
  -i, --internal-only  nothing
      --fake           all but the system call
  -q, --quiet          say nothing when it is not mounted
  -v, --verbose        say what is done

Status 32: it failed.
"""

from __future__ import annotations

import errno
import os

from toolbox.errors import UsageError, warn
from toolbox.linux import mount as door
from toolbox.mount_points import is_below
from toolbox.options import Options, Values
from toolbox.streams import stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.linux.mount import Mount

alters_process = True
options = Options(__doc__)

FAILED = 32

#: What -a leaves alone: without it the rest of the shutdown would not find its way.
_KEPT = ("proc", "sysfs", "devtmpfs", "devfs", "devpts", "rpc_pipefs", "nfsd", "rootfs")


def main(argv: list[str]) -> int:
    opt, names = options.parse(argv)
    if opt.all:
        if names:
            raise UsageError(f"extra operand {names[0]!r}")
        chosen = [one for one in reversed(door.mounts()) if one.kind not in _KEPT]
        for one in chosen:
            if one.target != "/" and _fits(one, opt):
                _unmount(one.target, one, opt)
        return 0
    if not names:
        raise UsageError("missing operand")
    for name in names:
        _unmount_named(name, opt)
    return 0


def _fits(one: Mount, opt: Values) -> bool:
    if opt.types is not None:
        inverted = opt.types.startswith("no")
        kinds = [kind.removeprefix("no") for kind in opt.types.split(",")]
        if (one.kind in kinds) == inverted:
            return False
    present = one.all_options.split(",")
    return opt.test_opts is None or all(word in present for word in opt.test_opts.split(","))


def _unmount_named(name: str, opt: Values) -> None:
    try:
        mounts = door.mounts()
    except OSError:
        # No /proc: the kernel knows what is mounted there.
        _unmount(name, None, opt)
        return
    path = name if opt.no_canonicalize else os.path.realpath(name)
    here = [one for one in mounts if path == one.target]
    if not here or opt.all_targets:
        source = here[-1].source if here else path
        found = [one for one in mounts if one.source in (source, name)]
        if not found and os.path.isfile(path):
            from toolbox.linux.loop import file_of

            found = [one for one in mounts if file_of(one.source) == path]
        here = found if opt.all_targets else found[-1:]
    if not here:
        if not opt.quiet:
            missing = not os.path.lexists(name)
            warn(f"{name}: {'no mount point specified' if missing else 'not mounted'}.", FAILED)
        else:
            warn_quietly(FAILED)
        return
    for one in reversed(here) if opt.all_targets else here[-1:]:
        if opt.recursive:
            below = [m for m in mounts if m is not one and is_below(m.target, one.target)]
            for other in reversed(below):
                if _depends(other, one, mounts):
                    _unmount(other.target, other, opt)
        if _fits(one, opt):
            _unmount(one.target, one, opt)


def _depends(one: Mount, top: Mount, mounts: list[Mount]) -> bool:
    """Whether a mount hangs below another, directly or through others."""
    parents = {m.id: m.parent for m in mounts}
    at = one.id
    for _ in mounts:
        if at == top.id:
            return True
        at = parents.get(at, 0)
    return False


def warn_quietly(status: int) -> None:
    """Make the status what it must be, without a word."""
    from toolbox.errors import current

    run = current()
    run.status = max(run.status, status)


def _unmount(target: str, one: Mount | None, opt: Values) -> None:
    flags = (door.MNT_DETACH if opt.lazy else 0) | (door.MNT_FORCE if opt.force else 0)
    try:
        if not opt.fake:
            door.umount(target, flags)
    except OSError as error:
        if error.errno == errno.EBUSY and opt.read_only and one is not None:
            bits, _ = door.parse_options([*one.options.split(","), "ro"])
            try:
                door.mount(one.source, target, "", bits | door.MS_REMOUNT)
            except OSError as second:
                warn(f"{target}: {second.strerror}.", FAILED)
                return
            if opt.verbose:
                _say(f"{target} busy - remounted read-only")
            return
        if error.errno in (errno.EINVAL, errno.ENOENT) and opt.quiet:
            warn_quietly(FAILED)
            return
        words_of = {
            errno.EBUSY: "target is busy",
            errno.EINVAL: "not mounted",
            errno.ENOENT: "no mount point specified",
            errno.EPERM: "must be superuser to unmount",
        }
        warn(f"{target}: {words_of.get(error.errno or 0, error.strerror)}.", FAILED)
        return
    if opt.detach_loop and one is not None and one.source.startswith("/dev/loop"):
        from toolbox.linux import loop

        try:
            loop.detach(one.source)
        except OSError as error:
            if error.errno != errno.ENXIO:  # it has vanished with its last user
                raise
    if opt.verbose:
        _say(f"{target} unmounted")


def _say(text: str) -> None:
    stdout().write(os.fsencode(f"umount: {text}\n"))

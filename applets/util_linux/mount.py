"""mount [-lv] [-t TYPES]
mount -a [-fFv] [-t TYPES] [-O OPTIONS] [-T FSTAB]
mount [-BMRcfilmnrvw] [-o OPTIONS] [-t TYPE] [SOURCE] [DIRECTORY]

Mount a file system, or show what is mounted.

  -a, --all            what stands in /etc/fstab, but what is marked noauto or is mounted already
  -t, --types=TYPES    the type; when listing and with -a only these (noTYPE: not these)
  -o, --options=OPTIONS...  separated by commas: ro, remount, bind, loop...
  -O, --test-opts=OPTIONS  with -a only entries with these options
  -r, --read-only      the same as -o ro
  -w, --rw, --read-write  the same as -o rw (usual)
  -B, --bind           SOURCE, a directory or file, is to be seen at DIRECTORY too
  -R, --rbind          the same with all that is mounted below it
  -M, --move           what is mounted at SOURCE moves to DIRECTORY
      --make-shared    mounts below show in copies of this mount
      --make-slave     mounts of the copied one show here, not the other way
      --make-private   neither
      --make-unbindable  and it cannot be bound
      --make-rshared   the same for all mounts below
      --make-rslave    the same for all mounts below
      --make-rprivate  the same for all mounts below
      --make-runbindable  the same for all mounts below
  -L, --label=LABEL    the file system, or partition, of this label
  -U, --uuid=UUID      the file system of this id
      --source=SOURCE  what to mount
      --target=DIRECTORY  where to mount it
  -m, --mkdir[=MODE]   make DIRECTORY when it is not there
  -f, --fake           all but the system call
  -F, --fork           nothing
  -l, --show-labels    labels, in the list
  -T, --fstab=FILE     instead of /etc/fstab
  -i, --internal-only  do not run mount.TYPE
  -n, --no-mtab        nothing
  -s                   nothing
  -c, --no-canonicalize  take names as they are
  -v, --verbose        say what is done

SOURCE may be LABEL=, PARTLABEL=, UUID= or PARTUUID=.
Status 1: wrong use or no right; 32: it failed; 64: with -a, some failed.
"""

from __future__ import annotations

import errno
import os
import stat

from toolbox import fstab
from toolbox.errors import Fatal, UsageError, describe, warn
from toolbox.linux import mount as door
from toolbox.options import Options, Values
from toolbox.streams import stdout

alters_process = True
options = Options(__doc__)

FAILED, SOME_FAILED = 32, 64

#: Words for mount(8), init and others, not for the kernel.
_OURS = (
    *("auto", "noauto", "nofail", "nouser", "owner", "group", "_netdev", "uhelper", "helper"),
    *("comment", "loop", "offset", "sizelimit"),
)
_USERS = {"user": "noexec,nosuid,nodev", "users": "noexec,nosuid,nodev"}
_PROPAGATION = ("shared", "slave", "private", "unbindable")


def main(argv: list[str]) -> int:
    opt, words = options.parse(argv)
    source = opt.source
    if opt.label is not None:
        source = f"LABEL={opt.label}"
    elif opt.uuid is not None:
        source = f"UUID={opt.uuid}"
    target = opt.target
    if source is not None and words:
        target = words.pop(0)
    if opt.all:
        return _mount_all(opt)
    own = _given_options(opt)
    if len(words) == 2 and source is None and target is None:
        source, target = words
        words = []
    elif words and target is None:
        target = words.pop(0)
    elif words and source is None:
        source = words.pop(0)
    if words:
        raise UsageError(f"extra operand {words[0]!r}")
    if target is None and source is None:
        if own:
            raise UsageError("no mount point specified")
        return _list(opt)
    if source is None or target is None:
        source, target, kind, own = _look_up(source or target or "", own, opt)
    else:
        kind = ""
    return 0 if _mount(source, target, opt.types or kind, own, opt) else FAILED


def _given_options(opt: Values) -> list[str]:
    words = [word for text in opt.options for word in _split(text)]
    if opt.last("read_only", "rw") == "read_only":
        words.append("ro")
    elif opt.rw:
        words.append("rw")
    words += [word for word in ("bind", "rbind", "move") if getattr(opt, word)]
    for word in _PROPAGATION:
        if getattr(opt, f"make_{word}"):
            words.append(word)
        if getattr(opt, f"make_r{word}"):
            words.append(f"r{word}")
    if opt.mkdir is not None:
        words.append("X-mount.mkdir" + (f"={opt.mkdir}" if opt.mkdir else ""))
    return words


def _split(text: str) -> list[str]:
    """Words at commas, but not at those in quotes (a SELinux context)."""
    words, quoted = [""], False
    for c in text:
        if c == '"':
            quoted = not quoted
        if c == "," and not quoted:
            words.append("")
        else:
            words[-1] += c
    return [word for word in words if word]


# -- the list -------------------------------------------------------------------------------------


def _list(opt: Values) -> int:
    out = stdout()
    for one in door.mounts():
        if opt.types is not None and not _is_type(one.kind, opt.types):
            continue
        line = f"{one.source or 'none'} on {one.target} type {one.kind} ({one.all_options})"
        if opt.show_labels and one.source.startswith("/dev/"):
            from toolbox.linux.blockdev import probe

            try:
                found = probe(one.source)
            except OSError:
                found = None
            line += f" [{found.label}]" if found is not None and found.label else ""
        out.write(os.fsencode(line) + b"\n")
    return 0


def _is_type(kind: str, wanted: str) -> bool:
    """mount -t's list: `ext4,vfat`, or `noproc,sysfs` for all but those."""
    inverted = wanted.startswith("no")
    names = wanted.removeprefix("no").split(",")
    return (kind in [name.removeprefix("no") for name in names]) != inverted


# -- fstab ----------------------------------------------------------------------------------------


def _look_up(name: str, own: list[str], opt: Values) -> tuple[str, str, str, list[str]]:
    """Source, directory, type and options for a single operand: from what is mounted, and fstab."""
    changing = any(word in ("remount", *_PROPAGATION) or word[1:] in _PROPAGATION for word in own)
    plain = os.path.realpath(name) if os.path.exists(name) else name
    entries = fstab.read(opt.fstab or fstab.PATH)
    entry = next((e for e in entries if e.target.rstrip("/") == plain.rstrip("/")), None)
    entry = entry or next((e for e in entries if name in (e.source, e.target)), None)
    if changing:
        for one in reversed(door.mounts()):
            if plain in (one.target, one.source):
                # The kernel forgets flags that are not named again.
                kept = one.options.split(",") if "remount" in own else []
                source = one.source if "remount" in own else "none"
                return source, one.target, "", [*kept, *own]
        if entry is None:
            raise Fatal(f"{name}: mount point not mounted or bad option.", FAILED)
    if entry is None:
        raise Fatal(f"{name}: can't find in {opt.fstab or fstab.PATH}.", 1)
    return entry.source, entry.target, entry.kind, [*entry.options, *own]


def _mount_all(opt: Values) -> int:
    own = _given_options(opt)
    try:
        targets = {one.target for one in door.mounts()}
    except FileNotFoundError:
        targets = set()  # /proc is one of those to be mounted
    done = failed = 0
    for entry in fstab.read(opt.fstab or fstab.PATH):
        if entry.kind in ("swap", "ignore", "none") and "bind" not in entry.options:
            continue
        if "noauto" in entry.options or entry.target == "/":
            continue
        if opt.types is not None and not _is_type(entry.kind, opt.types):
            continue
        if opt.test_opts is not None and not _has_options(entry.options, opt.test_opts):
            continue
        if os.path.realpath(entry.target) in targets:
            if opt.verbose:
                _say(f"{entry.target:<25}: already mounted")
            continue
        if _mount(entry.source, entry.target, entry.kind, [*entry.options, *own], opt):
            done += 1
        else:
            failed += 1
    if not failed:
        return 0
    return SOME_FAILED if done else FAILED


def _has_options(present: list[str], wanted: str) -> bool:
    return all(
        (word.removeprefix("no") not in present) if word.startswith("no") else word in present
        for word in wanted.split(",")
    )


# -- mounting -------------------------------------------------------------------------------------


def _mount(source: str, target: str, kind: str, words: list[str], opt: Values) -> bool:
    """Mount; False after a warning.  With `nofail` a source that is not there is no failure."""
    words, extra, propagation = _sort_words(words)
    flags, data = door.parse_options(words)
    try:
        found = _resolve(source)
    except Fatal as error:
        if "nofail" in extra:
            return True
        warn(f"{target}: {error}", 0)
        return False
    _make_directory(target, extra)
    if not opt.no_canonicalize:
        target = os.path.realpath(target)
        if flags & (door.MS_BIND | door.MS_MOVE):
            found = os.path.realpath(found)
        elif not flags & door.MS_REMOUNT and not _is_without_device(kind) and os.path.exists(found):
            found = os.path.realpath(found)  # the device, not /dev/disk/by-label/...
    done = "bound" if flags & door.MS_BIND else "moved" if flags & door.MS_MOVE else "mounted"
    if opt.fake:
        if opt.verbose:
            _say(f"{found} {done} on {target}.")
        return True
    loop = -1
    try:
        if flags & (door.MS_BIND | door.MS_MOVE | door.MS_REMOUNT):
            _rearrange(found, target, flags, data)
        elif propagation and not kind and source in ("none", target):
            pass  # only what follows
        elif opt.internal_only or not _helper(kind, found, target, words):
            device = found
            if not _is_without_device(kind) and _wants_loop(found, extra):
                device, loop, flags = _loop(found, target, extra, flags)
            _try_types(device, target, kind, flags, data)
        for flag in propagation:
            door.mount("none", target, "", flag)
    except OSError as error:
        if "nofail" in extra and error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
            return True
        warn(_explain(error, found, target, kind), 0)
        return False
    except Fatal as error:
        warn(f"{target}: {error}", 0)
        return False
    finally:
        if loop >= 0:
            os.close(loop)
    if opt.verbose:
        _say(f"{found} {done} on {target}.")
    return True


def _sort_words(words: list[str]) -> tuple[list[str], dict[str, str], list[int]]:
    """The words for the kernel, those for us, and the changes of propagation to make afterwards."""
    kernel: list[str] = []
    ours: dict[str, str] = {}
    propagation = []
    for word in words:
        name, _, value = word.partition("=")
        if name in _USERS:
            kernel += _USERS[name].split(",")
        elif name in _OURS or name.startswith(("x-", "X-")):
            ours[name] = value
        elif name.removeprefix("r") in _PROPAGATION and not value:
            propagation.append(door.OPTIONS[name][0])
        else:
            kernel.append(word)
    return kernel, ours, propagation


def _resolve(source: str) -> str:
    """The device of LABEL=..., UUID=...; anything else is itself."""
    tag, equals, value = source.partition("=")
    if not equals or tag not in ("LABEL", "PARTLABEL", "UUID", "PARTUUID"):
        return source
    from toolbox.linux import blockdev

    value = value.strip('"')
    if tag == "UUID":
        found = blockdev.find_by_uuid(value)
    elif tag == "PARTUUID":
        found = blockdev.find_by_partition_uuid(value)
    elif tag == "PARTLABEL":
        found = blockdev.find_by_partition_label(value)
    else:
        found = blockdev.find_by_label(value)
    if found is None:
        raise Fatal(f"can't find {source}.", FAILED)
    return found


def _make_directory(target: str, extra: dict[str, str]) -> None:
    mode = extra.get("X-mount.mkdir", extra.get("x-mount.mkdir"))
    if mode is None or os.path.isdir(target):
        return
    try:
        bits = int(mode or "755", 8)
    except ValueError:
        raise UsageError(f"invalid mode: {mode!r}") from None
    os.makedirs(target, bits)


def _rearrange(source: str, target: str, flags: int, data: str) -> None:
    """Bind, move or remount.  A bind mount takes its flags only from a remount of its own."""
    if flags & door.MS_REMOUNT:
        door.mount(source, target, "", flags, data)
        return
    way = flags & (door.MS_BIND | door.MS_MOVE | door.MS_REC)
    door.mount(os.path.realpath(source), target, "", way)
    rest = flags & ~way
    if flags & door.MS_BIND and rest:
        door.mount("none", target, "", rest | door.MS_BIND | door.MS_REMOUNT)


def _helper(kind: str, source: str, target: str, words: list[str]) -> bool:
    """Run mount.TYPE for a type that has one; False when there is none."""
    program = f"/sbin/mount.{kind.partition('.')[0]}"
    if not kind or "," in kind or kind == "auto" or not os.access(program, os.X_OK):
        return False
    from toolbox.spawn import spawn, wait

    status = wait(spawn([program, source, target, *(["-o", ",".join(words)] if words else [])]))
    if status:
        raise OSError(errno.EIO, f"{program} failed with status {status}")
    return True


def _is_without_device(kind: str) -> bool:
    """Whether the source of this type of file system is only a name (tmpfs, proc, nfs...)."""
    if not kind or kind == "auto":
        return False
    return f"nodev\t{kind}" in _known_types()


def _known_types() -> list[str]:
    """The lines of /proc/filesystems; none before /proc itself is mounted."""
    try:
        with open("/proc/filesystems", "rb") as file:
            return os.fsdecode(file.read()).splitlines()
    except FileNotFoundError:
        return []


def _wants_loop(source: str, extra: dict[str, str]) -> bool:
    """Whether the source is a file, that is mounted through a loop device."""
    try:
        return stat.S_ISREG(os.stat(source).st_mode)
    except OSError:
        if "loop" in extra:
            raise
        return False


def _loop(source: str, target: str, extra: dict[str, str], flags: int) -> tuple[str, int, int]:
    """A loop device for a file: its name, a descriptor that keeps it, and the flags to mount with."""
    from toolbox.linux.loop import attach
    from toolbox.options import number

    offset = number(extra.get("offset") or "0", "offset")
    size = number(extra.get("sizelimit") or "0", "sizelimit")
    try:
        if not flags & door.MS_RDONLY:
            try:
                return (*attach(source, offset=offset, size=size), flags)
            except OSError as error:
                if error.errno not in (errno.EROFS, errno.EACCES, errno.ETXTBSY):
                    raise
                warn(f"{target}: WARNING: source write-protected, mounted read-only.", 0)
        device, fd = attach(source, offset=offset, size=size, read_only=True)
    except OSError as error:
        raise Fatal(f"failed to set up a loop device for {source}: {describe(error)}.") from None
    return device, fd, flags | door.MS_RDONLY


def _try_types(source: str, target: str, kinds: str, flags: int, data: str) -> None:
    """Mount with the type that fits.  A write-protected device is mounted read-only, with a warning."""
    last: OSError | None = None
    for kind in _candidates(source, kinds):
        try:
            door.mount(source, target, kind, flags, data)
            return
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES) and not flags & door.MS_RDONLY:
                door.mount(source, target, kind, flags | door.MS_RDONLY, data)
                warn(f"{target}: WARNING: source write-protected, mounted read-only.", 0)
                return
            if error.errno not in (errno.EINVAL, errno.ENODEV):
                raise
            if last is None or error.errno == errno.EINVAL:
                last = error
    if last is None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), target)
    raise last


def _candidates(source: str, kinds: str) -> list[str]:
    """The types to try: those given, else what is on the device, else all that the kernel knows."""
    if kinds and kinds != "auto" and not kinds.startswith("no"):
        return kinds.split(",")
    from toolbox.linux.blockdev import probe

    if os.path.exists(source):
        found = probe(source)
        if found is not None:
            return [found.kind]
    known = [line.strip() for line in _known_types() if not line.startswith("nodev")]
    return [kind for kind in known if not kinds.startswith("no") or _is_type(kind, kinds)]


#: Where the kernel says what it doesn't tell by an error number.
_HINT = "\n       dmesg(1) may have more information after failed mount system call."


def _explain(error: OSError, source: str, target: str, kind: str) -> str:
    """What the error means here, in util-linux's words."""
    number = error.errno
    if number == errno.ENOENT and not os.path.exists(target):
        return f"{target}: mount point does not exist."
    if number == errno.ENOENT:
        return f"{target}: special device {source} does not exist."
    if number == errno.ENOTDIR and not os.path.isdir(target):
        return f"{target}: mount point is not a directory."
    if number == errno.ENODEV:
        return (
            f"{target}: unknown filesystem type '{kind}'."
            if kind
            else (f"{target}: unknown filesystem type on {source}.")
        )
    if number == errno.EBUSY:
        return f"{target}: {source} already mounted or mount point busy."
    if number == errno.EPERM:
        who = "must be superuser to use mount" if os.geteuid() else "permission denied"
        return f"{target}: {who}."
    if number in (errno.ENOTBLK, errno.EISDIR):
        return f"{target}: {source} is not a block device."
    if number == errno.EINVAL:
        return (
            f"{target}: wrong fs type, bad option, bad superblock on {source},"
            f" missing codepage or helper program, or other error.{_HINT}"
        )
    if number == errno.EIO:
        return f"{target}: can't read superblock on {source}.{_HINT}"
    return f"{target}: mount(2) system call failed: {error.strerror}."


def _say(text: str) -> None:
    stdout().write(os.fsencode(f"mount: {text}\n"))

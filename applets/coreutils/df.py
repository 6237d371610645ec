"""df [-aHhiklmPT] [-B SIZE] [-t TYPE] [-x TYPE] [FILE]...

Show how much room file systems have: those of the FILEs, or all.

  -a, --all            also those without room of their own, and those that are mounted twice
  -B, --block-size=SIZE  in units of SIZE
  -h, --human-readable  as 1.5G
  -H, --si             the same in powers of 1000
  -k                   in KiB (usual)
  -m                   in MiB
  -i, --inodes         inodes instead of blocks
  -l, --local          only those that are on this machine
  -P, --portability    POSIX's format
  -T, --print-type     with their types
  -t, --type=TYPE...   only those of TYPE
  -x, --exclude-type=TYPE...  without those of TYPE
      --output[=LIST]  these columns: source, fstype, itotal, iused, iavail, ipcent,
                       size, used, avail, pcent, file, target
      --total          a line with the sum
      --sync           write out what is in memory before
      --no-sync        do not (usual)
  -v                   nothing
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import Fatal, UsageError, warn
from toolbox.linux.mount import Mount, mounts
from toolbox.mount_points import is_below, mount_of
from toolbox.options import Options, Values
from toolbox.sizes import Scale, block_size
from toolbox.streams import stdout

options = Options(__doc__)

#: File systems that hold no data (GNU's gnulib, mountlist.c: ME_DUMMY).
_DUMMIES = frozenset(
    ("autofs", "proc", "subfs", "debugfs", "devpts", "fusectl", "mqueue", "rpc_pipefs", "sysfs")
)
_REMOTE = frozenset(("afs", "auristorfs", "cifs", "smb3", "smbfs", "nfs", "nfs4", "fuse.sshfs"))

_NUMBERS = frozenset(("size", "used", "avail", "pcent", "itotal", "iused", "iavail", "ipcent"))
_LEAST = {"source": 14, "fstype": 4, "pcent": 4, "ipcent": 4, "file": 4, "target": 0}

_Row = dict[str, str]


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    if opt.sync and opt.last("sync", "no_sync") == "sync":
        os.sync()
    scale, unit = _scale(opt)
    columns = _columns(opt)
    table = _Table(scale, inodes=opt.inodes)
    for mount, file in _chosen(opt, files):
        try:
            status = os.statvfs(file if file is not None else mount.target)
        except OSError as error:
            if file is not None or not isinstance(error, PermissionError):
                warn(f"{mount.target}: {error.strerror}")
            continue
        if not (status.f_blocks or opt.all or file is not None):
            continue
        table.add(mount, status, file)
    if not table.rows:
        raise Fatal("no file systems processed")
    if opt.total:
        table.add_total()
    _print(table.rows, columns, _headers(opt, unit))
    return 0


def _scale(opt: Values) -> tuple[Scale, str]:
    """The scale, and what the header calls its unit."""
    given = opt.last("block_size", "human_readable", "si", "k", "m", "portability")
    if given == "portability":
        given = opt.last("block_size", "human_readable", "si", "k", "m")
    if given == "human_readable":
        return Scale(base=1024), "Size"
    if given == "si":
        return Scale(base=1000), "Size"
    if given == "m":
        return Scale(1 << 20), "1M-blocks"
    if given == "block_size":
        scale = block_size(opt.block_size)
        if scale.base:
            return scale, "Size"
        text = opt.block_size.removeprefix("'")
        if text in ("1", "B"):
            return scale, "1B-blocks"
        return scale, f"{text if text[:1].isdecimal() else '1' + text}-blocks"
    if given != "k" and "POSIXLY_CORRECT" in os.environ:
        return Scale(512), "512B-blocks" if not opt.portability else "512-blocks"
    return Scale(1024), "1024-blocks" if opt.portability else "1K-blocks"


def _columns(opt: Values) -> list[str]:
    if opt.output is not None:
        known = (
            "source fstype itotal iused iavail ipcent size used avail pcent file target".split()  # noqa: SIM905
        )
        chosen = opt.output.split(",") if opt.output else known
        for name in chosen:
            if name not in known:
                raise UsageError(f"option --output: field {name!r} unknown")
        return list(chosen)
    middle = (
        ["itotal", "iused", "iavail", "ipcent"]
        if opt.inodes
        else ["size", "used", "avail", "pcent"]
    )
    return ["source", *(["fstype"] if opt.print_type else []), *middle, "target"]


def _headers(opt: Values, unit: str) -> _Row:
    human = unit == "Size"
    return {
        "source": "Filesystem",
        "fstype": "Type",
        "itotal": "Inodes",
        "iused": "IUsed",
        "iavail": "IFree",
        "ipcent": "IUse%",
        "size": unit,
        "used": "Used",
        "avail": "Avail" if human or opt.output is not None else "Available",
        "pcent": "Capacity" if opt.portability and not human else "Use%",
        "file": "File",
        "target": "Mounted on",
    }


def _chosen(opt: Values, files: list[str]) -> list[tuple[Mount, str | None]]:
    """The mounts to show, each with the operand that asked for it."""
    everything = mounts()
    found: list[tuple[Mount, str | None]] = []
    if files:
        for name in files:
            try:
                mount = _mount_for(name, everything)
            except OSError as error:
                warn(error)
                continue
            if mount is None:
                warn(f"{name}: it is not known where this is mounted")
            elif _wanted(opt, mount):
                found.append((mount, name))
        return found
    for mount in everything if opt.all else _once_each(everything):
        if _wanted(opt, mount) and (opt.all or mount.kind not in _DUMMIES):
            found.append((mount, None))
    return found


def _mount_for(name: str, everything: list[Mount]) -> Mount | None:
    """The mount of a file; for a mounted block device the mount of what is on it."""
    if stat.S_ISBLK(os.stat(name).st_mode):
        real = os.path.realpath(name)
        on_it = [m for m in everything if m.source in (name, real)]
        if on_it:
            return min(on_it, key=lambda m: len(m.target))
    return mount_of(name, everything)


def _wanted(opt: Values, mount: Mount) -> bool:
    if opt.type and mount.kind not in opt.type:
        return False
    if mount.kind in opt.exclude_type:
        return False
    remote = mount.kind in _REMOTE or ":" in mount.source or mount.source.startswith("//")
    return not (opt.local and remote)


def _once_each(everything: list[Mount]) -> list[Mount]:
    """Each file system once: by its shortest mount point; without mounts that others cover."""
    visible: dict[str, Mount] = {}
    for mount in everything:
        # A later mount on a directory above hides this one; but the root may come in any order.
        if mount.target != "/":
            for target in [t for t in visible if is_below(t, mount.target)]:
                del visible[target]
        visible[mount.target] = mount
    best: dict[str, Mount] = {}
    for mount in visible.values():
        other = best.get(mount.device)
        if other is None or (mount.root == "/", -len(mount.target)) > (
            other.root == "/",
            -len(other.target),
        ):
            best[mount.device] = mount
    return [m for m in visible.values() if best[m.device] is m]


class _Table:
    """Rows of text, and the sums behind them."""

    def __init__(self, scale: Scale, inodes: bool) -> None:
        self.scale = scale
        self.rows: list[_Row] = []
        self.sums = [0] * 6  # size, used, available; inodes: all, used, free

    def add(self, mount: Mount, status: os.statvfs_result, file: str | None) -> None:
        """One file system."""
        unit = status.f_frsize or status.f_bsize
        numbers = [
            status.f_blocks * unit,
            (status.f_blocks - status.f_bfree) * unit,
            status.f_bavail * unit,
            status.f_files,
            status.f_files - status.f_ffree,
            status.f_ffree,
        ]
        self.sums = [a + b for a, b in zip(self.sums, numbers, strict=True)]
        self._row(mount.source, mount.kind, mount.target, file or "-", numbers)

    def add_total(self) -> None:
        """The sum of all."""
        self._row("total", "-", "-", "-", self.sums)

    def _row(self, source: str, kind: str, target: str, file: str, numbers: list[int]) -> None:
        size, used, available, inodes, inodes_used, inodes_free = numbers
        show = self.scale.show
        # Inodes are counted, not measured: only -h and -H shorten them.
        count = show if self.scale.base else str
        nothing = not size
        self.rows.append(
            {
                "source": source,
                "fstype": kind,
                "target": target,
                "file": file,
                "size": show(size),
                "used": show(used),
                "avail": show(available),
                "pcent": "-" if nothing else _percent(used, available),
                "itotal": count(inodes),
                "iused": count(inodes_used),
                "iavail": count(inodes_free),
                "ipcent": "-" if not inodes else _percent(inodes_used, inodes_free),
            }
        )


def _percent(used: int, available: int) -> str:
    """Rounded up, as POSIX wants it."""
    total = used + available
    return f"{-(-used * 100 // total)}%" if total else "-"


def _print(rows: list[_Row], columns: list[str], headers: _Row) -> None:
    lines = [headers, *rows]
    widths = {c: max(_LEAST.get(c, 5), max(len(line[c]) for line in lines)) for c in columns}
    text = []
    for line in lines:
        cells = [
            line[c].rjust(widths[c]) if c in _NUMBERS else line[c].ljust(widths[c]) for c in columns
        ]
        if columns[-1] not in _NUMBERS:
            cells[-1] = line[columns[-1]]
        text.append(" ".join(cells) + "\n")
    stdout().write(os.fsencode("".join(text)))

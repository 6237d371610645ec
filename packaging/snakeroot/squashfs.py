"""A tree as a squashfs: compressed, read-only, mounted straight from a partition.

mksquashfs writes it.  What is large and seldom changes, the folder bin with the frozen program, takes
seconds to compress; so it is packed alone, kept in the cache by the hash of what is in it, and the rest is
appended to a copy of that.  A changed line of a user's program is a new root in less than a second.

Appending works by top-level folders: mksquashfs would call a second `bin` `bin_1`.  So everything below
`bin` belongs to the kept part, and nothing else does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from snakeroot.host import BuildError, cache, run
from snakeroot.tree import Tree

#: The top-level folder that is packed alone.
KEPT = "bin"

#: How many of them the cache remembers.
REMEMBERED = 6

#: Each compression's options.  Blocks of 32 KiB: a whole block is decompressed for each page that is touched, so a boot
#: takes a twelfth less than with blocks of 128 KiB, and the root is a fourteenth larger.  zstd's level 19 takes twice
#: the time of 17 (22 and 11 s of processor time for 82 MB) and saves 0.6 %; 15 a tenth less, for 0.7 % more.
COMPRESSIONS = {
    "zstd": ("-comp", "zstd", "-Xcompression-level", "17", "-b", "32K"),
    "lz4": ("-comp", "lz4", "-Xhc", "-b", "32K"),
}

#: Same tree, same bytes: no times, no owners, no attributes of the files that it is made from.
OPTIONS = (
    *("-all-time", "0", "-mkfs-time", "0", "-no-xattrs", "-root-mode", "755"),
    *("-quiet", "-no-progress"),
)


def write(tree: Tree, target: Path, compression: str) -> None:
    """Make `target` the tree's squashfs, unless it is that already.

    compression: a key of COMPRESSIONS.  BuildError for what a root must not hold: devices (devtmpfs brings
    them), and owners other than root in the folder that is kept.
    """
    kept, rest = Tree(), Tree()
    for name, entry in tree:
        ours = name.partition("/")[0] == KEPT
        if ours and (entry.uid or entry.gid):
            raise BuildError(f"/{name}: everything in /{KEPT} belongs to root", "put it elsewhere")
        (kept if ours else rest).entries[name] = entry
    options = (*COMPRESSIONS[compression], *OPTIONS)
    tool = run(["mksquashfs", "-version"]).partition(b"\n")[0]
    how = repr(options).encode() + tool
    key = _digest(kept, how)
    inputs = _digest(rest, key.encode())
    stamp = target.with_name(f"{target.name}.inputs")
    if target.exists() and stamp.exists() and stamp.read_text() == inputs:
        return
    base = cache() / "squashfs" / key[:32]
    if not base.exists():
        _pack(kept, None, base, options)
        _forget(base.parent)
    os.utime(base)
    stamp.unlink(missing_ok=True)
    _pack(rest, base, target, options)
    stamp.write_text(inputs)


def _forget(folder: Path) -> None:
    """Remove all but the files used last: a new program leaves 10 MB or more behind."""
    files = [path for path in folder.iterdir() if path.is_file()]
    for path in sorted(files, key=lambda path: path.stat().st_mtime)[:-REMEMBERED]:
        path.unlink(missing_ok=True)


def _digest(tree: Tree, more: bytes) -> str:
    digest = hashlib.sha256(more)
    for name, entry in tree:
        head = (name, entry.mode, entry.uid, entry.gid, entry.device, len(entry.data))
        digest.update(repr(head).encode() + entry.data)
    return digest.hexdigest()


def _pack(tree: Tree, base: Path | None, target: Path, options: tuple[str, ...]) -> None:
    """Make `target` of the tree, appended to a copy of `base`; an interruption leaves the old one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        files, image, owners = (Path(scratch, name) for name in ("files", "image", "owners"))
        _unpack(tree, files)
        if base:
            shutil.copyfile(base, image)
            image.chmod(0o600)  # a root holds secrets, and lies where others may look
        # The recovery file would be of use only for the copy, which is thrown away on an error.
        append = ("-no-recovery",) if base else ("-noappend",)
        whose = _owners(tree, owners) if base else ["-all-root"]
        run(["mksquashfs", files, image, *append, *options, *whose])
        image.replace(target)


def _unpack(tree: Tree, folder: Path) -> None:
    """The tree as files of the host, for mksquashfs to read.  Only modes and bytes matter: they are all ours."""
    folder.mkdir(mode=0o755)
    folders = []
    for name, entry in tree:
        path = folder / name
        if stat.S_ISDIR(entry.mode):
            path.mkdir()
            folders.append((path, entry.mode))
        elif stat.S_ISLNK(entry.mode):
            path.symlink_to(os.fsdecode(entry.data))
        elif stat.S_ISREG(entry.mode):
            path.write_bytes(entry.data)
            path.chmod(stat.S_IMODE(entry.mode))
        else:
            raise BuildError(f"/{name}: a device in the root; the kernel makes those in /dev")
    # Last, and the inner ones first: a folder may be one that nobody may write to.
    for path, mode in reversed(folders):
        path.chmod(stat.S_IMODE(mode))


def _owners(tree: Tree, definitions: Path) -> list[str]:
    """mksquashfs's words for the owners of all files ("pseudo files"), most of them in a file.

    Whoever builds need not be root and cannot give files away; and no file is to be the builder's.
    """
    lines, words = [], []
    for name, entry in tree:
        quoted = os.fsencode(name).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        mode = stat.S_IMODE(entry.mode)
        line = b'"%s" m %o %d %d' % (quoted, mode, entry.uid, entry.gid)
        if b"\n" in line:  # a definition in the file ends there
            words += ["-p", os.fsdecode(line)]
        else:
            lines.append(line + b"\n")
    definitions.write_bytes(b"".join(lines))
    return ["-root-uid", "0", "-root-gid", "0", "-pf", str(definitions), *words]

"""The kernel's initramfs archive: cpio in the "newc" format.

Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.  The kernel unpacks several
archives one after the other, each with its own compression or none.
"""

from __future__ import annotations

import os
import stat

from snakeroot.host import BuildError
from snakeroot.tree import Entry, Tree

#: Fields of the header after the magic, eight hexadecimal digits each.
FIELDS = 13
MAGIC = b"070701"
TRAILER = "TRAILER!!!"


def archive(tree: Tree, last: str = "") -> bytes:
    """The tree as one archive.  Same tree, same bytes: inode numbers count up, all times are 0.

    last: the name that comes after all others; who finds it unpacked knows that they are, too.
    """
    out = bytearray()
    ordered = sorted(tree, key=lambda item: item[0] == last)
    for inode, (name, entry) in enumerate(ordered, 1):
        _append(out, name, entry, inode)
    _append(out, TRAILER, Entry(0), 0)
    return bytes(out) + bytes(-len(out) % 512)


def _append(out: bytearray, name: str, entry: Entry, inode: int) -> None:
    raw = os.fsencode(name) + b"\0"
    if len(entry.data) > 0xFFFFFFFF:
        raise BuildError(f"/{name}: larger than 4 GiB, which an initramfs cannot hold")
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    head = (
        *(inode, entry.mode, entry.uid, entry.gid, links, 0, len(entry.data)),
        *(0, 0, *entry.device, len(raw), 0),
    )
    out += MAGIC + b"".join(b"%08x" % value for value in head) + raw
    out += bytes(-len(out) % 4) + entry.data
    out += bytes(-len(out) % 4)

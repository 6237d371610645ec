"""Small kernel modules and trees of them, made by hand: ELF files with just what depmod looks at."""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Sequence
from pathlib import Path

VERSION = "6.9.0-test"


def module(
    *modinfo: str, gives: Sequence[str] = (), needs: Sequence[str] = (), weak: Sequence[str] = ()
) -> bytes:
    """A relocatable ELF file (64 bits, little-endian) with these .modinfo entries and symbols."""
    strings = b"\0"
    symbols = bytes(24)

    def symbol(name: str, binding: int, section: int) -> None:
        nonlocal strings, symbols
        symbols += struct.pack("<IBBHQQ", len(strings), binding << 4, 0, section, 0, 0)
        strings += name.encode() + b"\0"

    for name in gives:
        symbol(f"__ksymtab_{name}", 0, 1)
    for name in needs:
        symbol(name, 1, 0)
    for name in weak:
        symbol(name, 2, 0)
    names = b"\0.modinfo\0__ksymtab_strings\0.symtab\0.strtab\0.shstrtab\0"
    contents = [
        (b".modinfo", 1, b"".join(entry.encode() + b"\0" for entry in modinfo), 0),
        (b"__ksymtab_strings", 1, b"".join(name.encode() + b"\0" for name in gives), 0),
        (b".symtab", 2, symbols, 4),
        (b".strtab", 3, strings, 0),
        (b".shstrtab", 3, names, 0),
    ]
    body = b""
    headers = bytes(64)
    for name, kind, data, link in contents:
        place = 64 + len(body)
        entry = 24 if kind == 2 else 0
        where = names.index(b"\0" + name + b"\0") + 1
        headers += struct.pack(
            "<IIQQQQIIQQ", where, kind, 0, 0, place, len(data), link, 0, 8, entry
        )
        body += data + bytes(-len(data) % 8)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    count = len(contents) + 1
    head = struct.pack(
        "<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, count, count - 1
    )
    return ident + head + body + headers


def tree(root: Path) -> Path:
    """A kernel's tree below `root`: root/lib/modules/VERSION, with every kind of dependency and packing."""
    folder = root / "lib/modules" / VERSION
    files = {
        "kernel/lib/base.ko": module("license=GPL", gives=["base_get", "base_put"]),
        "kernel/net/mid-dle.ko.xz": lzma.compress(
            module("alias=net-pf-77", gives=["middle_do"], needs=["base_get", "printk"])
        ),
        "kernel/net/top.ko.gz": gzip.compress(
            module(
                "alias=pci:v00001AF4d*sv*sd*bc02sc00i*",
                "alias=char-major-10-200",
                "alias=devname:net/top-node",
                "softdep=pre: first-soft post: last",
                needs=["middle_do", "printk"],
                weak=["base_put"],
            )
        ),
        "kernel/net/first_soft.ko": module("alias=acpi*:X-1:*"),
        "kernel/net/last.ko": module("alias=pci:v00008086d*sv*sd*bc02sc00i*"),
    }
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    order = ("base", "first_soft", "last", "mid-dle", "top")
    places = {Path(name).name.partition(".ko")[0]: name.partition(".ko")[0] for name in files}
    (folder / "modules.order").write_text("".join(f"{places[name]}.ko\n" for name in order))
    (folder / "modules.builtin").write_text("kernel/fs/built-in.ko\n")
    (folder / "modules.builtin.modinfo").write_bytes(b"built_in.alias=fs-built\0built_in.file=x\0")
    return folder

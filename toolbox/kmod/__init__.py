"""Kernel modules as files: their names, their contents, the index that depmod makes, modprobe's configuration.

Sources: modprobe(8), modprobe.d(5), modules.dep(5), depmod(8).
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal

SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


def module_name(text: str) -> str:
    """The kernel's name for a module's name or file: no folder, no suffix, `_` for `-`."""
    base = text.rpartition("/")[2]
    at = base.find(".ko")
    return normal(base[:at] if at > 0 and base[at:] in SUFFIXES else base)


def normal(name: str) -> str:
    """`_` for `-`, but not inside the brackets of a pattern."""
    if "[" not in name:
        return name.replace("-", "_")
    out, depth = [], 0
    for c in name:
        depth += (c == "[") - (c == "]")
        out.append("_" if c == "-" and not depth else c)
    return "".join(out)


def folder_of(base: str, release: str) -> str:
    """Where the modules of a kernel lie: BASE/lib/modules/RELEASE."""
    return os.path.join(base or "/", "lib/modules", release or os.uname().release)


def read_module(path: str) -> bytes:
    """The contents of a module's file, decompressed.  OSError; Fatal when they cannot be decompressed."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        if path.endswith(".gz"):
            import gzip

            return gzip.decompress(data)
        if path.endswith(".xz"):
            import lzma

            return lzma.decompress(data)
        if path.endswith(".zst"):
            return _decompress_zstd(data, path)
    except (EOFError, ValueError) as error:
        raise Fatal(f"{path}: {error}") from None
    except Exception as error:
        # zlib.error and lzma.LZMAError, which cost imports to name.
        if type(error).__module__ in ("zlib", "_lzma", "gzip"):
            raise Fatal(f"{path}: {error}") from None
        raise
    return data


def _decompress_zstd(data: bytes, path: str) -> bytes:
    """By Python 3.14's module, else by the program zstd."""
    try:
        from compression import zstd  # type: ignore[import-not-found]
    except ImportError:
        pass
    else:
        return bytes(zstd.decompress(data))
    import subprocess

    try:
        done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False)
    except FileNotFoundError:
        raise Fatal(f"{path}: cannot be decompressed without the program zstd") from None
    if done.returncode:
        raise Fatal(f"{path}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout

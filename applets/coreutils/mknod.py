"""mknod [-m MODE] NAME TYPE [MAJOR] [MINOR]

Make a device node or a pipe. TYPE is b for a block device, c or u for a character device, both with
MAJOR and MINOR (decimal, 0x hexadecimal, 0 octal), or p for a pipe.

  -m, --mode=MODE  permissions: octal or symbolic from a=rw
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import Fatal, UsageError
from toolbox.modes import Mode, current_umask, set_mode
from toolbox.options import Options

options = Options(__doc__)

_TYPES = {"b": stat.S_IFBLK, "c": stat.S_IFCHR, "u": stat.S_IFCHR, "p": stat.S_IFIFO}


def main(argv: list[str]) -> int:
    opt, operands = options.parse(argv)
    name, letter, *numbers = operands
    if letter not in _TYPES:
        raise UsageError(f"invalid device type {letter!r}")
    kind = _TYPES[letter]
    if kind == stat.S_IFIFO and numbers:
        raise UsageError("pipes do not have major and minor device numbers")
    if kind != stat.S_IFIFO and len(numbers) != 2:
        raise UsageError("special files require major and minor device numbers")
    mode = Mode(opt.mode).apply(0o666, umask=current_umask()) if opt.mode is not None else 0o666
    if mode & ~0o777:
        raise Fatal("mode must specify only file permission bits")
    device = os.makedev(*map(_number, numbers)) if numbers else 0
    os.mknod(name, kind | mode, device)
    if opt.mode is not None:
        set_mode(name, mode)
    return 0


def _number(text: str) -> int:
    try:
        if not text.isascii() or not text.isalnum():
            raise ValueError
        value = int(text, 8 if text.startswith("0") and text[1:2] not in ("x", "X") else 0)
    except ValueError:
        value = -1
    if value < 0 or value >= 1 << 32:
        raise UsageError(f"invalid device number {text!r}")
    return value

"""cat [-AbeEnstTuv] [FILE]...

Write each FILE, or standard input, to standard output.

  -n, --number            number the lines
  -b, --number-nonblank   number the lines that are not empty
  -s, --squeeze-blank     one empty line for several in a row
  -v, --show-nonprinting  show control characters as ^X and bytes above 127 as M-x
  -E, --show-ends         show a $ at the end of each line
  -T, --show-tabs         show tabs as ^I
  -A, --show-all          the same as -vET
  -e                      the same as -vE
  -t                      the same as -vT
  -u                      ignored: output is never held back
"""

from __future__ import annotations

import os

from toolbox.errors import warn
from toolbox.options import Options
from toolbox.streams import copy, inputs, stdout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.options import Values

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """POSIX XCU cat; without options the kernel copies."""
    opt, files = options.parse(argv)
    if not any(getattr(opt, o.attribute) for o in options.options if o.attribute != "u"):
        return copy_all(files)
    out = stdout()
    change = Lines(opt).change
    for source in inputs(files):
        for block in source.blocks():
            out.write(change(block))
            out.flush()
    return 0


def copy_all(files: list[str]) -> int:
    """Copy by the kernel.  A file that is its own output would grow for ever, and is refused (GNU)."""
    target = os.fstat(1)
    for source in inputs(files):
        here = os.fstat(source.fd)
        if (
            (here.st_dev, here.st_ino) == (target.st_dev, target.st_ino)
            and here.st_size
            and os.path.isfile(f"/proc/self/fd/{source.fd}")
        ):
            warn(f"{source.name}: input file is output file")
            continue
        try:
            copy(source.fd, 1)
        except IsADirectoryError as error:
            warn(f"{source.name}: {error.strerror}")
    return 0


class Lines:
    """The changes that -n, -b, -s, -E, -T, -v ask for; lines may go on from one block to the next."""

    def __init__(self, opt: Values) -> None:
        self.nonblank = opt.number_nonblank
        self.number = opt.number or opt.number_nonblank
        self.squeeze = opt.squeeze_blank
        ends = opt.show_ends or opt.show_all or opt.e
        self.end = b"$\n" if ends else b"\n"
        tabs = opt.show_tabs or opt.show_all or opt.t
        visible = opt.show_nonprinting or opt.show_all or opt.e or opt.t
        self.show = visible_bytes(visible, tabs) if visible or tabs else None
        self.count = 0
        self.fresh = True  # at the beginning of a line
        self.blanks = 0  # empty lines in a row so far

    def change(self, block: bytes) -> bytes:
        """The block with all changes made."""
        out = []
        for line in _split(block):
            whole = line.endswith(b"\n")
            empty = self.fresh and line == b"\n"
            self.blanks = self.blanks + 1 if empty else 0
            if empty and self.squeeze and self.blanks > 1:
                continue
            if self.fresh and self.number and not (self.nonblank and empty):
                self.count += 1
                out.append(b"%6d\t" % self.count)
            text = line[:-1] if whole else line
            out.append(self.show(text) if self.show else text)
            if whole:
                out.append(self.end)
            self.fresh = whole
        return b"".join(out)


def _split(block: bytes) -> list[bytes]:
    """Lines with their ends; only a line feed ends one."""
    parts = block.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def visible_bytes(nonprinting: bool, tabs: bool) -> Callable[[bytes], bytes]:
    """A function that makes control characters visible: ^X, M-x, M-^X, ^?."""
    table = []
    for byte in range(256):
        low = byte & 127
        shown = b"^?" if low == 127 else b"^%c" % (low + 64) if low < 32 else b"%c" % low
        shown = (b"M-" if byte > 127 else b"") + shown
        keep = not tabs if byte == 9 else not nonprinting
        table.append(b"%c" % byte if keep or byte == 10 else shown)
    return lambda text: b"".join([table[byte] for byte in text])

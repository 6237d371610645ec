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
        for block in source.line_blocks():
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
    """The changes that -n, -b, -s, -E, -T, -v ask for, on blocks of whole lines.

    A file's last line may lack its end; the next file's first then goes on with it.
    """

    def __init__(self, opt: Values) -> None:
        self.nonblank = opt.number_nonblank
        self.number = opt.number or opt.number_nonblank
        self.squeeze = opt.squeeze_blank
        self.ends = opt.show_ends or opt.show_all or opt.e
        tabs = opt.show_tabs or opt.show_all or opt.t
        visible = opt.show_nonprinting or opt.show_all or opt.e or opt.t
        self.shown = visible_bytes(visible, tabs)
        if self.ends and not visible:
            self.shown[b"\r\n"] = b"^M\n"  # the end of a DOS line must not hide the mark (GNU)
        self.count = 0
        self.before = b"\n"  # the line feeds that end what is written so far, at most two
        self.fresh = True  # at the beginning of a line

    def change(self, block: bytes) -> bytes:
        """The block with all changes made."""
        if self.squeeze:
            block = self._squeezed(block)
        block = show(block, self.shown)
        if self.number and block:
            block = self._numbered(block)
        return block.replace(b"\n", b"$\n") if self.ends else block

    def _squeezed(self, block: bytes) -> bytes:
        import re

        text = re.sub(b"\n{3,}", b"\n\n", self.before + block)
        done = len(self.before)
        self.before = text[len(text.rstrip(b"\n")) :][-2:]
        return text[done:]

    def _numbered(self, block: bytes) -> bytes:
        lines = block.split(b"\n")
        rest = lines.pop()  # what has no end yet; empty behind a line feed
        if rest:
            lines.append(rest)
        started = [] if self.fresh else [lines.pop(0)]
        if self.nonblank and b"" in lines:
            done = []
            for line in lines:
                self.count += 1 if line else 0
                done.append(b"%6d\t%s" % (self.count, line) if line else line)
        else:
            done = list(map(b"%6d\t%s".__mod__, enumerate(lines, self.count + 1)))
            self.count += len(lines)
        self.fresh = not rest
        return b"\n".join([*started, *done]) + (b"" if rest else b"\n")


def visible_bytes(nonprinting: bool, tabs: bool) -> dict[bytes, bytes]:
    """How bytes that are not shown as they are become visible: ^X, M-x, M-^X, ^?."""
    shown = {}
    for byte in range(256) if nonprinting else (9,):
        low = byte & 127
        text = b"^?" if low == 127 else b"^%c" % (low + 64) if low < 32 else b"%c" % low
        text = (b"M-" if byte > 127 else b"") + text
        if byte != 10 and len(text) > 1 and (byte != 9 or tabs):
            shown[b"%c" % byte] = text
    return shown


def show(block: bytes, shown: dict[bytes, bytes]) -> bytes:
    """The block with what `shown` names replaced; no replacement holds what is replaced."""
    present = [byte for byte in shown if byte in block]
    if len(present) > 24:  # no text: a look at every byte is faster
        table = [shown.get(b"%c" % byte, b"%c" % byte) for byte in range(256)]
        return b"".join([table[byte] for byte in block])
    for byte in present:
        block = block.replace(byte, shown[byte])
    return block

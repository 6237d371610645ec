"""stat [-Lft] [-c FORMAT] FILE...

Show what the file system knows about files.

  -L, --dereference    follow symbolic links
  -f, --file-system    about the file system that the file is on
  -c, --format=FORMAT  only what FORMAT says, and a newline
      --printf=FORMAT  the same without the newline; \\n, \\t and \\101 are understood
  -t, --terse          all in one line of numbers
      --cached=WORD    nothing

FORMAT: %a mode in octal, %A as ls has it, %b blocks of %B bytes, %d %D device, %f raw mode,
%F type, %g %G group, %h links, %i inode, %m mount point, %n name, %N name quoted,
%o transfer size, %s size, %t %T device type, %u %U owner, %w %W birth, %x %X access,
%y %Y modification, %z %Z change (small: text, large: seconds).
With -f: %a %b %f blocks available, all, free, %c %d inodes all, free, %i id, %l longest name,
%n name, %s %S block size, %t %T type.
"""

from __future__ import annotations

import os
import stat

from toolbox.errors import UsageError, warn
from toolbox.file_status import FileStatus, FileSystemStatus, compile_format
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)

_FILE = (
    "  File: %LN\n"
    "  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n"
    "Device: %Hd,%Ld\tInode: %-11i Links: {links}\n"
    "Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n"
    "Access: %x\n"
    "Modify: %y\n"
    "Change: %z\n"
    " Birth: %w\n"
)
_FILE_TERSE = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o\n"
_SYSTEM = (
    '  File: "%n"\n'
    "    ID: %-8i Namelen: %-7l Type: %T\n"
    "Block size: %-10s Fundamental block size: %S\n"
    "Blocks: Total: %-10b Free: %-10f Available: %a\n"
    "Inodes: Total: %-10c Free: %d\n"
)
_SYSTEM_TERSE = "%n %i %l %t %s %S %b %f %a %c %d\n"


def main(argv: list[str]) -> int:
    opt, files = options.parse(argv)
    given = opt.last("format", "printf")
    out = stdout()
    for name in files:
        try:
            fields: FileStatus | FileSystemStatus
            if opt.file_system:
                if name == "-":
                    raise UsageError(
                        "using '-' to denote standard input does not work in file system mode"
                    )
                fields = FileSystemStatus(name)
                form = _SYSTEM_TERSE if opt.terse else _SYSTEM
            else:
                fields = FileStatus(name, follow=bool(opt.dereference))
                device = stat.S_ISCHR(fields.status.st_mode) or stat.S_ISBLK(fields.status.st_mode)
                form = _FILE.replace("{links}", "%-5h Device type: %t,%T" if device else "%h")
                form = _FILE_TERSE if opt.terse else form
        except OSError as error:
            what = "cannot read file system information for" if opt.file_system else "cannot statx"
            warn(f"{what} {name!r}: {error.strerror}")
            continue
        if given == "format":
            form = opt.format + "\n"
        elif given == "printf":
            form = opt.printf
        out.write(os.fsencode(compile_format(form, escapes=given == "printf")(fields)))
    return 0

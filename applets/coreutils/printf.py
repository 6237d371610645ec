r"""printf FORMAT [ARG]...

Print the arguments by a format, which is used again until none is left.

Conversions: %d %i %o %u %x %X %f %e %g %a %c %s %%, with flags, width and precision as in C;
%N$s prints the Nth argument;
%b interprets backslashes in its argument, %q quotes it for the shell.
Escapes in FORMAT: \\ \a \b \c (stop) \e \f \n \r \t \v \OOO \xHH
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal
from toolbox.options import Options
from toolbox.printf import Template
from toolbox.streams import stdout

options = Options(__doc__, permute=False)


def main(argv: list[str]) -> int:
    """POSIX XCU printf."""
    options.standard(argv)
    words = argv[2:] if argv[1:2] == ["--"] else argv[1:]
    options.check_count(words)
    try:
        for part in Template(os.fsencode(words[0])).fill(words[1:]):
            if part:  # who prints nothing needs no standard output
                stdout().write(part)
    except ValueError as error:
        raise Fatal(str(error)) from None
    return 0

r"""echo [-neE] [STRING]...

Print the strings, separated by blanks, and a line feed.

  -n  no line feed at the end
  -e  interpret backslashes: \\ \a \b \c (stop) \e \f \n \r \t \v \0OOO \xHH
  -E  do not interpret them (default)
"""

from __future__ import annotations

import os

from toolbox.escapes import unescape
from toolbox.options import Options
from toolbox.streams import stdout

options = Options(__doc__)


def main(argv: list[str]) -> int:
    """Letters other than n, e, E make a word no option (POSIX leaves options to the implementation)."""
    options.standard(argv)
    words = argv[1:]
    newline, escapes = True, False
    while words and len(words[0]) > 1 and words[0][0] == "-" and not words[0].strip("-neE"):
        letters = words[0][1:]
        if "-" in letters:
            break
        newline = newline and "n" not in letters
        for letter in letters:
            escapes = {"e": True, "E": False}.get(letter, escapes)
        words = words[1:]
    text = os.fsencode(" ".join(words))
    if escapes:
        text, stopped = unescape(text, octal_zero=True)
        newline = newline and not stopped
    stdout().write(text + b"\n" if newline else text)
    return 0

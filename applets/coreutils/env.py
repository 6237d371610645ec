"""env [-i0v] [-u NAME] [-C DIR] [-S STRING] [NAME=VALUE]... [COMMAND [ARG]...]

Run COMMAND in a changed environment; without one, print the environment.

  -i, --ignore-environment   begin with an empty one
  -u, --unset=NAME...        take NAME out
  -C, --chdir=DIR            change to DIR before
  -S, --split-string=STRING  split STRING into words, for #! lines
  -0, --null                 end each line of the output with a NUL
  -v, --debug                say on standard error what is executed

A lone - as the first operand is the same as -i.
"""

from __future__ import annotations

import os

from toolbox.errors import Fatal, UsageError, say
from toolbox.options import Options
from toolbox.spawn import execute, failure_status
from toolbox.streams import stdout

alters_process = True

options = Options(__doc__, trouble=125)


def main(argv: list[str]) -> int:
    """POSIX XCU env: 126 when COMMAND cannot be run, 127 when there is none."""
    opt, operands = options.parse(with_strings_split(argv))
    empty = opt.ignore_environment
    if operands[:1] == ["-"]:
        empty, operands = True, operands[1:]
    environment = {} if empty else dict(os.environ)
    for name in opt.unset:
        if not name or "=" in name:
            raise UsageError(f"cannot unset {name!r}: no variable's name")
        environment.pop(name, None)
    while operands and "=" in operands[0]:
        word = operands.pop(0)
        name, _, value = word.partition("=")
        if not name:
            raise Fatal(f"cannot set {word!r}: a variable needs a name", 125)
        environment[name] = value
    if opt.chdir is not None:
        if not operands:
            raise UsageError("must specify command with --chdir (-C)")
        os.chdir(opt.chdir)
    if operands and opt.null:
        raise UsageError("cannot specify --null (-0) with command")
    if operands:
        return run(operands, environment, opt.debug)
    end = "\0" if opt.null else "\n"
    stdout().write(os.fsencode("".join(f"{n}={v}{end}" for n, v in environment.items())))
    return 0


def run(command: list[str], environment: dict[str, str], debug: bool) -> int:
    """Execute `command` by the new environment's PATH."""
    if debug:
        say(f"executing: {command[0]}")
    try:
        execute(command, environment)
    except OSError as error:
        raise Fatal(f"{command[0] or repr('')}: {error.strerror}", failure_status(error)) from None


def with_strings_split(argv: list[str]) -> list[str]:
    """The command line with the words of each -S's STRING in its place."""
    words, at = list(argv), 1
    while at < len(words) and words[at][:1] == "-" and words[at] not in ("-", "--"):
        name, equals, value = words[at].partition("=")
        if name[:2] == "--":
            long = len(name) > 3
            if long and "--split-string".startswith(name):
                rest = [value] if equals else words[at + 1 : at + 2]
                if not rest:
                    break  # the parser says what is missing
                words[at : at + (1 if equals else 2)] = split(rest[0])
                continue
            takes = long and ("--unset".startswith(name) or "--chdir".startswith(name))
            at += 2 if takes and not equals else 1
            continue
        letters = words[at][1:]
        flags = letters[: len(letters) - len(letters.lstrip("iv0"))]
        following = letters[len(flags) : len(flags) + 1]
        attached = letters[len(flags) + 1 :]
        if following != "S":
            at += 2 if following in ("u", "C") and not attached else 1
            continue
        rest = [attached] if attached else words[at + 1 : at + 2]
        if not rest:
            break
        before = [f"-{flags}"] if flags else []
        words[at : at + (1 if attached else 2)] = [*before, *split(rest[0])]
        at += len(before)
    return words


#: What a letter behind a backslash stands for; `\_` is a blank, `\c` ends the text.
_ESCAPES = {"f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "#": "#", "$": "$"} | {
    quote: quote for quote in "\"'\\"
}


def split(text: str) -> list[str]:
    """Words as GNU env -S splits them: quotes, escapes, ${NAME}, and # that begins a comment."""
    words: list[str] = []
    word: list[str] | None = None  # None: between words
    quote = ""
    at = 0
    while at < len(text):
        c = text[at]
        at += 1
        if c.isspace() and not quote:
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        if c == "#" and word is None:
            break
        if c == "\\" and text[at : at + 1] == "_" and not quote:
            if word is not None:
                words.append("".join(word))
            word, at = None, at + 1
            continue
        if c == "\\" and text[at : at + 1] == "c" and quote != "'":
            if quote:
                raise UsageError("'\\c' must not appear in double-quoted -S string")
            break
        word = [] if word is None else word
        if c in ("'", '"') and quote in ("", c):
            quote = "" if quote else c
        elif c == "\\":
            letter = text[at : at + 1]
            at += 1
            word.append(_escaped(letter, quote))
        elif c == "$" and quote != "'":
            name, brace, _ = text[at + 1 :].partition("}")
            if text[at : at + 1] != "{" or not brace or not _is_name(name):
                raise UsageError(
                    f"only ${{VARNAME}} expansion is supported, error at: {text[at - 1 :]}"
                )
            word.append(os.environ.get(name, ""))
            at += len(name) + 2
        else:
            word.append(c)
    if quote:
        raise UsageError("no terminating quote in -S string")
    return words if word is None else [*words, "".join(word)]


def _escaped(letter: str, quote: str) -> str:
    """What a backslash and `letter` stand for inside of `quote`."""
    if quote == "'":
        return letter if letter in ("'", "\\") else "\\" + letter
    if quote and letter == "_":
        return " "
    if not letter:
        raise UsageError("invalid backslash at end of string in -S")
    if letter not in _ESCAPES:
        raise UsageError(f"invalid sequence '\\{letter}' in -S")
    return _ESCAPES[letter]


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()

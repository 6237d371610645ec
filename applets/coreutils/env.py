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
from toolbox.streams import stdout

alters_process = True

options = Options(__doc__, trouble=125)


def main(argv: list[str]) -> int:
    """POSIX XCU env: 126 when COMMAND cannot be run, 127 when there is none."""
    opt, operands = options.parse(argv)
    if opt.split_string is not None:
        import shlex

        try:
            words = shlex.split(opt.split_string, comments=True)
        except ValueError as error:
            raise UsageError(f"{opt.split_string!r}: {error}") from None
        opt, operands = options.parse([*_without_split(argv, opt.split_string), *words, *operands])
    empty = opt.ignore_environment
    if operands[:1] == ["-"]:
        empty, operands = True, operands[1:]
    environment = {} if empty else dict(os.environ)
    for name in opt.unset:
        if not name or "=" in name:
            raise UsageError(f"cannot unset {name!r}: no variable's name")
        environment.pop(name, None)
    while operands and "=" in operands[0]:
        name, _, value = operands.pop(0).partition("=")
        environment[name] = value
    if opt.chdir is not None:
        if not operands:
            raise UsageError("must specify command with --chdir (-C)")
        os.chdir(opt.chdir)
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
        os.execvpe(command[0], command, environment)
    except FileNotFoundError as error:
        raise Fatal(f"{command[0]}: {error.strerror}", 127) from None
    except OSError as error:
        raise Fatal(f"{command[0]}: {error.strerror}", 126) from None


def _without_split(argv: list[str], text: str) -> list[str]:
    """The name and options before -S, which are not said again."""
    words: list[str] = []
    for word in argv:
        if word.startswith(("-S", "--split", "-vS", "-iS")):
            letters = word[1:-1] if word in ("-vS", "-iS") else ""
            return [*words, *([f"-{letters}"] if letters else [])]
        words.append(word)
    return words

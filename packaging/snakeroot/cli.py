"""The `snakeroot` command: its command line, and errors in words."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from snakeroot import releasing, update
from snakeroot.commands import box, completion, doctor, images, instances, settings
from snakeroot.host import BuildError
from toolbox.errors import describe
from toolbox.harmless import harmless

#: What a message of several lines holds, such as the end of a tool's log.
_KEPT = "\n\t"


def main(argv: list[str] | None = None) -> int:
    """Run a command; errors are one or two lines and status 1, bad usage is status 2."""
    arguments = parser().parse_args(argv)
    # As Ctrl-C: what is begun is ended in order, and a machine with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status: int = arguments.run(arguments)
    except BuildError as error:
        # Some of it may be a server's words, or a file's name.
        print(f"snakeroot: {harmless(str(error), keep=_KEPT)}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is left of it must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        print(f"snakeroot: {describe(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("snakeroot: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        # A fault of this program: where it is helps whoever reports it.
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())
        what = f"{type(error).__name__} {text}".rstrip()
        print(
            f"snakeroot: internal error: {what} ({place.filename}:{place.lineno})", file=sys.stderr
        )
        return 1
    return status


class Parser(argparse.ArgumentParser):
    """A parser whose commands may take another program's words after `--`.

    Such a command has the default `trailing`, which names the argument (of any number) that they are added to:
    argparse alone would give them to nobody when an option stands between the other words and `--`.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = list(sys.argv[1:] if args is None else args)
        name = self.get_default("trailing")
        rest: list[str] = []
        if name and "--" in words:
            at = words.index("--")
            words, rest = words[:at], words[at + 1 :]
        found, unknown = super().parse_known_args(words, namespace)
        if rest:
            setattr(found, name, [*getattr(found, name), *rest])
        return found, unknown


def parser() -> Parser:
    """The whole command line."""
    made = Parser(
        prog="snakeroot",
        description="Build and run boxes whose whole userland is one Python program.",
        epilog="exit status: 0 when it is done, 1 when something went wrong, which is said in words, 2 for wrong usage,"
        " 130 after Ctrl-C. `snakeroot COMMAND --help` says more.",
        allow_abbrev=False,
    )
    made.add_argument(
        "-C", dest="folder", metavar="DIR", type=Path, default=Path(), help="the instance"
    )
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in (instances, settings, images, releasing, update, box, doctor):
        group.add_commands(commands)
    completion.add_commands(commands, parser)
    return made

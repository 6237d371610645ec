"""The `snakeroot` command: its command line, and errors in words."""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import signal
import sys
import traceback
from pathlib import Path

from snakeroot import (
    config,
    disk,
    image,
    machine,
    new,
    qcow2,
    qemu,
    releasing,
    remote,
    update,
    write,
)
from snakeroot.host import BuildError, replace, step
from toolbox.errors import describe
from toolbox.harmless import harmless
from toolbox.trust import tokens
from toolbox.trust.password import hash_password

#: What a message of several lines holds, such as the end of a tool's log.
_KEPT = "\n\t"


def main(argv: list[str] | None = None) -> int:
    """Run a command; errors are one or two lines and status 1, bad usage is status 2."""
    arguments = _parser().parse_args(argv)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="snakeroot",
        description="Build and run boxes whose whole userland is one Python program.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-C", dest="folder", metavar="DIR", type=Path, default=Path(), help="the instance"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    make = commands.add_parser("new", help="make an instance with a small web service")
    make.add_argument(
        "name", metavar="NAME", type=Path, help="folder to make; its name is the host name"
    )
    make.set_defaults(run=_new)
    for name, run, text in (
        ("check", _check, "read snakeroot.toml and say what is wrong with it"),
        ("build", _build, "make kernel, initramfs and root file system"),
        ("password", _password, "make the hash of a password for snakeroot.toml"),
        ("token", _token, "make a token for pushing releases, and its hash for snakeroot.toml"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)
    start = commands.add_parser("run", help="build, and boot in a virtual machine")
    start.add_argument("--check", action="store_true", help="power off as soon as the box answers")
    start.set_defaults(run=_run)
    make_image = commands.add_parser("image", help="build, and make a disk image")
    make_image.add_argument(
        *("--format",),
        choices=sorted([*IMAGES, "netboot"]),
        default="disk",
        help="disk: byte by byte, with holes; qcow2: for QEMU, small; netboot: an initramfs with the"
        ' root in it, which must be "ram"',
    )
    make_image.add_argument("-o", dest="output", metavar="FILE", type=Path, required=True)
    make_image.set_defaults(run=_image)
    to_disk = commands.add_parser(
        "write", help="build, and write to a disk; all that is on it is lost"
    )
    to_disk.add_argument("device", metavar="DEVICE", type=Path, help="the whole disk: /dev/sdX")
    to_disk.add_argument("--yes", action="store_true", help="don't ask")
    to_disk.set_defaults(run=_write)
    releasing.add_commands(commands)
    update.add_commands(commands)
    shell = commands.add_parser(
        "ssh", help="a shell in the running box, or one command: ssh -- ls -l"
    )
    shell.add_argument("-t", action="store_true", help="a terminal for the command")
    shell.add_argument("command", nargs="*", metavar="COMMAND")
    shell.set_defaults(run=_ssh)
    return parser


def _new(arguments: argparse.Namespace) -> int:
    new.create(arguments.folder / arguments.name)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    print(f"{instance.path / config.FILE}: good")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    built = image.build(config.load(arguments.folder))
    print(f"{built.kernel}\n{built.initramfs}\n{built.root}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    built = image.build(instance)
    power_off = (lambda: remote.power_off(instance)) if arguments.check else None
    return qemu.boot(instance, lambda: machine.prepare(instance, built), power_off)


#: Format -> what writes it.
IMAGES = {"disk": disk.raw, "qcow2": qcow2.write}


def _image(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    if arguments.format == "netboot":
        built, initramfs = image.netboot(instance)
        replace(arguments.output, initramfs, private=True)  # with the root in it
        print(f"{built.kernel}\n{arguments.output}")
        return 0
    made = _disk(instance)
    with step(f"{arguments.format} image"):
        IMAGES[arguments.format](made, arguments.output)
    print(arguments.output)
    return 0


def _write(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    return write.write(_disk(instance), arguments.device, arguments.yes)


def _disk(instance: config.Instance) -> disk.Disk:
    contents = releasing.labelled(instance, image.build(instance))
    with step("boot loader and disk"):
        return disk.make(contents, disk.layout(instance.settings.disk))


def _ssh(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    argv = remote.ssh(instance, arguments.command, terminal=arguments.t)
    os.execvp(argv[0], argv)


def _password(arguments: argparse.Namespace) -> int:
    text = getpass.getpass("New password (empty: make one): ") if sys.stdin.isatty() else input()
    if not text:
        text = secrets.token_urlsafe(12)
        print(f"password: {text}", file=sys.stderr)
    print(f'password = "{hash_password(text)}"')
    return 0


def _token(arguments: argparse.Namespace) -> int:
    token, hashed = tokens.make()
    print(f"token: {token}", file=sys.stderr)
    print(f'update_tokens = ["{hashed}"]')
    return 0

"""The commands keygen, release, show and verify."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

from snakeroot import config, contents, disk, image, keys, release, shipped
from snakeroot.config import Instance
from snakeroot.host import BuildError
from toolbox.release import channel


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    keygen = commands.add_parser("keygen", help="make the keys that releases are signed with")
    keygen.add_argument(
        "--rotate", action="store_true", help="let the next key take the place of the first"
    )
    keygen.set_defaults(run=_keygen)
    make = commands.add_parser("release", help="build, and put a signed release into a folder")
    make.add_argument("-o", dest="output", metavar="FOLDER", type=Path, required=True)
    make.add_argument("--version", default="", help="what it is called: 1.4.2, 2.0~rc1")
    make.add_argument(
        "--floor", default="", metavar="VERSION", help="nothing below it is taken later"
    )
    make.add_argument("--notes", default="", metavar="TEXT", help="text for the box's owner")
    make.add_argument(
        *("--channel",), default="", metavar="NAME", help="which channel it becomes the latest of"
    )
    make.add_argument(
        *("--percent",), type=int, default=100, metavar="N", help="so many of 100 boxes take it"
    )
    make.add_argument(
        *("--salt",), default="", metavar="TEXT", help="with another one, other boxes are the first"
    )
    make.add_argument("--key", type=Path, metavar="FILE", help="sign with this key")
    make.set_defaults(run=_release)
    for name, run, text in (
        ("show", _show, "say what a release, a channel or a disk holds"),
        ("verify", _verify, "check every byte of a release, or a file with its .minisig"),
    ):
        look = commands.add_parser(name, help=text)
        look.add_argument(
            "what", metavar="FILE|URL|DEVICE|latest" if name == "show" else "FILE|URL|latest"
        )
        look.add_argument(
            "--key",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="a public key to believe",
        )
        if name == "show":
            look.add_argument("--json", action="store_true", help="for programs")
        look.set_defaults(run=run)


def labelled(instance: Instance, built: image.Image) -> disk.Release:
    """What the first slot of a disk gets; with a label when the instance has a key to sign it."""
    plan = release.image_plan(instance)
    made = disk.release(built, plan.number)
    if not keys.secret_path(instance.path, keys.CURRENT).exists():
        return made
    label = release.label(plan, _parts(made), keys.secret(instance.path))
    return dataclasses.replace(made, label=label)


def _parts(made: disk.Release) -> dict[str, BinaryIO]:
    return {"boot": io.BytesIO(made.boot), "root": io.BytesIO(made.root)}


def _keygen(arguments: argparse.Namespace) -> int:
    folder = config.load(arguments.folder).path
    make = keys.rotate if arguments.rotate else keys.create
    made = make(folder, keys.new_passphrase())
    for what, name, key in zip(("signs", "is next"), (keys.CURRENT, keys.NEXT), made, strict=True):
        print(f"{keys.public_path(folder, name)}  {key.name}  {what}")
    kept = keys.secret_path(folder, keys.NEXT)
    print(f"keep {kept} somewhere else: it replaces a key that is lost or stolen", file=sys.stderr)
    return 0


def _release(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.percent <= 100:
        raise BuildError(f"--percent {arguments.percent}: must be 0 to 100")
    instance = config.load(arguments.folder)
    name = arguments.channel or instance.settings.release.channel
    rollout = release.Rollout(name, arguments.percent, arguments.salt)
    texts = arguments.version, arguments.floor, arguments.notes
    print(make(instance, arguments.output, texts, arguments.key, rollout))
    if found := release.readable(instance):
        print("whoever has the release can read in it:", file=sys.stderr)
        print("".join(f"  {what}\n" for what in found), end="", file=sys.stderr)
    print(arguments.output / channel.file_name(release.target(instance), name))
    return 0


def make(
    instance: Instance,
    output: Path,
    texts: tuple[str, str, str] = ("", "", ""),
    key: Path | None = None,
    rollout: release.Rollout | None = None,
) -> Path:
    """Build, and put a signed release into the folder `output`; returns its file.

    texts: version, floor and notes, where they are not as snakeroot.toml has them
    """
    secret = keys.secret(instance.path, key)
    built = image.build(instance)
    plan = release.plan(instance, [shipped.program(), built.kernel], *texts)
    made = disk.release(built, plan.number)
    rollout = rollout or release.Rollout(instance.settings.release.channel)
    return release.write(output, plan, _parts(made), secret, [rollout])


def _show(arguments: argparse.Namespace) -> int:
    instance = _instance(arguments.folder)
    trusted = release.trusted(instance, arguments.key)
    what = release.place(instance, arguments.what, trusted)
    look = contents.describe if contents.is_disk(what) else release.show
    described = look(what, trusted)
    if arguments.json:
        print(json.dumps(described, indent=1))
    else:
        print("\n".join(release.lines(described)))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    instance = _instance(arguments.folder)
    trusted = release.trusted(instance, arguments.key)
    print(release.verify(release.place(instance, arguments.what, trusted), trusted))
    return 0


def _instance(folder: Path) -> Instance | None:
    """The instance, when there is one: these commands work without."""
    return config.load(folder) if (folder / config.FILE).exists() else None

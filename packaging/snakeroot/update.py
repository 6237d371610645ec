"""`snakeroot update`: a release into a running box by SSH or HTTP (door.py), with the box's own commands.

update wanted -         its head and index are standard input; the box says which bytes it lacks
update apply -          those bytes are standard input, or the whole release is
update apply URL        the box fetches it
update show --json      what became of it
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from snakeroot import config, release, releasing
from snakeroot.config import Instance
from snakeroot.door import GLANCE, HTTP, LOOK, SSH, Door, Refused
from snakeroot.host import BuildError, step
from snakeroot.new import TOKEN
from toolbox.release import ReleaseError, partial
from toolbox.release.fetch import Release, locate, open_release
from toolbox.release.manifest import SUFFIX
from toolbox.release.sources import is_url, open_source

#: Seconds: for the box to be healthy in, between two looks at it.
HEALTHY, PACE = 300.0, 0.25

#: Where the release goes that is made when none is named.
RELEASES = "releases"


def add_commands(commands: Any) -> None:
    """Declare the commands; `commands` is what argparse's add_subparsers returned."""
    update = commands.add_parser(
        "update", help="build a release (or take one), and put it into the running box"
    )
    update.add_argument(
        *("what",), metavar="FOLDER|FILE|URL", nargs="?", default="", help="by default: build one"
    )
    update.add_argument(
        "--to",
        default="",
        metavar="URL",
        help="the box's page; by default the box of `run`, by SSH",
    )
    update.add_argument(
        "--token", type=Path, metavar="FILE", help="what --to lets in (update-token)"
    )
    update.set_defaults(run=_update)


def _update(arguments: argparse.Namespace) -> int:
    instance = config.load(arguments.folder)
    if arguments.token and not arguments.to:
        raise BuildError("--token is for a box by HTTP", "say which one: --to http://ADDRESS")
    token = arguments.token or instance.path / TOKEN
    door = HTTP(arguments.to, token) if arguments.to else None
    what = arguments.what or str(releasing.make(instance, instance.output / RELEASES))
    found = update(instance, what, door)
    print(f"version {found['version']} runs in slot {found['slot']}")
    return 0


def update(
    instance: Instance,
    what: str,
    door: Door | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Install the release of a folder, file or URL on a box, and wait until it is committed.

    door: the way to the box; by default to the one of `snakeroot run`

    Returns what the box then says of itself (`update show --json`).  BuildError says why it did not come
    to that.
    """
    found, place = _find(instance, what)
    version = found.manifest.version
    door = door or SSH(instance)
    former = door.show().get("last")
    with step(f"installing {version}"):
        if is_url(place):
            _apply(door, place)
        elif not _send_part(door, found, Path(place)):
            former = door.show().get("last")
            with Path(place).open("rb") as file:
                _apply(door, "-", file)
    with step("until it is healthy"):
        return _healthy(door, version, former, clock)


def _find(instance: Instance, what: str) -> tuple[Release, str]:
    """The head, and the file or URL, of a release, or of the latest one in a folder."""
    trusted = release.trusted(instance, [])
    try:
        if Path(what).is_dir() or (is_url(what) and not what.endswith(SUFFIX)):
            name = instance.settings.release.channel
            what, _ = locate(what, release.target(instance), trusted, name=name)
        source = open_source(what)
        try:
            return open_release(source, trusted), what
        finally:
            source.close()
    except ReleaseError as error:
        raise BuildError(str(error)) from None


def _send_part(door: Door, found: Release, path: Path) -> bool:
    """Send what the box lacks; False when it has to be the whole: the box's updater is older, or its disk fails."""
    with path.open("rb") as file, tempfile.TemporaryFile() as part:
        part.write(file.read(found.pack_at))
        part.seek(0)
        try:
            wanted = door.ask("wanted", "-", part)
        except Refused as refused:
            if refused.unknown:
                return False
            raise
        try:
            ranges = partial.decode(wanted.encode())
            part.seek(0)
            part.truncate()
            size = partial.write(file, ranges, part)
        except ReleaseError as error:
            raise BuildError(f"what the box wants is not understood: {error}") from None
        part.seek(0)
        print(f"  {size / 1e3:.0f} kB of {path.stat().st_size / 1e3:.0f}", file=sys.stderr)
        try:
            _apply(door, "-", part)
        except BuildError as error:
            if partial.LACKS not in str(error):
                raise
            print(f"  {error}", file=sys.stderr)
            return False
    return True


def _apply(door: Door, operand: str, file: IO[bytes] | None = None) -> None:
    """Have the box install it; it restarts then, unless it runs that release already."""
    print(f"  {door.ask('apply', operand, file).strip()}", file=sys.stderr)


def _healthy(
    door: Door, version: str, former: object, clock: Callable[[], float]
) -> dict[str, Any]:
    """Wait until the version is committed.  former: how the last try before this one had ended."""
    until = clock() + HEALTHY
    found: dict[str, Any] = {}
    # A connection that is begun while a box restarts may wait long for its next try: a new one is faster.  But
    # a slow box is to have its time, too.
    patience = GLANCE
    while clock() < until:
        found = door.show(patience)
        patience = GLANCE if found else min(LOOK, patience * 1.1)
        last = found.get("last") or {}
        if last == former:
            last = {}
        if found.get("version") == version and found.get("state") == "committed":
            return found
        if last.get("version") == version and last.get("outcome") in ("failed", "not installed"):
            raise BuildError(
                f"the box went back to version {found.get('version')}: {last.get('reason')}"
            )
        time.sleep(PACE)
    state = found.get("state", "it does not answer")
    raise BuildError(f"version {version} is not committed after {HEALTHY:g} s: {state}")

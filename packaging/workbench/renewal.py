"""`./dev sources --update`: newer pins and a newer lock file, as a proposal.

The distribution's indices of source packages name versions and checksums, and apt verifies them by the distribution's
signatures; the registry of Rust's packages names those of the crate.  Nothing is built and nothing is committed: the
maintainer sees the difference, runs the tests, and commits.
"""

from __future__ import annotations

import datetime
import difflib
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from interpreter import pins, sources
from interpreter.client import Client, UnavailableError
from interpreter.indices import ORIGINS
from interpreter.pins import Pin
from interpreter.ways import Crate, World
from interpreter.workshop import BuildError
from snakeroot.host import replace

from workbench import making

REQUIREMENTS = sources.LOCK.with_suffix(".in")


@dataclass(frozen=True)
class News:
    """A version that is not pinned, and what is known of it."""

    version: str
    sha256: str
    released: datetime.date
    #: "NAME VERSION" where it comes as a crate.
    crate: str = ""


def renew(world: World) -> int:
    """Write newer pins and a newer lock file, and show the difference on standard output.

    Returns 1 when the signed indices name another checksum than a pin has, else 0.
    """
    files = (pins.PINS, REQUIREMENTS, sources.LOCK)
    before = [path.read_text() for path in files]
    problems: list[str] = []
    text = before[0]
    for name in pins.KINDS:
        for new in news(name, world, problems):
            text = inserted(text, name, new)
    replace(pins.PINS, text.encode())
    try:
        _renew_lock(world.client)
    except UnavailableError as reason:
        problems.append(f"{sources.LOCK.name}: {reason}")
    for path, old in zip(files, before, strict=True):
        sys.stdout.write(difference(path.name, old, path.read_text()))
    for problem in problems:
        print(f"dev: {problem}", file=sys.stderr)
    if not problems:
        print("dev: look at this, then ./dev test, and commit it", file=sys.stderr)
    return 1 if problems else 0


def news(name: str, world: World, problems: list[str]) -> list[News]:
    """The versions of a kind's series that are newer than every pin of their sort (archive or crate)."""
    known = pins.read(name)
    found = _indexed(known, world, problems)
    for pin in known:
        if pin.crate:
            try:
                found += _crates(pin, world)
            except UnavailableError as reason:
                problems.append(f"{name}: {reason}")
            break
    return sorted(found, key=lambda one: numbers(one.version))


def _indexed(known: list[Pin], world: World, problems: list[str]) -> list[News]:
    """What the signed indices have.  A pinned version with another checksum there is a problem."""
    archives = {pin.version: pin for pin in known if pin.package}
    series = pins.series(known[0].name)
    package = next(pin.package for pin in archives.values())
    found: dict[str, News] = {}
    try:
        origins = [o for o in ORIGINS if o in {mirror.origin for mirror in world.mirrors()}]
        entries = [entry for o in origins for entry in world.indices(o).entries(package)]
    except UnavailableError as reason:
        problems.append(f"{known[0].name}: {reason}")
        return []
    for entry in entries:
        version = re.sub(r"-[^-]*$", "", entry.version.rpartition(":")[2])
        if not version.startswith(f"{series}."):
            continue
        pinned = archives.get(version)
        if pinned and pinned.sha256 != entry.sha256:
            problems.append(
                f"{pinned}: its pinned checksum is {pinned.sha256}, the signed index says {entry.sha256}"
            )
        # Only what has a plain version is the makers' own archive: 3.5.7, not 3.5.7+dfsg.
        if not pinned and re.fullmatch(r"[0-9.]+", version):
            newest = max(map(numbers, archives))
            if numbers(version) > newest:
                found[version] = News(version, entry.sha256, datetime.date.today())
    return list(found.values())


def _crates(pin: Pin, world: World) -> list[News]:
    """The registry's newest crate of the series, if it is newer than the pin."""
    name, own = pin.crate.split()
    version, sha256 = Crate(world.client, pin.crate, pin.sha256).newest()
    if numbers(version) <= numbers(own) or not version.partition("+")[2].startswith(
        pins.series(pin.name)
    ):
        return []
    return [News(version.partition("+")[2], sha256, datetime.date.today(), f"{name} {version}")]


def inserted(text: str, name: str, news: News) -> str:
    """pins.toml with a pin more, where it belongs: before the first older one of its kind and its comment."""
    rows = list(re.finditer(rf"(?:^#.*\n)*^\[\[{name}\]\]\n(?:.+\n)+", text, re.MULTILINE))
    alike = [row[0] for row in rows if ("\ncrate = " in row[0]) == bool(news.crate)]
    if not alike:
        raise BuildError(f"{pins.PINS}: has no row of {name} to take for a pattern")
    new = _row(alike[0], _version(alike[0]), news)
    for row in rows:
        if numbers(_version(row[0])) < numbers(news.version):
            return f"{text[: row.start()]}{new}\n{text[row.start() :]}"
    return f"{text[: rows[-1].end()]}\n{new}{text[rows[-1].end() :]}"


def _version(row: str) -> str:
    found = re.search(r'^version = "(.*)"$', row, re.MULTILINE)
    return found[1] if found else ""


def _row(pattern: str, version: str, news: News) -> str:
    """A row like another, for another version."""
    row = re.sub(r"^#.*\n", "", pattern, flags=re.MULTILINE).replace(version, news.version)
    row = re.sub(r"^sha256 = .*$", f'sha256 = "{news.sha256}"', row, flags=re.MULTILINE)
    row = re.sub(r"^crate = .*$", f'crate = "{news.crate}"', row, flags=re.MULTILINE)
    return re.sub(r"^released = .*$", f"released = {news.released}", row, flags=re.MULTILINE)


def numbers(version: str) -> tuple[int, ...]:
    """A version as it is ordered."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _renew_lock(client: Client) -> None:
    """The newest of everything that requirements.in names, those with a version there included."""
    text = REQUIREMENTS.read_text()
    with tempfile.TemporaryDirectory() as scratch:
        loose, lock = Path(scratch, "requirements.in"), Path(scratch, "requirements.lock")
        loose.write_text(re.sub(r"==.*", "", text))
        words: list[str | Path] = [
            making.VENV / "bin" / "uv",
            "pip",
            "compile",
            "--quiet",
            "--universal",
        ]
        words += ["--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]
        client.output([*words, loose, "-o", lock])
        locked = lock.read_text()
    versions = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", locked, re.MULTILINE))

    def newest(match: re.Match[str]) -> str:
        return f"{match[1]}=={versions[match[1].replace('_', '-').lower()]}"

    replace(REQUIREMENTS, re.sub(r"^([\w.-]+)==.*$", newest, text, flags=re.MULTILINE).encode())
    replace(sources.LOCK, locked.encode())


def difference(name: str, old: str, new: str) -> str:
    """What changed in a file, as git shows it; but not the lock file's hundreds of checksums."""
    before, after = (
        [line for line in text.splitlines(True) if not line.startswith("    --hash=")]
        for text in (old, new)
    )
    return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", n=1))

"""`./dev sources`: what of all that a build fetches can be had today, and by which ways.  Nothing is downloaded."""

from __future__ import annotations

import contextlib
import datetime
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from interpreter import pins, sources
from interpreter.client import Client, UnavailableError
from interpreter.ways import World, ways
from snakeroot import grub, kernel, packages
from snakeroot.host import BuildError as HostError

from workbench import making

#: Kinds of pins, each of which needs this many ways that lead somewhere: one may be gone tomorrow.
ENOUGH = 2

_UV = making.VENV / "bin" / "uv"

_LINE = "{:<32} {:<20} {:<21} {:>8}  {}"


@dataclass(frozen=True)
class Row:
    """One look: what, in which version, by which way; why it is not there (nothing: it is), and since when."""

    name: str
    version: str
    way: str
    reason: str = ""
    date: datetime.date | None = None

    def line(self, today: datetime.date) -> str:
        """A line of the table."""
        age = f"{(today - self.date).days} days" if self.date else ""
        said = f"no: {self.reason}" if self.reason else "there"
        return _LINE.format(self.name, self.version, self.way, age, said)


def survey(world: World, others: Iterator[Row], show: Callable[[str], None] = print) -> int:
    """Show a table, a line for each pin, version and way, then what cannot be had.

    Returns 1 when a kind of pin has fewer than two ways or another thing cannot be had, else 0.
    """
    today = datetime.date.today()
    show(_LINE.format("source", "version", "way", "age", "there"))
    problems = []
    for name in pins.KINDS:
        rows = []
        for row in _pinned(name, world):
            show(row.line(today))
            rows.append(row)
        there = [row for row in rows if not row.reason]
        for version in dict.fromkeys(row.version for row in rows):
            if version not in {row.version for row in there}:
                show(f"  {name} {version}: no way leads to it today")
        found = dict.fromkeys(row.way for row in there)
        newest = there[0].version if there else "none"
        show(
            f"  {name}: {len(found)} {'way' if len(found) == 1 else 'ways'}; the newest that can be had is {newest}"
        )
        if len(found) < ENOUGH:
            problems.append(f"{name} has fewer than {ENOUGH} ways: pin a version that can be had")
    for row in others:
        show(row.line(today))
        if row.reason:
            problems.append(f"{row.name} {row.version}: {row.reason}")
    for problem in problems:
        show(f"dev: {problem}")
    return 1 if problems else 0


def _pinned(name: str, world: World) -> Iterator[Row]:
    for pin in pins.read(name):
        for way in ways(pin, world):
            reason, date = _looked(way.look)
            yield Row(name, pin.version, way.name, reason, date or pin.released)


def others(client: Client) -> Iterator[Row]:
    """What else a build and a box fetch: packages of the distribution, and of Python those of the lock file."""
    for package in _packages():
        try:
            version = packages.candidate(package)
        except HostError as error:
            yield Row(package, "", "apt", f"{error}; {error.hint}")
            continue
        reason, date = _looked(partial(_package, client, package, version))
        yield Row(package, version, "apt", reason, date)
    if not _UV.exists():  # ./dev lint makes the environment that it is in
        return
    count = sources.LOCK.read_text().count("==")
    yield Row("Python", f"{count} packages", "index", _looked(partial(_wheels, client))[0])


def _packages() -> Iterator[str]:
    """The packages out of which a box is made, unless its configuration names others."""
    for name in kernel.DEFAULT_PACKAGES.get(platform.machine(), ()):
        with contextlib.suppress(HostError):
            packages.candidate(name)
            yield name
            yield from (word for word in packages.dependencies(name) if word.startswith("linux-"))
            break
    if platform.machine() in grub.PROCESSORS:
        yield from (package for package, _ in grub.PLATFORMS.values())
    yield "ca-certificates"


def _package(client: Client, package: str, version: str) -> datetime.date | None:
    said = client.output(["apt-get", "download", "--print-uris", f"{package}={version}"])
    found = re.search(r"^'([^']+)' ", said, re.MULTILINE)
    if not found:
        raise UnavailableError("apt knows no address for it; try: apt-get update")
    return client.head(found[1])


def _wheels(client: Client) -> None:
    """Ask the index for every file of the lock, without fetching them."""
    words: list[str | Path] = [
        _UV,
        "pip",
        "install",
        "--dry-run",
        "--reinstall",
        "--no-deps",
        "--require-hashes",
    ]
    words += ["--python", making.PYTHON, "-r", sources.LOCK]
    client.output(words)


def _looked(look: Callable[[], datetime.date | None]) -> tuple[str, datetime.date | None]:
    """Why a look failed, or the date that it found."""
    try:
        return "", look()
    except UnavailableError as reason:
        return str(reason), None

"""The ways to a pinned archive.  Each can be looked at without a download, and can fail without harm to the others.

The makers' address; the pool of the machine's mirror, by file; the registry of Rust's packages; the distribution's
signed indices.  Both the build and `./dev sources` walk them through a client (client.py), which a test replaces.
"""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from interpreter.client import Client, UnavailableError
from interpreter.indices import ORIGINS, Indices, Mirror, mirrors
from interpreter.pins import Pin


class Way(ABC):
    """One way to one pin's archive."""

    name: str

    @abstractmethod
    def look(self) -> datetime.date | None:
        """Whether the archive is there: its date where that is known; UnavailableError says why it is not."""

    @abstractmethod
    def fetch(self, target: Path) -> None:
        """Write the archive to the file `target`, unchecked.  UnavailableError says why that cannot be."""


@dataclass
class File(Way):
    """A file at an address."""

    name: str
    client: Client
    url: str

    def look(self) -> datetime.date | None:
        return self.client.head(self.url)

    def fetch(self, target: Path) -> None:
        self.client.download(self.url, target)


@dataclass
class Blocked(Way):
    """A way that does not begin on this machine."""

    name: str
    reason: UnavailableError

    def look(self) -> datetime.date | None:
        raise self.reason

    def fetch(self, target: Path) -> None:
        raise self.reason


@dataclass
class Crate(Way):
    """A package of the registry of Rust's packages, by cargo: from whichever registry it is set up for."""

    client: Client
    crate: str
    sha256: str
    name: str = "crate"

    def look(self) -> datetime.date | None:
        with tempfile.TemporaryDirectory() as scratch:
            self._cargo("generate-lockfile", Path(scratch), self._exactly())
            _, found = self._locked(Path(scratch))
        if found != self.sha256:
            raise UnavailableError(f"checksum {found}, pinned is {self.sha256}")
        return None

    def newest(self) -> tuple[str, str]:
        """The newest version that differs in its last number only, and its SHA-256: 300.5.6+3.5.6 for 300.5.5+3.5.5."""
        series = self.crate.split()[1].partition("+")[0].rpartition(".")[0]
        with tempfile.TemporaryDirectory() as scratch:
            self._cargo("generate-lockfile", Path(scratch), f"~{series}")
            return self._locked(Path(scratch))

    def fetch(self, target: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            self._cargo("fetch", Path(scratch), self._exactly())
        home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
        file = f"{self.crate.replace(' ', '-')}.crate"
        for path in home.glob(f"registry/cache/*/{file}"):
            shutil.copyfile(path, target)
            return
        raise UnavailableError(f"cargo fetched {self.crate} but keeps no {file}")

    def _exactly(self) -> str:
        return f"={self.crate.split()[1].partition('+')[0]}"

    def _locked(self, folder: Path) -> tuple[str, str]:
        """Version and checksum that cargo has found in the registry's index."""
        name = self.crate.split()[0]
        lock = tomllib.loads((folder / "Cargo.lock").read_text())
        found = next(package for package in lock["package"] if package["name"] == name)
        return found["version"], found["checksum"]

    def _cargo(self, command: str, folder: Path, wanted: str) -> None:
        """Run cargo for a package that depends on just this one, whose own dependency is an empty stand-in."""
        name = self.crate.split()[0]
        package = (
            '[package]\nname = "{}"\nversion = "{}"\nedition = "2021"\n[lib]\npath = "lib.rs"\n'
        )
        needs = (
            f'[dependencies]\n{name} = "{wanted}"\n'
            '[patch.crates-io]\ncc = { path = "cc" }\n[workspace]\n'
        )
        for place, text in ((folder, package.format("source", "0.0.0") + needs),
                            (folder / "cc", package.format("cc", "1.999.0"))):  # fmt: skip
            place.mkdir(exist_ok=True)
            (place / "Cargo.toml").write_text(text)
            (place / "lib.rs").write_text("")
        env = {"CARGO_NET_RETRY": "0", "CARGO_HTTP_TIMEOUT": "20", "CARGO_TERM_COLOR": "never"}
        self.client.output(["cargo", command, "--quiet"], cwd=folder, env=env)


@dataclass
class Index(Way):
    """A source package in the distribution's indices, which apt verifies by the distribution's signatures."""

    name: str
    client: Client
    indices: Indices
    pin: Pin

    def look(self) -> datetime.date | None:
        return self.client.head(self.indices.address(self._entry()))

    def fetch(self, target: Path) -> None:
        self.indices.download(self._entry(), target)

    def _entry(self) -> tuple[str, str]:
        """Package and version; of several revisions any has the same archive."""
        for entry in self.indices.entries(self.pin.package):
            if entry.sha256 == self.pin.sha256:
                return self.pin.package, entry.version
        raise UnavailableError(f"no suite lists {self.pin.package} {self.pin.version}")


@dataclass
class World:
    """This machine's mirrors and indices, asked for once."""

    client: Client
    _mirrors: list[Mirror] = field(default_factory=list)
    _indices: dict[str, Indices] = field(default_factory=dict)

    def mirrors(self) -> list[Mirror]:
        """UnavailableError when there is no apt or it has no mirror that we know."""
        self._mirrors = self._mirrors or mirrors(self.client)
        return self._mirrors

    def indices(self, origin: str) -> Indices:
        """The indices of a distribution by its mirrors here."""
        if origin not in self._indices:
            own = [mirror for mirror in self.mirrors() if mirror.origin == origin]
            self._indices[origin] = Indices(self.client, own)
        return self._indices[origin]


def _makers(pin: Pin, world: World) -> Iterator[Way]:
    for url in pin.upstream:
        yield File(urlsplit(url).hostname or url, world.client, url)


def _pool(pin: Pin, world: World) -> Iterator[Way]:
    """The .orig archive itself: a mirror keeps it as long as any suite needs it, listed or not."""
    if not pin.package:
        return
    try:
        found = world.mirrors()
    except UnavailableError as reason:
        yield Blocked("pool", reason)
        return
    kind = pin.upstream[0].rpartition(".tar.")[2]
    file = f"main/{pin.package[0]}/{pin.package}/{pin.package}_{pin.version}.orig.tar.{kind}"
    for mirror in found:
        yield File(f"pool {mirror.name}", world.client, f"{mirror.pool}/{file}")


def _crate(pin: Pin, world: World) -> Iterator[Way]:
    if pin.crate:
        yield Crate(world.client, pin.crate, pin.sha256)


def _index(pin: Pin, world: World) -> Iterator[Way]:
    if not pin.package:
        return
    try:
        found = {mirror.origin for mirror in world.mirrors()}
    except UnavailableError as reason:
        yield Blocked("index", reason)
        return
    for origin in ORIGINS:
        if origin in found:
            yield Index(f"index {origin}", world.client, world.indices(origin), pin)


#: In the order in which they are tried: the quick ones first.
WAYS: tuple[Callable[[Pin, World], Iterator[Way]], ...] = (_makers, _pool, _crate, _index)


def ways(pin: Pin, world: World) -> Iterator[Way]:
    """Every way to a pin's archive, best first."""
    for kind in WAYS:
        yield from kind(pin, world)

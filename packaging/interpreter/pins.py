"""The pinned sources: which versions of what, with their checksums, out of pins.toml."""

from __future__ import annotations

import datetime
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpreter.workshop import BuildError

PINS = Path(__file__).with_name("pins.toml")

#: A kind of pin -> how its makers write it.
TITLES = {"cpython": "CPython", "openssl": "OpenSSL"}


#: The kinds, in the order in which they are told.
KINDS = tuple(TITLES)


@dataclass(frozen=True)
class Pin:
    """One archive with one version of one source, as pins.toml has it."""

    name: str
    version: str
    released: datetime.date
    sha256: str
    #: The makers' addresses.
    upstream: tuple[str, ...] = ()
    #: The distribution's source package whose .orig archive this is.
    package: str = ""
    #: The Rust package that holds the source, "NAME VERSION", and the folder inside it.
    crate: str = ""
    folder: str = ""

    def __str__(self) -> str:
        return (
            f"{TITLES.get(self.name, self.name)} {self.version}{' (crate)' if self.crate else ''}"
        )

    @property
    def file(self) -> str:
        """The name of the file in the cache."""
        return f"{self.name}-{self.version}{'.crate' if self.crate else '.tar'}"


def read(name: str) -> list[Pin]:
    """All pins of a kind ("cpython"), best first."""
    return [_pin(name, row) for row in _table()[name]]


def chosen(name: str) -> list[Pin]:
    """The pins of a kind, best first; $SNAKEROOT_CPYTHON and the like narrow them to one version."""
    found = read(name)
    variable = f"SNAKEROOT_{name.upper()}"
    wanted = os.environ.get(variable)
    if wanted:
        found = [pin for pin in found if pin.version == wanted]
        if not found:
            raise BuildError(f"{variable}={wanted}: pins.toml has no such version")
    return found


def suites(origin: str) -> list[str]:
    """The suites of a distribution ("debian") in which a pinned version may be."""
    return list(_table()["suites"][origin])


def series(name: str) -> str:
    """The versions of a kind that the program is made for: "3.13" of cpython."""
    return str(_table()["series"][name])


def _table() -> dict[str, Any]:
    return tomllib.loads(PINS.read_text())


def _pin(name: str, row: dict[str, Any]) -> Pin:
    return Pin(name=name, **{**row, "upstream": tuple(row.get("upstream", ()))})

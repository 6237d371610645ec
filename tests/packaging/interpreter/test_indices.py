"""The mirrors, out of what apt says of its configuration.

They break when a machine whose apt has no lists yet has no mirror, when the mirror of another project is taken for
the distribution's, or when the archive of security updates is missing or has the wrong layout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from interpreter.client import Client, UnavailableError
from interpreter.indices import mirrors


class Apt(Client):
    """apt with lists, and without."""

    def __init__(self, listed: str, configured: str = "") -> None:
        self.listed, self.configured = listed, configured

    def output(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        return self.configured if "--no-release-info" in argv else self.listed


def pools(apt: Apt) -> list[tuple[str, str]]:
    return [(mirror.name, mirror.pool) for mirror in mirrors(apt)]


DEBIAN = [
    ("debian", "http://m.example/debian/pool"),
    ("debian security", "http://m.example/debian-security/pool/updates"),
]


@pytest.mark.parametrize(
    ("listed", "configured", "found"),
    [
        ("Debian http://m.example/debian/\n" * 3, "", DEBIAN),
        (
            "Debian http://m.example/debian/\nDebian http://m.example/debian-security/\n",
            "",
            DEBIAN,
        ),
        # Before the first update; with repositories of others, whose origin is known or not.
        ("", " http://m.example/debian/\n http://m.example/debian-security/\n", DEBIAN),
        ("Docker http://d.example/linux/debian/\nDebian http://m.example/debian/\n", "", DEBIAN),
        (" http://d.example/nodistro/\nDebian http://m.example/debian/\n", "", DEBIAN),
        # The archive of security updates on a host of its own, and a mirror with a folder of its own name.
        (
            "Debian http://a.example/pub/deb\nDebian http://security.example/debian-security/\n",
            "",
            [
                ("debian", "http://a.example/pub/deb/pool"),
                ("debian security", "http://security.example/debian-security/pool/updates"),
            ],
        ),
        # Ubuntu has one layout for both.
        (
            "Ubuntu http://u.example/ubuntu/\nUbuntu http://security.u.example/ubuntu/\n",
            "",
            [
                ("ubuntu", "http://u.example/ubuntu/pool"),
                ("ubuntu", "http://security.u.example/ubuntu/pool"),
            ],
        ),
    ],
)
def test_mirrors(listed: str, configured: str, found: list[tuple[str, str]]) -> None:
    assert pools(Apt(listed, configured)) == found


def test_mirrors_in_a_list(tmp_path: Path) -> None:
    """As in the images for clouds: `mirror+file:`."""
    path = tmp_path / "debian.list"
    path.write_text("# comment\n\nhttp://m.example/debian priority:1\n")
    assert pools(Apt(f"Debian mirror+file:{path}\n")) == DEBIAN


@pytest.mark.parametrize("listed", ["", "Other http://o.example/other/\n", "Debian cdrom:[x]/\n"])
def test_no_mirror(listed: str) -> None:
    with pytest.raises(UnavailableError, match="no mirror"):
        mirrors(Apt(listed))

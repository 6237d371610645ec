"""The keys of an instance's releases: files of minisign's, beside snakeroot.toml.

    release.key, release.pub    signs the releases        next.key, next.pub    will, when the first is no more

A box believes both public keys.  So a lost or stolen key is replaced by a release that the next one signs:
`snakeroot keygen --rotate` puts it in the first one's place and makes a new next one, and the boxes that took
that release don't believe the old key any more.  The secret half of the next key is best kept elsewhere.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from snakeroot.host import BuildError, replace
from toolbox.trust import minisign
from toolbox.trust.minisign import PublicKey, SecretKey, SignatureError

CURRENT, NEXT = "release", "next"

#: Where a passphrase comes from when nobody can be asked.
PASSPHRASE = "SNAKEROOT_PASSPHRASE"


def create(folder: Path, passphrase: str = "") -> list[PublicKey]:
    """Make both keys of an instance.  BuildError when one is there: it may be in boxes already."""
    for name in (CURRENT, NEXT):
        for path in (secret_path(folder, name), public_path(folder, name)):
            if path.exists():
                raise BuildError(
                    f"{path}: is there already",
                    "let the next key take its place: snakeroot keygen --rotate",
                )
    return [_make(folder, name, passphrase) for name in (CURRENT, NEXT)]


def rotate(folder: Path, passphrase: str = "") -> list[PublicKey]:
    """The next key becomes the one that signs, and a new next one is made.  The old one stays as retired-ID."""
    paths = {
        name: (secret_path(folder, name), public_path(folder, name)) for name in (CURRENT, NEXT)
    }
    for path in paths[NEXT]:
        if not path.exists():
            raise BuildError(
                f"{path}: there is no such key to take the place of the old one",
                "bring it back from where it is kept; without it, boxes must be written anew",
            )
    key = _read_public(public_path(folder, NEXT))
    # Each step leaves keys that boxes believe; a second call goes on after the first failed.
    secret_file, public_file = paths[CURRENT]
    if public_file.exists():
        retired = f"retired-{_read_public(public_file).name}"
        _ignore(folder, f"{retired}.key")
        if secret_file.exists():
            secret_file.replace(secret_path(folder, retired))
        public_file.replace(public_path(folder, retired))
    for source, target in zip(paths[NEXT], paths[CURRENT], strict=True):
        source.replace(target)
    return [key, _make(folder, NEXT, passphrase)]


def public(folder: Path) -> list[PublicKey]:
    """The public keys of an instance, the one that signs first; none before `snakeroot keygen`."""
    paths = [public_path(folder, name) for name in (CURRENT, NEXT)]
    return [_read_public(path) for path in paths if path.exists()]


def secret(folder: Path, path: Path | None = None) -> SecretKey:
    """The key that signs, of an instance or of a file; its passphrase is asked for when it has one."""
    path = path or secret_path(folder, CURRENT)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BuildError(f"{path}: no key to sign with", "make it: snakeroot keygen") from None
    try:
        return minisign.parse_secret_key(data, lambda: _ask(path))
    except SignatureError as error:
        raise BuildError(f"{path}: {error}") from None


def read_public(path: Path) -> list[PublicKey]:
    """The keys of a file.  BuildError when there is none in it."""
    try:
        return minisign.parse_public_keys(path.read_bytes())
    except SignatureError as error:
        raise BuildError(f"{path}: {error}") from None


def new_passphrase() -> str:
    """A passphrase for new keys: of the environment, or asked for twice; "" for none."""
    text = os.environ.get(PASSPHRASE)
    if text is None and sys.stdin.isatty():
        text = getpass.getpass("Passphrase for the keys (empty: none): ")
        if text and getpass.getpass("Again: ") != text:
            raise BuildError("these are two passphrases", "call it again")
    return text or ""


def secret_path(folder: Path, name: str) -> Path:
    """Where a secret key lies."""
    return folder / f"{name}.key"


def public_path(folder: Path, name: str) -> Path:
    """Where a public key lies."""
    return folder / f"{name}.pub"


def _read_public(path: Path) -> PublicKey:
    keys = read_public(path)
    if len(keys) != 1:
        raise BuildError(f"{path}: holds {len(keys)} keys and not one")
    return keys[0]


def _make(folder: Path, name: str, passphrase: str) -> PublicKey:
    key = minisign.generate()
    path = secret_path(folder, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(key.encode(passphrase))
    replace(public_path(folder, name), key.public.encode())
    _ignore(folder, path.name)
    return key.public


def _ignore(folder: Path, name: str) -> None:
    """A secret must not get into a repository by accident."""
    path = folder / ".gitignore"
    lines = path.read_text().splitlines() if path.exists() else []
    if name not in lines:
        replace(path, "".join(f"{line}\n" for line in [*lines, name]).encode())


def _ask(path: Path) -> str:
    text = os.environ.get(PASSPHRASE)
    if text is not None:
        return text
    if not sys.stdin.isatty():
        raise BuildError(
            f"{path}: needs its passphrase",
            f"set {PASSPHRASE} in the environment, or use a terminal",
        )
    return getpass.getpass(f"Passphrase of {path}: ")

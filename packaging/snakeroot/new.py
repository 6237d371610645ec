"""`snakeroot new NAME`: a working instance from the template beside this file."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from snakeroot import config, keys
from snakeroot.host import BuildError
from toolbox.trust import tokens
from toolbox.trust.password import hash_password

TEMPLATE = Path(__file__).parent / "template"

#: The file of the token with which releases are pushed.
TOKEN = "update-token"


def create(folder: Path) -> None:
    """Make the instance: settings, a web service, keys for SSH and for releases, and a password of its own.

    The password's hash goes into snakeroot.toml; the password itself waits in `first-password` until the
    first `snakeroot run` shows it, once.  So does the hash of the token that lets a program push releases,
    which stays in `update-token`.
    """
    name = folder.resolve().name
    if not config.HOSTNAME.fullmatch(name):
        raise BuildError(f"'{name}' is no host name", "use letters, digits and '-'")
    if folder.exists() and any(folder.iterdir()):
        raise BuildError(f"{folder}: is there already, and not empty", "choose another name")
    password = secrets.token_urlsafe(9)
    token, hashed_token = tokens.make()
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    for source in sorted(TEMPLATE.rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            target = folder / source.relative_to(TEMPLATE)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text()
            for word, value in (
                ("@HOSTNAME@", name),
                ("@PASSWORD@", hash_password(password)),
                ("@TOKEN@", hashed_token),
                ("@PUBLIC_KEY@", f"{public} {name}"),
                ("@SEED@", secrets.token_hex(8)),
            ):
                text = text.replace(word, value)
            target.write_text(text)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    _secret(folder / "ssh_key", private)
    _secret(folder / "ssh_key.pub", f"{public} {name}\n".encode())
    _secret(folder / "first-password", f"{password}\n".encode())
    _secret(folder / TOKEN, f"{token}\n".encode())
    (folder / ".gitignore").write_text(f".build/\nssh_key\nfirst-password\n{TOKEN}\n")
    keys.create(folder)
    print(f"made {folder}: see {folder / config.FILE}", file=sys.stderr)


def _secret(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)

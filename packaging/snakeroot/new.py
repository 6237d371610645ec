"""`snakeroot new NAME`: a working instance from one of the templates beside this file.

templates/snakeroot.toml      of all of them
templates/NAME/services.toml  what stands in the place of @SERVICES@
templates/NAME/...            files of the instance
"""

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

TEMPLATES = Path(__file__).parent / "templates"

#: The template that is taken when none is named.
DEFAULT = "hello"

#: What its services are, in a template's folder.
SERVICES = "services.toml"

#: The file of the token with which releases are pushed.
TOKEN = "update-token"


def names() -> list[str]:
    """The templates."""
    return sorted(path.parent.name for path in TEMPLATES.glob(f"*/{SERVICES}"))


def create(folder: Path, template: str = DEFAULT) -> None:
    """Make the instance: settings, a program, keys for SSH and for releases, and a password of its own.

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
    services, files = _parts(TEMPLATES / template)
    words = {
        "@SERVICES@": services,
        "@HOSTNAME@": name,
        "@PASSWORD@": hash_password(password),
        "@TOKEN@": hashed_token,
        "@PUBLIC_KEY@": f"{public} {name}",
        "@SEED@": secrets.token_hex(8),
    }
    for target, source in files.items():
        text = source.read_text()
        for word, value in words.items():
            text = text.replace(word, value)
        place = folder / target
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        if os.access(source, os.X_OK):
            mode = place.stat().st_mode
            place.chmod(mode | (mode & 0o444) >> 2)  # for whoever may read it
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    _secret(folder / "ssh_key", private)
    _secret(folder / "ssh_key.pub", f"{public} {name}\n".encode())
    _secret(folder / "first-password", f"{password}\n".encode())
    _secret(folder / TOKEN, f"{token}\n".encode())
    (folder / ".gitignore").write_text(f".build/\nssh_key\nfirst-password\n{TOKEN}\n")
    keys.create(folder)
    print(f"made {folder}: see {folder / config.FILE}", file=sys.stderr)


def _parts(template: Path) -> tuple[str, dict[Path, Path]]:
    """The text of the services, and the files: where in the instance -> where here."""
    files = {Path(config.FILE): TEMPLATES / config.FILE}
    for source in sorted(template.rglob("*")):
        name = source.relative_to(template)
        if source.is_file() and "__pycache__" not in name.parts and name != Path(SERVICES):
            files[name] = source
    return (template / SERVICES).read_text().strip(), files


def _secret(path: Path, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)

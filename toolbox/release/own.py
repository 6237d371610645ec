"""What a box knows of its own releases: /etc/snakeroot/release.json and release.pub, put there by the builder."""

from __future__ import annotations

import json
import os

from toolbox.release import ReleaseError, channel, manifest
from toolbox.release.manifest import Target
from toolbox.trust import minisign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from toolbox.trust.minisign import PublicKey

FOLDER = "/etc/snakeroot"
SETTINGS, KEYS = "release.json", "release.pub"


class Own:
    """target: what this box is    keys: whom it believes    url: the folder of releases, "" for none
    channel: which of its channels it follows
    """

    __slots__ = ("channel", "keys", "target", "url")

    def __init__(
        self, target: Target, keys: list[PublicKey], url: str = "", channel: str = channel.DEFAULT
    ) -> None:
        self.target = target
        self.keys = keys
        self.url = url
        self.channel = channel


def encode(own: Own) -> dict[str, bytes]:
    """The files, by name; `load` reads them."""
    target = own.target
    fields = {
        "name": target.name,
        "architecture": target.architecture,
        "board": target.board,
        "url": own.url,
        "channel": own.channel,
    }
    return {
        SETTINGS: json.dumps(fields, indent=1).encode() + b"\n",
        KEYS: b"".join(key.encode() for key in own.keys),
    }


def load(folder: str = FOLDER) -> Own:
    """ReleaseError when a file is missing or is not what `encode` writes: this box takes no releases then."""
    try:
        data, lines = (_read(os.path.join(folder, name)) for name in (SETTINGS, KEYS))
        fields = json.loads(data)
        words = {key: fields[key] for key in ("name", "architecture", "board", "channel", "url")}
        found = manifest.target(words)
        name = manifest.text(words, "channel", manifest.WORD)
        return Own(found, minisign.parse_public_keys(lines), str(words["url"]), name)
    except OSError as error:
        raise ReleaseError(
            f"{error.filename}: {error.strerror}: this box takes no releases"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{folder}: this box takes no releases: {error}") from None


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(1 << 16)

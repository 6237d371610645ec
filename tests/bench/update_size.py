"""Bytes on the wire for the second of two releases: update_size.py OLD NEW PUBLIC_KEY

Serves NEW from a web server on this machine to a fetcher that has OLD in a slot, and says what came over the
wire, in how many requests and seconds.  The releases are files of `snakeroot release`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

from tests.toolbox.release.factory import serve  # noqa: E402
from toolbox.release.fetch import Fetch, Have, open_release  # noqa: E402
from toolbox.release.sources import FileSource, HTTPSource  # noqa: E402
from toolbox.trust.minisign import PublicKey, parse_public_key  # noqa: E402


def slot_of(path: Path, keys: list[PublicKey]) -> Have:
    """What a slot with this release has, in memory."""
    source = FileSource(str(path))
    release = open_release(source, keys)
    index = release.load_index(source)
    parts = {name: bytearray() for name in index.parts}
    for piece in Fetch(source, release, index):
        parts[piece.part] += piece.data
    source.close()
    return Have(index, lambda part, offset, length: bytes(parts[part][offset : offset + length]))


def measure(old: Path, new: Path, keys: list[PublicKey]) -> dict[str, float]:
    """received: bytes of bodies   requests   seconds   size: of the new parts   full: of the new file"""
    have = slot_of(old, keys)
    with serve() as server:
        server.files["/new"] = new.read_bytes()
        began = time.perf_counter()
        source = HTTPSource(f"{server.url}/new")
        release = open_release(source, keys)
        index = release.load_index(source)
        fetch = Fetch(source, release, index, [have])
        for _ in fetch:
            pass
        seconds = time.perf_counter() - began
        source.close()
        return {
            "received": source.received,
            "requests": len(server.log),
            "seconds": round(seconds, 2),
            "size": sum(index.parts.values()),
            "full": new.stat().st_size,
        }


def main(argv: list[str]) -> int:
    """One line of words and numbers."""
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    found = measure(Path(argv[0]), Path(argv[1]), [parse_public_key(Path(argv[2]).read_bytes())])
    share = 100 * found["received"] / found["size"]
    print(
        f"{found['received']} bytes of {found['size']:.0f} ({share:.2f} %),"
        f" {found['requests']} requests, {found['seconds']} s; in full {found['full']}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The memory of an update does not grow with the release.  Breaks when a table keeps what it need not."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zlib
from pathlib import Path

from tests.toolbox.release.factory import CREATED, KEY, TARGET
from toolbox.release import signed
from toolbox.release.chunks import entry
from toolbox.release.manifest import MOST_CHUNKS, Blob, Manifest

ROOT = Path(__file__).resolve().parents[3]

#: Fetches a release into nothing, with a slot at hand that has all chunks, though not what they should be, and
#: one that has none; prints by how many bytes the process grew.
PROBE = """
import sys
from toolbox.release.fetch import Fetch, Have, Retry, open_release
from toolbox.release.slots import SlotWriter
from toolbox.release.sources import FileSource
from toolbox.storage.device import BlockDevice
from toolbox.trust.minisign import parse_public_key

class Nothing(BlockDevice):
    size = 1 << 40
    def read(self, offset, length): return bytes(length)
    def write(self, offset, data): pass
    def flush(self): pass

def peak():
    # Not getrusage: its maximum is inherited from the parent.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024

source = FileSource(sys.argv[1])
release = open_release(source, [parse_public_key(sys.argv[2].encode())])
before = peak()
index = release.load_index(source)
other = release.load_index(source)
writer = SlotWriter({"boot": Nothing(), "root": Nothing()})
read = lambda part, offset, length: bytes(length)
fetch = Fetch(source, release, index, [Have(other, read), Have(other, read, target=True)], read)
for piece in fetch:
    writer.put(piece)
writer.close()
print(sum(index.parts.values()), peak() - before)
"""


def test_the_largest_index_fits_into_20_megabytes(tmp_path: Path) -> None:
    """As many chunks as there may be, all of them different; larger releases have larger chunks, not more."""
    index, stored, whole = io.BytesIO(), io.BytesIO(), hashlib.sha256()
    boot = bytes(4096)
    index.write(entry(boot, len(boot)))
    stored.write(boot)
    size = 0
    for number in range(MOST_CHUNKS - 1):
        chunk = number.to_bytes(8, "big") + bytes(8184)
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        packed = packer.compress(chunk) + packer.flush()
        index.write(entry(chunk, len(packed)))
        stored.write(packed)
        whole.update(chunk)
        size += len(chunk)
    entries, pack = index.getvalue(), stored.getvalue()
    parts = {
        "boot": Blob(len(boot), hashlib.sha256(boot).hexdigest()),
        "root": Blob(size, whole.hexdigest()),
    }
    blobs = [Blob(len(data), hashlib.sha256(data).hexdigest()) for data in (entries, pack)]
    made = Manifest(TARGET, "1", 1, CREATED, parts, *blobs)
    path = tmp_path / "release"
    path.write_bytes(signed.seal(made.encode(), KEY, CREATED, made.file) + entries + pack)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, path, KEY.public.text],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    total, grown = map(int, done.stdout.split())
    assert total > 500 << 20
    assert grown < 20 << 20, grown

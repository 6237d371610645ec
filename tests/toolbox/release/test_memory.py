"""The memory of an update does not grow with the release.  Breaks when a table keeps what it need not."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.toolbox.release.factory import CREATED, KEY, TARGET
from toolbox.release import signed, slots
from toolbox.release.chunks import entry
from toolbox.release.manifest import MOST_CHUNKS, Blob, Manifest
from toolbox.storage import bootstate, gpt, slot
from toolbox.storage.bootstate import State
from toolbox.storage.device import SECTOR

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


#: Installs a release from a pipe into the other slot of a disk, as the applet does; prints by how many bytes the
#: process grew over what it was when everything was imported.
INSTALL = """
import sys
from applets.update import daemon, health, work
from toolbox.release import fetch, manifest, partial
from toolbox.release.own import Own
from toolbox.storage.device import Disk
from toolbox.storage.update import Updates
from toolbox.storage.update_record import Record
from toolbox.trust.minisign import parse_public_key

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024

own = Own(manifest.Target("hello", "x86_64", "pc"), [parse_public_key(sys.argv[2].encode())])
before = peak()
with Disk(sys.argv[1], writable=True) as disk:
    words = "snakeroot.slot=a snakeroot.boot=committed"
    updates = Updates(disk, words, Record(sys.argv[3]), own)
    assert updates.version("a") == "1"
    source = partial.open_pipe("pushed", open(0, "rb", closefd=False))
    assert updates.install(source).version == "2"
    assert updates.describe()["state"] == "armed"
print(peak() - before)
"""

#: The bytes of the large release's chunks, and of its disk's partitions.
CHUNK, BOOT_ROOM = 1 << 14, 8 << 20


def large(size: int, number: int) -> tuple[bytes, Iterator[bytes]]:
    """A release whose root has so many bytes of noise, without its pack; and the pack's pieces.

    One chunk of sixteen is in no release of another number.
    """

    def chunks() -> Iterator[bytes]:
        for at in range(size // CHUNK):
            own = number if at % 16 == 0 else 0
            yield hashlib.shake_128(b"%d %d" % (own, at)).digest(CHUNK)

    boot = slot.boot_area(b"kernel" * 1000, b"initramfs" * 1000, number)
    index, stored, whole = io.BytesIO(), hashlib.sha256(boot), hashlib.sha256()
    index.write(entry(boot, len(boot)))
    for chunk in chunks():
        index.write(entry(chunk, CHUNK))
        stored.update(chunk)
        whole.update(chunk)
    parts = {
        "boot": Blob(len(boot), hashlib.sha256(boot).hexdigest()),
        "root": Blob(size, whole.hexdigest()),
    }
    entries = index.getvalue()
    blobs = [
        Blob(len(entries), hashlib.sha256(entries).hexdigest()),
        Blob(len(boot) + size, stored.hexdigest()),
    ]
    made = Manifest(TARGET, str(number), number, CREATED, parts, *blobs)
    head = signed.seal(made.encode(), KEY, CREATED, made.file)
    return head + entries, itertools.chain([boot], chunks())


@pytest.mark.parametrize("megabytes", [16, 256])
def test_an_update_of_any_size_takes_less_than_32_megabytes(tmp_path: Path, megabytes: int) -> None:
    """Both slots' indexes, what is written and read back: all of an update but the program itself."""
    size = megabytes << 20
    rooms = {"state": 1 << 20, "boot": BOOT_ROOM, "root": size}
    partitions, at = [], gpt.MIB
    for number, name in enumerate(("state", "A-boot", "A-root", "B-boot", "B-root"), 1):
        kind = bootstate.PARTITION_TYPE if name == "state" else gpt.LINUX
        sectors = rooms[name.rpartition("-")[2]] // SECTOR
        guid = gpt.derived_guid("large", name)
        partitions.append(gpt.Partition(number, name, kind, guid, at, sectors))
        at += sectors
    table = gpt.Table(gpt.derived_guid("large", "disk"), partitions, at + gpt.MIB)
    path = tmp_path / "disk"
    path.write_bytes(b"")
    os.truncate(path, table.sectors * SECTOR)
    begin, pieces = large(size, 1)
    with path.open("r+b") as file:
        for offset, data in ((0, table.begin()), (-len(table.end()), table.end())):
            file.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
            file.write(data)
        for name in ("state", "A-boot", "A-root"):
            file.seek(table.named(name).first * SECTOR)
            if name == "state":
                file.write(bootstate.archive(State("a", bad=["b"])))
            else:
                file.writelines(itertools.islice(pieces, 1 if name == "A-boot" else None))
        end = slots.encode_label(begin)
        file.seek(table.named("A-root").first * SECTOR - len(end))
        file.write(end)
    words = [sys.executable, "-c", INSTALL, path, KEY.public.text, tmp_path / "record"]
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        begin, pieces = large(size, 2)
        # It ends as soon as it has what it lacks.
        with contextlib.suppress(BrokenPipeError), process.stdin as into:
            into.writelines(itertools.chain([begin], pieces))
        grown = int(process.stdout.read())
    assert process.returncode == 0
    assert grown < 32 << 20, grown


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

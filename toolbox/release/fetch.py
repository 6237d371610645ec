"""From a place to the verified bytes of a release, in the order in which they are written.

    release = open_release(source, keys)        the signature first, then what it signs
    check(release.manifest, box)                is it for this box, and newer
    index = release.load_index(source)
    for piece in Fetch(source, release, index, have, there):
        ...                                     each was checked against its hash

What a box has already is not fetched: a chunk that the slot holds where it belongs (a try that was cut off),
or that either slot holds anywhere.  What is missing comes in few ranges, or, when the server has no ranges or
most is missing, in one.  A failing network is tried again from where it failed; everything else is final.
Memory is bounded by the index (2.6 MB) and a table of the chunks at hand, whatever the size of the release.
"""

from __future__ import annotations

import hashlib
import time

from toolbox.release import ReleaseError, channel, manifest, pack, signed
from toolbox.release.chunks import Index
from toolbox.release.sources import Interrupted, child, open_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from typing import TypeVar

    from toolbox.release.channel import Channel
    from toolbox.release.chunks import Chunk
    from toolbox.release.manifest import Manifest, Target
    from toolbox.release.sources import Source
    from toolbox.trust.minisign import PublicKey

    T = TypeVar("T")
    #: (part, offset, bytes) -> the bytes, or fewer; OSError when the disk says so.
    Reader = Callable[[str, int, int], bytes]

#: Disks are written in sectors of so many bytes (toolbox/storage/device.py).
SECTOR = 512

#: Where a chunk came from.
THERE, LOCAL, NETWORK = "there", "local", "network"

#: How often the network may fail in a row, and the first wait after that, in seconds; each is twice the last.
TRIES, FIRST_WAIT, LONGEST_WAIT = 6, 1.0, 300.0

#: So many chunks of a slot that aren't what its index says, and nothing more is read from it.
MOST_DAMAGED = 8


class Retry:
    """How often a thing is tried while the network fails, who hears of it, and how waiting is done."""

    def __init__(
        self,
        say: Callable[[str], None] = lambda text: None,
        sleep: Callable[[float], None] = time.sleep,
        tries: int = TRIES,
    ) -> None:
        self.say = say
        self.sleep = sleep
        self.tries = tries

    def __call__(self, source: Source, action: Callable[[], T]) -> T:
        """What `action` returns.  ReleaseError when the network fails too often in a row."""
        wait, number = FIRST_WAIT, 1
        while True:
            try:
                return action()
            except Interrupted as error:
                source.close()
                if number >= self.tries:
                    raise
                self.say(f"{error}; trying again in {wait:g} s")
                self.sleep(min(wait, LONGEST_WAIT))
                wait, number = min(wait * 2, LONGEST_WAIT), number + 1


class Box:
    """What a release is checked against.

    target: what this box is    version: that is committed, "" when unknown    floor: the highest of all that
    were committed    room: part -> bytes that a slot has for it
    """

    __slots__ = ("floor", "room", "target", "version")

    def __init__(
        self,
        target: Target,
        version: str = "",
        floor: str = "0",
        room: Mapping[str, int] | None = None,
    ) -> None:
        self.target = target
        self.version = version
        self.floor = floor
        self.room = dict(room or {})


class Release:
    """head: the signed lines as they are    manifest: what they say    key: that signed them"""

    __slots__ = ("head", "key", "manifest")

    def __init__(self, head: bytes, manifest: Manifest, key: PublicKey) -> None:
        self.head = head
        self.manifest = manifest
        self.key = key

    @property
    def mounts(self) -> frozenset[str]:
        """The features of ext4 with which its init can mount /perm."""
        return frozenset(signed.field(self.head, manifest.MOUNTS).split(",")) - {""}

    @property
    def pack_at(self) -> int:
        """Where the pack begins in the release's file."""
        return len(self.head) + self.manifest.index.size

    @property
    def size(self) -> int:
        """Bytes of the release's file."""
        return self.pack_at + self.manifest.pack.size

    def load_index(self, source: Source, retry: Retry | None = None) -> Index:
        """The index, checked.  ReleaseError when it is not the manifest's."""

        def load() -> bytes:
            source.at(len(self.head), self.pack_at)
            return source.exactly(self.manifest.index.size)

        return self.parse_index((retry or Retry())(source, load))

    def parse_index(self, data: bytes) -> Index:
        """The index of its bytes, from wherever they are.  ReleaseError when it is not the manifest's."""
        blob = self.manifest.index
        if len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.sha256:
            raise ReleaseError("the index is not the one that is signed")
        sizes = {name: part.size for name, part in self.manifest.parts.items()}
        return Index(data, sizes, self.manifest.pack.size)


def open_release(source: Source, keys: Sequence[PublicKey], retry: Retry | None = None) -> Release:
    """Read the head of a release.  ReleaseError when it is not signed by one of the keys, or no release."""
    head, line, key = _open(source, keys, retry or Retry())
    return Release(head, manifest.decode(signed.parse(line)), key)


def read_channel(source: Source, keys: Sequence[PublicKey], retry: Retry | None = None) -> Channel:
    """Read a channel file.  ReleaseError when it is not signed by one of the keys, or no channel file."""
    _, line, _ = _open(source, keys, retry or Retry())
    return channel.decode(signed.parse(line))


def parse_release(data: bytes, keys: Sequence[PublicKey]) -> Release:
    """The release whose head these bytes begin with.  ReleaseError as for `open_release`."""
    head, _ = signed.split(data[: signed.LONGEST])
    line, key = signed.unseal(head, keys)
    return Release(head, manifest.decode(signed.parse(line)), key)


def _open(
    source: Source, keys: Sequence[PublicKey], retry: Retry
) -> tuple[bytes, bytes, PublicKey]:
    def read() -> bytes:
        source.at(0, signed.LONGEST)
        data = signed.read_head(source.read)
        source.keep(data)
        return data

    data = retry(source, read)
    try:
        head, _ = signed.split(data)
        line, key = signed.unseal(head, keys)
    except ReleaseError as error:
        raise ReleaseError(f"{source.name}: {error}") from None
    return head, line, key


def check_mounts(release: Release, perm: Collection[str]) -> None:
    """ReleaseError when the release's init cannot mount a /perm that has these features of ext4.

    It would run with an empty /perm in memory, and what services write there would be lost.
    """
    if missing := frozenset(perm) - release.mounts:
        raise ReleaseError(
            f"version {release.manifest.version} was made by a snakeroot that cannot mount this box's"
            f" /perm (ext4 with {', '.join(sorted(missing))}): make it anew with today's"
        )


def check(release: Manifest, box: Box, *, downgrade: bool = False) -> None:
    """ReleaseError says why the release is not for this box; `check_mounts` says more.

    downgrade: somebody at the box wants an older version; one below the floor is refused all the same.
    """
    box.target.check(release.target)
    if manifest.compare(release.version, box.floor) < 0:
        raise ReleaseError(
            f"version {release.version} is below {box.floor}, the lowest that this box still takes"
        )
    if box.version and manifest.compare(release.version, box.version) < 0 and not downgrade:
        raise ReleaseError(
            f"version {release.version} is older than {box.version}, which runs;"
            " a downgrade must be asked for at the box"
        )
    for name, room in box.room.items():
        size = release.parts[name].size
        if size % SECTOR:
            raise ReleaseError(f"{name} has {size} bytes, which are no whole sectors")
        if size > room:
            raise ReleaseError(f"{name} has {size} bytes, and the slot has room for {room}")


def locate(
    place: str,
    target: Target,
    keys: Sequence[PublicKey],
    *,
    version: str = "",
    name: str = channel.DEFAULT,
    retry: Retry | None = None,
) -> tuple[str, Channel | None]:
    """Where a release is: in the folder or at the URL `place`, of a version, or the latest of the channel `name`.

    The channel file goes with it, when it was asked.  ReleaseError or OSError when it cannot be read.
    """
    if version:
        return child(place, manifest.file_name(target, version)), None
    source = open_source(child(place, channel.file_name(target, name)))
    try:
        found = read_channel(source, keys, retry)
    finally:
        source.close()
    target.check(found.target)
    if found.channel != name:
        raise ReleaseError(f"{source.name}: is of the channel {found.channel}")
    return child(place, found.file), found


class Have:
    """A slot whose chunks are at hand.

    index: of the release that it holds, or held      read: gives its bytes
    target: whether it is the slot that is being written: what lies before the place of writing has gone
    """

    __slots__ = ("index", "read", "target")

    def __init__(self, index: Index, read: Reader, *, target: bool = False) -> None:
        self.index = index
        self.read = read
        self.target = target


class Piece:
    """A verified chunk.  data: its bytes; b"" when they are where they belong (origin is THERE)."""

    __slots__ = ("data", "length", "offset", "origin", "part")

    def __init__(self, chunk: Chunk, origin: str, data: bytes) -> None:
        self.part = chunk.part
        self.offset = chunk.offset
        self.length = chunk.length
        self.origin = origin
        self.data = data


class Fetch:
    """An iterator over the release's pieces, in order.

    needed: bytes that are to come from the source      counts: origin -> bytes that came from there so far
    """

    def __init__(
        self,
        source: Source,
        release: Release,
        index: Index,
        have: Sequence[Have] = (),
        there: Reader | None = None,
        retry: Retry | None = None,
    ) -> None:
        """there: reads the slot that is written; what it holds in place already is not written again."""
        self.source = source
        self.release = release
        self.index = index
        self.have = list(have)
        self.retry = retry or Retry()
        self.counts = {THERE: 0, LOCAL: 0, NETWORK: 0}
        self._damaged = [0] * len(self.have)
        self._changed = False
        self._kept = self._look(there) if there is not None else bytes(len(index))
        self._table = self._collect()
        self._plan: list[tuple[int, int]] = []
        self._open: tuple[int, int] | None = None
        self._make_plan(0)
        self.needed = sum(stop - start for start, stop in self._plan)

    def __iter__(self) -> Iterator[Piece]:
        """ReleaseError when it cannot be completed; what was given until then is right."""
        for number, chunk in enumerate(self.index):
            if self._kept[number]:
                origin, data = THERE, b""
            else:
                found = self._local(chunk)
                if found is None and self._changed:
                    self._make_plan(number)
                origin = NETWORK if found is None else LOCAL
                data = self._fetched(chunk) if found is None else found
            self.counts[origin] += chunk.length
            yield Piece(chunk, origin, data)

    def missing(self, there: Reader) -> list[tuple[int, int]]:
        """Which [start, stop) of the release's file are to come from the source, in few ranges, in order.

        there: reads the slot that is to be written, and may be half-written: that is looked at.  A slot that runs
        is believed: whoever then reads it finds out.
        """
        lost = (
            (chunk.packed, chunk.stored)
            for chunk in self.index
            if not self._is_at_hand(chunk, there)
        )
        base = self.release.pack_at
        found = pack.ranges(lost, self.release.manifest.pack.size)
        return [(base + start, base + stop) for start, stop in found]

    # -- what is at hand -----------------------------------------------------------------------------------

    def _look(self, there: Reader) -> bytes:
        """For each chunk, whether it is in its place."""
        return bytes(_is_there(chunk, there) for chunk in self.index)

    def _is_at_hand(self, chunk: Chunk, there: Reader) -> bool:
        found = self._place(chunk)
        if found and not self.have[found[0]].target:
            return True
        return _is_there(chunk, there) or self._local(chunk) is not None

    def _collect(self) -> dict[int, int]:
        """The beginning of a wanted chunk's digest -> where it is at hand, as one number; 0: nowhere.

        A beginning will do, since what is read is checked; and tuples would be three times as large.
        """
        table = {_key(c): 0 for c, kept in zip(self.index, self._kept, strict=True) if not kept}
        for which, have in enumerate(self.have):
            for chunk in have.index:
                found = table.get(_key(chunk))
                # A slot that stays is better than one that is being written over.
                if found == 0 or (found and self.have[_unpacked(found)[0]].target):
                    part = list(have.index.parts).index(chunk.part)
                    table[_key(chunk)] = 1 + (which << 48 | part << 40 | chunk.offset)
        return table

    def _place(self, chunk: Chunk) -> tuple[int, str, int] | None:
        """Where a chunk is at hand, when its turn comes: which of `have`, part, offset."""
        found = self._table.get(_key(chunk))
        if not found:
            return None
        which, number, offset = _unpacked(found)
        if self._damaged[which] >= MOST_DAMAGED:
            return None
        have = self.have[which]
        part = list(have.index.parts)[number]
        if have.target:
            order = list(self.index.parts)
            before = order.index(part) if part in order else -1
            if (before, offset) < (order.index(chunk.part), chunk.offset):
                return None
        return which, part, offset

    def _local(self, chunk: Chunk) -> bytes | None:
        """The chunk from a slot; None when it has to come from the source."""
        self._changed = False
        found = self._place(chunk)
        if found is None:
            return None
        which, part, offset = found
        try:
            data = self.have[which].read(part, offset, chunk.length)
        except OSError:
            data = b""
        if chunk.matches(data):
            return data
        self._damaged[which] += 1
        self._table[_key(chunk)] = 0
        self._changed = True
        return None

    # -- what is not ---------------------------------------------------------------------------------------

    def _make_plan(self, first: int) -> None:
        """Which ranges of the pack to fetch, for the chunks from number `first` on."""
        missing = (
            (chunk.packed, chunk.stored)
            for number, chunk in enumerate(self.index)
            if number >= first and not self._kept[number] and self._place(chunk) is None
        )
        self._plan = pack.ranges(missing, self.release.manifest.pack.size)
        self._open = None

    def _fetched(self, chunk: Chunk) -> bytes:
        """The chunk from the source."""
        return chunk.unpack(self.retry(self.source, lambda: self._read(chunk)))

    def _read(self, chunk: Chunk) -> bytes:
        try:
            base, end = self.release.pack_at, chunk.packed + chunk.stored
            if self._open is None or not self._open[0] <= chunk.packed or end > self._open[1]:
                while self._plan and self._plan[0][1] < end:
                    self._plan.pop(0)
                stop = self._plan[0][1] if self._plan else end
                self.source.at(base + chunk.packed, base + stop)
                self._open = chunk.packed, stop
            self.source.skip(chunk.packed - self._open[0])
            data = self.source.exactly(chunk.stored)
            self._open = end, self._open[1]
            return data
        except Interrupted:
            self._open = None
            raise


def _is_there(chunk: Chunk, there: Reader) -> bool:
    """Whether it is in its place."""
    try:
        return chunk.matches(there(chunk.part, chunk.offset, chunk.length))
    except OSError:
        return False


def _unpacked(place: int) -> tuple[int, int, int]:
    """Which slot, which of its parts, and the offset there."""
    return (place - 1) >> 48, (place - 1) >> 40 & 0xFF, (place - 1) & (1 << 40) - 1


def _key(chunk: Chunk) -> int:
    return int.from_bytes(chunk.digest[:8], "big")

"""The boot state: which slot is booted, and what a boot writes.  The one place that knows.

The state is one sector, so that it changes as a whole or not at all, with a spare that is written before it
whenever another slot is committed.  Both lie in a partition of their own, as files of a tar archive: GRUB
writes to files only (save_env), and tar is the file system of GRUB's that has nothing else to write.

A sector is a GRUB environment block (grub/lib/envblk.h): a first line, lines KEY=VALUE, padding with "#".

    slot=a     the committed slot: healthy once, booted from now on
    try=b      the slot on trial; empty when there is none
    left=1     trials left; GRUB counts it down and saves it before it boots that slot
    a=good     or bad: being written, or failed its trial
    b=good
    end=yes    the last line, so that a sector whose end is lost does not count

No boot is counted, and nothing written, unless a slot is on trial.

`PASSES` and the names here are what GRUB's script is made from (packaging/boot/grub.cfg); `choose` says in
Python what that script does, and tests hold them against each other in the real GRUB.
"""

from __future__ import annotations

from toolbox.storage.device import SECTOR
from toolbox.storage.gpt import guid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolbox.storage.device import BlockDevice
    from toolbox.storage.gpt import Table

SLOTS = ("a", "b")

#: The type of the partition that holds the boot state.
PARTITION_TYPE = guid("7a3b2f5e-2f0b-4c4e-9c0a-536e616b6572")

#: The sectors of the partition that hold the state and its spare: in 4 KiB blocks of their own, so that
#: writing one never rewrites the other, whatever the disk's own pages are.
STATE, SPARE = 8, 16
STATE_FILE, SPARE_FILE = "state", "spare"

SIGNATURE = b"# GRUB Environment Block\n"

KEYS = ("slot", "try", "left", *SLOTS, "end")
END = "yes"
BAD = "bad"

#: How many trials a slot can be given.
MAX_TRIALS = 3

#: What GRUB tries, in this order, until a slot boots: the word for it on the kernel's command line, which
#: slot, whether it is skipped when marked bad, whether its hashes are checked.  "newest" is the slot whose
#: release number is higher, "other" the other one.  A slot that failed is not tried again.
PASSES = (
    ("trial", "trial", True, True),
    ("committed", "committed", True, False),
    ("fallback", "newest", True, True),
    ("fallback", "other", True, True),
    ("rescue", "newest", False, True),
    ("rescue", "other", False, True),
)


class State:
    """What a sector says.

    slot: the committed one ("a", "b")   trial: the one on trial, or ""   left: trials left
    bad: the slots that are not to be booted
    """

    __slots__ = ("bad", "left", "slot", "trial")

    def __init__(self, slot: str, trial: str = "", left: int = 0, bad: Iterable[str] = ()) -> None:
        self.slot = slot
        self.trial = trial
        self.left = left
        self.bad = frozenset(bad)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return f"State({self.slot!r}, {self.trial!r}, {self.left}, {sorted(self.bad)})"

    def _all(self) -> tuple[str, str, int, frozenset[str]]:
        return self.slot, self.trial, self.left, self.bad

    @property
    def armed(self) -> bool:
        """Whether the next boot is a trial."""
        return self.trial in SLOTS and 0 < self.left <= MAX_TRIALS

    def encode(self) -> bytes:
        """The sector."""
        marks = [BAD if name in self.bad else "good" for name in SLOTS]
        values = (self.slot, self.trial, str(self.left), *marks, END)
        return block(zip(KEYS, values, strict=True), SECTOR)


def decode(sector: bytes) -> State | None:
    """The state in a sector, as GRUB's script reads it; None when it is not valid."""
    values = variables(sector)
    if values is None or values.get("end") != END or values.get("slot") not in SLOTS:
        return None
    trial, left = values.get("try", ""), values.get("left", "")
    return State(
        values["slot"],
        trial if trial in SLOTS else "",
        int(left) if left in map(str, range(1, MAX_TRIALS + 1)) else 0,
        [name for name in SLOTS if values.get(name) == BAD],
    )


def effective(state: bytes, spare: bytes) -> State | None:
    """What counts, of both sectors: the spare, without a trial, when the state is not valid."""
    found = decode(state)
    if found is None:
        found = decode(spare)
        if found is not None:
            # A trial cannot be counted there, and so there is none.
            found = State(found.slot, "", 0, found.bad)
    return found


# -- what changes a state ----------------------------------------------------------------------------------


def begin(state: State | None, target: str, running: str) -> State:
    """Before the first byte of the slot `target` is written, while `running` runs.

    What runs is what is booted next, even if another one is committed that did not boot.  ValueError for
    the slot that runs, and while a trial runs: the other slot is then the only one known to be good.
    """
    if target == running:
        raise ValueError(f"slot {target} is running")
    if state and state.trial == running:
        raise ValueError(f"slot {running} is on trial: commit it first, or go back")
    bad = state.bad if state else frozenset[str]()
    return State(running, "", 0, (bad | {target}) - {running})


def arm(state: State, target: str, trials: int = 1) -> State:
    """Boot `target`, which is written and checked, on trial.  ValueError for too many trials."""
    if not 0 < trials <= MAX_TRIALS or target == state.slot:
        raise ValueError(f"{trials} trials of slot {target}, and {state.slot} is committed")
    return State(state.slot, target, trials, state.bad - {target})


def commit(state: State | None, running: str) -> State:
    """`running` is healthy: it is booted from now on."""
    bad = state.bad if state else frozenset[str]()
    return State(running, "", 0, bad - {running})


def give_up(state: State) -> State:
    """The slot on trial failed: it is bad, and there is no trial any more."""
    return State(state.slot, "", 0, state.bad | ({state.trial} & set(SLOTS)))


# -- the device --------------------------------------------------------------------------------------------


def find(disk: BlockDevice, table: Table) -> BlockDevice | None:
    """The partition with the boot state; None when the disk has none."""
    for partition in table:
        if partition.kind == PARTITION_TYPE:
            return partition.on(disk)
    return None


def load(partition: BlockDevice) -> State | None:
    """The state that counts; None when neither sector is valid.  OSError as the disk says."""
    return effective(*(partition.read(at * SECTOR, SECTOR) for at in (STATE, SPARE)))


def store(partition: BlockDevice, state: State) -> None:
    """Write the state; when this returns, it stays.  OSError as the disk says.

    The spare follows the committed slot, and is written first: it must never name one that was not
    committed, and never be written at the same time as the state.
    """
    spare = State(state.slot, "", 0, state.bad)
    kept = decode(partition.read(SPARE * SECTOR, SECTOR))
    if kept is None or kept.slot != state.slot:
        partition.write(SPARE * SECTOR, spare.encode())
        partition.flush()
    partition.write(STATE * SECTOR, state.encode())
    partition.flush()


def archive(state: State) -> bytes:
    """What the partition begins with: a tar archive (POSIX ustar) with both sectors in their places."""
    sector = state.encode()
    members = (
        ("padding-1", bytes((STATE - 2) * SECTOR)),
        (STATE_FILE, sector),
        ("padding-2", bytes((SPARE - STATE - 3) * SECTOR)),
        (SPARE_FILE, sector),
    )
    return b"".join(_member(name, len(data)) + data for name, data in members) + bytes(2 * SECTOR)


def _member(name: str, size: int) -> bytes:
    fields = (
        *(name.encode().ljust(100, b"\0"), b"0000644\0", b"0000000\0", b"0000000\0"),
        *(b"%011o\0" % size, b"00000000000\0", b" " * 8, b"0", bytes(100), b"ustar\x0000"),
    )
    header = b"".join(fields).ljust(SECTOR, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


# -- GRUB --------------------------------------------------------------------------------------------------


class Contents:
    """What GRUB finds in a slot: the release's number, whether its hashes are right, whether it loads."""

    __slots__ = ("loads", "number", "whole")

    def __init__(self, number: int, *, whole: bool = True, loads: bool = True) -> None:
        self.number = number
        self.whole = whole
        self.loads = loads


class Choice:
    """What a boot does.

    slot: what is booted; "" when nothing could be, and GRUB begins again     word: of PASSES
    failed: slots that were to be booted and why they were not ("b:hash")     state: the sector afterwards
    """

    __slots__ = ("failed", "slot", "state", "word")

    def __init__(self, slot: str, word: str, failed: list[str], state: bytes) -> None:
        self.slot = slot
        self.word = word
        self.failed = failed
        self.state = state


def choose(state: bytes, spare: bytes, slots: Mapping[str, Contents | None]) -> Choice:
    """What GRUB's script does with these sectors and slots; None for a slot without a valid header."""
    known = effective(state, spare)
    roles = {"trial": "", "committed": known.slot if known else ""}
    if known and known.armed:
        counted = set_variable(state, "left", str(known.left - 1))
        if counted is not None:
            state, roles["trial"] = counted, known.trial
    roles["newest"], roles["other"] = by_age(slots)
    failed: dict[str, str] = {}
    for word, role, skip_bad, check in PASSES:
        slot = roles[role]
        if not slot or slot in failed or (skip_bad and known and slot in known.bad):
            continue
        contents = slots[slot]
        if contents is None:
            failed[slot] = "header"
        elif check and not contents.whole:
            failed[slot] = "hash"
        elif not contents.loads:
            failed[slot] = "load"
        else:
            return Choice(slot, word, [f"{s}:{why}" for s, why in failed.items()], state)
    return Choice("", "", [f"{s}:{why}" for s, why in failed.items()], state)


def by_age(slots: Mapping[str, Contents | None]) -> tuple[str, str]:
    """The slots, the newest first; a slot without a valid header has number 0."""
    first, second = SLOTS
    numbers = {name: found.number if found else 0 for name, found in slots.items()}
    return (second, first) if numbers[second] > numbers[first] else (first, second)


class Booted:
    """What the kernel's command line says of this boot: what the userland goes by, never the sector.

    slot: that runs, "" when no boot loader of ours started it    word: of PASSES    failed: as Choice has it
    """

    __slots__ = ("failed", "slot", "word")

    def __init__(self, command_line: str) -> None:
        words = dict(w.split("=", 1) for w in command_line.split() if "=" in w)
        slot = words.get("snakeroot.slot", "")
        self.slot = slot if slot in SLOTS else ""
        self.word = words.get("snakeroot.boot", "")
        self.failed = [w for w in words.get("snakeroot.failed", "").split(",") if w]


# -- environment blocks (grub-core/lib/envblk.c) -----------------------------------------------------------


def block(pairs: Iterable[tuple[str, str]], size: int) -> bytes:
    """An environment block.  ValueError when the lines don't fit, or a value holds a line feed or backslash."""
    lines = [f"{key}={value}\n" for key, value in pairs]
    data = SIGNATURE + "".join(lines).encode()
    if len(data) > size or any("\n" in line[:-1] or "\\" in line for line in lines):
        raise ValueError(f"{len(data)} bytes don't make an environment block of {size}: {lines}")
    return data.ljust(size, b"#")


def variables(data: bytes) -> dict[str, str] | None:
    """The variables of a block as GRUB reads them; None when it is no block."""
    if not data.startswith(SIGNATURE):
        return None
    found = {}
    at, end = len(SIGNATURE), len(data)
    while at < end:
        if data[at : at + 1] != b"#":
            equals = data.find(b"=", at)
            if equals < 0:
                break
            value, stop = bytearray(), equals + 1
            while stop < end and data[stop] != 0x0A:
                if (
                    data[stop] == 0x5C and stop + 1 < end
                ):  # a backslash takes the next byte as it is
                    stop += 1
                value.append(data[stop])
                stop += 1
            if stop >= end:  # a value without its line feed does not count
                break
            found[data[at:equals].decode("latin-1")] = value.decode("latin-1")
            at = stop
        feed = data.find(b"\n", at)
        if feed < 0:
            break
        at = feed + 1
    return found


def set_variable(data: bytes, key: str, value: str) -> bytes | None:
    """The block with one variable changed, as GRUB's save_env writes it; None when it does not fit."""
    if not data.startswith(SIGNATURE):
        return None
    line = f"{key}={value}\n".encode()
    at = data.find(f"\n{key}=".encode())
    if at < 0:
        used = len(data.rstrip(b"#"))
        changed = data[:used] + line
    else:
        feed = data.find(b"\n", at + 1)
        changed = data[: at + 1] + line + (data[feed + 1 :] if feed >= 0 else b"")
    if len(changed.rstrip(b"#")) > len(data):
        return None
    return changed[: len(data)].ljust(len(data), b"#")

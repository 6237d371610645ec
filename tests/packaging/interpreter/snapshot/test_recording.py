"""Recording: the same inputs give the same bytes, and what must not be in an image makes the build fail, by name.

The recorder is linked once, from what the cache has; each test records with it in a folder of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from interpreter import link, snapshot
from interpreter.snapshot import audit, heat, layouts
from interpreter.snapshot.layouts import Layouts
from interpreter.workshop import BuildError

#: A program is recorded in ten seconds; on a busy machine two of them took five minutes.
pytestmark = pytest.mark.timeout(1800)

#: What the recorder writes that goes into the program.
PARTS = ("data", "heap", "arena", "dropped")


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PARTS}


#: Records in a process of its own, whose surroundings can be strange.
RECORD = """
import sys
from pathlib import Path
from interpreter import snapshot
from interpreter.snapshot import audit, heat
from interpreter.snapshot.layouts import Layouts
recorder, layouts, target, log = map(Path, sys.argv[1:])
made = snapshot._record(recorder, heat.NO_PLAN, target, log)
audit.check(recorder, made, Layouts.load(layouts))
"""


def test_same_bytes(recorder: Path, known: Layouts, tmp_path: Path) -> None:
    """In two folders, with two environments, umasks, standard inputs, descriptors, users' limits, ignored signals."""
    strange = tmp_path / "a-folder-with-a-much-longer-name-than-the-other-one" / "ä b"
    strange.mkdir(parents=True)
    here = tmp_path / "x"
    here.mkdir()
    path = os.pathsep.join([str(Path(snapshot.__file__).parents[2])])
    known.save(tmp_path / "layouts")
    words = [sys.executable, "-c", RECORD, recorder, tmp_path / "layouts"]
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": path}
    dirty = {
        **clean,
        "TZ": "Asia/Tokyo",
        "LANG": "de_DE.UTF-8",
        "PYTHONHASHSEED": "7",
        "HOME": "/x",
        "PWD": "/",
    }
    subprocess.run(
        [*words, here / "made", tmp_path / "log"], env=clean, stdin=subprocess.DEVNULL, check=True
    )
    other, terminal = os.openpty()
    script = 'umask 077; ulimit -n 512; trap "" HUP USR1; exec "$@" 7</dev/null 9</dev/zero'
    subprocess.run(
        ["bash", "-c", script, "bash", *words, strange / "made", tmp_path / "log2"],
        env=dirty,
        stdin=terminal,
        cwd="/",
        check=True,
    )
    os.close(other)
    os.close(terminal)
    assert digests(here / "made") == digests(strange / "made")


@pytest.fixture(scope="module")
def two_builds(linker: link.Linker, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The whole program, with its plan, twice."""
    made = []
    for _ in range(2):
        folder = tmp_path_factory.mktemp("build")
        snapshot.record(linker.recorder, linker.layouts(), folder / "toolbox", folder / "log")
        made.append(folder / "toolbox")
    return made


def test_two_builds_are_the_same_program(two_builds: list[Path]) -> None:
    one, other = (hashlib.sha256(path.read_bytes()).hexdigest() for path in two_builds)
    assert one == other


#: What a module does -> what the build says about it, beside the module's name.
FOREIGN = {
    "open file": ("held = open('/dev/null')", "an open file"),
    "socket": ("import socket; held = socket.socket()", "a socket"),
    "selector": ("import selectors; held = selectors.DefaultSelector()", "a selector"),
    "lock": ("import _thread; held = _thread.allocate_lock(); held.acquire()", "a lock that is held"),
    "lock of threading": ("import threading; held = threading.RLock(); held.acquire()", "a lock that is held"),
    "context": ("import ssl; held = ssl.create_default_context()", "a context of OpenSSL"),
    "digest": ("import hashlib; held = hashlib.sha256(b'x')", "a digest of OpenSSL"),
    "time": ("import time; held = time.time()", "the time"),
    "time, deep": ("import time; held = [{'a': (time.time_ns(),)}]", "the time"),
    "monotonic time": ("import time; held = time.monotonic()", "the time"),
    "local time": ("import time; held = time.localtime()", "a time"),
    "process": ("import os; held = os.getpid()", "a process's number"),
    "parent": ("import os; held = {'parent': os.getppid()}", "a process's number"),
    "thread": ("import threading; held = threading.get_ident()", "a thread's number"),
    "user": ("import os; held = os.getuid()", "a user's number"),
    "directory": ("import os; held = os.getcwd()", "the working directory"),
    "path": ("import os; held = os.path.abspath('x')", "the working directory"),
    "host": ("import socket; held = socket.gethostname()", "the host's name"),
    "system": ("import os; held = os.uname().release", "the host's name"),
    "random bytes": ("import os; held = os.urandom(16)", "random bytes"),
    "token": ("import secrets; held = secrets.token_hex(16)", "random bytes"),
    "uuid": ("import uuid; held = uuid.uuid4()", "random bytes"),
    "generator": ("import random; held = random.Random()", "a generator of random numbers"),
    "terminal": ("import shutil; held = shutil.get_terminal_size()", "the terminal's size"),
    "status": ("import os; held = os.stat('/')", "a file's status"),
    "environment": ("import os; held = os.environ.get('FOREIGN')", "reads the environment (FOREIGN)"),
    "event loop": ("import asyncio; held = asyncio.new_event_loop()", "an event loop"),
    "in a closure": ("import os\ndef f():\n    n = os.getpid()\n    return lambda: n\nheld = f()", "a process's number"),
    "in a default": ("import os\ndef held(n=os.getpid()): pass", "a process's number"),
    "in an object": ("import os\nclass K:\n    __slots__ = ('n',)\nheld = K(); held.n = os.getpid()", "a process's number"),
    "multiprocessing": ("import multiprocessing as held", "must not be in the image"),
}  # fmt: skip


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the recorder's Python, to be changed."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name in snapshot.SCRIPTS:
        shutil.copy(snapshot.HERE / name, folder)
    # A tenth of the modules is enough to find one more.
    with (folder / "contents.py").open("a") as file:
        file.write("\nLIBRARIES = []\n")
    monkeypatch.setattr(snapshot, "HERE", folder)
    yield folder


#: A module that is not frozen: made in memory, on its way through import like any other.
FINDER = '''
import sys
class Foreign:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "foreign_module":
            import importlib.util
            return importlib.util.spec_from_loader(name, Foreign)
    @staticmethod
    def create_module(spec): return None
    @staticmethod
    def exec_module(module): exec({text!r}, vars(module))
sys.meta_path.append(Foreign)
STANDARD = [*STANDARD, "foreign_module"]
'''  # fmt: skip


def record(recorder: Path, known: Layouts, scripts: Path, text: str) -> None:
    with (scripts / "contents.py").open("a") as file:
        file.write(FINDER.format(text=text))
    made = snapshot._record(recorder, heat.NO_PLAN, scripts / "made", scripts / "log")
    audit.check(recorder, made, known)


def test_harmless_module(recorder: Path, known: Layouts, scripts: Path) -> None:
    """What the tests below add beside the foreign object is none itself."""
    record(recorder, known, scripts, "import os, time; held = {'a': [1.5, 'text', b'bytes']}")
    assert (scripts / "made/heap").stat().st_size


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_object_fails_the_build(
    recorder: Path, known: Layouts, scripts: Path, kind: str
) -> None:
    text, message = FOREIGN[kind]
    with pytest.raises(BuildError) as caught:
        record(recorder, known, scripts, text)
    line = next((line for line in str(caught.value).splitlines() if message in line), "")
    assert message in line, str(caught.value)
    assert "multiprocessing" in line or "foreign_module" in line, line


def test_dangling_pointer_fails_the_build(recorder: Path, known: Layouts, scripts: Path) -> None:
    """An object of a class of ours that holds an address of the C library's heap, which OpenSSL has asked for."""
    text = (
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as K\n"
        "held = K.from_private_bytes(b'x' * 32)"
    )
    with pytest.raises(BuildError, match=r"memory that no restored process has:\n.*\[heap\]"):
        record(recorder, known, scripts, text)


#: An address of the stack, where no start has one.
ADDRESS = 0x7FFF_FFFF_E000


class Leftovers:
    """A recording to which other words are written, as another compiler would have left them."""

    def __init__(self, recorder: Path, known: Layouts, folder: Path) -> None:
        self.recorder, self.known, self.folder = recorder, known, folder
        self.symbols = audit.Symbols(recorder)
        self.base = self.symbols.address("snapshot_data")
        image = audit.Image(folder, self.symbols)
        image.clear_padding(known)
        paths = image.fields.items()
        self.provider = next(at for at, path in paths if path.endswith("_default.__0"))

    def put(self, address: int, mask: int = 2**64 - 1) -> None:
        """An address there, but for the bits that are not in the mask, and a line of audit.c's about it."""
        name, start = ("heap", heat.HEAP) if address >= heat.HEAP else ("data", self.base)
        data = bytearray((self.folder / name).read_bytes())
        (old,) = struct.unpack_from("<Q", data, address - start)
        word = ADDRESS & mask | old & ~mask
        struct.pack_into("<Q", data, address - start, word)
        (self.folder / name).write_bytes(data)
        with (self.folder / "dangling").open("a") as file:
            file.write(f"{address:x} {word:x} [stack] {address:x} 0 0 0 0 -\n")

    def word(self, address: int) -> int:
        name, start = ("heap", heat.HEAP) if address >= heat.HEAP else ("data", self.base)
        data = (self.folder / name).read_bytes()
        return int(struct.unpack_from("<Q", data, address - start)[0])

    def check(self) -> None:
        audit.check(self.recorder, self.folder, self.known)


@pytest.fixture
def leftovers(recorder: Path, known: Layouts, tmp_path: Path) -> Leftovers:
    made = snapshot._record(recorder, heat.NO_PLAN, tmp_path / "made", tmp_path / "log")
    return Leftovers(recorder, known, made)


def objects(leftovers: Leftovers) -> list[tuple[int, str, layouts.Node]]:
    """(address, symbol, layout) of the object that holds OpenSSL's providers, and of the variable of each class."""
    symbols = dict(leftovers.symbols.statics(leftovers.known.classes))
    known = leftovers.known
    found = [(at, name, known.statics[name]) for name, at in symbols.items()]
    holder = next(name for name in symbols if "LoadedProviders" in name)
    node = known.classes[holder]
    leaf = next(x for x in layouts.leaves(node, bytes(layouts.size(node))) if "_default" in x.path)
    return [(leftovers.provider - leaf.offset, holder, node), *found]


def test_what_a_compiler_leaves_in_padding_is_cleared(leftovers: Leftovers) -> None:
    """In all padding of such objects at once: what is beside a bool, behind the last field, of another variant."""
    scribbled = {}
    for at, _, node in objects(leftovers):
        size = layouts.size(node)
        data = b"".join(leftovers.word(at + i).to_bytes(8, "little") for i in range(0, size, 8))
        fields = bytearray(size)
        for leaf in layouts.leaves(node, data):
            fields[leaf.offset : leaf.offset + leaf.size] = b"\xff" * leaf.size
        for place in range(0, size, 8):
            kept = int.from_bytes(fields[place : place + 8], "little")
            if kept != 2**64 - 1:
                scribbled[at + place] = (leftovers.word(at + place) & kept, kept)
    assert len(scribbled) > 100
    for place, (_, kept) in scribbled.items():
        leftovers.put(place, ~kept & (2**64 - 1))
    leftovers.check()
    for place, (word, _) in scribbled.items():
        assert leftovers.word(place) == word, hex(place)
    assert leftovers.word(leftovers.provider) == 0


def test_a_field_that_dangles_is_named(leftovers: Leftovers) -> None:
    at, symbol, node = objects(leftovers)[1]
    leaf = next(x for x in layouts.leaves(node, bytes(layouts.size(node))) if x.size == 8)
    leftovers.put(at + leaf.offset)
    with pytest.raises(BuildError) as caught:
        leftovers.check()
    assert f"data {symbol} {leaf.path} -> [stack]" in str(caught.value)


def test_the_variable_of_every_class_of_rust_has_a_layout(recorder: Path, known: Layouts) -> None:
    """Whatever cryptography adds, and however the compiler names it.  Objects have one where the compiler describes
    them; what of others dangles fails the build."""
    pattern = re.compile("lazy_type_object.*TYPE_OBJECT")
    names = [name for _, name in audit.Symbols(recorder)._rows if pattern.search(name)]
    assert len(names) > 50
    assert not [name for name in names if audit.SUFFIX.sub("", name) not in known.statics]
    assert len(known.classes) > 50

"""Is anything of the host that records in the heap?  Runs inside the recorder, in a child, after everything is imported.

    findings(allowed) -> lines that name module and object, for everything that would be wrong in another process

It looks for objects that only the recorder has (an open file, a thread's lock that is held, a context of OpenSSL) and for
values that outside.c has made up: whoever holds one has asked for the time, the directory, the user, or random bytes.
"""

import collections
import gc
import re
import sys
import types

#: outside.c has them, too.
SECONDS = 1234567890
PROCESS, THREAD, USER = 1913131313, 1917171717, 1911111111
TEXTS = {
    "/snapshot-working-directory": "the working directory",
    "snapshot-host": "the host's name",
    "ZZZZZZZZ": "random bytes",
    "5a5a5a5a": "random bytes",
}
TEXT = re.compile("|".join(map(re.escape, TEXTS)))
re.purge()  # its own cache would be found
RANDOM = 0x5A5A5A5A

#: Types of objects that belong to the recorder's process (module, name) -> what they are.
KINDS = {
    ("_io", "FileIO"): "an open file",
    ("_socket", "socket"): "a socket",
    ("select", "epoll"): "a selector",
    ("mmap", "mmap"): "a map of memory",
    ("posix", "ScandirIterator"): "a folder that is being read",
    ("subprocess", "Popen"): "a child process",
    ("_ssl", "_SSLContext"): "a context of OpenSSL",
    ("_ssl", "_SSLSocket"): "a connection of OpenSSL",
    ("_hashlib", "HASH"): "a digest of OpenSSL",
    ("_hashlib", "HMAC"): "a digest of OpenSSL",
    ("os", "stat_result"): "a file's status",
    ("os", "terminal_size"): "the terminal's size",
    ("os", "times_result"): "processor time",
    ("time", "struct_time"): "a time",
    ("pwd", "struct_passwd"): "a user",
    ("grp", "struct_group"): "a group",
    ("builtins", "coroutine"): "a coroutine that is running",
    ("random", "SystemRandom"): "",  # has no state
    ("random", "Random"): "a generator of random numbers",
    ("asyncio.unix_events", "_UnixSelectorEventLoop"): "an event loop",
}


def findings(allowed, streams, reads):
    """What is wrong, as lines.

    allowed: object paths (`module.attribute`) that may be there; streams: the standard streams that are made on purpose;
    reads: (module, variable) for each question to the environment.
    """
    found = [f"{module}: reads the environment ({name})" for module, name in sorted(set(reads))]
    threads = sys.modules["_thread"]._count()
    if threads:
        found.append(f"{threads} threads are running")
    parents, expected = {}, {id(one) for one in streams}
    everything = gc.get_objects()
    here = sys._getframe()
    own = [*sys.modules["host_audit"].__dict__.values(), sys.modules["host_audit"].__dict__]
    own += [everything, parents, expected, found, allowed, streams, reads, here]
    seen = {id(one) for one in own}
    seen.add(id(seen))
    seen.add(id(own))
    # From the modules first, so that paths are short; then what only the collector knows.
    for roots in ([sys.modules], everything):
        queue = collections.deque(roots)
        while queue:
            holder = queue.popleft()
            if roots is everything and id(holder) in seen:
                continue
            seen.add(id(holder))
            for one in gc.get_referents(holder):
                if id(one) in seen or type(one) is types.FrameType:
                    continue
                seen.add(id(one))
                parents[id(one)] = holder
                what = wrong(one)
                if what and id(one) not in expected:
                    path = describe(one, parents)
                    if path not in allowed:
                        found.append(f"{path}: {what}")
                queue.append(one)
    return found


def wrong(one):
    """What is wrong with an object, or nothing."""
    kind = type(one)
    if kind is str or kind is bytes:
        text = one if kind is str else one.decode("latin-1")
        match = TEXT.search(text) if len(text) >= 8 else None
        return match and TEXTS[match[0]]
    if kind is int:
        return wrong_number(one)
    if kind is float:
        return "the time" if abs(one - SECONDS) <= 1 else ""
    if kind.__name__ in ("lock", "RLock") and kind.__module__ == "_thread":
        return "a lock that is held" if repr(one).startswith("<locked") else ""
    for base in kind.__mro__:
        what = KINDS.get((base.__module__, base.__name__))
        if what is not None:
            return what
    return ""


def wrong_number(one):
    if one in (PROCESS, USER, THREAD):
        return {
            PROCESS: "a process's number",
            USER: "a user's number",
            THREAD: "a thread's number",
        }[one]
    if one in (SECONDS, SECONDS + 1) or one // 10**9 == SECONDS:
        return "the time"
    if one >= RANDOM and one & 0xFFFFFFFF == RANDOM:
        return "random bytes"
    return ""


def describe(one, parents):
    """`module.attribute...`: how to come to an object from its module."""
    names = []
    while id(one) in parents:
        holder = parents[id(one)]
        if holder is sys.modules:
            names.append(next(name for name, module in holder.items() if module is one))
            break
        if isinstance(holder, dict):
            names += [f"{key}" for key, value in holder.items() if value is one][:1]
        elif not isinstance(holder, (types.ModuleType, type)) and type(holder) is not list:
            names.append(f"<{type(holder).__name__}>")
        if isinstance(holder, type):
            names.append(holder.__module__ + "." + holder.__qualname__)
            break
        if isinstance(holder, types.FunctionType):
            names.append(f"{holder.__module__}.{holder.__qualname__}")
            break
        if isinstance(holder, types.ModuleType):
            names.append(holder.__name__)
            break
        if isinstance(holder, dict) and "__spec__" in holder and "__name__" in holder:
            names.append(str(holder["__name__"]))
            break
        one = holder
    return (
        ".".join(reversed(names))
        or f"an object of type {type(one).__module__}.{type(one).__qualname__}"
    )

"""What CPython is optimized for: the profile of this run decides which of its paths the compiler makes fast.

It does what our programs do most: start, import, cut text and bytes to pieces, walk folders, sort, format, pack and
unpack, wait for sockets.  It does the same in every run, wherever it runs.
"""

import io
import json
import os
import re
import selectors
import socket
import stat
import string
import struct
import subprocess
import sys
import time
import zlib

LIBRARY = os.path.dirname(os.__file__)


def starts():
    for modules in ("os, stat", "os, re", "os, socket, selectors, struct", "argparse"):
        for _ in range(6):
            subprocess.run([sys.executable, "-I", "-S", "-c", f"import {modules}"], check=True)


def words():
    text = string.__doc__ * 50
    counts = {}
    for number, word in enumerate(re.findall(r"\w+|[^\w\s]", text)):
        counts[word.lower()] = counts.get(word.lower(), 0) + number % 7
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        f"{word:<20}{count:>8d} {word.upper()!r}".encode().decode()
    re.sub(r"([a-z]+) ([a-z]+)", r"\2 \1", text)
    json.loads(json.dumps({"counts": counts, "list": list(range(300)), "none": None, "f": 0.25}))


def lines():
    data = b"".join(b"%d:%x:a line of text\n" % (n, n * 7919) for n in range(3000))
    out = io.BytesIO()
    for line in io.BytesIO(data):
        number, _, rest = line.partition(b":")
        if int(number) % 3 and not rest.startswith(b"0"):
            out.write(rest.rstrip().upper() + b"\n")
    b"\n".join(sorted(data.split(b"\n"), reverse=True)).translate(bytes(range(256)), b"aeiou")
    zlib.decompress(zlib.compress(data, 1))


def folders():
    found = []
    for folder, _, names in os.walk(os.path.join(LIBRARY, "email")):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found.append((os.path.basename(path), stat.filemode(status.st_mode), status.st_size))
    for entry in os.scandir(LIBRARY):
        entry.is_dir(follow_symlinks=False)
    for name, mode, size in sorted(found):
        f"{mode} {1:3d} {size:8d} " + time.strftime("%b %e %H:%M ", time.gmtime(size)) + name


class Message:
    __slots__ = ("kind", "options")

    def __init__(self, data):
        self.kind, length = struct.unpack_from("!BH", data)
        self.options = {data[i]: data[i + 1 : i + 3] for i in range(3, 3 + length, 3)}

    def encode(self):
        body = b"".join(bytes([key]) + value for key, value in sorted(self.options.items()))
        return struct.pack("!BH", self.kind, len(body)) + body


def messages():
    here, there = socket.socketpair()
    with here, there, selectors.DefaultSelector() as waiting:
        waiting.register(there, selectors.EVENT_READ, data="there")
        for number in range(1500):
            data = struct.pack("!BH", number & 255, 30) + bytes(i & 255 for i in range(30))
            here.send(data)
            for key, events in waiting.select(1):
                if events & selectors.EVENT_READ and key.data == "there":
                    try:
                        Message(there.recv(100)).encode()
                        raise KeyError(number)
                    except (KeyError, OSError):
                        pass


def generators():
    def pairs(limit):
        for a in range(limit):
            yield from ((a, b) for b in range(a % 17))

    total = [0] * 17
    for a, b in pairs(3000):
        total[b] += a ^ b if a > b else a - b
    return {i: max(t, 0) for i, t in enumerate(total) if t}


if __name__ == "__main__":
    starts()
    for _ in range(12):
        for work in (words, lines, folders, messages, generators):
            work()

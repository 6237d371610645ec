"""Another processor than the building machine's: an emulated one without AVX, SSE4, AES and SHA instructions.

Code that the image's caches chose would die of SIGILL there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

WORK = """
import hashlib, hmac, json, re, secrets, zlib, bz2, lzma, ssl, sqlite3
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.fernet import Fernet
for kind in (AESGCM, ChaCha20Poly1305):
    box = kind(b"k" * 32)
    sealed = box.encrypt(b"n" * 12, b"text" * 999, b"more")
    print(kind.__name__, hashlib.sha256(sealed).hexdigest()[:16], box.decrypt(b"n" * 12, sealed, b"more") == b"text" * 999)
for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s", "shake_128"):
    digest = hashlib.new(name, b"x" * 10000)
    print(name, digest.hexdigest(*([8] if name.startswith("shake") else []))[:16])
print(hmac.new(b"k", b"m" * 999, "sha256").hexdigest()[:16], hashlib.pbkdf2_hmac("sha256", b"p", b"s", 99).hex()[:16])
print(hashlib.scrypt(b"p", salt=b"s", n=16, r=1, p=1).hex()[:16], zlib.crc32(b"z" * 9999), zlib.adler32(b"z" * 9999))
key = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
print(key.sign(b"m").hex()[:16], key.public_key().verify(key.sign(b"m"), b"m"))
print(x25519.X25519PrivateKey.from_private_bytes(b"k" * 32).exchange(
    x25519.X25519PrivateKey.from_private_bytes(b"l" * 32).public_key()).hex()[:16])
print(re.findall(r"(\\w+)=(\\d+)", "a=1 bb=22 ccc=333 " * 3), json.dumps(json.loads('{"a": [1.5, "\\u20ac", null]}')))
for one in (zlib, bz2, lzma):
    print(one.__name__, one.decompress(one.compress(b"text" * 9999)) == b"text" * 9999)
print(sqlite3.connect(":memory:").execute("select sum(a) from (select 1 a union select 2)").fetchall())
print("x" * 5000 in "y" * 9000 + "x" * 5000, ("a" * 999 + "b").find("b"), bytes(9999).count(0), sorted("zyx" * 99)[:2])
print(Fernet(b"A" * 43 + b"=").decrypt(Fernet(b"A" * 43 + b"=").encrypt(b"f")), len(secrets.token_bytes(9)))
print(ssl.create_default_context().minimum_version.name)
"""


def emulate(program: Path, model: str, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["qemu-x86_64", "-cpu", model, program, *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=170, check=False)


@pytest.mark.parametrize("model", ["qemu64", "max"])
def test_other_processor(snapshot: Path, plain: Path, run: Callable[..., str], model: str) -> None:
    expected = run(plain, WORK)
    done = emulate(snapshot, model, "-c", WORK)
    assert (done.returncode, done.stdout) == (0, expected), done.stderr


def test_applets(snapshot: Path) -> None:
    done = emulate(snapshot, "qemu64", "echo", "there")
    assert (done.returncode, done.stdout) == (0, "there\n"), done.stderr


#: Rust, cffi and ctypes keep numbers of pthread keys; the main thread's and other threads' values are under them.
KEYS = """
import asyncio, ctypes, sys, threading
from concurrent.futures import ThreadPoolExecutor
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives import hashes
from cryptography.exceptions import InvalidTag
import _cffi_backend, decimal, sqlite3, ssl

local = threading.local()
def work(number):
    local.number = number
    box = AESGCM(bytes([number]) * 16)
    for turn in range(30):
        sealed = box.encrypt(bytes(12), b"%d" % turn, None)
        assert box.decrypt(bytes(12), sealed, None) == b"%d" % turn
        try:
            box.decrypt(bytes(12), sealed[:-1] + b"?", None)
        except InvalidTag:
            pass
        digest = hashes.Hash(hashes.SHA256()); digest.update(b"x"); digest.finalize()
        back = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + local.number)
        assert back(1) == number + 1
        ctypes.set_errno(number)
        assert ctypes.get_errno() == number
        decimal.getcontext().prec = number + 5
        assert len(str(decimal.Decimal(1) / 3)) == number + 7
    assert local.number == number
    return number
work(100)
for _ in range(5):
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(64))) == list(range(64))
assert local.number == 100 and decimal.getcontext().prec == 105
print("done", len(threading.enumerate()))
"""


def test_threads_with_values_of_their_own(both: Callable[..., str]) -> None:
    assert both(KEYS) == "done 1\n"


def test_numbers_of_keys(snapshot: Path) -> None:
    """The first key that a program makes after the start is none that the image holds: all start with empty values."""
    code = """
import threading, _thread
from concurrent.futures import ThreadPoolExecutor
# Many: a number that was handed out twice would be overwritten by one of its two owners.
keys = [threading.local() for _ in range(100)]
for number, key in enumerate(keys):
    key.value = number
with ThreadPoolExecutor(4) as pool:
    assert not any(pool.map(lambda key: hasattr(key, "value"), keys))
import sqlite3, ssl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Key
with ThreadPoolExecutor(4) as pool:
    assert len(set(pool.map(lambda n: Key.generate().sign(b"x"), range(40)))) == 40
assert [key.value for key in keys] == list(range(100))
print("kept")
"""
    assert subprocess.check_output([snapshot, "-c", code]) == b"kept\n"

"""Two processes never share randomness: not two starts, not with one process number, not parent and child.

Ten thousand starts with the generators that the image holds or could hold; fewer with keys, which cost more.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

#: Everything of Python and cryptography that draws; a line for each draw, parent's and child's.
DRAW = """
import asyncio, hashlib, os, random, secrets, ssl, sys, tempfile, uuid
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

def draw():
    raw = form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption()
    names = tempfile._get_candidate_names()
    yield "random", random.random()
    yield "bits", random.getrandbits(128)
    yield "Random", random.Random().random()
    yield "bytes", os.urandom(16).hex()
    yield "getrandom", os.getrandom(16).hex()
    yield "token", secrets.token_hex(16)
    yield "choice", "".join(secrets.choice("0123456789abcdef") for _ in range(16))
    yield "system", random.SystemRandom().random()
    yield "ssl", ssl.RAND_bytes(16).hex()
    yield "uuid4", uuid.uuid4()
    yield "name", next(names)
    yield "ed25519", ed25519.Ed25519PrivateKey.generate().private_bytes(*raw).hex()
    yield "x25519", x25519.X25519PrivateKey.generate().private_bytes(*raw).hex()
    yield "P-256", ec.generate_private_key(ec.SECP256R1()).private_bytes(*raw).hex()
    yield "AES", AESGCM.generate_key(128).hex()
    yield "fernet", Fernet.generate_key().decode()
    yield "serial", x509.random_serial_number()

for name, value in [*draw(), *draw()]:
    print(name, value)
sys.stdout.flush()
if os.fork() == 0:
    for name, value in draw():
        print(name, value)
    sys.stdout.flush()
    os._exit(0)
os.wait()
for name, value in draw():
    print(name, value)
"""


def drawn(argv: list[str | Path], code: str) -> list[str]:
    done = subprocess.run([*argv, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_ten_thousand_starts(snapshot: Path) -> None:
    """random and os.urandom: 20,000 numbers of 53 bits and more, no two the same (by chance 1 in 45 million)."""
    code = "import os, random; os.write(1, b'%x %s\\n' % (random.getrandbits(64), os.urandom(8).hex().encode()))"
    script = 'i=0; while [ $i -lt 2500 ]; do "$@"; i=$((i+1)); done'

    def some(_: int) -> str:
        argv = ["dash", "-c", script, "dash", snapshot, "-c", code]
        return subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True).stdout

    with ThreadPoolExecutor(2) as pool:
        words = "".join(pool.map(some, range(4))).split()
    assert len(words) == 20_000
    assert len(set(words)) == len(words)


def test_every_generator(snapshot: Path) -> None:
    """Of 100 starts, in parent and child, before and after the fork."""
    with ThreadPoolExecutor(2) as pool:
        lines = [
            line
            for some in pool.map(lambda _: drawn([snapshot], DRAW), range(100))
            for line in some
        ]
    assert len(lines) == 100 * 4 * 17
    assert len(set(lines)) == len(lines)


def test_one_process_number_in_two_namespaces(snapshot: Path) -> None:
    """What is derived from the number alone would be the same."""
    if subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("namespaces of process numbers are forbidden here")
    argv: list[str | Path] = ["unshare", "--pid", "--fork", snapshot]
    code = DRAW + "print('number of the process', os.getpid())"
    runs = [drawn(argv, code) for _ in range(5)]
    assert {run.pop() for run in runs} == {"number of the process 1"}
    lines = [line for run in runs for line in run]
    assert len(set(lines)) == len(lines)


def test_a_seed_gives_the_same_numbers_everywhere(both: Callable[..., str]) -> None:
    """random.seed(), getstate() and setstate() are as ever."""
    code = """
import random
random.seed(7)
print(random.random(), random.gauss(), random.sample(range(100), 5))
state = random.getstate()
a = random.random()
random.setstate(state)
print(a == random.random(), random.Random(3).random(), len(state[1]), random.getstate()[0])
random.seed("text"); print(random.random(), random._inst.gauss_next)
"""
    both(code)


def test_hashes_do_not_matter(both: Callable[..., str]) -> None:
    """Dictionaries and sets of the image find what is put in later, whatever its hash; bytes, str, dates, tuples."""
    code = """
import builtins, datetime, decimal, errno, fractions, http, keyword, os, re, socket, string, sys, token, uuid
for name in list(sys.modules)[:400]:
    made = "".join(list(name))
    assert made in sys.modules and sys.modules[made] is sys.modules[name]
    there = getattr(sys.modules[name], "__dict__", {})
    assert all("".join(list(attribute)) in there for attribute in there)
assert "".join(["w", "hile"]) in keyword.kwlist and int("404") in http.HTTPStatus._value2member_map_
assert errno.errorcode[int("2")] == "ENOENT"
keys = ["a", b"a", 1.5, (1, "a"), datetime.date(2026, 1, 1), decimal.Decimal("1.5"), fractions.Fraction(3, 2), None,
    uuid.UUID(int=5), frozenset("abc"), "\\u20ac", 2**70, -1, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)]
table = {key: i for i, key in enumerate(keys)}
print([table[key] for key in keys], hash(1.5) == hash(decimal.Decimal("1.5")) == hash(fractions.Fraction(3, 2)))
import pickle
print([table[key] for key in pickle.loads(pickle.dumps(keys))])
print(re.findall("".join(["[a-c]", "+"]), "xabcx"), socket.AddressFamily(2).name)
"""
    both(code)


def test_fork_then_fork_again(snapshot: Path) -> None:
    """A server's children, one generation after the other, in the module random."""
    code = """
import os, random, sys
for _ in range(50):
    if os.fork() == 0:
        print(random.getrandbits(64), os.urandom(8).hex())
        if os.fork() == 0:
            print(random.getrandbits(64), os.urandom(8).hex())
        else:
            os.wait()
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""
    words = " ".join(drawn([snapshot], code)).split()
    # A child has its parent's line in its buffer, too, and prints it again.
    assert len(set(words)) == 200

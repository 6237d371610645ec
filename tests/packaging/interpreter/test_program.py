"""The frozen program: one file that needs no other.  These run build/toolbox (./dev build), mostly alone in a chroot.

They break when something is no longer built in, when the program looks for a file, follows the host's name
service configuration, carries what it must not (readline, scapy, names of the building machine), or ends
without its threads and its output.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from applets.system.python import absent

ROOT = Path(__file__).resolve().parents[3]

#: Names of sys.stdlib_module_names that are not here, and why.
OTHER_SYSTEMS = {
    *("_msi", "_overlapped", "_scproxy", "_winapi", "_wmi", "msvcrt", "nt", "winreg", "winsound"),
    *("_aix_support", "_android_support", "_apple_support", "_ios_support", "_osx_support"),
    "nturl2path",
}
ABSENT = {
    *OTHER_SYSTEMS,
    *("_pydatetime", "_pydecimal"),  # there in C
    "pydoc_data",  # help()'s chapters about the language
    *("_dbm", "_gdbm", "readline"),  # the GPL, or on top of it
    *("_tkinter", "idlelib", "tkinter", "turtle", "turtledemo"),  # windows
    *("ensurepip", "venv"),  # they install into a file system
}


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest) -> Path:
    """The frozen program that --toolbox names, or the one of ./dev build."""
    path = Path(request.config.getoption("--toolbox") or ROOT / "build/toolbox").absolute()
    if not path.exists():
        pytest.fail(f"{path} is not there: ./dev build makes it")
    return path


@pytest.fixture
def alone(program: Path, tmp_path: Path) -> Callable[..., str]:
    """Run Python code in a chroot that holds the program and the given files; returns its output."""
    root = tmp_path / "root"
    root.mkdir()
    try:
        os.link(program, root / "toolbox")
    except OSError:  # another file system
        shutil.copy(program, root / "toolbox")

    def run(code: str, *words: str, files: dict[str, str] | None = None) -> str:
        for name, text in (files or {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "-r", "--net"]
        done = subprocess.run(
            [*namespace, f"--root={root}", "/toolbox", "python", "-c", code, *words],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_is_static_at_fixed_addresses(program: Path) -> None:
    """An ET_EXEC file without PT_DYNAMIC and PT_INTERP: the snapshot needs fixed addresses."""
    head = program.read_bytes()[:4096]
    assert head[:6] == b"\x7fELF\x02\x01"
    kind = struct.unpack_from("<H", head, 16)[0]
    offset = struct.unpack_from("<Q", head, 32)[0]
    size, count = struct.unpack_from("<HH", head, 54)
    segments = {struct.unpack_from("<I", head, offset + i * size)[0] for i in range(count)}
    assert kind == 2
    assert not segments & {2, 3}


def test_nothing_of_the_building_machine(program: Path) -> None:
    """No path of the checkout, of the cache or of crates: the file is for everybody."""
    data = program.read_bytes()
    for path in (ROOT, Path.home() / ".cache", Path.home() / ".cargo"):
        assert str(path).encode() not in data


def test_libraries_in_an_empty_root(alone: Callable[..., str]) -> None:
    libraries = (
        "ssl, sqlite3, ctypes, asyncssh, cryptography.x509, prompt_toolkit, dnslib, ntplib, h11"
    )
    code = f"import {libraries}, os; print(os.listdir('/'), ssl.OPENSSL_VERSION_INFO >= (3, 5))"
    assert alone(code) == "['toolbox'] True\n"


def test_whole_standard_library(alone: Callable[..., str]) -> None:
    """Every module that is not for another system, under the GPL or for windows."""
    code = """
import contextlib, importlib, io, json, sys
failed = {}
for name in sorted(sys.stdlib_module_names - set(sys.argv[1:]) - {"antigravity", "this"}):
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = str(error)
print(json.dumps(failed))
"""
    assert json.loads(alone(code, *ABSENT)) == {}


def test_who_imports_what_is_absent_reads_why(program: Path, tmp_path: Path) -> None:
    """The module of a screen, of an installer; run as a program, below another error, and one of nobody's."""
    (tmp_path / "uses.py").write_text("try: import tkinter.ttk\nexcept ImportError: import venv\n")
    for words, last in (
        (["-c", "import tkinter.ttk"], absent.REASONS["tkinter"]),
        (["-m", "ensurepip"], absent.REASONS["ensurepip"]),
        (["-m", "pip", "install", "x"], absent.REASONS["pip"]),
        (["uses.py"], absent.REASONS["venv"]),
        (["-c", "import nobodys"], "ModuleNotFoundError: No module named 'nobodys'"),
        (["-c", "raise SystemExit('ended')"], "ended"),
    ):
        done = subprocess.run(
            [program, "python", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr.splitlines()[-1]) == (1, last)


def test_each_absent_module_has_a_reason() -> None:
    """But for private ones, and those of other systems."""
    public = {name for name in ABSENT if not name.startswith("_")}
    assert public - OTHER_SYSTEMS <= set(absent.REASONS)


def test_what_must_not_be_inside(alone: Callable[..., str]) -> None:
    code = """
from importlib.util import find_spec
print([name for name in ("readline", "_gdbm", "scapy", "pip", "setuptools", "pytest") if find_spec(name)])
"""
    assert alone(code) == "[]\n"


def test_modules_run_and_have_files(alone: Callable[..., str]) -> None:
    """Libraries look at __file__; runpy finds frozen packages' __main__."""
    code = """
import asyncssh, json, runpy, sys
print(asyncssh.__file__, json.__file__)
sys.argv[:] = ["json.tool", "--help"]
try:
    runpy.run_module("json.tool", run_name="__main__")
except SystemExit as leave:
    print(leave.code)
"""
    first, *_, last = alone(code).splitlines()
    assert first == "/frozen/asyncssh/__init__.py /frozen/json/__init__.py"
    assert last == "0"


def test_metadata_of_distributions(alone: Callable[..., str]) -> None:
    """Versions, by which libraries check each other and the builder leaves out what is here."""
    code = """
import json, importlib.metadata as metadata, prompt_toolkit
assert metadata.version("Prompt_Toolkit") == prompt_toolkit.__version__
try:
    metadata.version("scapy")
except metadata.PackageNotFoundError:
    print(json.dumps({d.name: d.version for d in metadata.distributions()}))
"""
    found = json.loads(alone(code))
    lock = (ROOT / "packaging/requirements.lock").read_text()
    for name, version in found.items():
        assert f"\n{name.replace('_', '-')}=={version} " in "\n" + lock
    assert {"asyncssh", "cffi", "cryptography", "dnslib", "h11", "ntplib"} <= found.keys()


def test_standard_modules_without_an_installation(alone: Callable[..., str]) -> None:
    """sysconfig has no Makefile to read, ctypes must not look for a compiler, zoneinfo has its folder."""
    code = """
import ctypes.util, sysconfig, zoneinfo, platform
print(ctypes.util.find_library("c"), sysconfig.get_config_var("VERSION"), sysconfig.get_paths()["stdlib"])
print(zoneinfo.TZPATH, platform.python_implementation())
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
print(callback(41))
"""
    assert alone(code) == ("None 3.13 /usr/lib/python3.13\n('/usr/share/zoneinfo',) CPython\n42\n")


def test_shared_libraries_are_named_with_who_has_them(alone: Callable[..., str]) -> None:
    """Of a static program: by ctypes, by name and by function, and by the import of a compiled module."""
    code = """
import ctypes, sys
def library(): ctypes.CDLL("libc.so.6")
def function(): ctypes.CDLL(None).inotify_init
def module():
    with open("/fast.so", "wb") as file:
        file.write(bytes(100))
    sys.path.insert(0, "/")
    import fast
for call in (library, function, module):
    try:
        call()
    except (OSError, AttributeError, ImportError) as error:
        print(call.__name__, 'runtime = "dynamic"' in str(error))
"""
    assert alone(code) == "library True\nfunction True\nmodule True\n"


ACCOUNTS = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nsnake:x:71:72:A Snake:/home/snake:/bin/sh\n",
    "etc/group": "root:x:0:\nden:x:72:snake\n",
    "etc/hosts": "127.0.0.1 localhost\n192.0.2.7 burrow burrow.example\n",
    # What must not be obeyed: a static program that loads a library of the host's crashes.
    "etc/nsswitch.conf": "passwd: systemd\ngroup: systemd\nhosts: resolve\n",
}


def test_accounts_and_hosts_by_files(alone: Callable[..., str]) -> None:
    code = """
import grp, os, pwd, socket
print(pwd.getpwnam("snake").pw_uid, pwd.getpwuid(71).pw_gecos, grp.getgrnam("den").gr_mem)
print(os.getgrouplist("snake", 72), socket.getaddrinfo("burrow.example", 80, type=socket.SOCK_STREAM)[0][4])
for find, what in ((pwd.getpwnam, "nobody-here"), (grp.getgrgid, 4711)):
    try:
        find(what)
    except KeyError:
        print("unknown")
"""
    assert alone(code, files=ACCOUNTS) == (
        "71 A Snake ['snake']\n[72] ('192.0.2.7', 80)\nunknown\nunknown\n"
    )


def test_unknown_user_on_the_host(program: Path) -> None:
    """With the host's own nsswitch.conf, whatever it names."""
    code = "import pwd\ntry: pwd.getpwnam('nobody-here')\nexcept KeyError: print('unknown')"
    done = subprocess.run([program, "python", "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"unknown\n")


def test_hosts_by_dns(alone: Callable[..., str]) -> None:
    """getaddrinfo asks the server of resolv.conf; dnslib answers it, in the same process."""
    code = """
import fcntl, socket, struct
from dnslib import A, QTYPE, RR
from dnslib.server import BaseResolver, DNSServer

with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS: up

class Resolver(BaseResolver):
    def resolve(self, request, handler):
        reply = request.reply()
        if request.q.qtype == QTYPE.A:
            reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A("192.0.2.53")))
        return reply

class Silent:
    def __getattr__(self, name):
        return lambda *a: None

DNSServer(Resolver(), address="127.0.0.1", port=53, logger=Silent()).start_thread()
print(socket.getaddrinfo("far.example", 443, type=socket.SOCK_STREAM)[0][4])
"""
    files = {**ACCOUNTS, "etc/resolv.conf": "nameserver 127.0.0.1\n"}
    assert alone(code, files=files) == "('192.0.2.53', 443)\n"


def test_tls_with_a_certificate_of_its_own(alone: Callable[..., str]) -> None:
    """cryptography makes it, ssl's two sides shake hands over memory, TLS 1.3."""
    code = """
import datetime, ssl
from cryptography import x509
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

key = Ed25519PrivateKey.generate()
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "box")])
day = datetime.timedelta(days=1)
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    .serial_number(7).not_valid_before(now - day).not_valid_after(now + day)
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("box")]), False).sign(key, None)
)
pem = certificate.public_bytes(form.Encoding.PEM).decode()
with open("/key.pem", "wb") as file:
    file.write(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    file.write(pem.encode())
theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
theirs.load_cert_chain("/key.pem")
ours = ssl.create_default_context(cadata=pem)
a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
client, server = ours.wrap_bio(b, a, server_hostname="box"), theirs.wrap_bio(c, d, server_side=True)
for _ in range(4):
    for side in (client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
        c.write(a.read())
        b.write(d.read())
client.write(b"hello")
c.write(a.read())
print(client.version(), server.read().decode(), client.getpeercert()["subject"][0][0][1])
"""
    assert alone(code) == "TLSv1.3 hello box\n"


def test_password_hashes(alone: Callable[..., str]) -> None:
    """PBKDF2 (RFC 7914, section 11) and scrypt (section 12), from our OpenSSL."""
    code = """
import hashlib
print(hashlib.pbkdf2_hmac("sha256", b"passwd", b"salt", 1, 64).hex()[:32])
print(hashlib.scrypt(b"", salt=b"", n=16, r=1, p=1, dklen=64).hex()[:32])
"""
    assert alone(code) == ("55ac046e56e3089fec1691c22544b605\n77d6576238657b203b19ca42c18a0497\n")


def test_keys_of_today(alone: Callable[..., str]) -> None:
    """ML-KEM, which needs OpenSSL 3.5: asyncssh offers it as a key exchange."""
    code = """
from asyncssh.kex_dh import _KexHybridECDH  # noqa
from asyncssh.kex import get_kex_algs
print(b"mlkem768x25519-sha256" in get_kex_algs())
"""
    assert alone(code) == "True\n"


def test_ends_with_its_threads_and_output(alone: Callable[..., str]) -> None:
    """The program leaves by _exit; what Python does at its end must have been done."""
    code = """
import atexit, threading
ready = threading.Event()
threading.Thread(target=lambda: (ready.wait(), print("thread"))).start()
atexit.register(print, "exit")
print("main")
ready.set()
"""
    assert alone(code) == "main\nthread\nexit\n"


def test_hashes_are_random_without_the_image_and_fixed_with_it() -> None:
    """The image holds dictionaries: its hashes are those of when it was recorded (snapshot/README.md, Security)."""

    def hashes(name: str) -> set[bytes]:
        argv = [ROOT / "build" / name, "python", "-c", "print(hash('snake'))"]
        return {subprocess.check_output(argv) for _ in range(3)}

    assert len(hashes("toolbox-plain")) == 3
    assert len(hashes("toolbox")) == 1


def test_dies_by_the_closed_pipe(program: Path) -> None:
    """SIGPIPE is at its default in an applet: no traceback, no endless writing."""
    process = subprocess.Popen(
        [program, "yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, restore_signals=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(60) == -signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()


def test_dies_by_interrupt(program: Path) -> None:
    """SIGINT too: a shell sees that it was the signal, without a traceback."""
    process = subprocess.Popen([program, "yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (-signal.SIGINT, b"")
